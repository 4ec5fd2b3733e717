-- Who may ask: people with passwords, machines with tokens, devices and channels with keys.

create table staff (
    id            uuid primary key,
    login         text not null unique check (login ~ '^[a-z0-9._-]{2,40}$'),
    display_name  text not null check (length(display_name) between 1 and 100),
    password_hash text not null,
    roles         smallint[] not null check (cardinality(roles) between 1 and 8),
    -- What the person may see: this division and all inside it.
    division      text not null check (division ~ '^[1-9][0-9]{5}$'),
    disabled_at   timestamptz,
    created_at    timestamptz not null
);

-- Which venues a venue manager answers for.
create table staff_venues (
    staff_id uuid not null references staff (id),
    venue_id uuid not null references venues (id),
    primary key (staff_id, venue_id)
);
create index staff_venues_by_venue on staff_venues (venue_id);

-- Only the SHA-256 of a session's or machine's token is kept.
create table sessions (
    token_hash bytea primary key check (length(token_hash) = 32),
    staff_id   uuid not null references staff (id),
    expires_at timestamptz not null,
    created_at timestamptz not null
);
create index sessions_by_staff on sessions (staff_id);
create index sessions_by_end on sessions (expires_at);

create table machine_tokens (
    id         uuid primary key,
    token_hash bytea not null unique check (length(token_hash) = 32),
    name       text not null check (length(name) between 1 and 100),
    roles      smallint[] not null check (cardinality(roles) between 1 and 8),
    division   text not null check (division ~ '^[1-9][0-9]{5}$'),
    expires_at timestamptz not null,
    created_at timestamptz not null
);

create table devices (
    id          uuid primary key,
    name        text not null check (length(name) between 1 and 100),
    point_id    bigint not null references points (id),
    public_key  bytea not null check (length(public_key) = 32),
    disabled_at timestamptz,
    created_at  timestamptz not null
);
create index devices_by_point on devices (point_id);

create table channels (
    id          text primary key check (id ~ '^[a-z0-9-]{2,32}$'),
    name        text not null check (length(name) between 1 and 100),
    public_key  bytea not null check (length(public_key) = 32),
    -- Where a visitor who has no token yet is sent to be verified.
    page_url    text not null check (page_url ~ '^https?://'),
    disabled_at timestamptz,
    created_at  timestamptz not null
);

-- The answer to a write that was already carried out, for a client that asks again.
create table idempotency_keys (
    principal   text not null,
    key         text not null check (length(key) between 1 and 100),
    fingerprint bytea not null check (length(fingerprint) = 32),
    status      smallint not null,
    body        text not null,
    created_at  timestamptz not null,
    primary key (principal, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
