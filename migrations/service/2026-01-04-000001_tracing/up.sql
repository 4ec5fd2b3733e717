-- Evidence that names stays by point, beginning and visitor; rows in vehicles; contacts of contacts.

-- A point may be one row, or one seat, of a vehicle.
alter table points
    add column row_no smallint check (row_no between 1 and 999),
    add column seat text check (length(seat) between 1 and 8);
alter table trail_stays
    add column row_no smallint check (row_no between 1 and 999),
    add column seat text check (length(seat) between 1 and 8);

-- A stay is named by its point, its beginning and its visitor: the id of the scan that opened it is kept with the
-- scan. Whoever met a contact instead of the case names the contact's stay in the same way.
alter table exposures
    drop column stay_id,
    alter column trail_stay_id drop not null,
    add column via_visitor  uuid,
    add column via_point_id bigint,
    add column via_from_at  timestamptz,
    add column ended_by     smallint not null default 0 check (ended_by between 0 and 3),
    add column rows_apart   smallint check (rows_apart between 0 and 998),
    drop constraint exposures_relation_check,
    add constraint exposures_relation_check check (relation between 0 and 3),
    add constraint exposures_with_one check (
        num_nulls(via_visitor, via_point_id, via_from_at) in (0, 3) and (trail_stay_id is null) = (via_visitor is not null)
    );

alter table contacts
    -- 0: met the case; 1: met a contact of the case.
    add column depth smallint not null default 0 check (depth between 0 and 3),
    -- Which rule of the class was met, where a pack has several.
    add column rule  text check (length(rule) between 1 and 40);

-- What a stay rests on: a scan of that visitor at that point, which nothing contradicts and nobody took back. Stays of
-- closed days are packed, so the scan is asked, and the stay itself where it still is a row.
create function has_scan(of_visitor uuid, at_point bigint, began_at timestamptz)
returns boolean language sql stable as $$
    select exists (
        select 1 from scans s
        where s.visitor = of_visitor and s.occurred_at = began_at and s.point_id = at_point
          and s.direction in (0, 2) and s.presence > 0
          and not exists (select 1 from scans v where v.visitor = s.visitor and v.occurred_at = s.occurred_at
                            and v.corrects = s.id and s.method <> 0))
       and not exists (
        select 1 from stays x
        where x.point_id = at_point and x.from_at = began_at and x.visitor = of_visitor and x.presence = 0)
$$;

-- Law 1: from the case by a stay of its trail to a stay of this visitor; or by a contact that has such evidence. What
-- lies further than a day from the case's stay is no meeting under any pack.
create function has_evidence(in_run uuid, of_case uuid, of_visitor uuid, at_depth smallint)
returns boolean language plpgsql stable as $$
begin
    if at_depth = 0 then
        return exists (
            select 1 from exposures e join trail_stays t on t.id = e.trail_stay_id and t.case_id = of_case
            where e.run_id = in_run and e.visitor = of_visitor and e.counted
              and e.from_at >= t.from_at - interval '1 day' and e.until_at <= t.until_at + interval '1 day'
              and has_scan(e.visitor, e.stay_point_id, e.stay_from_at));
    end if;
    return exists (
        select 1 from exposures e
        join contacts v on v.run_id = e.run_id and v.visitor = e.via_visitor and v.depth = at_depth - 1
        where e.run_id = in_run and e.visitor = of_visitor and e.counted
          and has_scan(e.visitor, e.stay_point_id, e.stay_from_at)
          and has_evidence(in_run, of_case, v.visitor, v.depth));
end $$;

create or replace function assignment_needs_evidence() returns trigger language plpgsql as $$
begin
    perform 1
    from contacts c
    join runs r on r.id = c.run_id and r.case_id = new.case_id
    where c.run_id = new.run_id and c.visitor = new.visitor
      and c.class = new.class and c.colour = new.colour and c.excluded_at is null
      and (r.pack_id, r.pack_version) = (new.pack_id, new.pack_version)
      and has_evidence(new.run_id, new.case_id, new.visitor, c.depth);
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
