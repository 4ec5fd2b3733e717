-- What was done and who looked, in a chain of hashes.

create table audit_entries (
    seq       bigint primary key,
    at_micros bigint not null,
    actor     text not null,
    action    text not null,
    subject   text not null,
    detail    text not null,
    prev      bytea not null check (length(prev) = 32),
    hash      bytea not null check (length(hash) = 32)
);
create index audit_entries_by_subject on audit_entries (subject, seq);
create trigger audit_entries_immutable before update or delete on audit_entries
    for each row execute function refuse_change();
create trigger audit_entries_no_truncate before truncate on audit_entries
    for each statement execute function refuse_change();

-- The end of the chain. Locking this row orders the writers.
create table audit_head (
    id   boolean primary key default true check (id),
    seq  bigint not null,
    hash bytea not null
);
insert into audit_head (seq, hash) values (0, decode(repeat('00', 32), 'hex'));

-- Who looked at whose stays: a look at a run concerns the contacts of that run, a look at a case
-- concerns its person. Shown to the visitor, without the name of the official.
create table looks (
    id        uuid primary key,
    case_id   uuid not null references cases (id),
    run_id    uuid references runs (id),
    role      smallint not null,
    purpose   text not null check (length(purpose) between 3 and 500),
    at        timestamptz not null
);
create index looks_by_case on looks (case_id);
create index looks_by_run on looks (run_id);
