-- A register that a city can run: every step of a venue's life, places wider than a door, places that
-- move, who works there, the screens at the door, and how much each point is used.

alter table organisations
    -- 0 company, 1 government, 2 institution, 3 social organisation, 4 other
    add column kind smallint not null default 0 check (kind between 0 and 4);

alter table venues
    add column short_name text not null default '' check (length(short_name) <= 16),
    -- Street or town (街道, 乡镇) within the division.
    add column street     text not null default '' check (length(street) <= 100),
    -- The authority that supervises this kind of place.
    add column superior   text not null default '' check (length(superior) <= 200),
    -- A GeoJSON geometry (Polygon or MultiPolygon) where the venue is wider than a door, and the H3
    -- cells that cover it, compacted.
    add column outline    jsonb,
    add column cells      bigint[] not null default '{}' check (cardinality(cells) <= 20000),
    drop constraint venues_state_check,
    -- 4 is rejected: the applicant may correct it and submit it again.
    add constraint venues_state_check check (state between 0 and 4);
create index venues_by_organisation_state on venues (organisation_id, state);

-- What happened to a venue; the applicant reads it.
create table venue_steps (
    venue_id uuid not null references venues (id),
    seq      integer not null check (seq > 0),
    at       timestamptz not null,
    actor    text not null,
    action   text not null check (length(action) between 1 and 40),
    state    smallint not null check (state between 0 and 4),
    reason   text not null default '' check (length(reason) <= 500),
    primary key (venue_id, seq)
);
create trigger venue_steps_immutable before update or delete on venue_steps
    for each row execute function refuse_change();
create trigger venue_steps_no_truncate before truncate on venue_steps
    for each statement execute function refuse_change();

alter table points
    -- Where it hangs, when that is not the venue's own position.
    add column lat_deg    double precision check (lat_deg between -90 and 90),
    add column lng_deg    double precision check (lng_deg between -180 and 180),
    -- A carriage, bus or taxi: the cell of a scan is that of the reported stop, else the line's own.
    add column is_mobile  boolean not null default false,
    -- Since when no code of it answers, for fairs and other places with an end.
    add column expires_at timestamptz,
    add constraint points_position check ((lat_deg is null) = (lng_deg is null));

-- The stops of a line: a venue whose points move.
create table stops (
    venue_id  uuid not null references venues (id),
    number    smallint not null check (number between 1 and 999),
    name      text not null check (length(name) between 1 and 100),
    lat_deg   double precision not null check (lat_deg between -90 and 90),
    lng_deg   double precision not null check (lng_deg between -180 and 180),
    cell      bigint not null,
    grid_cell bigint not null,
    primary key (venue_id, number)
);
create index stops_by_grid_cell on stops (grid_cell);
create function stop_changed() returns trigger language plpgsql as $$
begin
    update points set changed_at = clock_timestamp() where venue_id = coalesce(new.venue_id, old.venue_id);
    return null;
end $$;
create trigger stops_changed after insert or update or delete on stops
    for each row execute function stop_changed();

-- Where a stay of a trail was, when the point itself moves.
alter table trail_stays add column cell bigint;

-- A screen at a door that shows the rotating code of its point. The link that enrols it works once and
-- not for long; then the screen has a token of its own. Only hashes are kept.
create table screens (
    id          uuid primary key,
    point_id    bigint not null references points (id),
    name        text not null check (length(name) between 1 and 100),
    link_hash   bytea unique check (length(link_hash) = 32),
    link_until  timestamptz not null,
    token_hash  bytea unique check (length(token_hash) = 32),
    disabled_at timestamptz,
    created_at  timestamptz not null
);
create index screens_by_point on screens (point_id);

-- A venue manager's invitation to somebody who is to work with the venue's codes.
create table invitations (
    id         uuid primary key,
    venue_id   uuid not null references venues (id),
    token_hash bytea not null unique check (length(token_hash) = 32),
    role       smallint not null,
    invited_by text not null,
    expires_at timestamptz not null,
    used_at    timestamptz,
    created_at timestamptz not null
);
create index invitations_by_venue on invitations (venue_id);

-- Divisions (GB/T 2260) whose bounding area is known; a venue's position must lie inside.
create table divisions (
    code      text primary key check (code ~ '^[1-9][0-9]{5}$'),
    name      text not null check (length(name) between 1 and 100),
    south_deg double precision not null check (south_deg between -90 and 90),
    west_deg  double precision not null check (west_deg between -180 and 180),
    north_deg double precision not null check (north_deg between -90 and 90),
    east_deg  double precision not null check (east_deg between -180 and 180),
    check (south_deg < north_deg and west_deg < east_deg)
);

-- What an inspector found in front of a poster.
create table inspections (
    id         uuid primary key,
    point_id   bigint not null references points (id),
    inspector  text not null,
    at         timestamptz not null,
    -- How far from the registered place the inspector stood, where that is known.
    distance_m integer check (distance_m between 0 and 20100000),
    -- 0 in order, 1 hangs elsewhere, 2 missing, 3 unreadable, 4 other
    finding    smallint not null check (finding between 0 and 4),
    note       text not null default '' check (length(note) <= 500)
);
create index inspections_by_point on inspections (point_id, at);

-- How many scans each point had in each hour: counts that name nobody, kept by the drain in the
-- transaction that stores the scans.
create table point_hours (
    point_id     bigint not null,
    hour         timestamptz not null,
    scans        integer not null check (scans >= 0),
    -- Those whose presence is contradicted: many of them mean a poster that was moved or photographed.
    contradicted integer not null check (contradicted between 0 and scans),
    primary key (point_id, hour)
);
create index point_hours_by_hour on point_hours (hour);

-- How much each point is used beside its own past, judged once a local day.
create table point_usage (
    point_id      bigint primary key references points (id),
    judged_for    date not null,
    -- 0 in use, 1 new, 2 quiet, 3 dead, 4 moved, 5 never used
    usage         smallint not null check (usage between 0 and 5),
    -- Scans of the last seven days, what the four weeks before let expect, and how many were contradicted.
    week_scans    integer not null,
    week_expected double precision not null,
    week_contradicted integer not null,
    last_scan_at  timestamptz
);
create index point_usage_by_usage on point_usage (usage, point_id) where usage >= 2;
