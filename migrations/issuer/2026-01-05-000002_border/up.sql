-- Hand-overs from other jurisdictions, and what this system decided about them by its own rules.

-- What other systems call our visitors: made when a person was seen, since no identity is kept.
create table border_aliases (
    alias_key text not null,
    alias     uuid not null,
    visitor   uuid not null,
    seen_at   timestamptz not null,
    primary key (alias_key, alias)
);
create index border_aliases_by_visitor on border_aliases (visitor);

create table border_hand_overs (
    id           uuid primary key,
    agreement    text not null,
    from_division text not null,
    to_division  text not null,
    authority    text not null,
    -- SHA-256 of the document as it came first.
    digest       bytea not null,
    received_at  timestamptz not null,
    withdrawn_at timestamptz,
    -- Whether it was passed on; then nothing else of it is kept.
    relayed      boolean not null,
    -- What was answered; of one that was passed on, nothing.
    receipt      jsonb
);

-- An own measure, for a person who may not have been seen here yet.
create table border_measures (
    hand_over  uuid primary key references border_hand_overs (id) on delete cascade,
    alias_key  text not null,
    alias      uuid not null,
    -- 1 yellow, 2 red
    colour     smallint not null check (colour between 1 and 2),
    expires_at timestamptz not null,
    -- When it was taken back; it never holds again.
    ended_at   timestamptz,
    -- The reason that the visitor can read, in the form of a letter of this system to itself.
    letter     jsonb not null
);
create index border_measures_by_alias on border_measures (alias_key, alias);
create index border_measures_by_end on border_measures (expires_at);
