//! Stays: the rules one by one, then any order of arrival, then locality.

use super::*;
use crate::domain::catalogue::Catalogue;
use crate::domain::scan::Method;
use proptest::prelude::*;

fn china() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).unwrap()
}

fn at(mins: i64) -> DateTime<Utc> {
    // 08:00 in China.
    "2026-03-02T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(mins)
}

fn cell() -> CellIndex {
    CITIES[0]()
}

/// Zhengzhou, another street of it, Shijiazhuang (375 km), Shenzhen (1,370 km).
const CITIES: [fn() -> CellIndex; 4] = [
    || cell_at(34.7466, 113.6253),
    || cell_at(34.7466, 113.6453),
    || cell_at(38.0428, 114.5149),
    || cell_at(22.5431, 114.0579),
];

fn cell_at(lat: f64, lng: f64) -> CellIndex {
    crate::domain::position::Position::new(lat, lng).unwrap().cell(h3o::Resolution::Eleven)
}

fn scan(number: u128, point: u64, mins: i64, direction: Direction) -> Scan {
    Scan {
        id: Uuid::from_u128(number),
        visitor: Visitor::from_uuid(Uuid::from_u128(1)),
        point: PointId::new(point).unwrap(),
        cell: cell(),
        occurred_at: at(mins),
        received_at: at(mins),
        direction,
        method: Method::Own,
        presence: Presence::Unproven,
        party: None,
        corrects: None,
    }
}

fn catalogue() -> &'static Catalogue {
    static SHIPPED: std::sync::LazyLock<Catalogue> =
        std::sync::LazyLock::new(|| Catalogue::shipped().unwrap());
    &SHIPPED
}

/// Points below 10 are restaurants (90 min, closing at 03:00), the others offices (9 h).
fn category(point: PointId) -> &'static Category {
    let word = if point < PointId::new(10).unwrap() { "restaurant" } else { "office" };
    catalogue().get(word).unwrap()
}

/// The stays as (point, from, until, how the end is known), in minutes.
fn told(scans: &[Scan]) -> Vec<(u64, i64, i64, EndedBy)> {
    let scans = scans.iter().map(|scan| (scan.clone(), category(scan.point))).collect();
    stays_of(scans, china())
        .into_iter()
        .map(|stay| {
            let mins = |t: DateTime<Utc>| (t - at(0)).num_minutes();
            let point = u64::try_from(stay.point.to_i64()).unwrap();
            (point, mins(stay.span.from()), mins(stay.span.until()), stay.ended_by)
        })
        .collect()
}

use Direction::{Entry, Exit, Passing};
use EndedBy::{Assumed, ClosingTime, Left, NextScan};

#[test]
fn a_lone_scan_is_assumed_to_last_the_usual_stay() {
    assert_eq!(told(&[scan(1, 1, 0, Entry)]), [(1, 0, 90, Assumed)]);
    assert_eq!(told(&[scan(1, 1, 0, Passing)]), [(1, 0, 2, Assumed)]);
}

#[test]
fn a_scan_elsewhere_ends_the_stay() {
    let scans = [scan(1, 1, 0, Entry), scan(2, 2, 30, Entry)];
    assert_eq!(told(&scans), [(1, 0, 30, NextScan), (2, 30, 120, Assumed)]);
}

#[test]
fn an_exit_ends_the_stay_earlier_or_later_than_assumed() {
    assert_eq!(told(&[scan(1, 1, 0, Entry), scan(2, 1, 20, Exit)]), [(1, 0, 20, Left)]);
    assert_eq!(told(&[scan(1, 1, 0, Entry), scan(2, 1, 200, Exit)]), [(1, 0, 200, Left)]);
    assert_eq!(told(&[scan(1, 1, 0, Entry), scan(2, 1, 481, Exit)]), [(1, 0, 90, Assumed)]);
    assert_eq!(told(&[scan(1, 1, 0, Entry), scan(2, 2, 20, Exit)]), [(1, 0, 90, Assumed)]);
    assert_eq!(told(&[scan(2, 1, 20, Exit)]), []);
}

