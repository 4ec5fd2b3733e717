-- The clock by which days are dropped: what it said the last time, and since when it has moved on without a
-- leap. Whoever drops days compares, so that a clock that is suddenly weeks ahead drops nothing. One row.
create table retention_clock (
    only_row     boolean primary key default true check (only_row),
    seen_at      timestamptz not null,
    steady_since timestamptz not null
);
