//! Packing the stays of a day, and making rows of them again.
//!
//! Whoever writes stays takes the lock of each of their days shared ([`open`]), whoever packs a day takes it alone
//! ([`lock_day`]), so that no row comes to a day while it is packed, whatever any clock says.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Date, Integer, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid,
};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::kept::Kept;
use super::stays::{StayRow, insert};
use super::{StoreError, sound};
use crate::domain::span::Span;
use crate::domain::stay::Stay;
use crate::domain::stay_pack::{Pack, PackedStay, pack, unpack_all};
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

/// The first number of the advisory locks of days; the second is the day.
const LOCK: i32 = 0x5354_4159;

/// Keeps the days of these spans from being packed until the transaction ends, and tells which of them were. Two
/// statements, since what is read must be read after the locks are held.
pub async fn open(conn: &mut AsyncPgConnection, spans: &[Span]) -> Result<Vec<NaiveDate>, StoreError> {
    let days: BTreeSet<NaiveDate> = spans.iter().flat_map(days_of).collect();
    let days: Vec<NaiveDate> = days.into_iter().collect();
    Kept(
        sql_query("select pg_advisory_xact_lock_shared($1, day - date '2000-01-01') from unnest($2) as day")
            .bind::<Integer, _>(LOCK)
            .bind::<Array<Date>, _>(&days),
    )
    .execute(conn)
    .await?;
    let packed: Vec<Day> =
        Kept(sql_query("select day from packed_days where day = any($1)").bind::<Array<Date>, _>(&days))
            .load(conn)
            .await?;
    Ok(packed.into_iter().map(|row| row.day).collect())
}

fn days_of(span: &Span) -> impl Iterator<Item = NaiveDate> + use<> {
    let last = span.until().date_naive();
    span.from().date_naive().iter_days().take_while(move |day| *day <= last)
}

/// Takes the lock of a day alone, unless somebody writes to it. It ends with the transaction.
pub async fn lock_day(conn: &mut AsyncPgConnection, day: NaiveDate) -> Result<bool, StoreError> {
    let taken: Yes = sql_query("select pg_try_advisory_xact_lock($1, $2 - date '2000-01-01') as yes")
        .bind::<Integer, _>(LOCK)
        .bind::<Date, _>(day)
        .get_result(conn)
        .await?;
    Ok(taken.yes)
}

