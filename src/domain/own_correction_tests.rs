//! What a visitor may say, and that the stays follow it.

use chrono::{FixedOffset, TimeDelta};

use super::*;
use crate::domain::catalogue::Catalogue;
use crate::domain::position::Position;
use crate::domain::stay::stays_of;
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

fn at(mins: i64) -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(mins)
}

fn scan(number: u128, mins: i64, method: Method) -> Scan {
    Scan {
        id: Uuid::from_u128(number),
        visitor: Visitor::from_uuid(Uuid::from_u128(1)),
        point: PointId::new(1).unwrap(),
        cell: Position::new(34.7466, 113.6253).unwrap().cell(h3o::Resolution::Eleven),
        occurred_at: at(mins),
        received_at: at(mins),
        direction: Direction::Entry,
        method,
        presence: Presence::Plausible,
        party: None,
        corrects: None,
    }
}

fn stays(scans: &[Scan]) -> Vec<Stay> {
    let catalogue = Catalogue::shipped().unwrap();
    let restaurant = catalogue.get("restaurant").unwrap();
    let offset = FixedOffset::east_opt(8 * 3600).unwrap();
    stays_of(scans.iter().map(|scan| (scan.clone(), restaurant)).collect(), offset)
}

/// The stays of a visitor after a correction of the first of them.
fn corrected(scans: &[Scan], correction: Correction) -> Vec<(i64, i64)> {
    let stay = stays(scans).remove(0);
    check(correction, &stay, scans, at(1000)).unwrap();
    let mut number = 100;
    let said = scans_of(correction, &stay, scans, at(1000), || {
        number += 1;
        Uuid::from_u128(number)
    });
    let minute = |at_: DateTime<Utc>| (at_ - at(0)).num_minutes();
    let all = stays(&[scans, said.as_slice()].concat());
    all.iter().map(|stay| (minute(stay.span.from()), minute(stay.span.until()))).collect()
}

#[test]
fn all_own_scans_of_a_stay_are_taken_back_together() {
    let scans = [scan(1, 0, Method::Own), scan(2, 40, Method::Own), scan(3, 300, Method::Own)];
    assert_eq!(corrected(&scans, Correction::NotThere), [(300, 390)]);
}

#[test]
fn a_stay_is_shortened_to_what_is_said() {
    let scans = [scan(1, 0, Method::Own), scan(2, 40, Method::Own)];
    assert_eq!(corrected(&scans, Correction::LeftEarlier(at(50))), [(0, 50)]);
}

#[test]
fn what_others_saw_or_what_is_no_shorter_is_refused() {
    let own = [scan(1, 0, Method::Own)];
    let stay = stays(&own).remove(0);
    let left = |mins| check(Correction::LeftEarlier(at(mins)), &stay, &own, at(60));
    assert_eq!(left(30), Ok(()));
    assert_eq!([left(0), left(-5)], [Err(NoCorrection::NotShorter); 2]);
    assert_eq!(left(90), Err(NoCorrection::Ahead));
    let seen = [own[0].clone(), scan(2, 20, Method::Staff)];
    for correction in [Correction::NotThere, Correction::LeftEarlier(at(30))] {
        assert_eq!(check(correction, &stay, &seen, at(60)), Err(NoCorrection::SeenByOthers));
    }
    let out = Scan { direction: Direction::Exit, ..scan(2, 45, Method::Own) };
    let scans = [own[0].clone(), out];
    let stay = stays(&scans).remove(0);
    let known = check(Correction::LeftEarlier(at(30)), &stay, &scans, at(60));
    assert_eq!(known, Err(NoCorrection::EndIsKnown));
    assert_eq!(check(Correction::NotThere, &stay, &scans, at(60)), Ok(()));
}
