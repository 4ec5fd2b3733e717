-- What ends assignments: facts that issuing systems tell, and when each assignment is to be judged again.

create table health_facts (
    issuer_id   text not null references issuers (id),
    -- The system's own number of the fact: the same one twice is known.
    id          uuid not null,
    visitor     uuid not null,
    -- 0 negative test, 1 positive test, 2 healthy check-in, 3 check-in with symptoms, 4 discharge
    kind        smallint not null check (kind between 0 and 4),
    at          timestamptz not null,
    received_at timestamptz not null,
    primary key (issuer_id, id),
    -- As far as the clocks of two machines may be apart.
    check (at <= received_at + interval '5 minutes')
);
create index health_facts_by_visitor on health_facts (visitor, at);
create index health_facts_by_day on health_facts (received_at);
-- What was told never changes; it is dropped with the days of its time.
create trigger health_facts_immutable before update on health_facts
    for each row execute function refuse_change();
create trigger health_facts_no_truncate before truncate on health_facts
    for each statement execute function refuse_change();

-- Whose facts have not been judged yet.
create table facts_waiting (
    visitor uuid primary key,
    since   timestamptz not null
);
create index facts_waiting_since on facts_waiting (since);

alter table assignments
    -- Where the days count from the release: how many. Else they count from the last exposure.
    add column days_from_release integer check (days_from_release between 1 and 60),
    -- When it is to be judged by what ends it; null when neither time nor a fact that is known will change anything.
    add column judge_at timestamptz,
    -- Which fact is awaited, as in `health_facts.kind`; overdue since `review_at`.
    add column awaits smallint check (awaits between 0 and 4);
create index assignments_to_judge on assignments (judge_at) where state in (1, 2) and judge_at is not null;
create index assignments_to_review on assignments (case_id, review_at)
    where state in (1, 2, 3) and review_at is not null;
alter table assignments disable trigger user;
update assignments set judge_at = now() where state in (1, 2);
alter table assignments enable trigger user;

-- The fact that decided, by its system's number; the fact itself is dropped before the event.
alter table assignment_events add column fact_id uuid;

-- Nothing begins or goes out by a case that was taken back, or by a run that is to be undone.
create function assignment_of_living_case() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and (old.state, new.state) is distinct from (0::smallint, 1::smallint) then
        return new;
    end if;
    perform 1 from cases c where c.id = new.case_id and c.withdrawn_at is not null;
    if found then
        raise exception 'a case that was taken back colours nobody'
            using errcode = 'check_violation', constraint = 'assignment_of_living_case';
    end if;
    perform 1 from undoings u where u.run_id = new.run_id;
    if found then
        raise exception 'a run that is undone colours nobody'
            using errcode = 'check_violation', constraint = 'assignment_of_living_case';
    end if;
    return new;
end $$;
create trigger assignments_living before insert or update of state on assignments
    for each row execute function assignment_of_living_case();

-- What was taken back stays so.
create function case_stays_withdrawn() returns trigger language plpgsql as $$
begin
    if old.withdrawn_at is not null and new.withdrawn_at is distinct from old.withdrawn_at then
        raise exception 'a case that was taken back does not return'
            using errcode = 'restrict_violation', constraint = 'case_stays_withdrawn';
    end if;
    return new;
end $$;
create trigger cases_withdrawn before update on cases
    for each row execute function case_stays_withdrawn();

-- Each event follows from the one before: only an extension makes an assignment longer, by the evidence of a run that
-- two officers let go; only a downgrade changes the colour, and to a weaker one; the days may count from the release.
create function event_follows() returns trigger language plpgsql as $$
declare
    prior   assignment_events%rowtype;
    about   assignments%rowtype;
    begun   assignment_events%rowtype;
    longest timestamptz;
begin
    select * into prior from assignment_events where assignment_id = new.assignment_id order by seq desc limit 1;
    if not found then
        if (new.seq, new.kind, new.state) is distinct from (1, 0::smallint, 0::smallint) then
            raise exception 'the first event of an assignment is its proposal'
                using errcode = 'check_violation', constraint = 'event_follows';
        end if;
        return new;
    end if;
    if new.seq <> prior.seq + 1 or new.kind = 0
       or new.kind = 3 and (new.state <> prior.state or new.state not in (1, 2) or new.run_id is null
                            or new.last_exposure_at <= prior.last_exposure_at or new.expires_at < prior.expires_at)
       or new.kind = 4 and (new.state <> prior.state or new.state not in (1, 2) or new.colour >= prior.colour
                            or new.colour = 0)
       or new.kind not in (3, 4) and new.state <> (array[0, 1, 2, null, null, 5, 4, 3])[new.kind + 1]
       or new.kind <> 3 and new.last_exposure_at <> prior.last_exposure_at
       or new.kind not in (1, 3) and new.expires_at <> prior.expires_at
       or new.kind <> 4 and new.colour <> prior.colour then
        raise exception 'this event does not follow from the one before'
            using errcode = 'check_violation', constraint = 'event_follows';
    end if;
    if new.expires_at = prior.expires_at and new.kind <> 3 then
        return new;
    end if;
    select * into about from assignments where id = new.assignment_id;
    select * into begun from assignment_events where assignment_id = new.assignment_id and seq = 1;
    longest := case when about.days_from_release is not null
                  then new.at + make_interval(days => about.days_from_release)
                  else new.last_exposure_at + (begun.expires_at - begun.last_exposure_at) end;
    if new.expires_at > greatest(prior.expires_at, longest) then
        raise exception 'an assignment lasts no longer than the days of its class'
            using errcode = 'check_violation', constraint = 'event_follows';
    end if;
    if new.kind = 3 then
        perform 1
        from contacts c join runs r on r.id = c.run_id
        where c.run_id = new.run_id and c.visitor = about.visitor and c.class = about.class and c.colour > 0
          and c.excluded_at is null and c.last_at = new.last_exposure_at
          and r.case_id = about.case_id and not r.dry
          and not exists (select 1 from undoings u where u.run_id = r.id)
          and not exists (select 1 from cases k where k.id = r.case_id and k.withdrawn_at is not null)
          and (select count(*) from releases l where l.run_id = r.id and l.officer_id <> r.proposed_by) >= 2
          and has_evidence(r.id, r.case_id, c.visitor, c.depth);
        if not found then
            raise exception 'no evidence, no colour: no released run found that later exposure'
                using errcode = 'check_violation', constraint = 'event_follows';
        end if;
    end if;
    return new;
end $$;
create trigger assignment_events_follow before insert on assignment_events
    for each row execute function event_follows();

-- An event that nothing follows would tell a lie as well as a change without one.
create function event_is_so() returns trigger language plpgsql as $$
declare
    now_is assignments%rowtype;
    told   assignment_events%rowtype;
begin
    select * into told from assignment_events
    where assignment_id = new.assignment_id order by seq desc limit 1;
    -- The last event speaks for those before it.
    if told.seq <> new.seq then
        return null;
    end if;
    select * into now_is from assignments where id = new.assignment_id;
    if (told.state, told.colour, told.last_exposure_at, told.expires_at)
       is distinct from (now_is.state, now_is.colour_now, now_is.last_exposure_at, now_is.expires_at) then
        raise exception 'the last event of an assignment says something else than its row'
            using errcode = 'restrict_violation', constraint = 'event_is_so';
    end if;
    return null;
end $$;
create constraint trigger assignment_events_so after insert on assignment_events
    deferrable initially deferred for each row execute function event_is_so();
