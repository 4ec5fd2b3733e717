//! Imported scans become the stays that a naive reckoning expects.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use h3o::{CellIndex, LatLng};
use placecode::domain::visitor::{IdentityKind, Visitor};
use uuid::Uuid;

use super::house::{House, VISITOR_KEY};

#[derive(QueryableByName, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    venue: String,
    #[diesel(sql_type = BigInt)]
    cell: i64,
}

#[derive(QueryableByName, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stayed {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) visitor: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub(crate) from_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub(crate) until_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub(crate) venue: String,
    #[diesel(sql_type = SmallInt)]
    pub(crate) presence: i16,
}

/// How long a stay at a place of the category `other` lasts when nothing tells its end; it has no closing time.
const USUAL: TimeDelta = TimeDelta::minutes(60);

/// 04:00 in China, which is 20:00 UTC, after `at`.
fn day_turn(at: DateTime<Utc>) -> DateTime<Utc> {
    let today = at.date_naive().and_hms_opt(20, 0, 0).unwrap().and_utc();
    if today > at { today } else { today + TimeDelta::days(1) }
}

/// The centre of a cell, in radians.
fn centre(cell: i64) -> (f64, f64) {
    let place = LatLng::from(CellIndex::try_from(cell.cast_unsigned()).unwrap());
    (place.lat_radians(), place.lng_radians())
}

/// Whether nobody gets from one to the other in the time between them: 2 km and 2 minutes are free, the first 500 km
/// take a train of 350 km/h, the others a jet of 1,000 km/h.
fn exclude_each_other(one: &Seen, other: &Seen) -> bool {
    let ((lat, lng), (other_lat, other_lng)) = (centre(one.cell), centre(other.cell));
    let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
    let chord = half(lat, other_lat) + lat.cos() * other_lat.cos() * half(lng, other_lng);
    let km = 2.0 * 6_371.007_180_918_475 * chord.sqrt().asin() - 2.0;
    let secs = (km.clamp(0.0, 500.0) / 350.0 + (km - 500.0).max(0.0) / 1000.0) * 3600.0;
    #[expect(clippy::cast_precision_loss, reason = "some days")]
    let between = (one.at - other.at).num_seconds().abs() as f64;
    secs > between + 120.0
}

/// The scans of one visitor, in the order of time, that exclude none before them of the same day from turn to turn; and
/// the others.
fn by_travel<'a>(scans: &[&'a Seen]) -> (Vec<&'a Seen>, Vec<&'a Seen>) {
    let (mut stand, mut contradicted): (Vec<&Seen>, Vec<&Seen>) = (Vec::new(), Vec::new());
    for scan in scans {
        let mut same_day = stand.iter().filter(|other| day_turn(other.at) == day_turn(scan.at));
        if same_day.any(|other| exclude_each_other(scan, other)) {
            contradicted.push(scan);
        } else {
            stand.push(scan);
        }
    }
    (stand, contradicted)
}

/// The stays of entries at venues without a closing time, reckoned scan by scan in the order of time.
fn naive_stays(scans: &[Seen], usual: TimeDelta) -> BTreeSet<Stayed> {
    let mut by_visitor: BTreeMap<Uuid, Vec<&Seen>> = BTreeMap::new();
    for scan in scans {
        by_visitor.entry(scan.visitor).or_default().push(scan);
    }
    let mut stays = BTreeSet::new();
    for scans in by_visitor.values_mut() {
        scans.sort_by_key(|scan| (scan.at, scan.id));
        let (scans, contradicted) = by_travel(scans);
        for scan in contradicted {
            let (visitor, from_at, until_at) = (scan.visitor, scan.at, scan.at + usual);
            stays.insert(Stayed { visitor, from_at, until_at, venue: scan.venue.clone(), presence: 0 });
        }
        let mut first = 0;
        while first < scans.len() {
            let (from, venue) = (scans[first].at, &scans[first].venue);
            let mut last = first;
            while let Some(next) = scans.get(last + 1) {
                let open = next.at <= scans[last].at + usual;
                if next.venue != *venue || !open || next.at >= day_turn(from) {
                    break;
                }
                last += 1;
            }
            let assumed = scans[last].at + usual;
            let until = scans.get(last + 1).map_or(assumed, |next| assumed.min(next.at));
            let until = until.max(from + TimeDelta::seconds(1));
            let visitor = scans[first].visitor;
            stays.insert(Stayed {
                visitor,
                from_at: from,
                until_at: until,
                venue: venue.clone(),
                presence: 1,
            });
            first = last + 1;
        }
    }
    stays
}

