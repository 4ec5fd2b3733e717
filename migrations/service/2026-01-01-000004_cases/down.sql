drop table contacts;
drop table exposures;
drop table runs;
drop table trail_stays;
drop table cases;
drop table rule_packs;
drop function refuse_change();
