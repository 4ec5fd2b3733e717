-- Assignments, the decisions that let them go, and the letters that carry them out.

create table releases (
    run_id      uuid not null references runs (id),
    officer_id  uuid not null references staff (id),
    legal_basis text not null check (length(legal_basis) between 3 and 500),
    -- Given by a chief officer: carries a run beyond the cap.
    chief       boolean not null,
    at          timestamptz not null,
    primary key (run_id, officer_id)
);
create index releases_by_officer on releases (officer_id);

create table assignments (
    id               uuid primary key,
    run_id           uuid not null,
    case_id          uuid not null references cases (id),
    visitor          uuid not null,
    class            smallint not null check (class between 0 and 5),
    colour           smallint not null check (colour between 1 and 2),
    pack_id          text not null,
    pack_version     integer not null,
    division         text not null check (division ~ '^[1-9][0-9]{5}$'),
    -- 0 proposed, 1 released, 2 delivered, 3 expired, 4 withdrawn
    state            smallint not null default 0 check (state between 0 and 4),
    last_exposure_at timestamptz not null,
    expires_at       timestamptz not null check (expires_at > last_exposure_at),
    proposed_at      timestamptz not null,
    -- No evidence, no colour: an assignment hangs on a contact of a run.
    foreign key (run_id, visitor) references contacts (run_id, visitor),
    foreign key (pack_id, pack_version) references rule_packs (id, version)
);
create unique index assignments_one_open on assignments (visitor, case_id, class) where state in (1, 2);
create unique index assignments_once_a_run on assignments (run_id, visitor);
create index assignments_by_case on assignments (case_id);
create index assignments_by_pack on assignments (pack_id, pack_version);
create index assignments_ending on assignments (expires_at) where state in (1, 2);

create table assignment_events (
    assignment_id uuid not null references assignments (id),
    seq           integer not null,
    state         smallint not null check (state between 0 and 4),
    at            timestamptz not null,
    actor         text not null,
    reason        text not null default '',
    primary key (assignment_id, seq)
);

-- The issuing systems that letters go to. Their secrets live in the key file.
create table issuers (
    id         text primary key check (id ~ '^[a-z0-9-]{2,32}$'),
    name       text not null check (length(name) between 1 and 100),
    url        text not null check (url ~ '^https?://'),
    division   text not null check (division ~ '^[1-9][0-9]{5}$'),
    disabled_at timestamptz,
    created_at timestamptz not null
);

-- The outbox.
create table letters (
    id            uuid primary key,
    issuer_id     text not null references issuers (id),
    assignment_id uuid not null references assignments (id),
    visitor       uuid not null,
    -- Counts the letters about one visitor to one issuing system.
    sequence      bigint not null,
    body          jsonb not null,
    -- 0 waiting, 1 delivered, 2 buried
    state         smallint not null check (state between 0 and 2),
    attempts      integer not null default 0,
    due_at        timestamptz not null,
    last_error    text,
    created_at    timestamptz not null,
    delivered_at  timestamptz,
    unique (issuer_id, visitor, sequence)
);
create index letters_due on letters (issuer_id, due_at) where state = 0;
create index letters_by_assignment on letters (assignment_id);

create table switches (
    name       text primary key,
    is_on      boolean not null,
    changed_by text not null,
    changed_at timestamptz not null
);

-- Law 1, for whoever can write SQL: an assignment needs an exposure that counted, of that visitor in
-- that run, that joins a stay of the case with a stay of the visitor that is there and overlaps it.
create function assignment_needs_evidence() returns trigger language plpgsql as $$
begin
    perform 1
    from exposures e
    join trail_stays t on t.id = e.trail_stay_id and t.case_id = new.case_id
    join stays s on s.point_id = e.stay_point_id and s.from_at = e.stay_from_at and s.id = e.stay_id
    join contacts c on c.run_id = e.run_id and c.visitor = e.visitor
    join runs r on r.id = e.run_id and r.case_id = new.case_id
    where e.run_id = new.run_id and e.visitor = new.visitor and e.counted
      and s.visitor = new.visitor and s.presence > 0
      and e.from_at >= t.from_at and e.until_at <= t.until_at
      and c.class = new.class and c.colour = new.colour and c.excluded_at is null
      and (r.pack_id, r.pack_version) = (new.pack_id, new.pack_version)
    limit 1;
    if not found then
        raise exception 'no evidence, no colour: no counted exposure leads from the case to this visitor'
            using errcode = 'check_violation', constraint = 'assignment_needs_evidence';
    end if;
    if new.state <> 0 then
        raise exception 'an assignment begins as a proposal'
            using errcode = 'check_violation', constraint = 'assignment_begins_proposed';
    end if;
    return new;
end $$;
create trigger assignments_evidence before insert on assignments
    for each row execute function assignment_needs_evidence();

-- Law 3, for whoever can write SQL: nobody's colour changes without two officers who are not the
-- proposer, and a state never goes back.
create function assignment_step() returns trigger language plpgsql as $$
declare
    officers integer;
begin
    if (new.id, new.run_id, new.case_id, new.visitor, new.class, new.colour, new.pack_id, new.pack_version,
        new.division, new.last_exposure_at, new.expires_at, new.proposed_at)
       is distinct from
       (old.id, old.run_id, old.case_id, old.visitor, old.class, old.colour, old.pack_id, old.pack_version,
        old.division, old.last_exposure_at, old.expires_at, old.proposed_at) then
        raise exception 'an assignment does not change, only its state does'
            using errcode = 'restrict_violation', constraint = 'assignment_immutable';
    end if;
    if (old.state, new.state) not in ((0, 1), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4)) then
        raise exception 'an assignment in state % cannot become %', old.state, new.state
            using errcode = 'restrict_violation', constraint = 'assignment_step';
    end if;
    if new.state = 1 then
        select count(*) into officers
        from releases l join runs r on r.id = l.run_id
        where l.run_id = new.run_id and l.officer_id <> r.proposed_by;
        if officers < 2 then
            raise exception 'releasing needs two officers who did not propose'
                using errcode = 'restrict_violation', constraint = 'release_needs_two';
        end if;
    end if;
    return new;
end $$;
create trigger assignments_step before update on assignments
    for each row execute function assignment_step();
create trigger assignments_kept before delete on assignments
    for each row execute function refuse_change();
create trigger assignment_events_immutable before update or delete on assignment_events
    for each row execute function refuse_change();
create trigger releases_immutable before update or delete on releases
    for each row execute function refuse_change();
-- Row triggers do not see a truncate, which would empty the record in one stroke.
create trigger assignments_no_truncate before truncate on assignments
    for each statement execute function refuse_change();
create trigger assignment_events_no_truncate before truncate on assignment_events
    for each statement execute function refuse_change();
create trigger releases_no_truncate before truncate on releases
    for each statement execute function refuse_change();

-- Law 2, for whoever can write SQL: when a run is released, every contact of it whom the pack gives a
-- colour has an assignment, or an exclusion with reason and author.
create function run_release_is_equal() returns trigger language plpgsql as $$
begin
    if new.state = 5 and old.state <> 5 then
        perform 1
        from contacts c
        left join assignments a on a.run_id = c.run_id and a.visitor = c.visitor
        where c.run_id = new.id and c.colour > 0 and c.excluded_at is null and a.id is null
        limit 1;
        if found then
            raise exception 'equal exposure, equal result: some contacts have neither assignment nor exclusion'
                using errcode = 'restrict_violation', constraint = 'run_release_is_equal';
        end if;
    end if;
    return new;
end $$;
create trigger runs_equal before update on runs
    for each row execute function run_release_is_equal();
