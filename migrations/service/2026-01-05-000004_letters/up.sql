-- How each issuing system wants its letters, and how it stands.

alter table issuers
    -- 0 three colours, 1 four
    add column scheme       smallint not null default 0 check (scheme between 0 and 1),
    -- How many letters one envelope holds at the most.
    add column batch_max    integer not null default 200 check (batch_max between 1 and 200),
    -- How many letters it takes in any minute; without it, as many as there are.
    add column pace_per_min integer check (pace_per_min between 1 and 1000000);
-- 0 push, 1 pull
alter table issuers
    add column if not exists delivery smallint not null default 0 check (delivery between 0 and 1);

-- Whether an issuing system answers, and how much was sent to it of late. Apart from `issuers`, whose rows are locked
-- while letters are written.
create table circuits (
    issuer_id  text primary key references issuers (id),
    -- Envelopes that failed in a row.
    failures   integer not null default 0 check (failures >= 0),
    -- Since when nothing is sent but probes; null while all is well.
    opened_at  timestamptz,
    -- When one envelope may try.
    probe_at   timestamptz,
    last_error text,
    -- Letters sent in the last minute, by second.
    sent_at    timestamptz[] not null default '{}',
    sent_count integer[] not null default '{}',
    check ((opened_at is null) = (probe_at is null)),
    check (cardinality(sent_at) = cardinality(sent_count))
);

-- In the order in which they are taken.
drop index letters_due;
create index letters_due on letters (issuer_id, due_at, sequence) where state = 0;
-- A visitor's first letter that waits.
create index letters_waiting on letters (issuer_id, visitor, sequence) where state = 0;
create index letters_buried on letters (issuer_id, id) where state = 2;
