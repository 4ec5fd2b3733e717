-- The visitor's side: appeals against assignments, corrections of own stays, and looks that say of which kind they were.

-- 0 trail, 1 contacts, 2 evidence, 3 why, 4 report, 5 comparison, 6 coverage, 7 backward, 8 batch, 9 assignment,
-- 10 appeal, 11 taken back
alter table looks
    add column kind     smallint not null default 0 check (kind between 0 and 11),
    -- The jurisdiction of who looked; of looks that were written down before, nobody knows.
    add column division text,
    -- The one whom the look was at; none where all of a list were seen.
    add column visitor  uuid;
alter table looks disable trigger user;
update looks set kind = 1 where run_id is not null;
alter table looks enable trigger user;
alter table looks alter column kind drop default;
create index looks_by_visitor on looks (visitor) where visitor is not null;

create index assignments_of_visitor on assignments (visitor);

create table appeals (
    id              uuid primary key,
    assignment_id   uuid not null references assignments (id),
    visitor         uuid not null,
    -- Whose decision it was, and who decides again.
    division        text not null,
    -- 1 the first, 2 once more after a refusal
    instance        smallint not null check (instance in (1, 2)),
    -- 0 not there, 1 somebody else, 2 wrong time, 3 status known, 4 other
    reason          smallint not null check (reason between 0 and 4),
    text            text not null check (length(text) <= 2000),
    submitted_at    timestamptz not null,
    due_at          timestamptz not null check (due_at > submitted_at),
    decided_at      timestamptz,
    -- 0 refused, 1 granted, 2 the assignment was taken back meanwhile
    verdict         smallint check (verdict between 0 and 2),
    decided_by      uuid references staff (id),
    decision_reason text check (length(decision_reason) between 3 and 500),
    -- When the pipeline had done what a grant asks for.
    carried_out_at  timestamptz,
    unique (assignment_id, instance),
    check ((decided_at is null) = (verdict is null)),
    check ((decided_at is null) = (decision_reason is null)),
    check (coalesce(verdict in (0, 1), false) = (decided_by is not null)),
    check (carried_out_at is null or coalesce(verdict = 1, false))
);
create unique index appeals_open on appeals (assignment_id) where decided_at is null;
create index appeals_due on appeals (due_at, id) where decided_at is null;
create index appeals_decided on appeals (decided_at, id) where decided_at is not null;
create index appeals_granted on appeals (decided_at) where verdict = 1 and carried_out_at is null;
create index appeals_by_visitor on appeals (visitor);
create index appeals_by_decider on appeals (decided_by);

create table appeal_evidence (
    id        uuid primary key,
    appeal_id uuid not null references appeals (id),
    -- 0 PNG, 1 JPEG, 2 PDF
    kind      smallint not null check (kind between 0 and 2),
    body      bytea not null check (octet_length(body) between 1 and 1048576),
    sha256    bytea not null check (octet_length(sha256) = 32),
    added_at  timestamptz not null,
    unique (appeal_id, sha256)
);

-- Whether somebody proposed, reviewed or let go what an assignment rests on, or left somebody out of it.
create function had_a_hand_in(assignment uuid, member uuid) returns boolean language plpgsql stable as $$
declare
    run uuid;
    act text;
    had boolean;
begin
    for run in
        select a.run_id from assignments a where a.id = assignment
        union select e.run_id from assignment_events e where e.assignment_id = assignment and e.run_id is not null
    loop
        if exists (select 1 from runs r where r.id = run and member in (r.requested_by, r.proposed_by))
           or exists (select 1 from releases l where l.run_id = run and l.officer_id = member)
           or exists (select 1 from contacts c where c.run_id = run and c.excluded_by = member) then
            return true;
        end if;
        foreach act in array array['reviews', 'escalations', 'release_lifts'] loop
            if to_regclass(act) is not null then
                execute format('select exists (select 1 from %I where run_id = $1 and author = $2)', act)
                    into had using run, member;
                if had then
                    return true;
                end if;
            end if;
        end loop;
    end loop;
    return false;
end $$;

create function appeal_begins() returns trigger language plpgsql as $$
declare
    against assignments%rowtype;
begin
    if num_nonnulls(new.decided_at, new.verdict, new.decided_by, new.decision_reason, new.carried_out_at) > 0 then
        raise exception 'an appeal begins undecided' using errcode = 'restrict_violation', constraint = 'appeal_begins';
    end if;
    select * into against from assignments where id = new.assignment_id;
    if (against.visitor, against.division) is distinct from (new.visitor, new.division) then
        raise exception 'an appeal is of whom the assignment is about'
            using errcode = 'restrict_violation', constraint = 'appeal_of_own';
    end if;
    if not exists (select 1 from assignment_events where assignment_id = new.assignment_id and kind = 1) then
        raise exception 'what was never let go cannot be appealed against'
            using errcode = 'restrict_violation', constraint = 'appeal_of_released';
    end if;
    if new.instance = 2 and not exists (
           select 1 from appeals where assignment_id = new.assignment_id and instance = 1 and verdict = 0) then
        raise exception 'a second appeal follows a refusal'
            using errcode = 'restrict_violation', constraint = 'appeal_again';
    end if;
    return new;
