-- How letters reach systems that cannot be called, and how both sides find out whether they hold the same.

-- Counts the letters to one issuing system, without a gap, in the order in which their transactions ended.
alter table letters add column position bigint;
update letters l set position = n.position
from (select id, row_number() over (partition by issuer_id order by since, visitor, sequence) as position
      from (select id, issuer_id, visitor, sequence,
                   max(created_at) over (partition by issuer_id, visitor order by sequence) as since
            from letters) o) n
where n.id = l.id;
alter table letters alter column position set not null;
alter table letters add constraint letters_position_positive check (position > 0);
create unique index letters_by_position on letters (issuer_id, position);

-- How far each issuing system has come that takes its letters itself.
create table feeds (
    issuer_id  text primary key references issuers (id),
    -- The greatest position that it was ever given, and up to which it has said that it has them.
    handed_out bigint not null default 0 check (handed_out >= 0),
    taken      bigint not null default 0 check (taken between 0 and handed_out),
    asked_at   timestamptz not null
);

create index assignments_to_reconcile on assignments (visitor, id);

-- Each comparison of what an issuing system holds with what it should hold.
create table reconciliations (
    id            uuid primary key,
    issuer_id     text not null references issuers (id),
    asked_by      text not null,
    asked_at      timestamptz not null,
    -- 0 waits, 1 under way, 2 done, 3 failed
    state         smallint not null default 0 check (state between 0 and 3),
    -- The instant that both sides spoke about.
    held_at       timestamptz,
    ended_at      timestamptz,
    ours          bigint not null default 0,
    theirs        bigint not null default 0,
    digest_ours   text not null default '',
    digest_theirs text not null default '',
    -- How many of the 256 buckets differ.
    buckets       integer not null default 0,
    -- How many assignments do not stand alike, and what became of them.
    drift         bigint not null default 0,
    mended        bigint not null default 0,
    reported      bigint not null default 0,
    -- Open assignments that it was never told of: for these there is the replay.
    untold        bigint not null default 0,
    -- What a system that takes its letters itself has found: by sort of drift, ids of assignments.
    findings      jsonb,
    error         text
);
create index reconciliations_by_issuer on reconciliations (issuer_id, asked_at);
create unique index reconciliations_waiting on reconciliations (issuer_id) where state in (0, 1);

-- The assignments that did not stand alike. One that the other side alone knows has no row of ours.
create table drifts (
    reconciliation_id uuid not null references reconciliations (id) on delete cascade,
    assignment_id     uuid not null,
    -- 0 missing, 1 unknown, 2 state, 3 colour, 4 letter
    kind              smallint not null check (kind between 0 and 4),
    -- Whether a letter was written that says how it stands.
    mended            boolean not null,
    -- Whether an earlier comparison had mended it already.
    returned          boolean not null,
    primary key (reconciliation_id, assignment_id)
);
create index drifts_by_assignment on drifts (assignment_id);

-- The filling of a new issuing system.
create table replays (
    id          uuid primary key,
    issuer_id   text not null references issuers (id),
    asked_by    text not null,
    asked_at    timestamptz not null,
    -- How far it has come.
    proposed_at timestamptz,
    after_id    uuid,
    letters     bigint not null default 0,
    done_at     timestamptz
);
create index replays_by_issuer on replays (issuer_id, asked_at);
create unique index replays_under_way on replays (issuer_id) where done_at is null;
