//! Grading: the rules one by one, the sliding window against an oracle, and equal treatment.

use super::*;
use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::exposure::{Relation, With};
use crate::domain::rule_pack::RulePack;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::venue::{Granularity, PointId};
use chrono::{FixedOffset, TimeDelta};
use proptest::prelude::*;
use uuid::Uuid;

fn at(mins: i64) -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(mins)
}

fn pack() -> RulePack {
    RulePack::parse(include_str!("../../policies/baseline-1.toml")).unwrap()
}

fn exposure(who: u128, from: i64, mins: i64, granularity: Granularity, presence: Presence) -> Exposure {
    Exposure {
        with: With::Case(Uuid::nil()),
        stay_point: PointId::new(1).unwrap(),
        stay_from: at(from),
        visitor: Visitor::from_uuid(Uuid::from_u128(who)),
        relation: Relation::SamePoint,
        granularity,
        category: "other".into(),
        rows_apart: None,
        ended_by: EndedBy::Assumed,
        span: Span::new(at(from), at(from + mins)).unwrap(),
        left_at: None,
        presence,
    }
}

fn graded(exposures: &[Exposure]) -> Vec<Contact> {
    let pack = pack();
    let dates = CaseDates { onset_at: None, sampled_at: at(0), isolated_at: None };
    let infectious = Span::new(at(-20_000), at(20_000)).unwrap();
    let case = Visitor::from_uuid(Uuid::from_u128(1));
    let offset = FixedOffset::east_opt(8 * 3600).unwrap();
    let kind = CaseKind::Asymptomatic;
    let question = Question { case, kind, dates, infectious, trail: &[], pack: &pack, offset };
    grade(&question, exposures, &Dwell::default())
}

fn classes(exposures: &[Exposure]) -> Vec<Class> {
    graded(exposures).iter().map(|contact| contact.class).collect()
}

use Granularity::{Hall, Room, Vehicle};
use Presence::{Plausible, Unproven};

#[test]
fn the_strongest_class_that_is_met_counts() {
    assert_eq!(classes(&[exposure(2, 0, 60, Room, Plausible)]), [Class::Close]);
    assert_eq!(classes(&[exposure(2, 0, 59, Room, Plausible)]), [Class::ExposedPlace]);
    assert_eq!(classes(&[exposure(2, 0, 60, Hall, Plausible)]), [Class::ExposedPlace]);
    assert_eq!(classes(&[exposure(2, 0, 1, Vehicle, Unproven)]), [Class::SameVehicle]);
    assert_eq!(classes(&[exposure(2, 0, 14, Hall, Plausible)]), []);
}

#[test]
fn weak_presence_never_makes_the_strong_class() {
    assert_eq!(classes(&[exposure(2, 0, 300, Room, Unproven)]), [Class::ExposedPlace]);
}

#[test]
fn minutes_add_up_within_a_day_and_not_beyond() {
    let thrice = |gap| [0, gap, 2 * gap].map(|from| exposure(2, from, 5, Hall, Unproven));
    assert_eq!(classes(&thrice(60)), [Class::ExposedPlace]);
    assert_eq!(classes(&thrice(24 * 60)), []);
}

#[test]
fn nothing_never_grades_upward() {
    assert_eq!(classes(&[]), []);
    let other = Exposure { relation: Relation::NearbyCell, ..exposure(2, 0, 60, Vehicle, Plausible) };
    assert_eq!(classes(&[other]), []);
}

proptest! {
    /// Law 2: whoever has the same exposures gets the same class.
    #[test]
    fn equal_exposure_gives_an_equal_class(
        parts in prop::collection::vec((0i64..2000, 1i64..120, 0usize..6, 1usize..4), 1..6)
    ) {
        let of = |who| parts.iter().map(move |(from, mins, granularity, presence)| {
            use crate::domain::numbered::Numbered;
            exposure(who, *from, *mins, Granularity::ALL[*granularity], Presence::ALL[*presence])
        });
        let both: Vec<Exposure> = of(2).chain(of(3)).collect();
        let graded = graded(&both);
        prop_assert!(graded.is_empty() || graded.len() == 2);
        if let [one, other] = graded.as_slice() {
            prop_assert_eq!((one.class, one.together_secs), (other.class, other.together_secs));
        }
    }
}
