-- The life of an assignment: every step is an event, and the row says what its last event says.

alter table issuers
    -- What the system signs its own requests with, as `whpk_…`; without it, the secret that it shares with us.
    add column public_key text check (public_key ~ '^whpk_[A-Za-z0-9+/]{43}=$');

alter table assignments
    -- Which rule of the class was met, where a pack has several.
    add column rule       text check (length(rule) between 1 and 40),
    -- The colour that is shown; `colour` is the one that was decided. It only becomes weaker.
    add column colour_now smallint not null default 0 check (colour_now between 0 and 2),
    -- When a fact that would end it is overdue.
    add column review_at  timestamptz;
alter table assignments disable trigger user;
update assignments set colour_now = colour;
alter table assignments enable trigger user;
alter table assignments alter column colour_now drop default;
-- 0 proposed, 1 released, 2 delivered, 3 expired, 4 withdrawn, 5 ended by its end condition
alter table assignments drop constraint assignments_state_check;
alter table assignments add constraint assignments_state_check check (state between 0 and 5);
alter table assignments add constraint assignments_colour_now_weaker check (colour_now <= colour);

alter table assignment_events
    -- 0 proposed, 1 released, 2 delivered, 3 extended, 4 downgraded, 5 ended, 6 withdrawn, 7 expired
    add column kind             smallint not null default 0 check (kind between 0 and 7),
    add column colour           smallint not null default 0 check (colour between 0 and 2),
    add column last_exposure_at timestamptz,
    add column expires_at       timestamptz,
    -- The run whose contact gives the ground of an extension.
    add column run_id           uuid references runs (id);
alter table assignment_events disable trigger user;
update assignment_events e
set kind = case e.state when 3 then 7 when 4 then 6 else e.state end,
    colour = a.colour, last_exposure_at = a.last_exposure_at, expires_at = a.expires_at
from assignments a where a.id = e.assignment_id;
alter table assignment_events enable trigger user;
alter table assignment_events alter column kind drop default, alter column colour drop default,
    alter column last_exposure_at set not null, alter column expires_at set not null;
alter table assignment_events drop constraint assignment_events_state_check;
alter table assignment_events add constraint assignment_events_state_check check (state between 0 and 5);
create index assignment_events_by_run on assignment_events (run_id);

create or replace function assignment_step() returns trigger language plpgsql as $$
declare
    officers integer;
begin
    if (new.id, new.run_id, new.case_id, new.visitor, new.class, new.rule, new.colour, new.pack_id, new.pack_version,
        new.division, new.proposed_at)
       is distinct from
       (old.id, old.run_id, old.case_id, old.visitor, old.class, old.rule, old.colour, old.pack_id, old.pack_version,
        old.division, old.proposed_at) then
        raise exception 'an assignment does not change, only its state does'
            using errcode = 'restrict_violation', constraint = 'assignment_immutable';
    end if;
    if new.colour_now > old.colour_now or new.last_exposure_at < old.last_exposure_at
       or (new.state = old.state and new.expires_at < old.expires_at) then
        raise exception 'a colour only becomes weaker, and what is extended only longer'
            using errcode = 'restrict_violation', constraint = 'assignment_monotone';
    end if;
    if (old.state, new.state) not in
       ((0, 1), (0, 4), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 2), (2, 3), (2, 4), (2, 5)) then
        raise exception 'an assignment in state % cannot become %', old.state, new.state
            using errcode = 'restrict_violation', constraint = 'assignment_step';
    end if;
    if new.state = 1 and old.state = 0 then
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

create function assignment_begins() returns trigger language plpgsql as $$
begin
    if new.colour_now <> new.colour then
        raise exception 'an assignment begins with the colour as it was decided'
            using errcode = 'check_violation', constraint = 'assignment_begins';
    end if;
    return new;
end $$;
create trigger assignments_begin before insert on assignments
    for each row execute function assignment_begins();

-- No change without its event, for whoever can write SQL: at the end of the transaction the row says what the last
-- event says.
create function assignment_is_told() returns trigger language plpgsql as $$
declare
    now_is assignments%rowtype;
    told   assignment_events%rowtype;
begin
    select * into now_is from assignments where id = new.id;
    select * into told from assignment_events where assignment_id = new.id order by seq desc limit 1;
    if (told.state, told.colour, told.last_exposure_at, told.expires_at)
       is distinct from (now_is.state, now_is.colour_now, now_is.last_exposure_at, now_is.expires_at) then
        raise exception 'an assignment says something else than its last event'
            using errcode = 'restrict_violation', constraint = 'assignment_is_told';
    end if;
    return null;
end $$;
create constraint trigger assignments_told after insert or update on assignments
    deferrable initially deferred for each row execute function assignment_is_told();
