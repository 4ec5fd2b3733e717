drop table looks;
drop table audit_head;
drop table audit_entries;
