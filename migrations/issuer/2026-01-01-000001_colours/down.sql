drop table letters;
drop table assignments;
drop table visitors;
