-- Reviews of contacts, place-wide escalations, whose word counts, and a record of each release.

-- There are ten roles now.
alter table staff
    drop constraint staff_roles_check,
    add constraint staff_roles_check check (cardinality(roles) between 1 and 10);
alter table machine_tokens
    drop constraint machine_tokens_roles_check,
    add constraint machine_tokens_roles_check check (cardinality(roles) between 1 and 10);

-- `class`, `rule` and `colour` are what goes out, and follow the reviews; beside them stands what the run computed.
alter table contacts
    add column computed_class  smallint not null default 0 check (computed_class between 0 and 5),
    add column computed_colour smallint not null default 0 check (computed_colour between 0 and 2),
    add column computed_rule   text check (length(computed_rule) between 1 and 40);
update contacts set computed_class = class, computed_colour = colour, computed_rule = rule;

-- Everybody of a run who was exposed at one venue or point is moved to a stronger class.
create table escalations (
    id        uuid primary key,
    run_id    uuid not null references runs (id),
    venue_id  uuid references venues (id),
    point_id  bigint references points (id),
    to_class  smallint not null check (to_class between 0 and 5),
    to_rule   text check (length(to_rule) between 1 and 40),
    to_colour smallint not null check (to_colour between 1 and 2),
    -- Who has consented, in words, such as a provincial health commission.
    authority text not null check (length(authority) between 1 and 200),
    reason    text not null check (length(reason) between 3 and 500),
    author    uuid not null references staff (id),
    at        timestamptz not null,
    check (num_nonnulls(venue_id, point_id) = 1)
);
create index escalations_by_run on escalations (run_id);
create index escalations_by_venue on escalations (venue_id);
create index escalations_by_point on escalations (point_id);
create index escalations_by_author on escalations (author);

-- What was decided about one contact beside the rules, by whom and why.
create table reviews (
    run_id        uuid not null,
    visitor       uuid not null,
    -- Counts the reviews of one contact.
    seq           smallint not null check (seq >= 1),
    -- 0 left out, 1 taken back in, 2 promoted, 3 demoted, 4 kept as it is, 5 escalated with a whole place
    kind          smallint not null check (kind between 0 and 5),
    from_class    smallint not null check (from_class between 0 and 5),
    from_colour   smallint not null check (from_colour between 0 and 2),
    from_rule     text check (length(from_rule) between 1 and 40),
    to_class      smallint not null check (to_class between 0 and 5),
    to_colour     smallint not null check (to_colour between 0 and 2),
    to_rule       text check (length(to_rule) between 1 and 40),
    reason        text not null check (length(reason) between 3 and 500),
    author        uuid not null references staff (id),
    at            timestamptz not null,
    escalation_id uuid references escalations (id),
    primary key (run_id, visitor, seq),
    foreign key (run_id, visitor) references contacts (run_id, visitor),
    check ((kind = 5) = (escalation_id is not null)),
    check (kind not in (0, 1, 4) or (from_class, from_colour) = (to_class, to_colour))
);
create index reviews_by_author on reviews (author);
create index reviews_by_escalation on reviews (escalation_id);

-- Who was left out before this table was there.
insert into reviews (run_id, visitor, seq, kind, from_class, from_colour, from_rule, to_class, to_colour, to_rule, reason,
                     author, at)
select run_id, visitor, 1, 0, class, colour, rule, class, colour, rule, exclusion_reason, excluded_by, excluded_at
from contacts where excluded_by is not null;

-- A chief has let a run go beyond what a division releases within an hour.
create table release_lifts (
    run_id uuid primary key references runs (id),
    author uuid not null references staff (id),
    reason text not null check (length(reason) between 3 and 500),
    at     timestamptz not null
);
create index release_lifts_by_author on release_lifts (author);

alter table releases
    -- How many people the officer was told that the run colours, and confirmed.
    add column people integer check (people >= 0);

