drop table imported_days;
drop table dead_entries;
drop table log_positions;
drop table stays;
drop table scans;
