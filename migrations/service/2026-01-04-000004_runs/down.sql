drop table late_runs;
drop table late_hours;
drop table run_windows;
drop table run_progress;
create or replace function run_release_is_equal() returns trigger language plpgsql as $$
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
drop trigger assignments_not_dry on assignments;
drop function assignment_of_no_dry_run();
drop trigger runs_question on runs;
drop function run_keeps_its_question();
update runs set state = 6 where state = 7;
drop index runs_unchecked;
drop index runs_by_base;
alter table runs
    drop constraint runs_dry_stays_in,
    drop column depth,
    drop column late_checked,
    drop column snapshot,
    drop column difference,
    drop column stale_at,
    drop column base_run,
    drop column bound_at,
    drop column case_seen,
    drop column incomplete,
    drop column incomplete_ok,
    drop column dry,
    drop constraint runs_state_check,
    add constraint runs_state_check check (state between 0 and 6);
