-- Where visitors live, as their channel told it: six digits (GB/T 2260), nothing finer. Hand-over letters go there.
create table residences (
    visitor   uuid primary key,
    division  text not null check (division ~ '^[0-9]{6}$'),
    -- Which channel told it.
    channel   text not null,
    -- When the channel said so; the later word holds.
    told_at   timestamptz not null
);
create index residences_by_time on residences (told_at);

-- Cases are looked at together by the day that their illness or their sample fell on.
create index cases_by_beginning on cases (coalesce(onset_at, sampled_at));
