-- Only the program can read what is packed, so a database that holds packs does not go back.
do $$ begin
    if exists (select from stay_packs) then
        raise exception 'stays of closed days are packed, and would be lost';
    end if;
end $$;
drop table packed_days;
drop table stay_packs;
