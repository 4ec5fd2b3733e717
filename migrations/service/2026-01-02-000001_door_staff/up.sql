-- Who works at a venue and as what: whoever manages one venue may stand at the door of another.
alter table staff_venues
    -- 1 venue manager, 8 door staff
    add column role smallint not null default 1 check (role in (1, 8));
alter table invitations
    add constraint invitations_role check (role in (1, 8));

-- There are nine roles now.
alter table staff
    drop constraint staff_roles_check,
    add constraint staff_roles_check check (cardinality(roles) between 1 and 9);
alter table machine_tokens
    drop constraint machine_tokens_roles_check,
    add constraint machine_tokens_roles_check check (cardinality(roles) between 1 and 9);
