-- The register: who answers for which place, and where its codes hang.

create table organisations (
    id          uuid primary key,
    legal_name  text not null check (length(legal_name) between 1 and 200),
    -- Absent for households, imported sets and places abroad; its check character is verified at the door.
    credit_code text unique check (length(credit_code) = 18),
    created_at  timestamptz not null
);

create table venues (
    id              uuid primary key,
    organisation_id uuid not null references organisations (id),
    -- Where an imported venue came from, so that the same file again changes nothing.
    source_ref      text unique check (length(source_ref) between 1 and 200),
    name            text not null check (length(name) between 1 and 200),
    category        text not null,
    division        text not null check (division ~ '^[1-9][0-9]{5}$'),
    address         text not null check (length(address) <= 300),
    lat_deg         double precision not null check (lat_deg between -90 and 90),
    lng_deg         double precision not null check (lng_deg between -180 and 180),
    cell            bigint not null,
    contact_name    text not null default '' check (length(contact_name) <= 100),
    contact_phone   text not null default '' check (length(contact_phone) <= 30),
    capacity        integer check (capacity between 1 and 1000000),
    state           smallint not null check (state between 0 and 3),
    state_reason    text not null default '' check (length(state_reason) <= 500),
    created_at      timestamptz not null
);
create index venues_by_organisation on venues (organisation_id);
create index venues_by_division on venues (division, id);
create index venues_by_cell on venues (cell);

create table points (
    id          bigint primary key check (id >= 0 and id < 1099511627776),
    venue_id    uuid not null references venues (id),
    name        text not null check (length(name) between 1 and 100),
    granularity smallint not null check (granularity between 0 and 5),
    cell        bigint not null,
    -- The companion cell (resolution 8): points of a neighbourhood are looked up first, then their stays.
    grid_cell   bigint not null,
    -- The generation that new posters carry; older ones answer until `previous_until`.
    generation  smallint not null default 1 check (generation between 1 and 255),
    previous_until timestamptz,
    revoked_at  timestamptz,
    created_at  timestamptz not null,
    -- By the database's own clock, so that every replica of the service can ask what has changed since.
    changed_at  timestamptz not null default clock_timestamp()
);
create index points_by_change on points (changed_at);
create index points_by_venue on points (venue_id);
create index points_by_grid_cell on points (grid_cell);

create function point_changed() returns trigger language plpgsql as $$
begin
    new.changed_at := clock_timestamp();
    return new;
end $$;
create trigger points_changed before insert or update on points
    for each row execute function point_changed();

create function venue_changed() returns trigger language plpgsql as $$
begin
    update points set changed_at = clock_timestamp() where venue_id = new.id;
    return null;
end $$;
create trigger venues_changed after update on venues
    for each row execute function venue_changed();
