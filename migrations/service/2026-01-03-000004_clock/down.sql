drop table retention_clock;