#[test]
fn closing_time_ends_the_stay() {
    // 02:30 in China is 18.5 hours after 08:00; the restaurant closes at 03:00.
    assert_eq!(told(&[scan(1, 1, 1110, Entry)]), [(1, 1110, 1140, ClosingTime)]);
}

#[test]
fn a_second_scan_at_the_same_point_is_the_same_stay() {
    assert_eq!(told(&[scan(1, 1, 0, Entry), scan(2, 1, 1, Entry)]), [(1, 0, 91, Assumed)]);
    assert_eq!(told(&[scan(1, 1, 0, Entry), scan(2, 1, 60, Entry)]), [(1, 0, 150, Assumed)]);
    let apart = [(1, 0, 90, Assumed), (1, 100, 190, Assumed)];
    assert_eq!(told(&[scan(1, 1, 0, Entry), scan(2, 1, 100, Entry)]), apart);
    let back = [scan(1, 1, 0, Entry), scan(2, 1, 20, Exit), scan(3, 1, 21, Entry)];
    assert_eq!(told(&back), [(1, 0, 111, Assumed)]);
}

#[test]
fn a_stay_is_begun_afresh_at_the_turn_of_the_day() {
    // 03:00 and 05:00 in China, at an office.
    let scans = [scan(1, 10, 1140, Entry), scan(2, 10, 1260, Entry)];
    assert_eq!(told(&scans), [(10, 1140, 1260, NextScan), (10, 1260, 1800, Assumed)]);
}

#[test]
fn a_contradicted_scan_cuts_nothing_short() {
    let mut forged = scan(2, 2, 30, Entry);
    forged.presence = Presence::Contradicted;
    let scans = [scan(1, 1, 0, Entry), forged, scan(3, 1, 40, Exit)];
    assert_eq!(told(&scans), [(1, 0, 40, Left), (2, 30, 120, Assumed)]);
}

#[test]
fn a_void_takes_back_what_was_handed_in_and_nothing_else() {
    let by_staff = |mut scan: Scan| {
        scan.method = Method::Staff;
        scan
    };
    let void = |of: u128, point, mins| {
        let mut void = by_staff(scan(9, point, mins, Direction::Void));
        void.corrects = Some(Uuid::from_u128(of));
        void
    };
    let handed = by_staff(scan(2, 2, 30, Entry));
    let with = |void: Scan| told(&[scan(1, 1, 0, Entry), handed.clone(), void]);
    assert_eq!(with(void(2, 2, 30)), [(1, 0, 90, Assumed)]);
    let both = [(1, 0, 30, NextScan), (2, 30, 120, Assumed)];
    assert_eq!(with(void(1, 1, 0)), both, "a visitor's own scan is not theirs to take back");
    assert_eq!(with(void(2, 2, 31)), both, "it names the moment");
    assert_eq!(with(void(2, 1, 30)), both, "and the point");
    assert_eq!(told(&[void(2, 2, 30)]), []);
}

/// Each scan as (point, presence that counts for its stay).
fn presences(scans: &[Scan]) -> Vec<(u64, Presence)> {
    let told = |stay: Stay| (u64::try_from(stay.point.to_i64()).unwrap(), stay.presence);
    stays(scans).into_iter().map(told).collect()
}

/// A scan in a city, with what proves it.
fn seen(number: u128, point: u64, city: usize, mins: i64, presence: Presence) -> Scan {
    Scan { cell: CITIES[city](), presence, ..scan(number, point, mins, Entry) }
}

use Presence::{Contradicted, Plausible, Unproven, Verified};

#[test]
fn a_forwarded_photo_of_another_city_is_contradicted_and_erases_nothing() {
    let home = seen(1, 1, 0, 0, Plausible);
    let photo = seen(2, 2, 3, 10, Unproven);
    let scans = [home.clone(), photo.clone()];
    assert_eq!(told(&scans), [(1, 0, 90, Assumed), (2, 10, 100, Assumed)], "the true stay is not cut short");
    assert_eq!(presences(&scans), [(1, Plausible), (2, Contradicted)]);
    // Also when the photo comes first.
    let photo = seen(2, 2, 3, -10, Unproven);
    assert_eq!(presences(&[home, photo]), [(2, Contradicted), (1, Plausible)]);
}

