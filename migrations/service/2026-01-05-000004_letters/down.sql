drop index letters_buried;
drop index letters_waiting;
drop index letters_due;
create index letters_due on letters (issuer_id, due_at) where state = 0;
drop table circuits;
alter table issuers drop column if exists delivery;
alter table issuers drop column scheme, drop column batch_max, drop column pace_per_min;
