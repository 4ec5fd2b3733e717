drop table idempotency_keys;
drop table channels;
drop table devices;
drop table machine_tokens;
drop table sessions;
drop table staff_venues;
drop table staff;
