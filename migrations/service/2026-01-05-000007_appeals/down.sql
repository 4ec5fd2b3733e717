-- What visitors corrected counts again as it was scanned, but for the stays, which follow with the next scan.
delete from scans where corrects is not null and (direction = 1 or method = 0);
alter table scans drop constraint scans_void_corrects;
alter table scans add constraint scans_void_corrects check ((direction = 3) = (corrects is not null));

drop table stay_corrections;
drop function correction_step();
drop table appeal_evidence;
drop function evidence_goes_with_its_appeal();
drop table appeals;
drop function appeal_step();
drop function appeal_begins();
drop function had_a_hand_in(uuid, uuid);

drop index assignments_of_visitor;
drop index looks_by_visitor;
alter table looks drop column kind, drop column division, drop column visitor;