/// Makes rows again of the packs that may hold stays of these visitors in their spans, found by their scans. `days` are
/// those that were packed; they are opened until the rows have been packed again.
pub async fn unpack_for(
    conn: &mut AsyncPgConnection,
    spans: &[(Visitor, Span)],
    days: &[NaiveDate],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if days.is_empty() {
        return Ok(());
    }
    let gone: Vec<PackRow> = sql_query(
        "delete from stay_packs k using (
             select distinct p.point_id, p.until_max, p.first_at, p.number
             from unnest($1, $2, $3) as w (visitor, from_at, until_at)
             cross join lateral (
                 select o.point_id, o.occurred_at from scans o where o.visitor = w.visitor
                    and o.occurred_at >= w.from_at and o.occurred_at < w.until_at and o.occurred_at >= $4
                    and o.occurred_at < $5 offset 0
             ) s
             cross join lateral (
                 select p.point_id, p.until_max, p.first_at, p.number from stay_packs p
                 where p.point_id = s.point_id and p.until_max > s.occurred_at and p.first_at <= s.occurred_at
                   and p.first_at >= date_trunc('day', s.occurred_at, 'UTC') and p.first_at >= $4 and p.first_at < $5
                 offset 0
             ) p
         ) m
         where k.point_id = m.point_id and k.until_max = m.until_max and k.first_at = m.first_at
           and k.number = m.number and k.first_at >= $4 and k.first_at < $5
         returning k.point_id, k.first_at, k.body",
    )
    .bind::<Array<SqlUuid>, _>(spans.iter().map(|(visitor, _)| visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(spans.iter().map(|(_, span)| span.from()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(spans.iter().map(|(_, span)| span.until()).collect::<Vec<_>>())
    .bind::<Nullable<Timestamptz>, _>(days.iter().min().map(|day| beginning(*day)))
    .bind::<Nullable<Timestamptz>, _>(days.iter().max().map(|day| beginning(*day + Days::new(1))))
    .load(conn)
    .await?;
    let mut stays = Vec::new();
    for row in gone {
        stays.extend(row.read()?);
    }
    name(conn, &mut stays).await?;
    insert(conn, &stays).await?;
    sql_query("update packed_days set opened_at = $2 where day = any($1)")
        .bind::<Array<Date>, _>(days)
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives stays without an id that of the scan with the least id in their instant.
async fn name(conn: &mut AsyncPgConnection, stays: &mut [Stay]) -> Result<(), StoreError> {
    let nameless: Vec<&mut Stay> = stays.iter_mut().filter(|stay| stay.id.is_nil()).collect();
    if nameless.is_empty() {
        return Ok(());
    }
    let from = nameless.iter().map(|stay| stay.span.from());
    let (first, last) = (from.clone().min(), from.max());
    let ids: Vec<Named> = sql_query(
        "select s.nth::int as nth, s.id from (
             select w.nth, (
                 select o.id from scans o where o.visitor = w.visitor and o.occurred_at = w.from_at
                    and o.point_id = w.point_id and o.occurred_at >= $4 and o.occurred_at <= $5 order by o.id limit 1
             ) as id
             from unnest($1, $2, $3) with ordinality as w (visitor, from_at, point_id, nth)
         ) s where s.id is not null",
    )
    .bind::<Array<SqlUuid>, _>(nameless.iter().map(|s| s.visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(nameless.iter().map(|s| s.span.from()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(nameless.iter().map(|s| s.point.to_i64()).collect::<Vec<_>>())
    .bind::<Nullable<Timestamptz>, _>(first)
    .bind::<Nullable<Timestamptz>, _>(last)
    .load(conn)
    .await?;
    let by_place: HashMap<i32, Uuid> = ids.into_iter().map(|row| (row.nth, row.id)).collect();
    for (nth, stay) in (1..).zip(nameless) {
        stay.id = by_place.get(&nth).copied().unwrap_or_default();
    }
    Ok(())
}

/// The days whose stays may be packed and wait for it: closed before `closed`, and neither imported nor opened since
/// `quiet_since`. At most `limit`, the oldest first.
pub async fn due(
    conn: &mut AsyncPgConnection,
    days: &[NaiveDate],
    closed: DateTime<Utc>,
    quiet_since: DateTime<Utc>,
) -> Result<Vec<NaiveDate>, StoreError> {
    let closed = closed.date_naive();
    let past: Vec<NaiveDate> = days.iter().copied().filter(|day| *day < closed).collect();
    let due: Vec<Day> = sql_query(
        "select day from unnest($1) as day
         where not exists (select from packed_days p where p.day = day.day
                             and (p.opened_at is null or p.opened_at > $2))
           and not exists (select from imported_days i where i.day = day.day and i.imported_at > $2)
         order by day",
    )
    .bind::<Array<Date>, _>(past)
    .bind::<Timestamptz, _>(quiet_since)
    .load(conn)
    .await?;
    Ok(due.into_iter().map(|row| row.day).collect())
}

/// The stays of a day whose ids the scans do not tell: another scan of the visitor at that point in that instant has a
/// lesser one. By point, beginning, visitor and id.
pub async fn named(conn: &mut AsyncPgConnection, day: NaiveDate) -> Result<HashSet<Name>, StoreError> {
    let rows: Vec<NameRow> = sql_query(
        "select distinct s.point_id, s.from_at, s.visitor, s.id from stays s
         join scans o on o.visitor = s.visitor and o.occurred_at = s.from_at and o.point_id = s.point_id and o.id < s.id
         where s.from_at >= $1 and s.from_at < $2 and o.occurred_at >= $1 and o.occurred_at < $2",
    )
    .bind::<Timestamptz, _>(beginning(day))
    .bind::<Timestamptz, _>(beginning(day + Days::new(1)))
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.point_id, row.from_at, row.visitor, row.id)).collect())
}

/// What names a stay: point, beginning, visitor and id.
pub type Name = (i64, DateTime<Utc>, Uuid, Uuid);

/// The next stays of a day after `after` in the order of point, beginning, id and visitor.
pub async fn page(
    conn: &mut AsyncPgConnection,
    day: NaiveDate,
    after: Option<&Stay>,
    limit: usize,
) -> Result<Vec<Stay>, StoreError> {
    let rows: Vec<StayRow> = Kept(
        sql_query(
            "select * from stays where from_at >= $1 and from_at < $2 and (point_id, from_at, id, visitor) > ($3, $4, $5, $6)
             order by point_id, from_at, id, visitor limit $7",
        )
        .bind::<Timestamptz, _>(beginning(day))
        .bind::<Timestamptz, _>(beginning(day + Days::new(1)))
        .bind::<BigInt, _>(after.map_or(i64::MIN, |stay| stay.point.to_i64()))
        .bind::<Timestamptz, _>(after.map_or(beginning(day), |stay| stay.span.from()))
        .bind::<SqlUuid, _>(after.map_or(Uuid::nil(), |stay| stay.id))
        .bind::<SqlUuid, _>(after.map_or(Uuid::nil(), |stay| stay.visitor.to_uuid()))
        .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX)),
    )
    .load(conn)
    .await?;
    rows.into_iter().map(StayRow::read).collect()
}

/// Stores stays of one day as packs. Rows that were opened and are packed again come to stand beside the packs that
/// are there, so the numbers of their packs go on.
pub async fn store(
    conn: &mut AsyncPgConnection,
    by_point: BTreeMap<PointId, Vec<PackedStay>>,
) -> Result<(), StoreError> {
    let mut packs: Vec<(i64, Pack)> = Vec::new();
    for (point, stays) in by_point {
        packs.extend(pack(stays).into_iter().map(|pack| (point.to_i64(), pack)));
    }
    if packs.is_empty() {
        return Ok(());
    }
    let small = |number: usize| i16::try_from(number).unwrap_or(i16::MAX);
    sql_query(
        "insert into stay_packs (point_id, until_max, first_at, number, stays, contradicted, body)
         select n.point_id, n.until_max, n.first_at,
                row_number() over (partition by n.point_id, n.until_max, n.first_at order by n.nth)
                  + coalesce((select max(k.number) from stay_packs k where k.point_id = n.point_id
                                and k.until_max = n.until_max and k.first_at = n.first_at
                                and k.first_at >= $7 and k.first_at <= $8), 0),
                n.stays, n.contradicted, n.body
         from unnest($1, $2, $3, $4, $5, $6) with ordinality
              as n (point_id, until_max, first_at, stays, contradicted, body, nth)
         order by n.nth",
    )
    .bind::<Array<BigInt>, _>(packs.iter().map(|(point, _)| *point).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(packs.iter().map(|(_, p)| p.until_max).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(packs.iter().map(|(_, p)| p.first_at).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(packs.iter().map(|(_, p)| small(p.stays)).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(packs.iter().map(|(_, p)| small(p.contradicted)).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(packs.iter().map(|(_, p)| p.body.as_slice()).collect::<Vec<_>>())
    .bind::<Nullable<Timestamptz>, _>(packs.iter().map(|(_, p)| p.first_at).min())
    .bind::<Nullable<Timestamptz>, _>(packs.iter().map(|(_, p)| p.first_at).max())
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the packing of a day: its rows go, and it is written down. Waits a second and a half at the most for those
/// who read the rows, as everybody else would have to wait behind it; after one second Postgres ends an automatic vacuum that
/// is in the way.
pub async fn finish(
    conn: &mut AsyncPgConnection,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "insert into packed_days (day, packed_at) values ($1, $2)
         on conflict (day) do update set packed_at = excluded.packed_at, opened_at = null",
    )
    .bind::<Date, _>(day)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    sql_query("set local lock_timeout = '1500ms'").execute(conn).await?;
    sql_query(format!("truncate stays_{}", day.format("%Y%m%d"))).execute(conn).await?;
    Ok(())
}

/// Lets the planner know what was packed.
pub async fn analyze(conn: &mut AsyncPgConnection, day: NaiveDate) -> Result<(), StoreError> {
    let day = day.format("%Y%m%d");
    for table in ["stay_packs", "stays"] {
        sql_query(format!("analyze {table}_{day}")).execute(conn).await?;
    }
    Ok(())
}

fn beginning(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[derive(QueryableByName)]
struct PackRow {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    first_at: DateTime<Utc>,
    #[diesel(sql_type = Bytea)]
    body: Vec<u8>,
}

impl PackRow {
    fn read(self) -> Result<impl Iterator<Item = Stay>, StoreError> {
        let point = sound(PointId::from_i64(self.point_id), "stay_packs")?;
        let stays = sound(unpack_all(&self.body, self.first_at).ok(), "stay_packs")?;
        Ok(stays.into_iter().map(move |stay| stay.at(point)))
    }
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Integer)]
    nth: i32,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    from_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

#[derive(QueryableByName)]
struct Day {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}