-- What a release was: who answers for it, on what basis, how many people, and what it took.
create table release_records (
    run_id      uuid primary key references runs (id),
    division    text not null check (division ~ '^[1-9][0-9]{5}$'),
    authority   text not null,
    legal_basis text not null,
    people      integer not null check (people >= 0),
    -- By class, rule and colour.
    counts      jsonb not null,
    -- Why it took a chief, whether it was confirmed or lifted.
    held        jsonb not null,
    at          timestamptz not null
);
create index release_records_by_hour on release_records (division, at);

-- A run finds people while it is computed, and never afterwards; a dry run neither.
create function run_keeps_what_it_found() returns trigger language plpgsql as $$
begin
    perform 1 from (select distinct run_id from added) a join runs r on r.id = a.run_id where r.state <> 0;
    if found then
        raise exception 'what a run found is kept when it is computed, and never added to'
            using errcode = 'restrict_violation', constraint = 'run_keeps_what_it_found';
    end if;
    if tg_table_name = 'contacts' then
        perform 1 from added
        where (class, rule, colour) is distinct from (computed_class, computed_rule, computed_colour)
           or excluded_at is not null;
        if found then
            raise exception 'a contact begins as it was computed'
                using errcode = 'restrict_violation', constraint = 'contact_begins_as_computed';
        end if;
    end if;
    return null;
end $$;
create trigger exposures_found after insert on exposures referencing new table as added
    for each statement execute function run_keeps_what_it_found();
create trigger contacts_found after insert on contacts referencing new table as added
    for each statement execute function run_keeps_what_it_found();
create trigger exposures_kept before delete on exposures for each row execute function refuse_change();
create trigger exposures_no_truncate before truncate on exposures for each statement execute function refuse_change();
create trigger contacts_kept before delete on contacts for each row execute function refuse_change();
create trigger contacts_no_truncate before truncate on contacts for each statement execute function refuse_change();

-- Which exposures a place-wide escalation is about: the visitor's own stay was at that venue or point.
create function was_at(of_run uuid, of_visitor uuid, at_venue uuid, at_point bigint)
returns boolean language sql stable as $$
    select exists (
        select 1 from exposures e join points p on p.id = e.stay_point_id
        where e.run_id = of_run and e.visitor = of_visitor and e.counted
          and (p.venue_id = at_venue or p.id = at_point))
$$;

-- A review is about somebody whom the run found, as they stand, before the run is proposed. A run that follows up
-- another takes over what was said there while it is computed.
create function review_is_sound() returns trigger language plpgsql as $$
declare
    of_run runs%rowtype;
    as_is  contacts%rowtype;
    place  escalations%rowtype;
    newest integer;
begin
    select * into of_run from runs where id = new.run_id for share;
    if of_run.dry or not (of_run.state = 1 or of_run.state = 0 and of_run.base_run is not null) then
        raise exception 'contacts are reviewed before their run is proposed'
            using errcode = 'restrict_violation', constraint = 'review_before_proposal';
    end if;
    select * into as_is from contacts where run_id = new.run_id and visitor = new.visitor;
    if not found or not exists (
        select 1 from exposures e where e.run_id = new.run_id and e.visitor = new.visitor and e.counted) then
        raise exception 'only who was exposed in a run is reviewed in it'
            using errcode = 'restrict_violation', constraint = 'review_needs_exposure';
    end if;
    select coalesce(max(seq), 0) into newest from reviews where run_id = new.run_id and visitor = new.visitor;
    if new.seq <> newest + 1
       or (new.from_class, new.from_rule, new.from_colour) is distinct from (as_is.class, as_is.rule, as_is.colour)
       or (as_is.excluded_at is not null) <> (new.kind = 1) then
        raise exception 'a review begins with what the contact is'
            using errcode = 'restrict_violation', constraint = 'review_begins_as_is';
    end if;
    if new.kind = 5 then
        select * into place from escalations where id = new.escalation_id and run_id = new.run_id;
        if not found or (new.to_class, new.to_rule, new.to_colour, new.author)
                        is distinct from (place.to_class, place.to_rule, place.to_colour, place.author)
           or not was_at(new.run_id, new.visitor, place.venue_id, place.point_id) then
            raise exception 'an escalation is for a whole place, and for it alone'
                using errcode = 'restrict_violation', constraint = 'review_of_escalation';
        end if;
    end if;
    return new;
