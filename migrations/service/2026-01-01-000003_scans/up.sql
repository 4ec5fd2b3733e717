-- Scans, and the stays that follow from them. Both are partitioned by day; partitions are made ahead
-- and dropped whole when retention ends, so nothing is ever deleted row by row. There is no default
-- partition, because it would block detaching others.
--
-- For Citus, `scans` is distributed by visitor (a visitor's stays are computed from that visitor's
-- scans alone) and `stays` by point (who met whom is asked point by point). Both columns are part of
-- every key, and no foreign key leaves either table.

create table scans (
    visitor     uuid not null,
    occurred_at timestamptz not null,
    -- Made by the client, so that a retry is the same scan.
    id          uuid not null,
    point_id    bigint not null,
    cell        bigint not null,
    received_at timestamptz not null,
    direction   smallint not null check (direction between 0 and 2),
    method      smallint not null check (method between 0 and 3),
    presence    smallint not null check (presence between 0 and 3),
    party       uuid,
    primary key (visitor, occurred_at, id)
) partition by range (occurred_at);

create table stays (
    point_id   bigint not null,
    from_at    timestamptz not null,
    -- The scan that opened it.
    id         uuid not null,
    visitor    uuid not null,
    until_at   timestamptz not null check (until_at > from_at),
    cell       bigint not null,
    ended_by   smallint not null check (ended_by between 0 and 3),
    presence   smallint not null check (presence between 0 and 3)
) partition by range (from_at);

-- "Who was at this point in this window": answered from the index alone. Ids are made by clients, so two
-- visitors may come with the same one.
create unique index stays_at_point on stays (point_id, from_at, id, visitor) include (until_at, presence, ended_by, cell);
-- "Where was this visitor".
create index stays_of_visitor on stays (visitor, from_at);

-- How far each shard of the scan log has been drained; moved in the same transaction as the rows.
create table log_positions (
    shard      smallint primary key,
    position   text not null,
    drained    bigint not null default 0,
    updated_at timestamptz not null
);

-- Log entries that could not be read, for an operator to look at. They hold no more than the entry.
create table dead_entries (
    shard       smallint not null,
    position    text not null,
    entry       bytea not null,
    reason      text not null,
    found_at    timestamptz not null,
    primary key (shard, position)
);

-- Days whose scans were imported later than they occurred: retention counts from the import.
create table imported_days (
    day         date primary key,
    imported_at timestamptz not null
);
