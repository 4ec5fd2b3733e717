-- Cases, their trails, the rule packs, and the runs that compute who was exposed.

create table rule_packs (
    id        text not null check (id ~ '^[a-z0-9-]{1,40}$'),
    version   integer not null check (version >= 1),
    body      text not null,
    loaded_at timestamptz not null,
    primary key (id, version)
);

create table cases (
    id           uuid primary key,
    visitor      uuid not null,
    kind         smallint not null check (kind between 0 and 2),
    onset_at     timestamptz,
    sampled_at   timestamptz not null,
    isolated_at  timestamptz,
    authority    text not null check (length(authority) between 1 and 200),
    division     text not null check (division ~ '^[1-9][0-9]{5}$'),
    reported_by  uuid not null references staff (id),
    reported_at  timestamptz not null,
    withdrawn_by uuid references staff (id),
    withdrawn_at timestamptz,
    withdrawal_reason text,
    check ((withdrawn_at is null) = (withdrawn_by is null))
);
create index cases_by_division on cases (division, id);
create index cases_by_visitor on cases (visitor);
create index cases_by_reporter on cases (reported_by);
create index cases_by_withdrawer on cases (withdrawn_by);

-- What an investigator knows beside the scans: an interview, a camera, a payment, a ticket.
create table trail_stays (
    id         uuid primary key,
    case_id    uuid not null references cases (id),
    point_id   bigint not null references points (id),
    from_at    timestamptz not null,
    until_at   timestamptz not null check (until_at > from_at),
    -- 0 scan, 1 interview, 2 camera, 3 payment, 4 ticket
    source     smallint not null check (source between 0 and 4),
    reason     text not null check (length(reason) <= 500),
    -- The scanned stay that it repeats; every source but a scan has none.
    stay_id    uuid,
    added_by   uuid references staff (id),
    added_at   timestamptz not null,
    removed_at timestamptz,
    check ((source = 0) = (stay_id is not null))
);
create index trail_stays_by_case on trail_stays (case_id);
create index trail_stays_by_point on trail_stays (point_id);
create index trail_stays_by_author on trail_stays (added_by);
create unique index trail_stays_once on trail_stays (case_id, stay_id, point_id, from_at) where stay_id is not null;

create table runs (
    id             uuid primary key,
    case_id        uuid not null references cases (id),
    pack_id        text not null,
    pack_version   integer not null,
    -- 0 queued, 1 computed, 2 failed, 3 proposing, 4 proposed, 5 released, 6 withdrawn
    state          smallint not null check (state between 0 and 6),
    purpose        text not null check (length(purpose) between 3 and 500),
    requested_by   uuid not null references staff (id),
    requested_at   timestamptz not null,
    -- The ends of the log when the run was asked for: the run waits until they are drained.
    log_ends       jsonb,
    infectious_from  timestamptz,
    infectious_until timestamptz,
    computed_at    timestamptz,
    -- SHA-256 over exposures and contacts: the same input gives the same digest.
    result_digest  bytea,
    summary        jsonb,
    failure        text,
    proposed_by    uuid references staff (id),
    proposed_at    timestamptz,
    released_at    timestamptz,
    foreign key (pack_id, pack_version) references rule_packs (id, version),
    check ((proposed_by is null) = (proposed_at is null))
);
create index runs_by_case on runs (case_id);
create index runs_by_pack on runs (pack_id, pack_version);
create index runs_by_requester on runs (requested_by);
create index runs_by_proposer on runs (proposed_by);
create index runs_waiting on runs (state, requested_at) where state in (0, 3);

-- The evidence. A row repeats what the stay said when the run saw it.
create table exposures (
    run_id        uuid not null references runs (id),
    seq           integer not null,
    trail_stay_id uuid not null references trail_stays (id),
    stay_point_id bigint not null,
    stay_from_at  timestamptz not null,
    stay_id       uuid not null,
    visitor       uuid not null,
    relation      smallint not null check (relation between 0 and 2),
    granularity   smallint not null check (granularity between 0 and 5),
    from_at       timestamptz not null,
    until_at      timestamptz not null check (until_at > from_at),
    -- Contradicted presence (0) never makes an exposure.
    presence      smallint not null check (presence between 1 and 3),
    -- Whether it met the rule of the visitor's class.
    counted       boolean not null,
    primary key (run_id, seq)
);
create index exposures_by_visitor on exposures (run_id, visitor);
create index exposures_by_trail_stay on exposures (trail_stay_id);
create index exposures_by_stay on exposures (stay_id);

-- Whoever met the rule of some class in a run.
create table contacts (
    run_id        uuid not null references runs (id),
    visitor       uuid not null,
    class         smallint not null check (class between 0 and 5),
    colour        smallint not null check (colour between 0 and 2),
    together_secs bigint not null check (together_secs >= 0),
    meetings      integer not null check (meetings >= 1),
    first_at      timestamptz not null,
    last_at       timestamptz not null,
    -- Left out by an investigator, with a reason; the law of equal exposure allows no other way.
    excluded_by   uuid references staff (id),
    excluded_at   timestamptz,
    exclusion_reason text check (length(exclusion_reason) between 3 and 500),
    primary key (run_id, visitor),
    check ((excluded_by is null) = (exclusion_reason is null))
);
create index contacts_by_visitor on contacts (visitor);
create index contacts_by_excluder on contacts (excluded_by);

-- A pack that a run has used is never changed.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger rule_packs_immutable before update or delete on rule_packs
    for each row execute function refuse_change();
create trigger exposures_immutable before update on exposures
    for each row execute function refuse_change();
