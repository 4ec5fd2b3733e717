//! Visits become scans, for as many as scan, and scans become stays by the service's own rules.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use placecode::domain::catalogue::{Catalogue, Category};
use placecode::domain::scan::{Direction, Method, Presence, Scan};
use placecode::domain::stay::{Stay, stays_of};
use placecode::domain::visitor::Visitor;
use rand::RngExt;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::days::Visit;
use crate::map::Map;

/// Of a hundred who scanned on entry, so many scan on leaving.
const EXIT_PERCENT: u32 = 10;

/// The moment of a minute since the first midnight.
pub(crate) fn moment(minute: u32) -> DateTime<Utc> {
    "2026-03-01T16:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute.into())
}

/// How far the city's clock is ahead.
pub(crate) fn offset() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).unwrap()
}

/// The pseudonym of a person.
pub(crate) fn visitor(person: u32) -> Visitor {
    Visitor::from_uuid(Uuid::from_u128(u128::from(person) + 1))
}

/// The stays that follow when so many of a hundred visits are scanned.
pub(crate) fn stays(
    rng: &mut StdRng,
    map: &Map,
    visits: &[Visit],
    percent: u32,
    catalogue: &Catalogue,
) -> Vec<Stay> {
    let mut by_person: std::collections::BTreeMap<u32, Vec<(Scan, &Category)>> =
        std::collections::BTreeMap::new();
    for visit in visits {
        if rng.random_range(0..100) >= percent {
            continue;
        }
        let place = &map.places[visit.place as usize];
        let category = catalogue.get(place.category).unwrap();
        let presence = match rng.random_range(0..100u32) {
            0..5 => Presence::Verified,
            5..75 => Presence::Plausible,
            _ => Presence::Unproven,
        };
        let mut scan = |minute: u32, direction| {
            let at = moment(minute) + TimeDelta::seconds(rng.random_range(0..60));
            Scan {
                id: Uuid::from_u128(rng.random()),
                visitor: visitor(visit.person),
                point: place.id,
                cell: place.cell,
                occurred_at: at,
                received_at: at,
                direction,
                method: Method::Own,
                presence,
                party: None,
                corrects: None,
            }
        };
        let own = by_person.entry(visit.person).or_default();
        own.push((scan(visit.from, Direction::Entry), category));
        let leaves = scan(visit.until, Direction::Exit);
        if rng.random_range(0..100) < EXIT_PERCENT {
            own.push((leaves, category));
        }
    }
    by_person.into_values().flat_map(|scans| stays_of(scans, offset())).collect()
}
