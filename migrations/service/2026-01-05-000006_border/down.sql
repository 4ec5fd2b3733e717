drop table controls;
drop table hand_overs;
drop function hand_over_step();
drop table aliases;
drop table agreements;
