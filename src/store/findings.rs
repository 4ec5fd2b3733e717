//! What runs find: candidates to look at, then exposures and contacts.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::kept::Kept;
use super::schema::contacts;
use super::stay_packs::{self, AtPoint};
use crate::domain::exposure::{Candidate, Exposure, With};
use crate::domain::grading::Contact;
use crate::domain::numbered::Numbered;
use crate::domain::position::cell_to_i64;
use crate::domain::span::{Span, union};
use crate::domain::stay_pack::Window;
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

/// Where and when candidates are looked for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Point, venue or companion cell, by `reach`.
    pub reach: Reach,
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// How far around a stay of the case candidates are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// At the point itself.
    Point(i64),
    /// At any point of the venue.
    Venue(Uuid),
    /// At any point of these companion cells.
    Cell(i64),
}

/// The stays that may meet the searches: at the points in question, overlapping in time. A query may
/// return too many, never too few; the domain decides.
pub async fn candidates(
    conn: &mut AsyncPgConnection,
    searches: &[Search],
    longest: TimeDelta,
) -> Result<Vec<Candidate>, StoreError> {
    let windows = windows(&places(conn, searches).await?, longest);
    let mut candidates = Vec::new();
    stay_packs::at_points(conn, &windows, |found| {
        candidates.push(Candidate { stay: found.stay, venue: found.venue, row: found.row });
    })
    .await?;
    Ok(candidates)
}

/// A point that a search reaches.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Which of the searches.
    pub search: usize,
    /// The point.
    pub point: i64,
    /// The span of the search.
    pub span: Span,
}

/// What to ask for at each point, by point and time. What several searches ask for there is asked for once: spans are
/// joined, and of two windows that follow each other the later does not ask for stays that began in the earlier one.
pub fn windows(places: &[Place], longest: TimeDelta) -> Vec<AtPoint> {
    let mut by_point: BTreeMap<i64, Vec<Span>> = BTreeMap::new();
    for place in places {
        by_point.entry(place.point).or_default().push(place.span);
    }
    let mut windows = Vec::new();
    for (point, spans) in by_point {
        let mut before = DateTime::<Utc>::MIN_UTC;
        for span in union(spans) {
            let earliest = before.max(span.from() - longest);
            windows
                .push(AtPoint { point, window: Window { earliest, from: span.from(), until: span.until() } });
            before = span.until();
        }
    }
    windows
}

/// The points that the searches reach, with their spans. Only what reaches beyond a point asks the register.
pub async fn places(conn: &mut AsyncPgConnection, searches: &[Search]) -> Result<Vec<Place>, StoreError> {
    let (mut places, mut wide) = (Vec::new(), Vec::new());
    for (nth, search) in searches.iter().enumerate() {
        let Ok(span) = Span::new(search.from, search.until) else { continue };
        match search.reach {
            Reach::Point(point) => places.push(Place { search: nth, point, span }),
            Reach::Venue(venue) => wide.push((nth, span, Some(venue), None)),
            Reach::Cell(cell) => wide.push((nth, span, None, Some(cell))),
        }
    }
    if wide.is_empty() {
        return Ok(places);
    }
    let rows: Vec<PlaceRow> = Kept(
        sql_query(
            "with w as materialized (
                 select w.nth::int as nth, w.venue_id, w.grid_cell
                 from unnest($1, $2) with ordinality as w (venue_id, grid_cell, nth)
             )
             select p.id, w.nth from w join points p on p.venue_id = w.venue_id
             union
             select p.id, w.nth from w join points p on p.grid_cell = w.grid_cell
             union
             select p.id, w.nth from w join stops t on t.grid_cell = w.grid_cell
              join points p on p.venue_id = t.venue_id and p.is_mobile",
        )
        .bind::<Array<Nullable<SqlUuid>>, _>(wide.iter().map(|(.., venue, _)| *venue).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(wide.iter().map(|(.., cell)| *cell).collect::<Vec<_>>()),
    )
    .load(conn)
    .await?;
    places.extend(rows.into_iter().filter_map(|row| {
        let (search, span, ..) = wide.get(usize::try_from(row.nth).ok()?.checked_sub(1)?)?;
        Some(Place { search: *search, point: row.id, span: *span })
    }));
    Ok(places)
}

#[derive(QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Integer)]
    nth: i32,
}

/// Stores the evidence of a run; `counted` are the indices that met the rule of their visitor's class.
pub async fn insert_exposures(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    exposures: &[Exposure],
    counted: &[bool],
) -> Result<(), StoreError> {
    for (block, (rows, counted)) in exposures.chunks(BLOCK).zip(counted.chunks(BLOCK)).enumerate() {
        let first = i32::try_from(block * BLOCK).unwrap_or(i32::MAX);
        sql_query(
            "insert into exposures (run_id, seq, trail_stay_id, via_visitor, via_point_id, via_from_at, stay_point_id,
                                    stay_from_at, visitor, relation, granularity, rows_apart, ended_by, from_at,
                                    until_at, presence, counted)
             select $1, $2 + row_number() over () - 1, e.*
             from unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) as e",
        )
        .bind::<SqlUuid, _>(run_id)
        .bind::<Integer, _>(first)
        .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|e| trail_stay(&e.with)).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(via(rows, |(visitor, ..)| visitor.to_uuid()))
        .bind::<Array<Nullable<BigInt>>, _>(via(rows, |(_, point, _)| point.to_i64()))
        .bind::<Array<Nullable<Timestamptz>>, _>(via(rows, |(.., from)| from))
        .bind::<Array<BigInt>, _>(rows.iter().map(|e| e.stay_point.to_i64()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|e| e.stay_from).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|e| e.visitor.to_uuid()).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|e| e.relation.number()).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|e| e.granularity.number()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SmallInt>>, _>(rows.iter().map(rows_apart).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|e| e.ended_by.number()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|e| e.span.from()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|e| e.span.until()).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|e| e.presence.number()).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(counted.to_vec())
        .execute(conn)
        .await?;
    }
    Ok(())
}