end $$;
create trigger reviews_sound before insert on reviews for each row execute function review_is_sound();
create trigger reviews_immutable before update or delete on reviews for each row execute function refuse_change();
create trigger reviews_no_truncate before truncate on reviews for each statement execute function refuse_change();
create trigger escalations_immutable before update or delete on escalations
    for each row execute function refuse_change();
create trigger escalations_no_truncate before truncate on escalations
    for each statement execute function refuse_change();
create trigger release_lifts_immutable before update or delete on release_lifts
    for each row execute function refuse_change();
create trigger release_lifts_no_truncate before truncate on release_lifts
    for each statement execute function refuse_change();
create trigger release_records_immutable before update or delete on release_records
    for each row execute function refuse_change();
create trigger release_records_no_truncate before truncate on release_records
    for each statement execute function refuse_change();

-- What was computed never changes, and the rest only as the newest review says.
create function contact_follows_review() returns trigger language plpgsql as $$
declare
    told reviews%rowtype;
begin
    if (new.run_id, new.visitor, new.computed_class, new.computed_rule, new.computed_colour, new.together_secs,
        new.meetings, new.first_at, new.last_at, new.depth)
       is distinct from
       (old.run_id, old.visitor, old.computed_class, old.computed_rule, old.computed_colour, old.together_secs,
        old.meetings, old.first_at, old.last_at, old.depth) then
        raise exception 'what a run found does not change'
            using errcode = 'restrict_violation', constraint = 'run_keeps_what_it_found';
    end if;
    select * into told from reviews where run_id = new.run_id and visitor = new.visitor order by seq desc limit 1;
    if not found
       or (new.class, new.rule, new.colour) is distinct from (told.to_class, told.to_rule, told.to_colour)
       or (new.excluded_by, new.excluded_at, new.exclusion_reason) is distinct from
          (case when told.kind = 0 then told.author end, case when told.kind = 0 then told.at end,
           case when told.kind = 0 then told.reason end) then
        raise exception 'a contact changes by a review alone'
            using errcode = 'restrict_violation', constraint = 'contact_follows_review';
    end if;
    return new;
end $$;
create trigger contacts_reviewed before update on contacts for each row execute function contact_follows_review();

-- And no review without its effect, at the end of the transaction.
create function review_is_kept() returns trigger language plpgsql as $$
declare
    told  reviews%rowtype;
    as_is contacts%rowtype;
begin
    select * into told from reviews where run_id = new.run_id and visitor = new.visitor order by seq desc limit 1;
    select * into as_is from contacts where run_id = new.run_id and visitor = new.visitor;
    if (as_is.class, as_is.rule, as_is.colour, as_is.excluded_at is not null)
       is distinct from (told.to_class, told.to_rule, told.to_colour, told.kind = 0) then
        raise exception 'a contact is not what its last review says'
            using errcode = 'restrict_violation', constraint = 'review_is_kept';
    end if;
    return null;
end $$;
create constraint trigger reviews_kept after insert on reviews
    deferrable initially deferred for each row execute function review_is_kept();

