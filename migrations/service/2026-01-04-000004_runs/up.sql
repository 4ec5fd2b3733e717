-- Runs that are dry, incomplete, cancelled or followed up; how far they are; where they looked; what came late.

alter table runs
    -- 7: an investigator has cancelled it before it was computed.
    drop constraint runs_state_check,
    add constraint runs_state_check check (state between 0 and 7),
    -- A dry run is computed like any other and never goes out.
    add column dry           boolean not null default false,
    -- Computed at once, whatever waits to be drained; then `incomplete` says what did.
    add column incomplete_ok boolean not null default false,
    add column incomplete    jsonb,
    -- The case as the run saw it: kind and dates, no person.
    add column case_seen     jsonb,
    -- Until when the period of a case runs that was not isolated; without it, until the run was asked for.
    add column bound_at      timestamptz,
    -- The run that this one follows up.
    add column base_run      uuid references runs (id),
    -- Since when scans are known that the run did not see.
    add column stale_at      timestamptz,
    -- Contacts that are new, gone or in another class than in the base.
    add column difference    jsonb,
    -- What the run saw, as Postgres tells it, and whether late notes were compared with it.
    add column snapshot      text,
    add column late_checked  boolean not null default false,
    -- How many steps from the case the pack goes.
    add column depth         smallint not null default 0 check (depth between 0 and 3),
    add constraint runs_dry_stays_in check (not dry or state not in (3, 4, 5));
create index runs_by_base on runs (base_run);
create index runs_unchecked on runs (id) where not late_checked and snapshot is not null;

-- What a run was asked never changes, or a dry run could be made a real one.
create function run_keeps_its_question() returns trigger language plpgsql as $$
begin
    if (new.id, new.case_id, new.pack_id, new.pack_version, new.dry, new.requested_by, new.requested_at, new.base_run)
       is distinct from
       (old.id, old.case_id, old.pack_id, old.pack_version, old.dry, old.requested_by, old.requested_at, old.base_run) then
        raise exception 'a run keeps what it was asked'
            using errcode = 'restrict_violation', constraint = 'run_keeps_its_question';
    end if;
    return new;
end $$;
create trigger runs_question before update on runs
    for each row execute function run_keeps_its_question();

create function assignment_of_no_dry_run() returns trigger language plpgsql as $$
begin
    perform 1 from runs r where r.id = new.run_id and r.dry;
    if found then
        raise exception 'a dry run colours nobody'
            using errcode = 'check_violation', constraint = 'assignment_of_no_dry_run';
    end if;
    return new;
end $$;
create trigger assignments_not_dry before insert on assignments
    for each row execute function assignment_of_no_dry_run();

-- Law 2 for a run that follows up another: who has the assignment already needs no second one.
create or replace function run_release_is_equal() returns trigger language plpgsql as $$
begin
    if new.state = 5 and old.state <> 5 then
        perform 1
        from contacts c
        left join assignments a on a.run_id = c.run_id and a.visitor = c.visitor
        where c.run_id = new.id and c.colour > 0 and c.excluded_at is null and a.id is null
          and (new.base_run is null or not exists (
              select 1 from assignments o
              where o.visitor = c.visitor and o.case_id = new.case_id and o.class = c.class and o.colour = c.colour
                and (o.state in (1, 2) or o.state = 3 and o.last_exposure_at >= c.last_at)))
        limit 1;
        if found then
            raise exception 'equal exposure, equal result: some contacts have neither assignment nor exclusion'
                using errcode = 'restrict_violation', constraint = 'run_release_is_equal';
        end if;
    end if;
    return new;
end $$;

-- Written by a connection of its own while the run is computed in one transaction, which holds the run's row.
create table run_progress (
    run_id       uuid primary key references runs (id),
    -- 0 queued, 1 searching, 2 grading, 3 contacts of contacts, 4 keeping
    stage        smallint not null default 0 check (stage between 0 and 4),
    searches     bigint not null default 0,
    searched     bigint not null default 0,
    people       bigint not null default 0,
    noted_at     timestamptz,
    cancelled_by uuid references staff (id),
    cancelled_at timestamptz,
    check ((cancelled_by is null) = (cancelled_at is null))
);
create index run_progress_by_canceller on run_progress (cancelled_by);

-- Where and when a run looked for others, so that what comes late there can be told.
create table run_windows (
    run_id    uuid not null references runs (id),
    seq       integer not null,
    point_id  bigint,
    venue_id  uuid,
    grid_cell bigint,
    from_at   timestamptz not null,
    until_at  timestamptz not null check (until_at > from_at),
    primary key (run_id, seq),
    check (num_nonnulls(point_id, venue_id, grid_cell) = 1)
);
create index run_windows_at_point on run_windows (point_id, until_at) where point_id is not null;
create index run_windows_at_venue on run_windows (venue_id, until_at) where venue_id is not null;
create index run_windows_in_cell on run_windows (grid_cell, until_at) where grid_cell is not null;
create index run_windows_from on run_windows (from_at);
create index run_windows_until on run_windows (until_at);

-- What the drain did to stays of the past: at which point in which hour, and to whose trail. Names nobody, and has no
-- foreign key: the drain waits for nothing that tracing holds. `xact` tells what a run can have seen.
create table late_hours (
    point_id bigint not null,
    hour     timestamptz not null,
    xact     bigint not null,
    noted_at timestamptz not null default now(),
    handled  boolean not null default false,
    primary key (point_id, hour)
);
create index late_hours_new on late_hours (point_id, hour) where not handled;
create index late_hours_done on late_hours (noted_at) where handled;
create table late_runs (
    run_id   uuid primary key,
    xact     bigint not null,
    noted_at timestamptz not null default now(),
    handled  boolean not null default false
);
create index late_runs_new on late_runs (run_id) where not handled;
