drop table replays;
drop table drifts;
drop table reconciliations;
drop index assignments_to_reconcile;
drop table feeds;
drop index letters_by_position;
alter table letters drop constraint letters_position_positive, drop column position;
