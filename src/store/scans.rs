//! Scans: the truth from which stays follow.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{StoreError, sound};
use crate::domain::numbered::Numbered;
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::scan::{Direction, Method, Presence, Scan};
use crate::domain::span::Span;
use crate::domain::stay::{EndedBy, Stay};
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

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
             returning point_id, occurred_at, presence, method, direction, corrects
         ), counted as (
             insert into point_hours as h (point_id, hour, scans, contradicted, unproven)
             select point_id, date_trunc('hour', occurred_at, 'UTC'), count(*), count(*) filter (where presence = 0),
                    count(*) filter (where presence = 1 and method = 0)
             from new where corrects is null group by 1, 2 order by 1, 2
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

/// A stored scan, and the stay that it opened, if it opened one.
#[derive(Debug, Clone)]
pub struct KnownScan {
    /// The scan.
    pub scan: Scan,
    /// The stay.
    pub stay: Option<Stay>,
}

/// The scans of some visitors, each within a span, with the stays that they opened, as far as these are rows: whoever
/// needs those of packed days makes rows of them first (`packing::unpack_for`). A stay is found by its scan, so the
/// stays need no index by visitor, which would cost the drain more than all else. `offset 0` keeps the planner from
/// reading a day as a whole for the few rows of a batch.
pub async fn within(
    conn: &mut AsyncPgConnection,
    spans: &[(Visitor, Span)],
) -> Result<Vec<KnownScan>, StoreError> {
    let Some(outer) = outer(spans) else { return Ok(Vec::new()) };
    let (visitors, from, until) = columns(spans);
    let rows: Vec<ScanRow> = sql_query(
        "select s.visitor, s.occurred_at, s.id, s.point_id, s.cell, s.received_at, s.direction, s.method,
                s.presence, s.party, s.corrects,
                t.until_at as stay_until_at, t.ended_by as stay_ended_by, t.presence as stay_presence
         from unnest($1, $2, $3) as w (visitor, from_at, until_at)
         cross join lateral (
             select * from scans o where o.visitor = w.visitor and o.occurred_at >= w.from_at
                 and o.occurred_at < w.until_at and o.occurred_at >= $4 and o.occurred_at < $5 offset 0
         ) s
         left join lateral (
             select * from stays o where o.point_id = s.point_id and o.from_at = s.occurred_at and o.id = s.id
                 and o.visitor = s.visitor and o.from_at >= $4 and o.from_at < $5 offset 0
         ) t on true",
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

/// The word of the category of each of some points.
pub async fn categories(
    conn: &mut AsyncPgConnection,
    points: &[PointId],
) -> Result<Vec<(PointId, String)>, StoreError> {
    let rows: Vec<CategoryRow> = sql_query(
        "select p.id, (select v.category from venues v where v.id = p.venue_id) as category
         from points p where p.id = any($1)",
    )
    .bind::<Array<BigInt>, _>(points.iter().map(|point| point.to_i64()).collect::<Vec<_>>())
    .load(conn)
    .await?;
    rows.into_iter().map(|row| Ok((sound(PointId::from_i64(row.id), "points")?, row.category))).collect()
}

#[derive(QueryableByName)]
struct CategoryRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    category: String,
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
    #[diesel(sql_type = Nullable<Timestamptz>)]
    stay_until_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    stay_ended_by: Option<i16>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    stay_presence: Option<i16>,
}

impl ScanRow {
    fn read(self) -> Result<KnownScan, StoreError> {
        let stay = (self.stay_until_at, self.stay_ended_by, self.stay_presence);
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
        let (Some(until), Some(ended_by), Some(presence)) = stay else {
            return Ok(KnownScan { scan, stay: None });
        };
        let stay = Stay {
            id: scan.id,
            visitor: scan.visitor,
            point: scan.point,
            cell: scan.cell,
            span: sound(Span::new(scan.occurred_at, until).ok(), "stays")?,
            ended_by: sound(EndedBy::from_number(ended_by), "stays")?,
            presence: sound(Presence::from_number(presence), "stays")?,
        };
        Ok(KnownScan { scan, stay: Some(stay) })
    }
}
