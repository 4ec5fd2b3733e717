-- Stays of closed days, packed: up to 64 stays at one point that began one after the other are one row, a fifth of
-- what they take as rows of their own. A stay is either a row of `stays` or in one pack, never in both. What a day is
-- packed into goes with the day, as its rows do.
create table stay_packs (
    point_id     bigint not null,
    -- When the last of its stays ends. It stands second in the key, so that a search for who was there at a moment
    -- begins with the first pack that reaches it, however many lie before.
    until_max    timestamptz not null,
    -- When the first of its stays began. All of them began on that day, by UTC.
    first_at     timestamptz not null,
    -- Tells packs apart that begin and end alike.
    number       smallint not null check (number >= 0),
    -- How many stays, and how many of them are contradicted.
    stays        smallint not null check (stays between 1 and 64),
    contradicted smallint not null check (contradicted between 0 and stays),
    -- The stays, as `domain::stay_pack` writes them.
    body         bytea not null,
    primary key (point_id, until_max, first_at, number),
    check (until_max > first_at)
) partition by range (first_at);

-- Half of it are pseudonyms, which nothing makes smaller.
alter table stay_packs alter column body set storage external;

-- Days that were packed. A late scan unpacks the few stays that it may change, and the day is opened again until they
-- have been packed too.
create table packed_days (
    day       date primary key,
    packed_at timestamptz not null,
    opened_at timestamptz
);
