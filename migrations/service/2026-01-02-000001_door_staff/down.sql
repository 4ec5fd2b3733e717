alter table machine_tokens
    drop constraint machine_tokens_roles_check,
    add constraint machine_tokens_roles_check check (cardinality(roles) between 1 and 8);
alter table staff
    drop constraint staff_roles_check,
    add constraint staff_roles_check check (cardinality(roles) between 1 and 8);
alter table invitations drop constraint invitations_role;
alter table staff_venues drop column role;
