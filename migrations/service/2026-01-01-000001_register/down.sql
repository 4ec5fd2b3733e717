drop table points;
drop table venues;
drop table organisations;
drop function venue_changed();
drop function point_changed();
