//! Tests of packs: exact both ways, and harmless whatever the bytes.

use proptest::prelude::*;

use super::*;
use crate::domain::position::{POINT_RESOLUTION, Position};

fn day() -> DateTime<Utc> {
    "2026-03-16T00:00:00Z".parse().unwrap()
}

fn cell(number: u8) -> CellIndex {
    Position::new(34.0 + f64::from(number) / 10.0, 113.6).unwrap().cell(POINT_RESOLUTION)
}

fn stay(from: i64, length: i64, visitor: u128) -> PackedStay {
    let from = day() + TimeDelta::microseconds(from);
    PackedStay {
        visitor: Visitor::from_uuid(Uuid::from_u128(visitor)),
        span: Span::new(from, from + TimeDelta::microseconds(length)).unwrap(),
        cell: cell(0),
        ended_by: EndedBy::Assumed,
        presence: Presence::Plausible,
        id: None,
    }
}

fn whole(packs: &[Pack]) -> Vec<PackedStay> {
    packs.iter().flat_map(|pack| unpack_all(&pack.body, pack.first_at).unwrap()).collect()
}

/// Times to the minute, second, millisecond and microsecond.
fn some_stay() -> impl Strategy<Value = PackedStay> {
    let unit = prop::sample::select(UNITS.to_vec());
    let what = (0..12u8, 0..4i16, 0..4i16, prop::option::weighted(0.1, any::<u128>()));
    (unit, 0..86_400_000_000i64, 1..100_000_000_000i64, any::<u128>(), what).prop_map(
        |(unit, from, length, visitor, (at, presence, ended_by, id))| PackedStay {
            cell: cell(at),
            presence: Presence::from_number(presence).unwrap(),
            ended_by: EndedBy::from_number(ended_by).unwrap(),
            id: id.map(Uuid::from_u128),
            ..stay(from / unit * unit, (length / unit).max(1) * unit, visitor)
        },
    )
}

#[test]
fn a_stay_of_whole_minutes_takes_twenty_bytes() {
    let stays: Vec<_> = (0..64u32).map(|n| stay(i64::from(n) * MINUTE, 90 * MINUTE, n.into())).collect();
    let packs = pack(stays.clone());
    assert_eq!(packs.len(), 1);
    assert_eq!((packs[0].stays, packs[0].contradicted, packs[0].body.len()), (64, 0, 12 + 64 * 20));
    assert_eq!(whole(&packs), stays);
}

#[test]
fn one_odd_length_costs_the_others_nothing() {
    let mut stays: Vec<_> = (0..64u32).map(|n| stay(i64::from(n) * MINUTE, 60 * MINUTE, n.into())).collect();
    stays[7] = stay(7 * MINUTE, 1_234_567, 7);
    let packs = pack(stays.clone());
    // The beginnings are then told in microseconds, four bytes each but the first.
    assert_eq!(packs[0].body.len(), 12 + 64 * 19 + 63 * 3 + 3);
    assert_eq!(whole(&packs), stays);
}

#[test]
fn more_stays_or_cells_than_a_pack_holds_make_more_packs() {
    assert_eq!(pack(Vec::new()), []);
    let many: Vec<_> = (0..130).map(|n| stay(0, MINUTE, n)).collect();
    let packs = pack(many);
    assert_eq!(packs.iter().map(|pack| pack.stays).collect::<Vec<_>>(), [64, 64, 2]);
    let cells = |n: u8| PackedStay { cell: cell(n), ..stay(0, MINUTE, n.into()) };
    let packs = pack((0..9).map(cells).collect());
    assert_eq!(packs.iter().map(|pack| pack.stays).collect::<Vec<_>>(), [8, 1]);
}

#[test]
fn the_last_and_the_first_moment_decide_what_a_window_asks_for() {
    let packs = pack(vec![stay(0, 10, 1), stay(5, 10, 2), stay(15, 10, 3)]);
    let at = |micros| day() + TimeDelta::microseconds(micros);
    let asked = |earliest, from, until| {
        let window = Window { earliest: at(earliest), from: at(from), until: at(until) };
        let mut found = Vec::new();
        unpack(&packs[0].body, packs[0].first_at, &window, |stay| {
            found.push(stay.visitor.to_uuid().as_u128());
        })
        .unwrap();
        found
    };
    assert_eq!(asked(0, 0, 100), [1, 2, 3]);
    assert_eq!(asked(0, 10, 15), [2], "one has ended, and one has not begun");
    assert_eq!(asked(0, 9, 16), [1, 2, 3]);
    assert_eq!(asked(1, 0, 100), [2, 3]);
    assert_eq!(asked(0, 25, 100), [0u128; 0]);
}

#[test]
fn a_day_is_closed_when_no_scan_in_time_can_change_a_stay_of_it() {
    let china = FixedOffset::east_opt(8 * 3600).unwrap();
    let now: DateTime<Utc> = "2026-03-16T04:00:00Z".parse().unwrap();
    let closed = closed_before(now, china);
    let oldest = now - LATE_MAX;
    assert!(closed <= oldest - TimeDelta::days(1), "{closed}");
    assert_eq!(reach(oldest, oldest, china).stays.from(), closed);
}

proptest! {
    #[test]
    fn what_was_packed_is_unpacked_to_the_microsecond(stays in prop::collection::vec(some_stay(), 0..200)) {
        let packs = pack(stays.clone());
        let mut sorted = stays;
        sorted.sort_by_key(|stay| (stay.span.from(), stay.visitor, stay.id));
        prop_assert_eq!(whole(&packs), sorted);
        for pack in &packs {
            let own = unpack_all(&pack.body, pack.first_at).unwrap();
            prop_assert_eq!(own.len(), pack.stays);
            prop_assert!(pack.stays <= STAYS_MAX);
            prop_assert_eq!(own.iter().map(|stay| stay.span.from()).min(), Some(pack.first_at));
            prop_assert_eq!(own.iter().map(|stay| stay.span.until()).max(), Some(pack.until_max));
            prop_assert_eq!(own.iter().filter(|s| s.presence == Presence::Contradicted).count(), pack.contradicted);
        }
    }

    #[test]
    fn a_window_finds_what_looking_at_every_stay_finds(
        stays in prop::collection::vec(some_stay(), 0..200),
        from in 0..86_400_000_000i64,
        length in 1..86_400_000_000i64,
        before in 0..86_400_000_000i64,
    ) {
        let at = |micros| day() + TimeDelta::microseconds(micros);
        let window = Window { earliest: at(from - before), from: at(from), until: at(from + length) };
        let packs = pack(stays);
        let mut found = Vec::new();
        for pack in &packs {
            unpack(&pack.body, pack.first_at, &window, |stay| found.push(stay)).unwrap();
        }
        let asked = |stay: &PackedStay| {
            stay.span.from() >= window.earliest && stay.span.from() < window.until && stay.span.until() > window.from
        };
        let mut expected = whole(&packs);
        expected.retain(asked);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn bytes_that_are_no_pack_are_refused_and_harm_nobody(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _refused = unpack_all(&body, day());
    }

    #[test]
    fn a_pack_that_was_spoilt_harms_nobody(
        stays in prop::collection::vec(some_stay(), 1..64),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = pack(stays).swap_remove(0).body;
        let at = at.index(body.len());
        body[at] = byte;
        let _refused = unpack_all(&body, day());
        body.truncate(cut.index(body.len()));
        let _refused = unpack_all(&body, day());
    }
}
