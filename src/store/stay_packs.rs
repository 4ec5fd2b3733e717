//! Stays of closed days: their packs, and what reads rows and packs alike.
//!
//! A stay is a row of `stays` or in a pack. A reader asks for both in one statement, which sees one state of the tables:
//! packing moves stays from one to the other in one transaction, and its truncation waits for statements under way.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::kept::Kept;
use super::stays::StayRow;
use super::{StoreError, sound};
use crate::domain::span::Span;
use crate::domain::stay::Stay;
use crate::domain::stay_pack::{Window, unpack};
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

/// The stays at one point that a search asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtPoint {
    /// The point.
    pub point: i64,
    /// When.
    pub window: Window,
}

/// A stay that was found, with the venue of its point and its row in a vehicle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which of the searches found it.
    pub search: usize,
    /// The stay. Of packed ones the id is nil, unless the scans cannot tell it.
    pub stay: Stay,
    /// The venue of its point.
    pub venue: Uuid,
    /// The row in a vehicle that its point belongs to.
    pub row: Option<u16>,
}

/// Gives every stay that the searches ask for to `found`. `offset 0` keeps the planner from reading a day as a whole.
pub async fn at_points(
    conn: &mut AsyncPgConnection,
    searches: &[AtPoint],
    mut found: impl FnMut(Found),
) -> Result<(), StoreError> {
    let rows: Vec<AtPointRow> = Kept(
        sql_query(
            "with w as materialized (
                 select w.nth::int as nth, w.point_id, w.earliest, w.from_at, w.until_at, p.venue_id, p.row_no
                 from unnest($1, $2, $3, $4) with ordinality as w (point_id, earliest, from_at, until_at, nth)
                 join points p on p.id = w.point_id
             )
             select w.nth, w.venue_id, w.row_no, k.body, k.first_at as from_at, null::timestamptz as until_at,
                    null::uuid as id, null::uuid as visitor, null::bigint as cell, null::smallint as ended_by,
                    null::smallint as presence
             from w cross join lateral (
                 select o.body, o.first_at from stay_packs o
                 where o.point_id = w.point_id and o.until_max > w.from_at and o.first_at < w.until_at
                   and o.first_at >= date_trunc('day', w.earliest, 'UTC') offset 0
             ) k
             union all
             select w.nth, w.venue_id, w.row_no, null, s.from_at, s.until_at, s.id, s.visitor, s.cell, s.ended_by,
                    s.presence
             from w cross join lateral (
                 select * from stays o
                 where o.point_id = w.point_id and o.from_at >= w.earliest and o.from_at < w.until_at
                   and o.until_at > w.from_at offset 0
             ) s",
        )
        .bind::<Array<BigInt>, _>(searches.iter().map(|s| s.point).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(searches.iter().map(|s| s.window.earliest).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(searches.iter().map(|s| s.window.from).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(searches.iter().map(|s| s.window.until).collect::<Vec<_>>()),
    )
    .load(conn)
    .await?;
    for row in rows {
        row.give(searches, &mut found)?;
    }
    Ok(())
}

/// A pack, or a row of `stays`, with what its point says.
#[derive(QueryableByName)]
struct AtPointRow {
    #[diesel(sql_type = Integer)]
    nth: i32,
    #[diesel(sql_type = SqlUuid)]
    venue_id: Uuid,
    #[diesel(sql_type = Nullable<SmallInt>)]
    row_no: Option<i16>,
    #[diesel(embed)]
    either: Either,
}

impl AtPointRow {
    fn give(self, searches: &[AtPoint], found: &mut impl FnMut(Found)) -> Result<(), StoreError> {
        let search = sound(usize::try_from(self.nth - 1).ok(), "stays")?;
        let asked = sound(searches.get(search), "stays")?;
        let point = sound(PointId::from_i64(asked.point), "stays")?;
        let (venue, row) = (self.venue_id, self.row_no.and_then(|row| u16::try_from(row).ok()));
        let give = |stay| found(Found { search, stay, venue, row });
        self.either.give(point, &asked.window, give)
    }
}

/// A pack where it has a body, else a stay.
#[derive(QueryableByName)]
struct Either {
    #[diesel(sql_type = Nullable<Bytea>)]
    body: Option<Vec<u8>>,
    #[diesel(sql_type = Timestamptz)]
    from_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    until_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    visitor: Option<Uuid>,
    #[diesel(sql_type = Nullable<BigInt>)]
    cell: Option<i64>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    ended_by: Option<i16>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    presence: Option<i16>,
}

impl Either {
    fn give(self, point: PointId, window: &Window, mut give: impl FnMut(Stay)) -> Result<(), StoreError> {
        if let Some(body) = &self.body {
            let unpacked = unpack(body, self.from_at, window, |stay| give(stay.at(point)));
            return sound(unpacked.ok(), "stay_packs");
        }
        give(sound(self.row(point.to_i64()), "stays")?.read()?);
        Ok(())
    }

    fn row(self, point_id: i64) -> Option<StayRow> {
        Some(StayRow {
            point_id,
            from_at: self.from_at,
            id: self.id?,
            visitor: self.visitor?,
            until_at: self.until_at?,
            cell: self.cell?,
            ended_by: self.ended_by?,
            presence: self.presence?,
        })
    }
}

/// The stays of a visitor that overlap a span, with their ids, the newest first. They are found through the visitor's
/// scans, of which the newest `scans_max` are looked at.
pub async fn of_visitor(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    span: Span,
    earliest: DateTime<Utc>,
    scans_max: i64,
) -> Result<Vec<Stay>, StoreError> {
    let rows: Vec<OfVisitorRow> = Kept(
        sql_query(
            "with o as materialized (
                 select o.point_id, o.occurred_at, o.id from scans o
                 where o.visitor = $1 and o.occurred_at >= $4 and o.occurred_at < $3
                 order by o.occurred_at desc, o.id desc limit $5
             )
             select o.point_id, o.occurred_at, o.id as scan_id, k.body, k.first_at as from_at,
                    null::timestamptz as until_at, null::uuid as id, null::uuid as visitor, null::bigint as cell,
                    null::smallint as ended_by, null::smallint as presence
             from o cross join lateral (
                 select k.body, k.first_at from stay_packs k
                 where k.point_id = o.point_id and k.until_max > o.occurred_at and k.first_at <= o.occurred_at
                   and k.first_at >= date_trunc('day', o.occurred_at, 'UTC') offset 0
             ) k
             union all
             select o.point_id, o.occurred_at, o.id, null, s.from_at, s.until_at, s.id, s.visitor, s.cell, s.ended_by,
                    s.presence
             from o cross join lateral (
                 select * from stays s where s.point_id = o.point_id and s.from_at = o.occurred_at and s.id = o.id
                    and s.visitor = $1 and s.until_at > $2 offset 0
             ) s",
        )
        .bind::<SqlUuid, _>(visitor.to_uuid())
        .bind::<Timestamptz, _>(span.from())
        .bind::<Timestamptz, _>(span.until())
        .bind::<Timestamptz, _>(earliest)
        .bind::<BigInt, _>(scans_max),
    )
    .load(conn)
    .await?;
    let mut least: HashMap<_, Uuid> = HashMap::new();
    for row in &rows {
        let id = least.entry((row.point_id, row.occurred_at)).or_insert(row.scan_id);
        *id = row.scan_id.min(*id);
    }
    let mut found = Vec::new();
    for row in rows {
        let is_least = least.get(&(row.point_id, row.occurred_at)) == Some(&row.scan_id);
        row.give(visitor, is_least, |stay: Stay| found.push(stay))?;
    }
    found.retain(|stay| stay.span.until() > span.from());
    found.sort_by_key(|stay| (Reverse(stay.span.from()), stay.id));
    Ok(found)
}

/// A scan of the visitor, with a stay that it may have opened, or a pack that may hold it.
#[derive(QueryableByName)]
struct OfVisitorRow {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    occurred_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    scan_id: Uuid,
    #[diesel(embed)]
    either: Either,
}

impl OfVisitorRow {
    /// Gives the stay that the scan opened, if it did.
    fn give(self, visitor: Visitor, is_least: bool, mut give: impl FnMut(Stay)) -> Result<(), StoreError> {
        let point = sound(PointId::from_i64(self.point_id), "scans")?;
        let packed = self.either.body.is_some();
        self.either.give(point, &instant(self.occurred_at), |stay| {
            let opened = if packed && stay.id.is_nil() { is_least } else { stay.id == self.scan_id };
            if stay.visitor == visitor && opened {
                give(Stay { id: self.scan_id, ..stay });
            }
        })
    }
}

/// What asks for the stays that began in one instant.
pub(super) fn instant(at: DateTime<Utc>) -> Window {
    Window { earliest: at, from: at, until: at + TimeDelta::microseconds(1) }
}

/// How many stays there are, rows and packed, and how many of them are contradicted.
pub async fn count(conn: &mut AsyncPgConnection) -> Result<(i64, i64), StoreError> {
    let counts: Counts = sql_query(
        "select (select count(*) from stays) + (select coalesce(sum(stays), 0) from stay_packs)::bigint as stays,
                (select count(*) from stays where presence = 0)
                  + (select coalesce(sum(contradicted), 0) from stay_packs)::bigint as contradicted",
    )
    .get_result(conn)
    .await?;
    Ok((counts.stays, counts.contradicted))
}

#[derive(QueryableByName)]
struct Counts {
    #[diesel(sql_type = BigInt)]
    stays: i64,
    #[diesel(sql_type = BigInt)]
    contradicted: i64,
}
