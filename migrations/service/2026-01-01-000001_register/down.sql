drop table points;
drop table venues;
drop table organisations;
