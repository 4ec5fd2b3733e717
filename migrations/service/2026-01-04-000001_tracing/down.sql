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
-- A column cannot be put back in its place, so the table is made anew.
create temporary table kept on commit drop as
    select * from exposures where trail_stay_id is not null and relation <= 2;
drop table exposures;
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
insert into exposures
    select run_id, seq, trail_stay_id, stay_point_id, stay_from_at, '00000000-0000-0000-0000-000000000000', visitor,
           relation, granularity, from_at, until_at, presence, counted
    from kept;
create trigger exposures_immutable before update on exposures
    for each row execute function refuse_change();
alter table trail_stays drop column row_no, drop column seat;
alter table points drop column row_no, drop column seat;
