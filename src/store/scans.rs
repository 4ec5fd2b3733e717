//! Scans and the stays that follow from them.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{StoreError, sound};
use crate::domain::catalogue::LONGEST_STAY;
use crate::domain::numbered::Numbered;
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::scan::{Direction, Method, Presence, Scan};
use crate::domain::span::Span;
use crate::domain::stay::{EndedBy, Stay};
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

/// How far one shard of the log has been drained. Holds the row until the transaction ends, so that
/// one drain at a time works on a shard; `None` when another one does. A drain that stands still in the
/// middle, or whose machine is gone, loses the row after fifteen seconds, and its transaction is undone.
pub async fn lock_position(
    conn: &mut AsyncPgConnection,
    shard: i16,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    sql_query("set local idle_in_transaction_session_timeout = '15s'").execute(conn).await?;
    sql_query("insert into log_positions (shard, position, updated_at) values ($1, '0-0', $2) on conflict do nothing")
        .bind::<SmallInt, _>(shard)
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    let row: Option<Position> = sql_query(
        "select shard, position, drained from log_positions where shard = $1 for update skip locked",
    )
    .bind::<SmallInt, _>(shard)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.position))
}

/// Moves the position of a shard, in the transaction that stores what was drained.
pub async fn move_position(
    conn: &mut AsyncPgConnection,
    shard: i16,
    position: &str,
    drained: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "update log_positions set position = $2, drained = drained + $3, updated_at = $4 where shard = $1",
    )
    .bind::<SmallInt, _>(shard)
    .bind::<Text, _>(position)
    .bind::<BigInt, _>(drained)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps all drains out until the transaction ends, and lets them know that somebody else wrote scans: the
/// stays of a visitor are computed from all scans of the visitor, so two that compute them must not overlap.
pub async fn exclude_drains(conn: &mut AsyncPgConnection) -> Result<(), StoreError> {
    sql_query("update log_positions set other_writes = other_writes + 1").execute(conn).await?;
    Ok(())
}

/// How far every shard has been drained.
pub async fn positions(conn: &mut AsyncPgConnection) -> Result<Vec<Position>, StoreError> {
    Ok(sql_query("select shard, position, drained from log_positions order by shard").load(conn).await?)
}

/// The position of one shard.
#[derive(Debug, Clone, QueryableByName)]
pub struct Position {
    /// Which shard.
    #[diesel(sql_type = SmallInt)]
    pub shard: i16,
    /// The last log entry that is stored.
    #[diesel(sql_type = Text)]
    pub position: String,
    /// How many scans were drained in all.
    #[diesel(sql_type = BigInt)]
    pub drained: i64,
}

