drop table point_alarms;