-- How many people of a run were treated unlike others who shared the same stay of the case for about as long, and are
-- in the same class by the same rule, or were moved above one of no weaker colour, without a word of their own that
-- says why. `domain/review` reckons the same.
create function run_unequal(of_run uuid) returns bigint language sql stable as $$
    with said as (
        select distinct visitor from reviews where run_id = of_run and kind <> 5
    ), shared as (
        select e.visitor,
               coalesce(e.trail_stay_id::text, concat_ws(' ', e.via_visitor, e.via_point_id, e.via_from_at)) as stay,
               sum(extract(epoch from e.until_at - e.from_at)) as secs
        from exposures e where e.run_id = of_run and e.counted and exists (select 1 from said)
        group by 1, 2
    ), standing as (
        select c.visitor, c.computed_class, c.computed_rule, c.computed_colour, c.class, c.rule,
               case when c.excluded_at is null then c.colour else 0 end as colour,
               s.visitor is not null as is_said, v.escalation_id
        from contacts c
        left join said s on s.visitor = c.visitor
        left join lateral (select escalation_id from reviews r where r.run_id = of_run and r.visitor = c.visitor
                           order by seq desc limit 1) v on true
        where c.run_id = of_run and exists (select 1 from said)
    )
    select count(distinct case when a.is_said then b.visitor else a.visitor end)
    from standing a
    join shared x on x.visitor = a.visitor
    join shared y on y.stay = x.stay and y.visitor <> x.visitor
    join standing b on b.visitor = y.visitor
    where a.is_said <> b.is_said
      and x.secs <= 2 * y.secs
      and ((a.computed_class, a.computed_rule) is not distinct from (b.computed_class, b.computed_rule)
               and (a.colour > b.colour
                    or a.colour = b.colour and a.colour > 0
                       and (a.class, a.rule) is distinct from (b.class, b.rule))
           or a.colour > a.computed_colour and a.computed_colour <= b.computed_colour and a.colour > b.colour)
      -- Whoever was moved with a whole place is compared with those who were there.
      and (a.escalation_id is null or exists (
              select 1 from escalations p
              where p.id = a.escalation_id and was_at(of_run, b.visitor, p.venue_id, p.point_id)))
$$;

-- How many people of a run are something else than what the run computed or the newest review said.
create function run_altered(of_run uuid) returns bigint language sql stable as $$
    select count(*)
    from contacts c
    left join lateral (select * from reviews r where r.run_id = c.run_id and r.visitor = c.visitor
                       order by seq desc limit 1) v on true
    where c.run_id = of_run
      and (c.class, c.colour, c.rule, c.excluded_at is not null)
          is distinct from
          (coalesce(v.to_class, c.computed_class), coalesce(v.to_colour, c.computed_colour),
           case when v.kind is null then c.computed_rule else v.to_rule end, coalesce(v.kind = 0, false))
$$;

-- Law 2, the newest text: everybody whom the pack colours has an assignment or is left out; reviews treat equals
-- equally; whoever was at an escalated place is moved; and an escalation takes a chief.
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
        if run_altered(new.id) > 0 then
            raise exception 'equal exposure, equal result: some contacts were changed without a review'
                using errcode = 'restrict_violation', constraint = 'run_release_is_equal';
        end if;
        if run_unequal(new.id) > 0 then
            raise exception 'equal exposure, equal result: some contacts were reviewed unlike their equals'
                using errcode = 'restrict_violation', constraint = 'run_release_is_equal';
        end if;
        perform 1 from escalations p
        where p.run_id = new.id and exists (
            select 1 from contacts c
            where c.run_id = new.id and c.excluded_at is null and c.colour < p.to_colour
              and was_at(new.id, c.visitor, p.venue_id, p.point_id)
              and not exists (select 1 from reviews v where v.run_id = new.id and v.visitor = c.visitor and v.kind <> 5));
        if found then
            raise exception 'equal exposure, equal result: somebody at an escalated place was passed over'
                using errcode = 'restrict_violation', constraint = 'run_release_is_equal';
        end if;
        perform 1 from escalations p
        where p.run_id = new.id
          and not exists (select 1 from releases l where l.run_id = new.id and l.chief);
        if found then
            raise exception 'a place-wide escalation takes the word of a chief officer'
                using errcode = 'restrict_violation', constraint = 'escalation_needs_chief';
        end if;
    end if;
    return new;
end $$;

