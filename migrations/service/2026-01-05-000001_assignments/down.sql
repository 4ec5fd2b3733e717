drop trigger assignments_told on assignments;
drop function assignment_is_told();
drop trigger assignments_begin on assignments;
drop function assignment_begins();

create or replace function assignment_step() returns trigger language plpgsql as $$
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

drop index assignment_events_by_run;
alter table assignment_events disable trigger user;
update assignment_events set state = 3 where state = 5;
delete from assignment_events where kind in (3, 4);
alter table assignment_events enable trigger user;
alter table assignment_events drop constraint assignment_events_state_check;
alter table assignment_events add constraint assignment_events_state_check check (state between 0 and 4);
alter table assignment_events
    drop column kind, drop column colour, drop column last_exposure_at, drop column expires_at, drop column run_id;

alter table assignments disable trigger user;
update assignments set state = 3 where state = 5;
alter table assignments enable trigger user;
alter table assignments drop constraint assignments_colour_now_weaker;
alter table assignments drop constraint assignments_state_check;
alter table assignments add constraint assignments_state_check check (state between 0 and 4);
alter table assignments drop column rule, drop column colour_now, drop column review_at;
alter table issuers drop column public_key;
