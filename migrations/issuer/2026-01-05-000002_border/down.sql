drop table border_measures;
drop table border_hand_overs;
drop table border_aliases;
