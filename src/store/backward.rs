//! What backward tracing looks at: the stays of some cases, their places, and the scans of everybody by hour.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Array, BigInt, Bool, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryDsl, QueryableByName, SelectableHelper, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::cases::{CaseRow, TrailRow};
use super::register::division_pattern;
use super::{StoreError, cases, sound, stays};
use crate::domain::backward::cluster::{Counts, HourTotal, hours_needed};
use crate::domain::backward::source::begun;
use crate::domain::backward::{CaseStay, Place};
use crate::domain::numbered::Numbered;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::venue::{Division, Granularity, PointId};

/// How many stays of one case are looked at, the newest first.
pub const STAYS_MAX: i64 = 1000;

/// How long after onset the stays of a case are looked at: as long as it may have infected others.
const AFTER: TimeDelta = TimeDelta::days(10);

/// The source of a stay that scans tell, as the trail numbers it.
const BY_SCAN: i16 = 0;

/// Cases of a division, and all inside it, that began in a span (by onset, else by sample) and were not withdrawn,
/// in the order of their beginning.
pub async fn cases_within(
    conn: &mut AsyncPgConnection,
    division: &Division,
    began: Span,
    limit: i64,
) -> Result<Vec<CaseRow>, StoreError> {
    use diesel::ExpressionMethods;

    use super::schema::cases::table;
    let ids: Vec<Id> = sql_query(
        "select id from cases
         where coalesce(onset_at, sampled_at) >= $2 and coalesce(onset_at, sampled_at) < $3
           and division like $1 and withdrawn_at is null
         order by coalesce(onset_at, sampled_at), id limit $4",
    )
    .bind::<Text, _>(division_pattern(division))
    .bind::<Timestamptz, _>(began.from())
    .bind::<Timestamptz, _>(began.until())
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    let ids: Vec<Uuid> = ids.into_iter().map(|row| row.id).collect();
    let own = table.filter(super::schema::cases::id.eq_any(ids));
    let mut rows: Vec<CaseRow> = own.select(CaseRow::as_select()).load(conn).await?;
    rows.sort_by_key(|case| (begun(&case.dates()), case.id));
    Ok(rows)
}

/// A place with its names.
#[derive(Debug, Clone, QueryableByName)]
pub struct PlaceRow {
    /// The point.
    #[diesel(sql_type = BigInt)]
    pub point_id: i64,
    /// Name of the point.
    #[diesel(sql_type = Text)]
    pub point_name: String,
    /// The venue.
    #[diesel(sql_type = SqlUuid)]
    pub venue_id: Uuid,
    /// Number of the point's granularity.
    #[diesel(sql_type = SmallInt)]
    pub granularity: i16,
}

/// A venue with its name.
#[derive(Debug, Clone, QueryableByName)]
pub struct VenueRow {
    /// The venue.
    #[diesel(sql_type = SqlUuid)]
    pub venue_id: Uuid,
    /// Name of the venue.
    #[diesel(sql_type = Text)]
    pub venue_name: String,
    /// Its address.
    #[diesel(sql_type = Text)]
    pub address: String,
    /// Whether it lies in the division.
    #[diesel(sql_type = Bool)]
    pub is_inside: bool,
}

/// The stays of some cases with their places.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The stays; each names its case by its place in the list of cases.
    pub stays: Vec<CaseStay>,
    /// Their points.
    pub points: HashMap<i64, PlaceRow>,
    /// Their venues.
    pub venues: HashMap<Uuid, VenueRow>,
    /// How many cases have more stays than are looked at.
    pub cut: usize,
}

impl Gathered {
    /// The stays at venues of the division, of whose scans the totals are known.
    pub fn inside(&self) -> Vec<CaseStay> {
        let is_inside = |venue: Uuid| self.venues.get(&venue).is_some_and(|venue| venue.is_inside);
        self.stays.iter().filter(|stay| stay.venue.is_some_and(is_inside)).cloned().collect()
    }
}