#[test]
fn what_is_better_proven_stands_whatever_came_first() {
    let verified = seen(1, 1, 0, 30, Verified);
    let photos = [seen(2, 2, 2, 0, Unproven), seen(3, 3, 3, 20, Plausible), seen(4, 4, 2, 40, Plausible)];
    let scans: Vec<Scan> = photos.into_iter().chain([verified]).collect();
    let expected = [(2, Contradicted), (3, Contradicted), (1, Verified), (4, Contradicted)];
    assert_eq!(presences(&scans), expected);
    assert!(told(&scans).contains(&(1, 30, 120, Assumed)));
}

#[test]
fn of_two_equal_proofs_the_earlier_stands() {
    let scans = [seen(1, 1, 2, 0, Verified), seen(2, 2, 0, 30, Verified), seen(3, 3, 0, 90, Verified)];
    assert_eq!(presences(&scans), [(1, Verified), (2, Contradicted), (3, Verified)]);
}

#[test]
fn who_had_the_time_to_travel_was_at_both() {
    let scans = [seen(1, 1, 0, 0, Unproven), seen(2, 2, 2, 70, Unproven), seen(3, 3, 1, 0, Unproven)];
    assert_eq!(presences(&scans), [(1, Unproven), (3, Unproven), (2, Unproven)]);
}

#[test]
fn an_exit_elsewhere_ends_nothing_and_speaks_for_where_it_was() {
    let exit = Scan { direction: Exit, ..seen(2, 1, 3, 20, Unproven) };
    let here = seen(1, 1, 0, 0, Unproven);
    assert_eq!(told(&[here.clone(), exit.clone()]), [(1, 0, 90, Assumed)]);
    let proven = Scan { presence: Verified, ..exit };
    assert_eq!(presences(&[here, proven]), [(1, Contradicted)]);
}

#[test]
fn a_scan_that_was_taken_back_contradicts_nothing() {
    let staff = Scan { method: Method::Staff, ..seen(1, 1, 3, 0, Verified) };
    let void = Scan {
        direction: Direction::Void,
        corrects: Some(staff.id),
        id: Uuid::from_u128(9),
        ..staff.clone()
    };
    let own = seen(2, 2, 0, 5, Unproven);
    assert_eq!(presences(&[staff.clone(), own.clone()]), [(1, Verified), (2, Contradicted)]);
    assert_eq!(presences(&[staff, void, own]), [(2, Unproven)]);
}

#[test]
fn scans_beyond_the_turn_of_the_day_do_not_judge() {
    // 03:59 and 04:01 in China.
    let scans = [seen(1, 1, 0, 1199, Verified), seen(2, 2, 3, 1201, Unproven)];
    assert_eq!(presences(&scans), [(1, Verified), (2, Unproven)]);
}

/// The scans as they count for stays.
fn judged(scans: &[Scan]) -> Vec<Scan> {
    let mut all: Vec<(Scan, &Category)> = scans.iter().map(|s| (s.clone(), category(s.point))).collect();
    all.sort_by_key(|(scan, _)| (scan.occurred_at, scan.id));
    contradict(&mut all, china());
    all.into_iter().map(|(scan, _)| scan).collect()
}

fn any_scans() -> impl Strategy<Value = Vec<Scan>> {
    let parts = (0u64..4, 0i64..4320, 0usize..3, 0usize..4, 0usize..4);
    let one = parts.prop_map(|(point, mins, direction, presence, city)| {
        let point = if point < 2 { point } else { point + 10 };
        let mut scan = scan(0, point, mins, Direction::ALL[direction]);
        scan.presence = Presence::ALL[presence];
        scan.cell = CITIES[city]();
        scan
    });
    prop::collection::vec(one, 0..24).prop_map(|mut scans| {
        scans.iter_mut().zip(1u128..).for_each(|(scan, number)| scan.id = Uuid::from_u128(number));
        scans
    })
}