end $$;
create trigger appeals_begin before insert on appeals for each row execute function appeal_begins();

create function appeal_step() returns trigger language plpgsql as $$
begin
    if (new.id, new.assignment_id, new.visitor, new.division, new.instance, new.reason, new.submitted_at, new.due_at)
       is distinct from
       (old.id, old.assignment_id, old.visitor, old.division, old.instance, old.reason, old.submitted_at, old.due_at)
       or (new.text <> old.text and (new.text <> '' or old.decided_at is null)) then
        raise exception 'an appeal does not change, it is decided'
            using errcode = 'restrict_violation', constraint = 'appeal_immutable';
    end if;
    if old.decided_at is not null
       and (new.decided_at, new.verdict, new.decided_by, new.decision_reason)
           is distinct from (old.decided_at, old.verdict, old.decided_by, old.decision_reason)
       or old.carried_out_at is not null and new.carried_out_at is distinct from old.carried_out_at then
        raise exception 'an appeal is decided once'
            using errcode = 'restrict_violation', constraint = 'appeal_decided_once';
    end if;
    if old.decided_at is null and new.decided_at is not null then
        if new.verdict = 2 then
            if (select state from assignments where id = new.assignment_id) <> 4 then
                raise exception 'only what was taken back needs no decision'
                    using errcode = 'restrict_violation', constraint = 'appeal_moot';
            end if;
        elsif had_a_hand_in(new.assignment_id, new.decided_by)
              or exists (select 1 from appeals
                         where assignment_id = new.assignment_id and id <> new.id and decided_by = new.decided_by) then
            raise exception 'an appeal is decided by somebody who had no hand in it'
                using errcode = 'restrict_violation', constraint = 'appeal_decided_by_another';
        end if;
    end if;
    return new;
end $$;
create trigger appeals_step before update on appeals for each row execute function appeal_step();
create trigger appeals_kept before delete on appeals for each row execute function refuse_change();
create trigger appeals_never_emptied before truncate on appeals for each statement execute function refuse_change();

create function evidence_goes_with_its_appeal() returns trigger language plpgsql as $$
declare
    decided timestamptz;
begin
    if tg_op = 'UPDATE' then
        raise exception 'evidence does not change'
            using errcode = 'restrict_violation', constraint = 'evidence_immutable';
    end if;
    select decided_at into decided from appeals where id = coalesce(new.appeal_id, old.appeal_id) for update;
    if tg_op = 'INSERT' and decided is not null then
        raise exception 'a decided appeal takes no evidence'
            using errcode = 'restrict_violation', constraint = 'evidence_in_time';
    end if;
    if tg_op = 'INSERT' and (select count(*) from appeal_evidence where appeal_id = new.appeal_id) >= 3 then
        raise exception 'an appeal takes three files'
            using errcode = 'restrict_violation', constraint = 'evidence_bounded';
    end if;
    if tg_op = 'DELETE' and decided is null then
        raise exception 'evidence is kept until its appeal is decided'
            using errcode = 'restrict_violation', constraint = 'evidence_kept';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end $$;
create trigger appeal_evidence_step before insert or update or delete on appeal_evidence
    for each row execute function evidence_goes_with_its_appeal();

-- What a visitor says of an own stay. The pipeline judges whether it comes in time, and nobody is told which.
create table stay_corrections (
    id           uuid primary key,
    visitor      uuid not null,
    -- The scan that opened the stay.
    scan_id      uuid not null,
    -- What the stay said.
    point_id     bigint not null,
    from_at      timestamptz not null,
    until_at     timestamptz not null,
    ended_by     smallint not null,
    presence     smallint not null,
    -- 0 not there, 1 left earlier
    said         smallint not null check (said in (0, 1)),
    left_at      timestamptz,
    at           timestamptz not null,
    -- 0 the stays were brought in line, 1 it came too late
    outcome      smallint check (outcome in (0, 1)),
    settled_at   timestamptz,
    unique (visitor, scan_id),
    check ((said = 1) = (left_at is not null)),
    check (left_at is null or left_at > from_at and left_at < until_at),
    check ((outcome is null) = (settled_at is null))
);
create index stay_corrections_waiting on stay_corrections (at) where outcome is null;
create index stay_corrections_by_day on stay_corrections (from_at);

create function correction_step() returns trigger language plpgsql as $$
begin
    if old.outcome is not null
       or (new.id, new.visitor, new.scan_id, new.point_id, new.from_at, new.until_at, new.ended_by, new.presence, new.said,
           new.left_at, new.at)
          is distinct from
          (old.id, old.visitor, old.scan_id, old.point_id, old.from_at, old.until_at, old.ended_by, old.presence, old.said,
           old.left_at, old.at) then
        raise exception 'a correction does not change'
            using errcode = 'restrict_violation', constraint = 'correction_immutable';
    end if;
    return new;
end $$;
create trigger stay_corrections_step before update on stay_corrections
    for each row execute function correction_step();

-- A visitor's later word to have left names the scan that opened the stay.
alter table scans drop constraint scans_void_corrects;
alter table scans add constraint scans_void_corrects
    check (case direction when 3 then corrects is not null when 1 then corrects is null or method = 0 else corrects is null end);
