//! Stays: what follows from the scans.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{StoreError, sound, stay_packs};
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
    let mut stays =
        stay_packs::of_visitor(conn, visitor, span, earliest_beginning(span), limit * SCANS).await?;
    stays.truncate(usize::try_from(limit).unwrap_or_default());
    let points: Vec<i64> = stays.iter().map(|stay| stay.point.to_i64()).collect();
    let names: Vec<PlaceNames> = sql_query(
        "select p.id, v.name as venue_name, p.name as point_name from points p join venues v on v.id = p.venue_id
         where p.id = any($1)",
    )
    .bind::<Array<BigInt>, _>(points)
    .load(conn)
    .await?;
    let names: HashMap<i64, PlaceNames> = names.into_iter().map(|place| (place.id, place)).collect();
    let placed = |stay: Stay| {
        let place = names.get(&stay.point.to_i64())?;
        let (venue_name, point_name) = (place.venue_name.clone(), place.point_name.clone());
        Some(PlacedStay { stay, venue_name, point_name })
    };
    Ok(stays.into_iter().filter_map(placed).collect())
}

/// How many scans of a visitor are looked at for each stay that is asked for: exits and repeated scans open none.
const SCANS: i64 = 8;

#[derive(QueryableByName)]
struct PlaceNames {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    venue_name: String,
    #[diesel(sql_type = Text)]
    point_name: String,
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

/// The same for those who ask for the stays at points themselves.
pub fn earliest(span: &Span) -> DateTime<Utc> {
    earliest_beginning(*span)
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
    pub(super) point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    pub(super) from_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub(super) visitor: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub(super) until_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    pub(super) cell: i64,
    #[diesel(sql_type = SmallInt)]
    pub(super) ended_by: i16,
    #[diesel(sql_type = SmallInt)]
    pub(super) presence: i16,
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