fn stays(scans: &[Scan]) -> Vec<Stay> {
    stays_of(scans.iter().map(|s| (s.clone(), category(s.point))).collect(), china())
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(scans in any_scans(), turn in 0usize..24) {
        let mut turned = scans.clone();
        turned.rotate_left(turn.min(scans.len()));
        turned.reverse();
        prop_assert_eq!(stays(&scans), stays(&turned));
    }

    #[test]
    fn nobody_is_at_two_points_at_once_but_for_a_second(scans in any_scans()) {
        let proven = stays(&scans).into_iter().filter(|s| s.presence != Presence::Contradicted).collect::<Vec<_>>();
        for pair in proven.windows(2) {
            let shared = pair[0].span.overlap(&pair[1].span).map_or(0, |span| span.secs());
            prop_assert!(shared <= 1, "{:?}", pair);
        }
    }

    #[test]
    fn every_stay_begins_with_its_scan_and_is_bounded(scans in any_scans()) {
        for stay in stays(&scans) {
            let opened = scans.iter().find(|scan| scan.id == stay.id).unwrap();
            prop_assert_eq!(opened.occurred_at, stay.span.from());
            prop_assert!(stay.span.duration() <= LONGEST_STAY * 2);
        }
    }

    /// What a scan changes lies within its reach, and what lies within its reach follows from the
    /// scans that the reach names: so the drain may compute that part alone.
    #[test]
    fn a_scan_changes_only_what_is_within_its_reach(scans in any_scans()) {
        prop_assume!(!scans.is_empty());
        let (new, rest) = scans.split_last().unwrap();
        let reach = reach(new.occurred_at, new.occurred_at, china());
        let inside = |stay: &Stay| reach.stays.contains(stay.span.from());
        let (before, after) = (stays(rest), stays(&scans));
        let outside = |all: &[Stay]| all.iter().filter(|s| !inside(s)).cloned().collect::<Vec<_>>();
        prop_assert_eq!(outside(&before), outside(&after));
        let known: Vec<Scan> = scans.iter().filter(|s| reach.scans.contains(s.occurred_at)).cloned().collect();
        let computed: Vec<Stay> = stays(&known).into_iter().filter(|s| inside(s)).collect();
        let expected: Vec<Stay> = after.into_iter().filter(|s| inside(s)).collect();
        prop_assert_eq!(computed, expected);
    }

    #[test]
    fn what_stands_is_nowhere_faster_than_anybody_travels(scans in any_scans()) {
        let stands: Vec<Scan> = judged(&scans).into_iter().filter(|s| s.presence != Contradicted).collect();
        for (n, one) in stands.iter().enumerate() {
            for next in &stands[n..] {
                let distance_m = h3o::LatLng::from(one.cell).distance_m(h3o::LatLng::from(next.cell));
                let same_day = next.occurred_at < next_day_turn(one.occurred_at, china());
                let needed = crate::domain::travel::least_travel_time(distance_m);
                prop_assert!(!same_day || needed <= next.occurred_at - one.occurred_at + TimeDelta::minutes(2));
            }
        }
    }

    /// What is less proven changes nothing of what is better proven: nobody erases a stay by scanning a photo.
    #[test]
    fn nothing_is_contradicted_by_what_is_less_proven(scans in any_scans(), least in 1usize..4) {
        let strong = |s: &Scan| s.presence >= Presence::ALL[least];
        let alone: Vec<Scan> = scans.iter().filter(|s| strong(s)).cloned().collect();
        let ids: Vec<Uuid> = alone.iter().map(|s| s.id).collect();
        let beside: Vec<Scan> = judged(&scans).into_iter().filter(|s| ids.contains(&s.id)).collect();
        prop_assert_eq!(judged(&alone), beside);
    }

    /// Nothing is contradicted without something of the same day that stands against it.
    #[test]
    fn what_is_contradicted_has_a_reason(scans in any_scans()) {
        let judged = judged(&scans);
        for lost in judged.iter().filter(|s| s.presence == Contradicted) {
            let before = scans.iter().find(|s| s.id == lost.id).unwrap();
            let excludes = |s: &&Scan| {
                let distance_m = h3o::LatLng::from(lost.cell).distance_m(h3o::LatLng::from(s.cell));
                let between = (s.occurred_at - lost.occurred_at).abs() + TimeDelta::minutes(2);
                s.presence >= before.presence && crate::domain::travel::least_travel_time(distance_m) > between
            };
            prop_assert!(before.presence == Contradicted || judged.iter().any(|s| excludes(&s)));
        }
    }
}

#[path = "stay_said_tests.rs"]
mod said;
