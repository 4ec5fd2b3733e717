create index stays_of_visitor on stays (visitor, from_at);
drop table stay_changes;
alter table point_hours drop column unproven;
alter table dead_entries drop column looked_at_by, drop column looked_at;
drop table inbox;
delete from scans where direction = 3;
alter table scans
    drop constraint scans_void_corrects,
    drop constraint scans_direction_check,
    drop column corrects,
    add constraint scans_direction_check check (direction between 0 and 2);
