//! Codes of screens: their form, their steps, and what they prove when.

use super::*;
use crate::domain::position::{POINT_RESOLUTION, Position};
use crate::domain::symbols::ALPHABET;
use crate::domain::venue::VenueState;
use proptest::prelude::*;
use uuid::Uuid;

fn ring() -> Keyring {
    Keyring::new([1; 32], [2; 32])
}

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_773_633_600 + secs, 0).unwrap()
}

fn code(point: u64, shown: DateTime<Utc>) -> RotatingCode {
    RotatingCode { point: PointId::new(point).unwrap(), step: Step::of(shown) }
}

fn text(point: u64, shown: DateTime<Utc>) -> String {
    code(point, shown).sign(&ring()).unwrap().to_string()
}

fn read(text: &str, now: DateTime<Utc>) -> Result<ScannedCode, InvalidPlaceCode> {
    ScannedCode::parse(text, &ring(), now)
}

#[test]
fn what_screens_showed_stays_readable_for_ever() {
    let shown: DateTime<Utc> = "2026-03-16T04:00:00Z".parse().unwrap();
    // Reckoned by another program from the description in docs/place-codes.md.
    let golden = "4000EPYD2QG1FPECH523W";
    assert_eq!(text(123_456_789, shown), golden);
    assert_eq!(read(golden, shown), Ok(ScannedCode::Rotating(code(123_456_789, shown))));
    let parts = CodeParts::read(golden).unwrap();
    assert_eq!((parts.version, parts.slot, parts.point.to_i64()), (2, 0, 123_456_789));
    assert_eq!(u64::from(parts.last), shown.timestamp().unsigned_abs() / 30 % 256);
}

#[test]
fn printed_codes_are_read_beside_them() {
    let printed = PlaceCode { point: PointId::new(123_456_789).unwrap(), generation: 7 };
    assert_eq!(read("2000EPYD2M3VZ8XYCTFKC", at(0)), Ok(ScannedCode::Printed(printed)));
    assert_eq!(PlaceCode::parse(&text(5, at(0)), &ring()), Err(InvalidPlaceCode::Version));
    for version in "0456789ABCDEFGHJKMNPQRSTVWXYZ".chars().filter(|first| !"0123456".contains(*first)) {
        assert_eq!(
            read(&format!("{version}{}", &text(5, at(0))[1..]), at(0)),
            Err(InvalidPlaceCode::Version)
        );
    }
}

#[test]
fn a_code_is_known_for_three_days_and_then_no_more() {
    let shown = text(5, at(0));
    let known = |secs| read(&shown, at(secs)).is_ok();
    assert!(known(0) && known(29) && known(3600) && known(72 * 3600 + 30 + 29));
    assert!(!known(72 * 3600 + 60));
    assert!(known(-30) && !known(-31), "one step of a clock that is behind");
    assert_eq!(read(&shown, at(80 * 3600)), Err(InvalidPlaceCode::Screen));
    // The same low bits one cycle later are another step.
    let later = at(256 * 30);
    assert_eq!(read(&text(5, later), later), Ok(ScannedCode::Rotating(code(5, later))));
    assert_eq!(read(&shown, later), Ok(ScannedCode::Rotating(code(5, at(0)))));
}

#[test]
fn no_code_takes_more_than_34_candidates() {
    let mut seen = 0;
    for low in 0..=255 {
        let steps: Vec<Step> = Step::candidates(low, at(7)).collect();
        assert!((33..=34).contains(&steps.len()), "{}", steps.len());
        assert!(steps.iter().all(|step| step.to_bytes()[7] == low));
        assert!(steps.is_sorted_by(|later, earlier| later > earlier));
        seen += steps.len();
    }
    // 72 hours of half minutes, the one that goes on, and one more at each end.
    assert_eq!(seen, 72 * 120 + 3);
}

