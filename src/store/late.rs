//! Scans that come late: what they touch is noted by the drain, and compared with what runs have seen.
//!
//! A note says at which point and in which hour something changed, never for whom. It carries the number of
//! the transaction that made it, and a run what it saw, so that it is told exactly which run knows of which note.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::findings::{Reach, Search};
use crate::domain::span::Span;
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

/// The most windows that are kept of one run. Late scans beyond them are not noticed.
const WINDOWS_MAX: usize = 20_000;

/// How many notes are compared at once.
const NOTES_MAX: i64 = 5_000;

/// The time that any run has looked at; `None` when no run has looked anywhere.
pub async fn looked_at(conn: &mut AsyncPgConnection) -> Result<Option<Span>, StoreError> {
    #[derive(QueryableByName)]
    struct Outer {
        #[diesel(sql_type = Nullable<Timestamptz>)]
        from_at: Option<DateTime<Utc>>,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        until_at: Option<DateTime<Utc>>,
    }
    let outer: Outer =
        sql_query("select min(from_at) as from_at, max(until_at) as until_at from run_windows")
            .get_result(conn)
            .await?;
    Ok(outer.from_at.zip(outer.until_at).and_then(|(from, until)| Span::new(from, until).ok()))
}

/// Notes that stays of the past changed: at which points in which hours, and for the trails of which runs. Taken
/// in one order, so that two drains wait for each other and never in a circle.
pub async fn note(
    conn: &mut AsyncPgConnection,
    changed: &[(Visitor, PointId, Span)],
) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    sql_query(
        "insert into late_hours as l (point_id, hour, xact)
         select distinct c.point_id, h.hour, pg_current_xact_id()::text::bigint
         from unnest($1, $2, $3) as c (point_id, from_at, until_at)
         cross join generate_series(date_trunc('hour', c.from_at, 'UTC'), c.until_at - interval '1 microsecond',
                                    interval '1 hour') as h (hour)
         order by 1, 2
         on conflict (point_id, hour) do update set xact = excluded.xact, noted_at = now(), handled = false",
    )
    .bind::<Array<BigInt>, _>(changed.iter().map(|(_, point, _)| point.to_i64()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(changed.iter().map(|(.., span)| span.from()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(changed.iter().map(|(.., span)| span.until()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    // The trail of a case, and that of a contact whose own contacts a run has looked for.
    sql_query(
        "insert into late_runs as l (run_id, xact)
         select distinct touched.run_id, pg_current_xact_id()::text::bigint
         from unnest($1, $2, $3) as v (visitor, from_at, until_at)
         cross join lateral (
             select r.id as run_id from cases c join runs r on r.case_id = c.id
             where c.visitor = v.visitor and v.from_at < r.infectious_until and v.until_at > r.infectious_from
               and r.state in (1, 3, 4, 5) and not r.dry and r.stale_at is null
             union all
             select r.id from contacts t join runs r on r.id = t.run_id and r.depth > 0
             where t.visitor = v.visitor and v.from_at < r.infectious_until and v.until_at > r.infectious_from
               and r.state in (1, 3, 4, 5) and not r.dry and r.stale_at is null
         ) as touched
         order by 1
         on conflict (run_id) do update set xact = excluded.xact, noted_at = now(), handled = false",
    )
    .bind::<Array<SqlUuid>, _>(changed.iter().map(|(visitor, ..)| visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(changed.iter().map(|(.., span)| span.from()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(changed.iter().map(|(.., span)| span.until()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// What the transaction can see from here on, for [`super::results::Computed`].
pub async fn snapshot(conn: &mut AsyncPgConnection) -> Result<String, StoreError> {
    #[derive(QueryableByName)]
    struct Seen {
        #[diesel(sql_type = Text)]
        seen: String,
    }
    Ok(sql_query("select pg_current_snapshot()::text as seen").get_result::<Seen>(conn).await?.seen)
}

/// Keeps where and when a run looked.
pub async fn keep_windows(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    searches: &[Search],
) -> Result<(), StoreError> {
    let searches: Vec<&Search> =
        searches.iter().filter(|search| search.from < search.until).take(WINDOWS_MAX).collect();
    let (mut points, mut venues, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for search in &searches {
        points.push(if let Reach::Point(point) = search.reach { Some(point) } else { None });
        venues.push(if let Reach::Venue(venue) = search.reach { Some(venue) } else { None });
        cells.push(if let Reach::Cell(cell) = search.reach { Some(cell) } else { None });
    }
    sql_query(
        "insert into run_windows (run_id, seq, point_id, venue_id, grid_cell, from_at, until_at)
         select $1, row_number() over (), w.* from unnest($2, $3, $4, $5, $6) as w",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Array<Nullable<BigInt>>, _>(points)
    .bind::<Array<Nullable<SqlUuid>>, _>(venues)
    .bind::<Array<Nullable<BigInt>>, _>(cells)
    .bind::<Array<Timestamptz>, _>(searches.iter().map(|search| search.from).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(searches.iter().map(|search| search.until).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// The runs that did not see a note which touches them. A note is compared with every run that was there when
/// it came, and a run with every note that was there when it was computed; whichever of the two came later does it.
pub async fn touched(conn: &mut AsyncPgConnection) -> Result<Vec<Uuid>, StoreError> {
    // One at a time: two that mark at once would each miss what the other marks.
    sql_query("select pg_advisory_xact_lock(hashtext('placecode late notes'))").execute(conn).await?;
    let notes: Vec<Note> = sql_query(
        "with new as (
             select point_id, hour from late_hours where not handled
             order by point_id, hour limit $1 for update skip locked
         )
         update late_hours l set handled = true from new
         where l.point_id = new.point_id and l.hour = new.hour returning l.point_id, l.hour, l.xact",
    )
    .bind::<BigInt, _>(NOTES_MAX)
    .load(conn)
    .await?;
    let direct: Vec<Id> = sql_query(
        "with new as (select run_id from late_runs where not handled order by run_id for update skip locked)
         update late_runs l set handled = true from new where l.run_id = new.run_id returning l.run_id as id",
    )
    .load(conn)
    .await?;
    let fresh: Vec<Id> = sql_query(
        "update runs set late_checked = true where not late_checked and snapshot is not null returning id",
    )
    .load(conn)
    .await?;
    if notes.is_empty() && direct.is_empty() && fresh.is_empty() {
        return Ok(Vec::new());
    }
    let ids = |rows: Vec<Id>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let (direct, fresh) = (ids(direct), ids(fresh));
    let both: Vec<Uuid> = direct.iter().chain(&fresh).copied().collect();
    let found: Vec<Id> = sql_query(TOUCHED)
        .bind::<Array<BigInt>, _>(notes.iter().map(|note| note.point_id).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(notes.iter().map(|note| note.hour).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(notes.iter().map(|note| note.xact).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(fresh)
        .bind::<Array<SqlUuid>, _>(both)
        .load(conn)
        .await?;
    Ok(ids(found))
}

/// Notes with the windows that they touch, by point, venue and companion cell; then those whose run does not know
/// of them. A note from the future is one of a database that was restored elsewhere, where numbers began anew.
const TOUCHED: &str = "
with new as (
    select * from unnest($1, $2, $3) as n (point_id, hour, xact)
), placed as (
    select n.point_id, n.hour, n.xact, p.venue_id, p.grid_cell, p.is_mobile from new n join points p on p.id = n.point_id
), pairs as (
    select w.run_id, n.xact from placed n join run_windows w on w.point_id = n.point_id
     where w.from_at < n.hour + interval '1 hour' and w.until_at > n.hour
    union
    select w.run_id, n.xact from placed n join run_windows w on w.venue_id = n.venue_id
     where w.from_at < n.hour + interval '1 hour' and w.until_at > n.hour
    union
    select w.run_id, n.xact from placed n join run_windows w on w.grid_cell = n.grid_cell
     where w.from_at < n.hour + interval '1 hour' and w.until_at > n.hour
    union
    select w.run_id, n.xact from placed n join stops t on n.is_mobile and t.venue_id = n.venue_id
     join run_windows w on w.grid_cell = t.grid_cell
     where w.from_at < n.hour + interval '1 hour' and w.until_at > n.hour
    union
    select w.run_id, l.xact from run_windows w
     join points p on p.id = w.point_id or p.venue_id = w.venue_id or p.grid_cell = w.grid_cell
        or p.is_mobile and exists (select 1 from stops t where t.venue_id = p.venue_id and t.grid_cell = w.grid_cell)
     join late_hours l on l.point_id = p.id and l.hour < w.until_at and l.hour > w.from_at - interval '1 hour'
     where w.run_id = any($4)
    union
    select l.run_id, l.xact from late_runs l where l.run_id = any($5)
)
select distinct r.id from pairs join runs r on r.id = pairs.run_id join cases c on c.id = r.case_id
where r.state in (1, 3, 4, 5) and not r.dry and r.stale_at is null and r.snapshot is not null
  and c.withdrawn_at is null and pairs.xact < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
  and not pg_visible_in_snapshot(pairs.xact::text::xid8, r.snapshot::pg_snapshot)
order by r.id";

/// Marks a run as one that late scans have touched, and forgets where it looked.
pub async fn mark_stale(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query("update runs set stale_at = $2 where id = $1")
        .bind::<SqlUuid, _>(run_id)
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    sql_query("delete from run_windows where run_id = $1").bind::<SqlUuid, _>(run_id).execute(conn).await?;
    Ok(())
}

/// Takes the mark from a run whose follow-up found the same, and gives it what that one saw. Late scans from
/// now on touch the follow-up alone, whose windows are kept.
pub async fn mark_unchanged(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<(), StoreError> {
    sql_query("update runs set stale_at = null where id = $1")
        .bind::<SqlUuid, _>(run_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether a follow-up of a run waits to be computed.
pub async fn is_followed(conn: &mut AsyncPgConnection, base: Uuid) -> Result<bool, StoreError> {
    let found: Count = sql_query("select count(*) as count from runs where base_run = $1 and state = 0")
        .bind::<SqlUuid, _>(base)
        .get_result(conn)
        .await?;
    Ok(found.count > 0)
}

/// Removes notes that every run has been compared with, and windows older than scans are kept. Returns how many.
pub async fn clean(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i32,
) -> Result<usize, StoreError> {
    let notes = sql_query(
        "delete from late_hours where ctid = any(array(
             select ctid from late_hours where handled and noted_at < now() - interval '1 day' limit $1))",
    )
    .bind::<Integer, _>(limit)
    .execute(conn)
    .await?;
    let runs = sql_query("delete from late_runs where handled and noted_at < now() - interval '1 day'")
        .execute(conn)
        .await?;
    let windows = sql_query(
        "delete from run_windows where ctid = any(array(
             select ctid from run_windows where until_at < $2 limit $1))",
    )
    .bind::<Integer, _>(limit)
    .bind::<Timestamptz, _>(before)
    .execute(conn)
    .await?;
    Ok(notes + runs + windows)
}

#[derive(QueryableByName)]
struct Note {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    hour: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    xact: i64,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}
