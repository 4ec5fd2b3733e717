-- Many jurisdictions: agreements, what other systems call visitors, who is handed over, and who is under control elsewhere.

-- Append-only: a change is another version, and the newest one holds.
create table agreements (
    id           text not null check (id ~ '^[a-z0-9-]{2,32}$'),
    version      integer not null check (version >= 1),
    own_division text not null check (own_division ~ '^[0-9]{6}$'),
    -- Whose people are handed over: those who live there.
    division     text not null check (division ~ '^[0-9]{6}$'),
    url          text not null,
    -- The name of what we sign with, in the file of secrets.
    secret       text not null check (length(secret) between 2 and 32),
    -- What the other side signs its receipts with, as `whpk_…`; without it, the same secret.
    public_key   text check (public_key ~ '^whpk_[A-Za-z0-9+/]{43}=$'),
    -- 0 bilateral, 1 relay, 2 national
    route        smallint not null check (route between 0 and 2),
    -- A closed list: no judgement of ours is among them.
    fields       text[] not null check (fields <@ array[
        'relation', 'minutes', 'date', 'slot', 'infectious_day', 'category', 'granularity', 'presence', 'ended_by', 'rows',
        'place'
    ]),
    -- The name of the key that persons are named under; the key itself is the channels'.
    alias_key    text not null check (alias_key ~ '^[a-z0-9-]{2,32}$'),
    valid_from   timestamptz not null,
    valid_until  timestamptz not null,
    legal_basis  text not null check (length(legal_basis) between 1 and 500),
    entered_by   text not null,
    entered_at   timestamptz not null,
    primary key (id, version),
    check (valid_until > valid_from)
);
create trigger agreements_immutable before update or delete on agreements
    for each row execute function refuse_change();
create trigger agreements_no_truncate before truncate on agreements
    for each statement execute function refuse_change();

-- What other systems call a visitor, as the channel told it.
create table aliases (
    visitor   uuid not null,
    alias_key text not null check (alias_key ~ '^[a-z0-9-]{2,32}$'),
    alias     uuid not null,
    told_at   timestamptz not null,
    primary key (visitor, alias_key)
);
create index aliases_by_alias on aliases (alias_key, alias);
create index aliases_by_time on aliases (told_at);

-- The outbox of hand-overs: facts, and never what we think of them.
create table hand_overs (
    id                uuid primary key,
    -- The proposal in whose place it goes.
    assignment_id     uuid not null unique references assignments (id),
    agreement_id      text not null,
    agreement_version integer not null,
    division          text not null check (division ~ '^[0-9]{6}$'),
    alias_key         text not null,
    alias             uuid not null,
    own_division      text not null check (own_division ~ '^[0-9]{6}$'),
    authority         text not null,
    legal_basis       text not null,
    infectious_kind   smallint not null check (infectious_kind between 0 and 2),
    facts             jsonb not null,
    -- 0 waiting, 1 delivered, 2 buried, 3 taken back before it was ever sent
    state             smallint not null default 0 check (state between 0 and 3),
    attempts          integer not null default 0,
    due_at            timestamptz not null,
    last_error        text,
    created_at        timestamptz not null,
    delivered_at      timestamptz,
    withdrawn_at      timestamptz,
    -- What the other side decided, in its own words.
    receipt           jsonb,
    foreign key (agreement_id, agreement_version) references agreements (id, version)
);
create index hand_overs_by_agreement on hand_overs (agreement_id, agreement_version);
create index hand_overs_due on hand_overs (due_at) where state = 0;

-- For whoever can write SQL: whoever is handed over has no colour from us by the same proposal, and what was taken back
-- stays so.
create function hand_over_step() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        perform 1 from assignments a where a.id = new.assignment_id and a.state = 4;
        if not found then
            raise exception 'who is handed over is not coloured here: the proposal must be withdrawn'
                using errcode = 'check_violation', constraint = 'hand_over_step';
        end if;
    elsif (new.id, new.assignment_id, new.agreement_id, new.agreement_version, new.division, new.alias_key, new.alias,
           new.own_division, new.authority, new.legal_basis, new.infectious_kind, new.created_at)
          is distinct from
          (old.id, old.assignment_id, old.agreement_id, old.agreement_version, old.division, old.alias_key, old.alias,
           old.own_division, old.authority, old.legal_basis, old.infectious_kind, old.created_at)
       or (new.facts <> old.facts and new.facts <> '[]')
       or (old.withdrawn_at is not null and new.withdrawn_at is distinct from old.withdrawn_at) then
        raise exception 'a hand-over does not change, and one that was taken back stays so'
            using errcode = 'restrict_violation', constraint = 'hand_over_step';
    end if;
    return new;
end $$;
create trigger hand_overs_step before insert or update on hand_overs
    for each row execute function hand_over_step();

-- Who is under control elsewhere, as an issuing system told it. It keeps a second assignment away and makes none.
create table controls (
    issuer_id text not null references issuers (id),
    id        uuid not null,
    visitor   uuid,
    alias_key text,
    alias     uuid,
    division  text not null check (division ~ '^[0-9]{6}$'),
    until_at  timestamptz not null,
    told_at   timestamptz not null,
    primary key (issuer_id, id),
    check (num_nonnulls(visitor, alias) = 1),
    check ((alias is null) = (alias_key is null))
);
create index controls_by_visitor on controls (visitor) where visitor is not null;
create index controls_by_alias on controls (alias_key, alias) where alias is not null;
create index controls_by_end on controls (until_at);
