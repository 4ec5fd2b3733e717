-- The investigator's word about a trail beside what the scans say, corrections of cases, and runs to be undone.

-- The number under which an authority knows its case, so that the same list again changes nothing.
alter table cases add column case_no text check (length(case_no) between 1 and 100);
create unique index cases_once on cases (authority, case_no) where case_no is not null;

-- `from_at` and `until_at` are the word that holds. What the scans said is kept beside it and follows the scans, also
-- where an investigator has said otherwise. A place may be known as a venue only, or as a cell with an address.
alter table trail_stays
    alter column point_id drop not null,
    add column venue_id         uuid references venues (id),
    add column address          text check (length(address) between 1 and 300),
    add column scanned_from_at  timestamptz,
    add column scanned_until_at timestamptz,
    add column confirmed_at     timestamptz,
    add column edited_at        timestamptz,
    -- Who took it out; none where its scan is gone.
    add column removed_by       uuid references staff (id);
update trail_stays set scanned_from_at = from_at, scanned_until_at = until_at where source = 0;
alter table trail_stays
    add constraint trail_stays_scanned check (
        (source = 0) = (scanned_from_at is not null) and (scanned_from_at is null) = (scanned_until_at is null)
    ),
    add constraint trail_stays_somewhere check (
        num_nonnulls(point_id, venue_id) <= 1 and num_nonnulls(point_id, venue_id, cell) >= 1
        and (address is null or num_nonnulls(point_id, venue_id) = 0)
    ),
    add constraint trail_stays_taken_out check (removed_by is null or removed_at is not null);
create index trail_stays_by_venue on trail_stays (venue_id);
create index trail_stays_by_remover on trail_stays (removed_by);
drop index trail_stays_once;
create unique index trail_stays_once on trail_stays (case_id, stay_id, point_id, scanned_from_at) where stay_id is not null;

-- Each act of an investigator on a trail, with what it said before and after.
create table trail_changes (
    case_id       uuid not null references cases (id),
    seq           integer not null,
    trail_stay_id uuid not null references trail_stays (id),
    changed_at    timestamptz not null,
    changed_by    uuid not null references staff (id),
    -- 0 added, 1 confirmed, 2 edited, 3 removed, 4 put back
    act           smallint not null check (act between 0 and 4),
    -- 1 interview, 2 camera, 3 payment, 4 ticket
    source        smallint not null check (source between 1 and 4),
    reason        text not null check (length(reason) between 3 and 500),
    was           jsonb,
    became        jsonb not null,
    primary key (case_id, seq)
);
create index trail_changes_by_stay on trail_changes (trail_stay_id);
create index trail_changes_by_author on trail_changes (changed_by);
create trigger trail_changes_immutable before update or delete on trail_changes
    for each row execute function refuse_change();
create trigger trail_changes_no_truncate before truncate on trail_changes
    for each statement execute function refuse_change();

-- Each correction of a case.
create table case_changes (
    case_id    uuid not null references cases (id),
    seq        integer not null,
    changed_at timestamptz not null,
    changed_by uuid not null references staff (id),
    reason     text not null check (length(reason) between 3 and 500),
    was        jsonb not null,
    became     jsonb not null,
    primary key (case_id, seq)
);
create index case_changes_by_author on case_changes (changed_by);
create trigger case_changes_immutable before update or delete on case_changes
    for each row execute function refuse_change();
create trigger case_changes_no_truncate before truncate on case_changes
    for each statement execute function refuse_change();

-- Runs whose ground was corrected under them: the pipeline takes them back.
create table undoings (
    run_id    uuid primary key references runs (id),
    reason    text not null check (length(reason) between 3 and 500),
    asked_by  uuid not null references staff (id),
    asked_at  timestamptz not null,
    undone_at timestamptz
);
create index undoings_by_author on undoings (asked_by);
create index undoings_open on undoings (asked_at) where undone_at is null;
