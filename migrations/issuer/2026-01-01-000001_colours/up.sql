-- What the issuing system knows: pseudonyms and the assignments about them. No identity is kept.

create table visitors (
    visitor  uuid primary key,
    -- The newest letter about this visitor, so that the sender can see what has arrived. The row is
    -- also what two envelopes about the same visitor wait for.
    sequence bigint not null
);

create table assignments (
    visitor    uuid not null references visitors (visitor),
    id         uuid not null,
    -- The newest letter about this assignment; an older one never overrides it.
    sequence   bigint not null,
    -- 0 open, 1 expired, 2 withdrawn. It only rises: what has ended never comes back.
    ending     smallint not null check (ending between 0 and 2),
    class      smallint not null check (class between 0 and 5),
    colour     smallint not null check (colour between 0 and 2),
    expires_at timestamptz not null,
    -- The letter, which is the reason that the visitor can read. Its meetings are gone once it has ended.
    letter     jsonb not null,
    primary key (visitor, id)
);
create index assignments_ending on assignments (expires_at);

-- Which letters were applied, so that none is applied twice.
create table letters (
    id            uuid primary key,
    visitor       uuid not null,
    assignment_id uuid not null,
    -- 0 applied, 1 stale
    result        smallint not null check (result between 0 and 1),
    applied_at    timestamptz not null,
    foreign key (visitor, assignment_id) references assignments (visitor, id) on delete cascade
);
create index letters_by_assignment on letters (visitor, assignment_id);
