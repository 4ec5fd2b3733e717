-- Evidence of contacts of contacts has no form here, and goes.
create or replace function assignment_needs_evidence() returns trigger language plpgsql as $$
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
drop function has_evidence(uuid, uuid, uuid, smallint);
drop function has_scan(uuid, bigint, timestamptz);
alter table contacts drop column depth, drop column rule;
delete from exposures where trail_stay_id is null or relation > 2;
alter table exposures
    drop constraint exposures_with_one,
    drop constraint exposures_relation_check,
    add constraint exposures_relation_check check (relation between 0 and 2),
    drop column via_visitor,
    drop column via_point_id,
    drop column via_from_at,
    drop column ended_by,
    drop column rows_apart,
    alter column trail_stay_id set not null,
    add column stay_id uuid not null default '00000000-0000-0000-0000-000000000000';
alter table exposures alter column stay_id drop default;
create index exposures_by_stay on exposures (stay_id);
alter table trail_stays drop column row_no, drop column seat;
alter table points drop column row_no, drop column seat;
