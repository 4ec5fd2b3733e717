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
    crate::domain::position::Position::new(34.7, 113.6).unwrap().cell(h3o::Resolution::Eleven)
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

fn any_scans() -> impl Strategy<Value = Vec<Scan>> {
    let one = (0u64..4, 0i64..4320, 0usize..3, 0usize..4).prop_map(|(point, mins, direction, presence)| {
        let point = if point < 2 { point } else { point + 10 };
        let mut scan = scan(0, point, mins, Direction::ALL[direction]);
        scan.presence = Presence::ALL[presence];
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
}
