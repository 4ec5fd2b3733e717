drop table undoings;
drop table case_changes;
drop table trail_changes;
drop index trail_stays_once;
-- A stay without a point has no form here, and goes with the evidence that names it.
delete from exposures where trail_stay_id in (select id from trail_stays where point_id is null);
delete from trail_stays where point_id is null;
update trail_stays set from_at = scanned_from_at, until_at = scanned_until_at where source = 0;
alter table trail_stays
    drop constraint trail_stays_scanned,
    drop constraint trail_stays_somewhere,
    drop constraint trail_stays_taken_out,
    drop column removed_by,
    drop column edited_at,
    drop column confirmed_at,
    drop column scanned_until_at,
    drop column scanned_from_at,
    drop column address,
    drop column venue_id,
    alter column point_id set not null;
create unique index trail_stays_once on trail_stays (case_id, stay_id, point_id, from_at) where stay_id is not null;
drop index cases_once;
alter table cases drop column case_no;
