-- Bursts of scans that nothing proves at a printed code: a photo of it may be going round. Counts only.
create table point_alarms (
    id                 uuid primary key,
    point_id           bigint not null references points (id),
    raised_at          timestamptz not null,
    -- The hour that was running then; the counts are of that hour and the one before, the highest that were seen
    -- while the alarm was open.
    hour               timestamptz not null,
    scans              integer not null check (scans >= 0),
    contradicted       integer not null check (contradicted >= 0),
    unproven           integer not null check (unproven >= 0),
    -- What the point's own past lets expect of such hours; null where it has too little past.
    usual_scans        double precision,
    usual_contradicted double precision,
    usual_unproven     double precision,
    -- 0 many of those who scan are elsewhere, 1 many more scans without proof than usual
    sign               smallint not null check (sign between 0 and 1),
    -- 0 print a new code, so that the photo ends
    proposal           smallint not null default 0 check (proposal = 0),
    -- 0 open, 1 the code was replaced, 2 dismissed
    state              smallint not null default 0 check (state between 0 and 2),
    closed_at          timestamptz,
    closed_by          text,
    reason             text not null default '' check (length(reason) <= 500),
    check (num_nulls(usual_scans, usual_contradicted, usual_unproven) in (0, 3)),
    check ((state = 0) = (closed_at is null) and (state = 0) = (closed_by is null)),
    check (state <> 2 or reason <> '')
);
create index point_alarms_by_point on point_alarms (point_id, raised_at);
create unique index point_alarms_open on point_alarms (point_id) where state = 0;
