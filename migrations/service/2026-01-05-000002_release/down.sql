drop trigger assignments_released on assignments;
drop function assignment_release_is_sound();
drop trigger releases_count on releases;
drop function release_word_counts();
drop table release_records;
alter table releases drop column people;
drop table release_lifts;
drop function release_lift_counts();
drop function word_counts(uuid, uuid);
drop trigger runs_step on runs;
drop function run_step();

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
drop function run_unequal(uuid);
drop function run_altered(uuid);

drop trigger contacts_reviewed on contacts;
drop function contact_follows_review();
drop table reviews;
drop function review_is_kept();
drop function review_is_sound();
drop table escalations;
drop function was_at(uuid, uuid, uuid, bigint);
drop trigger contacts_no_truncate on contacts;
drop trigger contacts_kept on contacts;
drop trigger contacts_found on contacts;
drop trigger exposures_no_truncate on exposures;
drop trigger exposures_kept on exposures;
drop trigger exposures_found on exposures;
drop function run_keeps_what_it_found();
-- What had no review goes back to what was computed.
update contacts set class = computed_class, rule = computed_rule, colour = computed_colour;
alter table contacts drop column computed_class, drop column computed_colour, drop column computed_rule;

alter table machine_tokens
    drop constraint machine_tokens_roles_check,
    add constraint machine_tokens_roles_check check (cardinality(roles) between 1 and 9);
alter table staff
    drop constraint staff_roles_check,
    add constraint staff_roles_check check (cardinality(roles) between 1 and 9);
