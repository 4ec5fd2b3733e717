//! Our way: candidates of packs and rows, exposures, grades; and the packing itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use placecode::domain::case::{CaseDates, CaseKind};
use placecode::domain::exposure::{Question, TrailStay, exposures, grid_cell};
use placecode::domain::grading::{Contact, Dwell, grade};
use placecode::domain::numbered::Numbered;
use placecode::domain::position::cell_to_i64;
use placecode::domain::rule_pack::RulePack;
use placecode::domain::scan::Presence;
use placecode::domain::span::Span;
use placecode::domain::stay::EndedBy;
use placecode::domain::stay_pack::PackedStay;
use placecode::domain::venue::{Granularity, PointId};
use placecode::pipeline::batch::Asked;
use placecode::pipeline::trace::searches;
use placecode::store::findings::candidates;
use placecode::store::register::{self, OrganisationRow, VenueRow};
use placecode::store::{packing, partitions};
use uuid::Uuid;

use crate::city::{City, DAYS, Visit, at, begin, cell, person, point, secs, span, visitor};
use crate::floor::{Sums, TOGETHER};
use crate::house::Db;

const VENUE: Uuid = Uuid::from_u128(2);

/// How far before a window stays are looked for, as runs do.
const STAY_MAX: TimeDelta = TimeDelta::days(2);

/// One rule: somebody was at the same point for 15 minutes in one go.
pub(crate) fn rules() -> RulePack {
    let mut pack = RulePack::parse(include_str!("../../policies/baseline-1.toml")).unwrap();
    pack.classes.retain(|class| class.within_hours.is_some());
    for class in &mut pack.classes {
        class.within_hours = None;
        class.together_mins = TOGETHER / 60;
    }
    assert_eq!(pack.classes.len(), 1);
    pack
}

/// A case as a run knows it.
pub(crate) fn asked(trail: &[Visit]) -> Asked {
    let person = trail.first().unwrap().person;
    let stay = |visit: &Visit| TrailStay {
        id: Uuid::from_u128(u128::from(visit.from)),
        point: Some(point(visit.point)),
        venue: Some(VENUE),
        cell: cell(visit.point),
        granularity: Granularity::Hall,
        category: Arc::from("other"),
        row: None,
        span: span(visit),
    };
    Asked {
        case: visitor(person),
        kind: CaseKind::Confirmed,
        dates: CaseDates { onset_at: None, sampled_at: begin(), isolated_at: None },
        infectious: Span::new(begin(), at(DAYS * 24 * 3600)).unwrap(),
        trail: trail.iter().map(stay).collect(),
    }
}

pub(crate) fn offset() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).unwrap()
}

/// One case, from its trail to its contacts. Tells how long the reading took.
pub(crate) async fn one(
    conn: &mut AsyncPgConnection,
    asked: &Asked,
    pack: &RulePack,
) -> (Vec<Contact>, std::time::Duration) {
    let question = Question {
        case: asked.case,
        kind: asked.kind,
        dates: asked.dates,
        infectious: asked.infectious,
        trail: &asked.trail,
        pack,
        offset: offset(),
    };
    let began = std::time::Instant::now();
    let found = candidates(conn, &searches(&question), STAY_MAX).await.unwrap();
    let read = began.elapsed();
    let met = exposures(&question, &found);
    (grade(&question, &met, &Dwell::default()), read)
}

pub(crate) fn sums(contacts: &[Contact]) -> Sums {
    let mut sums = [0; 6];
    for found in contacts {
        let meetings = i128::try_from(found.meetings).unwrap();
        let times = (secs(found.first_at), secs(found.last_at));
        let parts = [1, meetings, found.together_secs.into(), times.0, times.1, person(found.visitor)];
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// A venue, and all points.
pub(crate) async fn enter_register(db: &Db, city: &City) {
    let mut conn = AsyncPgConnection::establish(&db.url).await.unwrap();
    let now = begin() - TimeDelta::days(1);
    let organisation = OrganisationRow {
        id: Uuid::from_u128(1),
        legal_name: "bench".into(),
        credit_code: None,
        created_at: now,
        kind: 0,
    };
    register::insert_organisation(&mut conn, &organisation).await.unwrap();
    let venue = VenueRow {
        id: VENUE,
        organisation_id: organisation.id,
        source_ref: None,
        name: "bench".into(),
        category: "other".into(),
        division: "410105".into(),
        address: "bench".into(),
        lat_deg: 34.75,
        lng_deg: 113.63,
        cell: cell_to_i64(cell(0)),
        contact_name: String::new(),
        contact_phone: String::new(),
        capacity: None,
        state: 1,
        state_reason: String::new(),
        created_at: now,
        short_name: String::new(),
        street: String::new(),
        superior: String::new(),
        outline: None,
        cells: Vec::new(),
    };
    register::insert_venues(&mut conn, std::slice::from_ref(&venue)).await.unwrap();
    let grid = grid_cell(cell(0)).map_or(0, cell_to_i64);
    db.client
        .batch_execute(&format!(
            "insert into points (id, venue_id, name, granularity, cell, grid_cell, generation, created_at)
             select n, '{VENUE}', n::text, {}, {}, {grid}, 1, now() from generate_series(1, {}) n;
             analyze points",
            Granularity::Hall.number(),
            venue.cell,
            city.points
        ))
        .await
        .unwrap();
}

pub(crate) fn days() -> Vec<NaiveDate> {
    begin().date_naive().iter_days().take(DAYS as usize).collect()
}

/// Makes the partitions of all days.
pub(crate) async fn make_days(conn: &mut AsyncPgConnection) {
    let days = days();
    partitions::ensure(conn, days[0], days[days.len() - 1]).await.unwrap();
}

/// The stays of one day as they are packed, without writing rows first.
pub(crate) async fn store_packed(conn: &mut AsyncPgConnection, city: &City, day: u32) {
    let (from, until) = (day * 24 * 3600, (day + 1) * 24 * 3600);
    let mut by_point: BTreeMap<PointId, Vec<PackedStay>> = BTreeMap::new();
    let mut count = 0;
    for visit in city.visits.iter().filter(|visit| (from..until).contains(&visit.from)) {
        let next = point(visit.point);
        if count >= 20_000 && !by_point.contains_key(&next) {
            packing::store(conn, std::mem::take(&mut by_point)).await.unwrap();
            count = 0;
        }
        by_point.entry(next).or_default().push(packed(visit, span(visit)));
        count += 1;
    }
    packing::store(conn, by_point).await.unwrap();
    packing::analyze(conn, day_of(day)).await.unwrap();
}

pub(crate) fn day_of(day: u32) -> NaiveDate {
    at(day * 24 * 3600).date_naive()
}

pub(crate) fn packed(visit: &Visit, span: Span) -> PackedStay {
    PackedStay {
        visitor: visitor(visit.person),
        span,
        cell: cell(visit.point),
        ended_by: EndedBy::Assumed,
        presence: Presence::Plausible,
        id: None,
    }
}

/// The time of day at which the packing is noted.
pub(crate) fn later() -> DateTime<Utc> {
    begin() + TimeDelta::days(30)
}