/// Keeps a log entry that cannot be read, so that it blocks nothing and is not lost.
pub async fn bury_entry(
    conn: &mut AsyncPgConnection,
    shard: i16,
    position: &str,
    entry: &[u8],
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "insert into dead_entries (shard, position, entry, reason, found_at) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind::<SmallInt, _>(shard)
    .bind::<Text, _>(position)
    .bind::<diesel::sql_types::Bytea, _>(entry)
    .bind::<Text, _>(reason)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores scans and counts them by point and hour; those that are there already stay as they are and are
/// not counted again. Returns how many were new. Counters are taken in one order, so that two drains wait
/// for each other and never in a circle.
pub async fn insert(conn: &mut AsyncPgConnection, scans: &[Scan]) -> Result<usize, StoreError> {
    let column = |of: fn(&Scan) -> i16| scans.iter().map(of).collect::<Vec<_>>();
    let inserted: Inserted = sql_query(
        "with new as (
             insert into scans (visitor, occurred_at, id, point_id, cell, received_at, direction, method, presence, party, corrects)
             select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict do nothing
             returning point_id, occurred_at, presence, method, direction
         ), counted as (
             insert into point_hours as h (point_id, hour, scans, contradicted, unproven)
             select point_id, date_trunc('hour', occurred_at, 'UTC'), count(*), count(*) filter (where presence = 0),
                    count(*) filter (where presence = 1 and method = 0)
             from new where direction <> 3 group by 1, 2 order by 1, 2
             on conflict (point_id, hour) do update
             set scans = h.scans + excluded.scans, contradicted = h.contradicted + excluded.contradicted,
                 unproven = h.unproven + excluded.unproven
         )
         select count(*) as scans from new",
    )
    .bind::<Array<SqlUuid>, _>(scans.iter().map(|s| s.visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(scans.iter().map(|s| s.occurred_at).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(scans.iter().map(|s| s.id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(scans.iter().map(|s| s.point.to_i64()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(scans.iter().map(|s| cell_to_i64(s.cell)).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(scans.iter().map(|s| s.received_at).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(column(|s| s.direction.number()))
    .bind::<Array<SmallInt>, _>(column(|s| s.method.number()))
    .bind::<Array<SmallInt>, _>(column(|s| s.presence.number()))
    .bind::<Array<Nullable<SqlUuid>>, _>(scans.iter().map(|s| s.party).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(scans.iter().map(|s| s.corrects).collect::<Vec<_>>())
    .get_result(conn)
    .await?;
    sound(usize::try_from(inserted.scans).ok(), "scans")
}

#[derive(QueryableByName)]
struct Inserted {
    #[diesel(sql_type = BigInt)]
    scans: i64,
}

/// The scans of some visitors, each within a span, with the category of the venue.
pub async fn within(
    conn: &mut AsyncPgConnection,
    spans: &[(Visitor, Span)],
) -> Result<Vec<(Scan, String)>, StoreError> {
    let Some(outer) = outer(spans) else { return Ok(Vec::new()) };
    let (visitors, from, until) = columns(spans);
    let rows: Vec<ScanRow> = sql_query(
        "select s.visitor, s.occurred_at, s.id, s.point_id, s.cell, s.received_at, s.direction, s.method,
                s.presence, s.party, s.corrects, v.category
         from unnest($1, $2, $3) as w (visitor, from_at, until_at)
         join scans s on s.visitor = w.visitor and s.occurred_at >= w.from_at and s.occurred_at < w.until_at
         join points p on p.id = s.point_id
         join venues v on v.id = p.venue_id
         where s.occurred_at >= $4 and s.occurred_at < $5",
    )
    .bind::<Array<SqlUuid>, _>(visitors)
    .bind::<Array<Timestamptz>, _>(from)
    .bind::<Array<Timestamptz>, _>(until)
    .bind::<Timestamptz, _>(outer.from())
    .bind::<Timestamptz, _>(outer.until())
    .load(conn)
    .await?;
    rows.into_iter().map(ScanRow::read).collect()
}

/// The stored stays of some visitors that begin within a span each.
pub async fn stays_beginning_within(
    conn: &mut AsyncPgConnection,
    spans: &[(Visitor, Span)],
) -> Result<Vec<Stay>, StoreError> {
    let Some(outer) = outer(spans) else { return Ok(Vec::new()) };
    let (visitors, from, until) = columns(spans);
    let rows: Vec<StayRow> = sql_query(
        "select s.point_id, s.from_at, s.id, s.visitor, s.until_at, s.cell, s.ended_by, s.presence
         from unnest($1, $2, $3) as w (visitor, from_at, until_at)
         join stays s on s.visitor = w.visitor and s.from_at >= w.from_at and s.from_at < w.until_at
         where s.from_at >= $4 and s.from_at < $5",
    )
    .bind::<Array<SqlUuid>, _>(visitors)
    .bind::<Array<Timestamptz>, _>(from)
    .bind::<Array<Timestamptz>, _>(until)
    .bind::<Timestamptz, _>(outer.from())
    .bind::<Timestamptz, _>(outer.until())
    .load(conn)
    .await?;
    rows.into_iter().map(StayRow::read).collect()
}

/// Removes stays that no longer follow from the scans.
pub async fn remove_stays(conn: &mut AsyncPgConnection, stays: &[Stay]) -> Result<(), StoreError> {
    if stays.is_empty() {
        return Ok(());
    }
    sql_query(
        "delete from stays s using unnest($1, $2, $3, $4) as gone (point_id, from_at, id, visitor)
         where s.point_id = gone.point_id and s.from_at = gone.from_at and s.id = gone.id
           and s.visitor = gone.visitor",
    )
    .bind::<Array<BigInt>, _>(stays.iter().map(|s| s.point.to_i64()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(stays.iter().map(|s| s.span.from()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(stays.iter().map(|s| s.id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(stays.iter().map(|s| s.visitor.to_uuid()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores stays; one that is there already takes the new end.
pub async fn write_stays(conn: &mut AsyncPgConnection, stays: &[Stay]) -> Result<(), StoreError> {
    if stays.is_empty() {
        return Ok(());
    }
    sql_query(
        "insert into stays (point_id, from_at, id, visitor, until_at, cell, ended_by, presence)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (point_id, from_at, id, visitor) do update
         set until_at = excluded.until_at, ended_by = excluded.ended_by, presence = excluded.presence",
    )
    .bind::<Array<BigInt>, _>(stays.iter().map(|s| s.point.to_i64()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(stays.iter().map(|s| s.span.from()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(stays.iter().map(|s| s.id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(stays.iter().map(|s| s.visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(stays.iter().map(|s| s.span.until()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(stays.iter().map(|s| cell_to_i64(s.cell)).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(stays.iter().map(|s| s.ended_by.number()).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(stays.iter().map(|s| s.presence.number()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// A visitor's stays that overlap a span, the newest first, with the names of the place. Bounded.
pub async fn stays_of_visitor(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    span: Span,
    limit: i64,
) -> Result<Vec<PlacedStay>, StoreError> {
    let rows: Vec<PlacedStayRow> = sql_query(
        "select s.point_id, s.from_at, s.id, s.visitor, s.until_at, s.cell, s.ended_by, s.presence,
                v.name as venue_name, p.name as point_name
         from stays s join points p on p.id = s.point_id join venues v on v.id = p.venue_id
         where s.visitor = $1 and s.from_at >= $5 and s.from_at < $3 and s.until_at > $2
         order by s.from_at desc limit $4",
    )
    .bind::<SqlUuid, _>(visitor.to_uuid())
    .bind::<Timestamptz, _>(span.from())
    .bind::<Timestamptz, _>(span.until())
    .bind::<BigInt, _>(limit)
    .bind::<Timestamptz, _>(earliest_beginning(span))
    .load(conn)
    .await?;
    rows.into_iter().map(PlacedStayRow::read).collect()
}

/// A stay with the names of its place.
#[derive(Debug, Clone)]
pub struct PlacedStay {
    /// The stay.
    pub stay: Stay,
    /// Name of the venue.
    pub venue_name: String,
    /// Name of the point.
    pub point_name: String,
}

/// When a stay that reaches into the span began at the earliest: a chain of scans is begun afresh each day, and its
/// last scan counts for a day. Reckoned here, since Postgres leaves out partitions by plain values only while it
/// plans; arithmetic with an interval, which depends on the time zone, makes it plan for every day there is.
pub(super) fn earliest_beginning(span: Span) -> DateTime<Utc> {
    span.from() - LONGEST_STAY * 2
}

/// The span that holds all of the spans. Windows that are joined leave out no partition, however few days they
/// touch; these two values do.
fn outer(spans: &[(Visitor, Span)]) -> Option<Span> {
    let from = spans.iter().map(|(_, span)| span.from()).min()?;
    let until = spans.iter().map(|(_, span)| span.until()).max()?;
    Span::new(from, until).ok()
}

fn columns(spans: &[(Visitor, Span)]) -> (Vec<Uuid>, Vec<DateTime<Utc>>, Vec<DateTime<Utc>>) {
    let visitors = spans.iter().map(|(visitor, _)| visitor.to_uuid()).collect();
    let from = spans.iter().map(|(_, span)| span.from()).collect();
    (visitors, from, spans.iter().map(|(_, span)| span.until()).collect())
}

#[derive(QueryableByName)]
struct ScanRow {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Timestamptz)]
    occurred_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = BigInt)]
    cell: i64,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = SmallInt)]
    direction: i16,
    #[diesel(sql_type = SmallInt)]
    method: i16,
    #[diesel(sql_type = SmallInt)]
    presence: i16,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    party: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    corrects: Option<Uuid>,
    #[diesel(sql_type = Text)]
    category: String,
}

impl ScanRow {
    fn read(self) -> Result<(Scan, String), StoreError> {
        let scan = Scan {
            id: self.id,
            visitor: Visitor::from_uuid(self.visitor),
            point: sound(PointId::from_i64(self.point_id), "scans")?,
            cell: sound(cell_from_i64(self.cell), "scans")?,
            occurred_at: self.occurred_at,
            received_at: self.received_at,
            direction: sound(Direction::from_number(self.direction), "scans")?,
            method: sound(Method::from_number(self.method), "scans")?,
            presence: sound(Presence::from_number(self.presence), "scans")?,
            party: self.party,
            corrects: self.corrects,
        };
        Ok((scan, self.category))
    }
}

/// A row of `stays`.
#[derive(Debug, QueryableByName)]
pub(super) struct StayRow {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    from_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Timestamptz)]
    until_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    cell: i64,
    #[diesel(sql_type = SmallInt)]
    ended_by: i16,
    #[diesel(sql_type = SmallInt)]
    presence: i16,
}

impl StayRow {
    pub(super) fn read(self) -> Result<Stay, StoreError> {
        Ok(Stay {
            id: self.id,
            visitor: Visitor::from_uuid(self.visitor),
            point: sound(PointId::from_i64(self.point_id), "stays")?,
            cell: sound(cell_from_i64(self.cell), "stays")?,
            span: sound(Span::new(self.from_at, self.until_at).ok(), "stays")?,
            ended_by: sound(EndedBy::from_number(self.ended_by), "stays")?,
            presence: sound(Presence::from_number(self.presence), "stays")?,
        })
    }
}

#[derive(QueryableByName)]
struct PlacedStayRow {
    #[diesel(embed)]
    stay: StayRow,
    #[diesel(sql_type = Text)]
    venue_name: String,
    #[diesel(sql_type = Text)]
    point_name: String,
}

impl PlacedStayRow {
    fn read(self) -> Result<PlacedStay, StoreError> {
        Ok(PlacedStay { stay: self.stay.read()?, venue_name: self.venue_name, point_name: self.point_name })
    }
}
