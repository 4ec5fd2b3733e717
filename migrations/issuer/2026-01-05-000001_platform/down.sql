drop table seen_codes;
drop table calls;
drop table corrections;
drop table journeys;
drop table feed;
drop table facts;
alter table letters drop column reason, drop column colour, drop column kind, drop column sequence;
alter table assignments drop constraint assignments_end_is_dated;
alter table assignments drop column ended_at, drop column letter_id;
-- What was ended by its end condition was expired in the words of the release before.
update assignments set ending = 1 where ending = 3;
alter table assignments drop constraint assignments_ending_check;
alter table assignments add constraint assignments_ending_check check (ending between 0 and 2);