#[test]
fn foreign_keys_unknown_slots_and_other_labels_are_refused() {
    let good = text(5, at(0));
    let foreign = Keyring::new([1; 32], [3; 32]);
    assert_eq!(ScannedCode::parse(&good, &foreign, at(0)), Err(InvalidPlaceCode::Screen));
    let other_slot = format!("{}{}", &good[..1], good[1..].replacen('0', "4", 1));
    assert!(read(&other_slot, at(0)).is_err());
    // A printed code whose version is written over does not become a rotating one.
    let printed = PlaceCode { point: PointId::new(5).unwrap(), generation: 1 };
    let mut bytes = decode(&printed.sign(&ring()).unwrap().to_string()).unwrap();
    bytes[0] = (VERSION << 4) | (bytes[0] & 0x0F);
    assert_eq!(read(&crate::domain::symbols::encode(&bytes), at(0)), Err(InvalidPlaceCode::Screen));
}

fn facts() -> PointFacts {
    PointFacts {
        id: PointId::new(5).unwrap(),
        name: "门".into(),
        cell: Position::new(34.7, 113.6).unwrap().cell(POINT_RESOLUTION),
        near: Vec::new(),
        stops: Vec::new(),
        generation: 3,
        previous_until: None,
        revoked_at: None,
        expires_at: None,
        venue: Uuid::nil(),
        venue_name: "站".into(),
        category: "railway_station".into(),
        division: "410105".into(),
        venue_state: VenueState::Approved,
        changed_at: at(0),
    }
}

#[test]
fn a_code_proves_presence_while_it_is_fresh_and_later_answers_for_its_own_time_only() {
    let shown = ScannedCode::Rotating(code(5, at(0)));
    let check = |occurred, received| shown.check(&facts(), at(occurred), at(received)).map(InForce::is_live);
    for secs in [-30, 0, 29, 59] {
        assert_eq!(check(secs, secs), Ok(true), "{secs}");
    }
    for secs in [-31, 60, 61, 3600] {
        assert_eq!(check(secs, secs), Err(NotInForce::Changed), "{secs}");
    }
    // A phone without network, which tells of it later.
    assert_eq!(check(10, 3600), Ok(false));
    assert_eq!(check(59, 70 * 3600), Ok(false));
    assert_eq!(check(60, 3600), Err(NotInForce::Changed));
    // A phone whose clock is wrong: the code is fresh, but nothing is proved of that time.
    assert_eq!(check(-600, 10), Ok(false));
}

#[test]
fn a_screen_answers_as_long_as_its_point_does_whatever_the_generation() {
    let shown = ScannedCode::Rotating(code(5, at(0)));
    let check = |facts: PointFacts| shown.check(&facts, at(0), at(0)).map(InForce::is_live);
    assert_eq!(check(PointFacts { generation: 200, ..facts() }), Ok(true));
    assert_eq!(check(PointFacts { revoked_at: Some(at(0)), ..facts() }), Err(NotInForce::Revoked));
    assert_eq!(check(PointFacts { expires_at: Some(at(0)), ..facts() }), Err(NotInForce::Expired));
    let suspended = PointFacts { venue_state: VenueState::Suspended, ..facts() };
    assert_eq!(check(suspended), Err(NotInForce::Venue));
    let printed = ScannedCode::Printed(PlaceCode { point: shown.point(), generation: 3 });
    assert_eq!(printed.check(&facts(), at(0), at(0)).map(InForce::is_live), Ok(false));
}

proptest! {
    #[test]
    fn every_code_survives_the_screen(point in 0u64..(1 << 40), secs in 0i64..4_000_000_000, late in 0i64..(72 * 3600)) {
        let shown = DateTime::from_timestamp(secs, 0).unwrap();
        let signed = code(point, shown).sign(&ring()).unwrap();
        let now = shown + TimeDelta::seconds(late);
        let read = ScannedCode::parse(&signed.typed().to_lowercase(), &ring(), now);
        prop_assert_eq!(read, Ok(ScannedCode::Rotating(code(point, shown))));
    }

    #[test]
    fn one_wrong_or_two_swapped_symbols_are_caught(point in 0u64..(1 << 40), at_symbol in 0usize..20, other in 0usize..32) {
        let good = text(point, at(0));
        let mut wrong = good.clone().into_bytes();
        wrong[at_symbol] = ALPHABET[other];
        let mut swapped = good.clone().into_bytes();
        swapped.swap(at_symbol, at_symbol + 1);
        for bad in [wrong, swapped] {
            let bad = String::from_utf8(bad).unwrap();
            prop_assert!(bad == good || read(&bad, at(0)).is_err());
        }
    }
}
