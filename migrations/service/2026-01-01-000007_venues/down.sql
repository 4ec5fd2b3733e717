drop table point_usage;
drop table point_hours;
drop table inspections;
drop table divisions;
drop table invitations;
drop table screens;
alter table trail_stays drop column cell;
drop table stops;
drop function stop_changed();
alter table points
    drop constraint points_position,
    drop column expires_at,
    drop column is_mobile,
    drop column lng_deg,
    drop column lat_deg;
drop table venue_steps;
drop index venues_by_organisation_state;
alter table venues
    drop constraint venues_state_check,
    drop column cells,
    drop column outline,
    drop column superior,
    drop column street,
    drop column short_name;
alter table venues add constraint venues_state_check check (state between 0 and 3);
alter table organisations drop column kind;