fn trail_stay(with: &With) -> Option<Uuid> {
    match with {
        With::Case(stay) => Some(*stay),
        With::Contact(..) => None,
    }
}

/// One part of the stays of contacts that others were exposed to.
fn via<T>(rows: &[Exposure], part: impl Fn((Visitor, PointId, DateTime<Utc>)) -> T) -> Vec<Option<T>> {
    let of = |exposure: &Exposure| match exposure.with {
        With::Case(_) => None,
        With::Contact(visitor, point, from) => Some(part((visitor, point, from))),
    };
    rows.iter().map(of).collect()
}

fn rows_apart(exposure: &Exposure) -> Option<i16> {
    exposure.rows_apart.and_then(|rows| i16::try_from(rows).ok())
}

/// How many rows one statement carries.
const BLOCK: usize = 10_000;

/// Stores the contacts of a run.
pub async fn insert_contacts(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    found: &[Contact],
) -> Result<(), StoreError> {
    for rows in found.chunks(BLOCK) {
        sql_query(
            "insert into contacts (run_id, visitor, class, colour, together_secs, meetings, first_at, last_at, depth, rule,
                                   computed_class, computed_colour, computed_rule)
             select $1, c.*, c.class, c.colour, c.rule
             from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10)
                  as c (visitor, class, colour, together_secs, meetings, first_at, last_at, depth, rule)",
        )
        .bind::<SqlUuid, _>(run_id)
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|c| c.visitor.to_uuid()).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|c| c.class.number()).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|c| c.colour.number()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows.iter().map(|c| c.together_secs).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(rows.iter().map(|c| i32::try_from(c.meetings).unwrap_or(i32::MAX)).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|c| c.first_at).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|c| c.last_at).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|c| i16::from(c.depth)).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|c| c.rule.as_deref()).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// A contact as a run keeps it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = contacts)]
pub struct ContactRow {
    /// Of which run.
    pub run_id: Uuid,
    /// Who.
    pub visitor: Uuid,
    /// Number of the class, after the reviews.
    pub class: i16,
    /// Number of the colour, after the reviews.
    pub colour: i16,
    /// Seconds together.
    pub together_secs: i64,
    /// How many meetings.
    pub meetings: i32,
    /// When the first began.
    pub first_at: DateTime<Utc>,
    /// When the last ended.
    pub last_at: DateTime<Utc>,
    /// Why the contact is left out.
    pub exclusion_reason: Option<String>,
    /// 0: met the case; 1: met a contact of the case.
    pub depth: i16,
    /// Which rule of the class, after the reviews.
    pub rule: Option<String>,
    /// Number of the class that the run computed.
    pub computed_class: i16,
    /// Number of the colour that the run computed.
    pub computed_colour: i16,
    /// Which rule of that class was met.
    pub computed_rule: Option<String>,
}

/// A page of a run's contacts in the order of triage: class, then time together, the longest first.
pub async fn contact_page(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    offset: i64,
    limit: i64,
) -> Result<Vec<ContactRow>, StoreError> {
    let page = contacts::table
        .filter(contacts::run_id.eq(run_id))
        .order((contacts::class, contacts::together_secs.desc(), contacts::visitor))
        .offset(offset)
        .limit(limit);
    Ok(page.select(ContactRow::as_select()).load(conn).await?)
}

/// The evidence of one visitor in one run, with the names of the places.
pub async fn evidence(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    visitor: Uuid,
) -> Result<Vec<EvidenceRow>, StoreError> {
    Ok(sql_query(
        "select e.trail_stay_id, e.relation, e.granularity, e.from_at, e.until_at, e.presence, e.counted,
                p.name as point_name, v.name as venue_name
         from exposures e join points p on p.id = e.stay_point_id join venues v on v.id = p.venue_id
         where e.run_id = $1 and e.visitor = $2 order by e.from_at limit 500",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<SqlUuid, _>(visitor)
    .load(conn)
    .await?)
}

/// One exposure with the name of its place.
#[derive(Debug, Clone, QueryableByName)]
pub struct EvidenceRow {
    /// The case's stay; none where a contact of the case was met.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub trail_stay_id: Option<Uuid>,
    /// Number of a relation.
    #[diesel(sql_type = SmallInt)]
    pub relation: i16,
    /// Number of a granularity.
    #[diesel(sql_type = SmallInt)]
    pub granularity: i16,
    /// Since when both were there.
    #[diesel(sql_type = Timestamptz)]
    pub from_at: DateTime<Utc>,
    /// Until when.
    #[diesel(sql_type = Timestamptz)]
    pub until_at: DateTime<Utc>,
    /// Number of a presence.
    #[diesel(sql_type = SmallInt)]
    pub presence: i16,
    /// Whether it met the rule.
    #[diesel(sql_type = Bool)]
    pub counted: bool,
    /// Name of the point.
    #[diesel(sql_type = Text)]
    pub point_name: String,
    /// Name of the venue.
    #[diesel(sql_type = Text)]
    pub venue_name: String,
}

/// The companion cells around a point's cell, as Postgres keeps them.
pub fn grid_numbers(cell: h3o::CellIndex) -> Vec<i64> {
    crate::domain::exposure::grid_cells(cell).into_iter().map(cell_to_i64).collect()
}