-- A run goes one way. A dry run goes nowhere, which its own constraint says.
create function run_step() returns trigger language plpgsql as $$
begin
    if new.state = old.state or old.dry then
        return new;
    end if;
    if (old.state, new.state) not in
       ((0, 1), (0, 2), (0, 6), (0, 7), (1, 3), (1, 6), (3, 4), (3, 6), (4, 5), (4, 6), (5, 6), (7, 6)) then
        raise exception 'a run in state % cannot become %', old.state, new.state
            using errcode = 'restrict_violation', constraint = 'run_step';
    end if;
    perform 1 from escalations p where p.run_id = new.id and p.author = new.proposed_by;
    if found and new.state = 3 then
        raise exception 'whoever escalates a place proposes nothing of that run'
            using errcode = 'restrict_violation', constraint = 'escalation_by_another';
    end if;
    return new;
end $$;
create trigger runs_step before update on runs for each row execute function run_step();

-- Whose word counts: somebody's who has neither proposed the run, nor reviewed or escalated contacts of it.
create function word_counts(of_run uuid, officer uuid) returns boolean language sql stable as $$
    select exists (select 1 from runs r where r.id = of_run and officer <> r.proposed_by)
       and not exists (select 1 from reviews v where v.run_id = of_run and v.author = officer)
       and not exists (select 1 from escalations p where p.run_id = of_run and p.author = officer)
$$;

create function release_word_counts() returns trigger language plpgsql as $$
begin
    perform 1 from runs r where r.id = new.run_id and r.state = 4;
    if not found then
        raise exception 'words are given for a proposed run'
            using errcode = 'restrict_violation', constraint = 'release_word_of_proposed';
    end if;
    perform 1 from staff s
    where s.id = new.officer_id and s.disabled_at is null and s.roles && '{4,5}'::smallint[]
      and (not new.chief or 5 = any (s.roles));
    if not found then
        raise exception 'a word is given by an officer, and a chief''s by a chief'
            using errcode = 'restrict_violation', constraint = 'release_word_of_officer';
    end if;
    if not word_counts(new.run_id, new.officer_id) then
        raise exception 'whoever proposed, reviewed or escalated a run gives no word for it'
            using errcode = 'restrict_violation', constraint = 'release_word_of_another';
    end if;
    return new;
end $$;
create trigger releases_count before insert on releases for each row execute function release_word_counts();

create function release_lift_counts() returns trigger language plpgsql as $$
begin
    perform 1 from staff s where s.id = new.author and s.disabled_at is null and 5 = any (s.roles);
    if not found or not word_counts(new.run_id, new.author) then
        raise exception 'the hour is lifted by a chief who neither proposed, reviewed nor escalated the run'
            using errcode = 'restrict_violation', constraint = 'release_lift_counts';
    end if;
    return new;
end $$;
create trigger release_lifts_count before insert on release_lifts
    for each row execute function release_lift_counts();

-- Law 3 beside `assignment_step`: two words that count, and for red one of somebody who still is an officer.
create function assignment_release_is_sound() returns trigger language plpgsql as $$
declare
    officers integer;
    releasing integer;
begin
    if new.state = 1 and old.state = 0 then
        select count(*), count(*) filter (where s.roles && '{4,5}'::smallint[]) into officers, releasing
        from releases l join staff s on s.id = l.officer_id
        where l.run_id = new.run_id and word_counts(l.run_id, l.officer_id);
        if officers < 2 then
            raise exception 'releasing needs two officers who neither proposed nor reviewed'
                using errcode = 'restrict_violation', constraint = 'release_needs_two';
        end if;
        if new.colour = 2 and releasing < 1 then
            raise exception 'red needs a releasing officer or a chief'
                using errcode = 'restrict_violation', constraint = 'red_needs_an_officer';
        end if;
    end if;
    return new;
end $$;
create trigger assignments_released before update on assignments
    for each row execute function assignment_release_is_sound();
