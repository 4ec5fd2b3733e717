-- Scans that come in while Redis is away, scans that are taken back, and the trace of stays that changed late.

-- A void takes back a scan that was handed in by mistake; both stay, and the stays follow.
alter table scans
    drop constraint scans_direction_check,
    add column corrects uuid,
    add constraint scans_direction_check check (direction between 0 and 3),
    add constraint scans_void_corrects check ((direction = 3) = (corrects is not null));

-- What the service takes in while Redis is away: entries as the log has them. The drain of a shard empties
-- them in the transaction that stores their scans.
create table inbox (
    id     bigint primary key generated always as identity,
    shard  smallint not null,
    entry  bytea not null check (length(entry) between 1 and 1048576)
);
create index inbox_by_shard on inbox (shard, id);

-- An operator has seen it.
alter table dead_entries add column looked_at_by text, add column looked_at timestamptz;

-- Scans of the printed code without any proof, by hour: the sign of a photo that goes round.
alter table point_hours add column unproven integer not null default 0 check (unproven >= 0);

-- What a late scan or a correction did to a stay that was known already: what it said before, and what it
-- says now (null where it is gone). Partitioned by day as the stays are, and dropped with them.
create table stay_changes (
    visitor       uuid not null,
    from_at       timestamptz not null,
    id            uuid not null,
    changed_at    timestamptz not null,
    point_id      bigint not null,
    old_until_at  timestamptz not null,
    old_ended_by  smallint not null check (old_ended_by between 0 and 3),
    old_presence  smallint not null check (old_presence between 0 and 3),
    new_until_at  timestamptz,
    new_ended_by  smallint check (new_ended_by between 0 and 3),
    new_presence  smallint check (new_presence between 0 and 3),
    -- The scan that came late or took another back.
    cause         uuid not null,
    primary key (visitor, from_at, id, changed_at),
    check (num_nulls(new_until_at, new_ended_by, new_presence) in (0, 3))
) partition by range (from_at);

-- A visitor's stays are found through the visitor's scans, each of which names its point and moment. An index
-- of random values that is written for every stay and read for few cost the drain more than all else.
drop index stays_of_visitor;