/// Compares scans and stays of a house with what the rows of the file say. Gives how many scans there are, and the
/// stays of the naive reckoning that are not contradicted.
pub(crate) fn check_stays(
    house: &House,
    set: &str,
    expected: &BTreeSet<(Uuid, DateTime<Utc>, String)>,
) -> (usize, BTreeSet<Stayed>) {
    let scans: Vec<Seen> = house.rows(
        "select s.visitor, s.occurred_at as at, s.id, s.cell, v.source_ref as venue
         from scans s join points p on p.id = s.point_id join venues v on v.id = p.venue_id",
    );
    let stored: BTreeSet<_> = scans.iter().map(|scan| (scan.visitor, scan.at, scan.venue.clone())).collect();
    assert_eq!(scans.len(), stored.len());
    assert!(stored == *expected, "the scans of {set} differ: {} and {}", stored.len(), expected.len());
    let wanted = naive_stays(&scans, USUAL);
    let stays: Vec<Stayed> = house.rows(
        "select s.visitor, s.from_at, s.until_at, s.presence, v.source_ref as venue
         from stays s join points p on p.id = s.point_id join venues v on v.id = p.venue_id",
    );
    let count = stays.len();
    let stays: BTreeSet<Stayed> = stays.into_iter().collect();
    assert_eq!(stays.len(), count);
    let differing: Vec<_> = stays.symmetric_difference(&wanted).take(5).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert!(
        wanted.iter().any(|stay| stay.presence == 0),
        "nobody travelled too fast: the rule was not tried"
    );
    (scans.len(), wanted.into_iter().filter(|stay| stay.presence > 0).collect())
}

pub(crate) fn visitor(number: &str) -> Uuid {
    Visitor::of(&VISITOR_KEY, IdentityKind::Other, number).to_uuid()
}

#[test]
fn scans_in_any_order_and_in_several_files_become_the_same_stays() {
    let house = House::new("any_order");
    let venues: String = (0..6).map(|n| format!("{n},V{n},34.7,113.{n}\n")).collect::<Vec<_>>().concat();
    let file = house.file("venues.csv", venues.as_bytes());
    let columns = ["--columns", "id,name,lat,lng", "--division", "410101"];
    house.run(&[&["venues", "import", &file, "--set", "t"], &columns[..]].concat());
    // A fixed sequence (Lehmer, modulus 2^31 - 1), so that a failure can be repeated.
    let mut state: u64 = 42;
    let mut draw = |below: u64| {
        state = state * 48_271 % 2_147_483_647;
        state % below
    };
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut expected = BTreeSet::new();
    let mut files = [Vec::new(), Vec::new()];
    for _ in 0..3000 {
        let (person, venue, minute) = (draw(20), draw(6), draw(60 * 24 * 6));
        let at = begin + TimeDelta::minutes(i64::try_from(minute).unwrap());
        expected.insert((visitor(&person.to_string()), at, format!("t:{venue}")));
        let file = usize::try_from(draw(2)).unwrap();
        files[file].push(format!("{person},{},{venue}\n", at.to_rfc3339()));
    }
    for (n, content) in files.iter().enumerate() {
        let file = house.file(&format!("scans{n}.csv"), content.concat().as_bytes());
        let columns = ["--columns", "visitor,time,venue", "--identity-kind", "other"];
        let said = house.run(&[&["scans", "import", &file, "--set", "t"], &columns[..]].concat());
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    }
    check_stays(&house, "t", &expected);
}