/// The stays of cases, from `before` their beginning until isolation or ten days after it: those that scans tell,
/// without contradicted ones, and those that investigators added.
pub async fn gather(
    conn: &mut AsyncPgConnection,
    division: &Division,
    of: &[CaseRow],
    before: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Gathered, StoreError> {
    let mut all = Gathered::default();
    let mut unplaced = Vec::new();
    for (case, row) in of.iter().enumerate() {
        let dates = row.dates();
        let until = dates.isolated_at.unwrap_or(now).min(begun(&dates) + AFTER);
        let Ok(span) = Span::new(begun(&dates) - before, until) else { continue };
        let told = in_trail(conn, row.id).await?;
        let scanned = stays::of_visitor(conn, row.visitor(), span, STAYS_MAX).await?;
        all.cut += usize::from(i64::try_from(scanned.len()).unwrap_or(i64::MAX) >= STAYS_MAX);
        let scanned = scanned.into_iter().map(|placed| placed.stay);
        let scanned =
            scanned.filter(|stay| stay.presence != Presence::Contradicted && !told.contains(&stay.id));
        unplaced.extend(scanned.map(|stay| (case, stay.point, stay.span)));
        let trail = cases::trail(conn, row.id).await?;
        all.stays.extend(trail_stays(case, &trail, span)?);
    }
    let mut points: BTreeSet<i64> = unplaced.iter().map(|(_, point, _)| point.to_i64()).collect();
    points.extend(all.stays.iter().filter_map(|stay| Some(stay.point?.to_i64())));
    all.points = places(conn, &points).await?;
    for (case, point, span) in unplaced {
        let Some(place) = all.points.get(&point.to_i64()) else { continue };
        let granularity = sound(Granularity::from_number(place.granularity), "points")?;
        let venue = Some(place.venue_id);
        all.stays.push(CaseStay { case, point: Some(point), venue, granularity, span, is_scanned: true });
    }
    let venues = all.stays.iter().filter_map(|stay| stay.venue).collect();
    all.venues = self::venues(conn, division, &venues).await?;
    Ok(all)
}

/// The stays of a case's trail, as far as they overlap a span.
fn trail_stays(case: usize, trail: &[TrailRow], within: Span) -> Result<Vec<CaseStay>, StoreError> {
    let mut told = Vec::new();
    for row in trail {
        let stay = row.read()?;
        if stay.span.overlap(&within).is_some() {
            let (point, venue, granularity, span) = (stay.point, stay.venue, stay.granularity, stay.span);
            told.push(CaseStay { case, point, venue, granularity, span, is_scanned: row.source == BY_SCAN });
        }
    }
    Ok(told)
}

/// The scans whose stays the trail of a case tells, so that its word holds and none counts twice.
async fn in_trail(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<HashSet<Uuid>, StoreError> {
    let rows: Vec<Id> = sql_query(
        "select stay_id as id from trail_stays
         where case_id = $1 and stay_id is not null and (removed_at is null or removed_by is not null)",
    )
    .bind::<SqlUuid, _>(case_id)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn places(
    conn: &mut AsyncPgConnection,
    points: &BTreeSet<i64>,
) -> Result<HashMap<i64, PlaceRow>, StoreError> {
    let rows: Vec<PlaceRow> = sql_query(
        "select id as point_id, name as point_name, venue_id, granularity from points where id = any($1)",
    )
    .bind::<Array<BigInt>, _>(points.iter().copied().collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.point_id, row)).collect())
}

async fn venues(
    conn: &mut AsyncPgConnection,
    division: &Division,
    venues: &BTreeSet<Uuid>,
) -> Result<HashMap<Uuid, VenueRow>, StoreError> {
    let rows: Vec<VenueRow> = sql_query(
        "select id as venue_id, name as venue_name, address, division like $1 as is_inside
         from venues where id = any($2)",
    )
    .bind::<Text, _>(division_pattern(division))
    .bind::<Array<SqlUuid>, _>(venues.iter().copied().collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.venue_id, row)).collect())
}

/// The scans of everybody in a division in the hours in which cases scanned: in all, and at the venues that they
/// scanned at with all their points.
pub async fn counts(
    conn: &mut AsyncPgConnection,
    division: &Division,
    stays: &[CaseStay],
    slot_hours: u8,
) -> Result<Counts, StoreError> {
    let hours: Vec<DateTime<Utc>> = hours_needed(stays, slot_hours).into_iter().collect();
    let venues: BTreeSet<Uuid> =
        stays.iter().filter(|stay| stay.is_scanned).filter_map(|stay| stay.venue).collect();
    let totals: Vec<TotalRow> = sql_query(
        "select h.hour, sum(h.scans)::bigint as scans, count(*) as points, count(distinct p.venue_id) as venues
         from point_hours h join points p on p.id = h.point_id join venues v on v.id = p.venue_id
         where h.hour = any($1) and v.division like $2 and h.scans > 0 group by h.hour",
    )
    .bind::<Array<Timestamptz>, _>(&hours)
    .bind::<Text, _>(division_pattern(division))
    .load(conn)
    .await?;
    let rows: Vec<CountRow> = sql_query(
        "select h.point_id, p.venue_id, h.hour, h.scans::bigint as scans
         from points p join point_hours h on h.point_id = p.id and h.hour = any($1)
         where p.venue_id = any($2)",
    )
    .bind::<Array<Timestamptz>, _>(&hours)
    .bind::<Array<SqlUuid>, _>(venues.into_iter().collect::<Vec<_>>())
    .load(conn)
    .await?;
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let total = |row: &TotalRow| HourTotal {
        scans: count(row.scans),
        points: count(row.points),
        venues: count(row.venues),
    };
    let totals: BTreeMap<_, _> = totals.iter().map(|row| (row.hour, total(row))).collect();
    let mut places = HashMap::new();
    for row in rows {
        let point = sound(PointId::from_i64(row.point_id), "point_hours")?;
        for place in [Place::Point(point), Place::Venue(row.venue_id)] {
            *places.entry((place, row.hour)).or_default() += count(row.scans);
        }
    }
    Ok(Counts { totals, places })
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

#[derive(QueryableByName)]
struct TotalRow {
    #[diesel(sql_type = Timestamptz)]
    hour: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    scans: i64,
    #[diesel(sql_type = BigInt)]
    points: i64,
    #[diesel(sql_type = BigInt)]
    venues: i64,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = SqlUuid)]
    venue_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    hour: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    scans: i64,
}
