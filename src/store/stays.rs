//! Stays: what follows from the scans.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{StoreError, sound};
use crate::domain::catalogue::LONGEST_STAY;
use crate::domain::numbered::Numbered;
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::{EndedBy, Stay};
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

/// Removes stays that no longer follow from the scans.
pub async fn remove(conn: &mut AsyncPgConnection, stays: &[Stay]) -> Result<(), StoreError> {
    if stays.is_empty() {
        return Ok(());
    }
    sql_query(
        "delete from stays s using unnest($1, $2, $3, $4) as gone (point_id, from_at, id, visitor)
         where s.point_id = gone.point_id and s.from_at = gone.from_at and s.id = gone.id
           and s.visitor = gone.visitor and s.from_at >= $5 and s.from_at <= $6",
    )
    .bind::<Array<BigInt>, _>(stays.iter().map(|s| s.point.to_i64()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(stays.iter().map(|s| s.span.from()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(stays.iter().map(|s| s.id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(stays.iter().map(|s| s.visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Nullable<Timestamptz>, _>(stays.iter().map(|s| s.span.from()).min())
    .bind::<Nullable<Timestamptz>, _>(stays.iter().map(|s| s.span.from()).max())
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores stays that are not there. Sorted as the index is, neighbours go to the same pages.
pub async fn insert(conn: &mut AsyncPgConnection, stays: &[Stay]) -> Result<(), StoreError> {
    if stays.is_empty() {
        return Ok(());
    }
    let mut stays: Vec<&Stay> = stays.iter().collect();
    stays.sort_by_key(|stay| (stay.point, stay.span.from()));
    sql_query(
        "insert into stays (point_id, from_at, id, visitor, until_at, cell, ended_by, presence)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8)",
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

/// Gives stays that are there their new ends.
pub async fn change(conn: &mut AsyncPgConnection, stays: &[Stay]) -> Result<(), StoreError> {
    if stays.is_empty() {
        return Ok(());
    }
    sql_query(
        "update stays s set until_at = n.until_at, ended_by = n.ended_by, presence = n.presence
         from unnest($1, $2, $3, $4, $5, $6, $7) as n (point_id, from_at, id, visitor, until_at, ended_by, presence)
         where s.point_id = n.point_id and s.from_at = n.from_at and s.id = n.id and s.visitor = n.visitor
           and s.from_at >= $8 and s.from_at <= $9",
    )
    .bind::<Array<BigInt>, _>(stays.iter().map(|s| s.point.to_i64()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(stays.iter().map(|s| s.span.from()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(stays.iter().map(|s| s.id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(stays.iter().map(|s| s.visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(stays.iter().map(|s| s.span.until()).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(stays.iter().map(|s| s.ended_by.number()).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(stays.iter().map(|s| s.presence.number()).collect::<Vec<_>>())
    .bind::<Nullable<Timestamptz>, _>(stays.iter().map(|s| s.span.from()).min())
    .bind::<Nullable<Timestamptz>, _>(stays.iter().map(|s| s.span.from()).max())
    .execute(conn)
    .await?;
    Ok(())
}

/// What a late scan or a correction did to a stay.
#[derive(Debug, Clone)]
pub struct StayChange {
    /// What it said.
    pub before: Stay,
    /// What it says now; absent where it is gone.
    pub after: Option<Stay>,
    /// The scan that came late or took another back.
    pub cause: Uuid,
    /// When that was received.
    pub changed_at: DateTime<Utc>,
}

/// Keeps the trace of changed stays.
pub async fn trace(conn: &mut AsyncPgConnection, changes: &[StayChange]) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let after = |change: &StayChange| change.after.clone();
    sql_query(
        "insert into stay_changes (visitor, from_at, id, changed_at, point_id, old_until_at, old_ended_by,
             old_presence, new_until_at, new_ended_by, new_presence, cause)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing",
    )
    .bind::<Array<SqlUuid>, _>(changes.iter().map(|c| c.before.visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(changes.iter().map(|c| c.before.span.from()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(changes.iter().map(|c| c.before.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(changes.iter().map(|c| c.changed_at).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(changes.iter().map(|c| c.before.point.to_i64()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(changes.iter().map(|c| c.before.span.until()).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(changes.iter().map(|c| c.before.ended_by.number()).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(changes.iter().map(|c| c.before.presence.number()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(
        changes.iter().map(|c| after(c).map(|stay| stay.span.until())).collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<SmallInt>>, _>(
        changes.iter().map(|c| after(c).map(|stay| stay.ended_by.number())).collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<SmallInt>>, _>(
        changes.iter().map(|c| after(c).map(|stay| stay.presence.number())).collect::<Vec<_>>(),
    )
    .bind::<Array<SqlUuid>, _>(changes.iter().map(|c| c.cause).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// A visitor's stays that overlap a span, the newest first, with the names of the place. Bounded.
pub async fn of_visitor(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    span: Span,
    limit: i64,
) -> Result<Vec<PlacedStay>, StoreError> {
    let rows: Vec<PlacedStayRow> = sql_query(
        "select s.point_id, s.from_at, s.id, s.visitor, s.until_at, s.cell, s.ended_by, s.presence,
                v.name as venue_name, p.name as point_name
         from scans o join stays s on s.point_id = o.point_id and s.from_at = o.occurred_at and s.id = o.id
             and s.visitor = o.visitor
         join points p on p.id = s.point_id join venues v on v.id = p.venue_id
         where o.visitor = $1 and o.occurred_at >= $5 and o.occurred_at < $3
           and s.from_at >= $5 and s.from_at < $3 and s.until_at > $2
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
