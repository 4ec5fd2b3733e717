drop index cases_by_beginning;
drop table residences;
