//! Grading: the rules one by one, and equal treatment.

use super::*;
use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::exposure::fixtures::{World, class, other, own, pack as pack_of};
use crate::domain::exposure::{Relation, With};
use crate::domain::rule_pack::RulePack;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::venue::{Granularity, PointId};
use chrono::{FixedOffset, TimeDelta};
use proptest::prelude::*;
use uuid::Uuid;

pub(super) fn at(mins: i64) -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(mins)
}

pub(super) fn pack() -> RulePack {
    RulePack::parse(include_str!("../../policies/baseline-1.toml")).unwrap()
}

pub(super) fn exposure(
    who: u128,
    from: i64,
    mins: i64,
    granularity: Granularity,
    presence: Presence,
) -> Exposure {
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

pub(super) fn question(pack: &RulePack) -> Question<'_> {
    let dates = CaseDates { onset_at: None, sampled_at: at(0), isolated_at: None };
    let infectious = Span::new(at(-20_000), at(20_000)).unwrap();
    let case = Visitor::from_uuid(Uuid::from_u128(1));
    let offset = FixedOffset::east_opt(8 * 3600).unwrap();
    Question { case, kind: CaseKind::Asymptomatic, dates, infectious, trail: &[], pack, offset }
}

pub(super) fn graded(exposures: &[Exposure]) -> Vec<Contact> {
    grade(&question(&pack()), exposures, &Dwell::default())
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

/// The classes of visitors 2, 3, … who were with the case for an hour, as `change` makes their exposures.
fn counted(keys: &str, changes: &[fn(&mut Exposure)]) -> Vec<u128> {
    let others = (2..).zip(changes).map(|(who, _)| other(who, 0, 0, 60)).collect();
    let world = World::new(pack_of("", "", &[class("close", keys)]), vec![own(1, 0, 0, 60)], others);
    let mut met = world.met();
    met.sort_by_key(|exposure| exposure.visitor);
    met.iter_mut().zip(changes).for_each(|(exposure, change)| change(exposure));
    let mut found: Vec<_> = grade(&world.question(), &met, &Dwell::default())
        .iter()
        .map(|contact| contact.visitor.to_uuid().as_u128())
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn a_class_counts_what_it_names_and_nothing_else() {
    let rows: &[fn(&mut Exposure)] =
        &[|e| e.rows_apart = Some(3), |e| e.rows_apart = Some(4), |e| e.rows_apart = None];
    assert_eq!(counted("rows_apart_max = 3", rows), [2]);
    assert_eq!(counted("", rows), [2, 3, 4]);
    let ends: &[fn(&mut Exposure)] = &[|e| e.ended_by = EndedBy::Left, |e| e.ended_by = EndedBy::Assumed];
    assert_eq!(counted("ended_by = [\"left\", \"next_scan\"]", ends), [2]);
    let places: &[fn(&mut Exposure)] = &[|e| e.category = "canteen".into(), |_| {}];
    assert_eq!(counted("categories = [\"canteen\"]", places), [2]);
    let proofs: &[fn(&mut Exposure)] = &[
        |e| e.presence = Presence::Verified,
        |e| e.presence = Presence::Unproven,
        |e| e.presence = Presence::Contradicted,
    ];
    assert_eq!(counted("presence_min = \"plausible\"", proofs), [2]);
    assert_eq!(counted("", proofs), [2, 3]);
    let kinds: &[fn(&mut Exposure)] = &[|_| {}];
    assert_eq!(counted("index_kinds = [\"asymptomatic\"]", kinds), []);
    assert_eq!(counted("index_kinds = [\"confirmed\"]", kinds), [2]);
}

#[test]
fn frequent_contacts_met_in_several_stays() {
    let twice = pack_of("", "", &[class("close", "meetings_min = 2")]);
    let trail = vec![own(1, 0, 0, 60), own(2, 0, 70, 100)];
    let others = vec![other(2, 0, 0, 100), other(3, 0, 0, 50), other(3, 0, 80, 90)];
    assert_eq!(World::new(twice, trail, others).graded(), [(3, Class::Close, 60 * 60)]);
}

#[test]
fn each_class_takes_as_much_of_the_time_after_the_case_as_it_asks_for() {
    let residual = |name: &str, mins: u32, together: u32| {
        class(
            name,
            &format!("relations = [\"after_case\"]; after_case_mins = {mins}; together_mins = {together}"),
        )
    };
    let classes = [residual("close", 10, 10), residual("exposed_place", 10, 0), residual("residual", 60, 0)];
    let others = vec![
        other(2, 0, 60, 99),
        other(3, 0, 61, 99),
        other(4, 0, 70, 99),
        other(5, 0, 120, 130),
        other(6, 0, 121, 130),
    ];
    let graded = World::new(pack_of("", "", &classes), vec![own(1, 0, 0, 60)], others).graded();
    // Who came just as a time was over was there for its last moment.
    let expected = [
        (2, Class::Close, 600),
        (3, Class::ExposedPlace, 540),
        (4, Class::ExposedPlace, 0),
        (5, Class::Residual, 0),
    ];
    assert_eq!(graded, expected);
}

#[test]
fn minutes_of_days_without_weight_are_no_evidence() {
    let weights = "weight_percent = { \"0\" = 100, \"1\" = 0 }";
    let world = |from| {
        let pack = pack_of(weights, "", &[class("same_vehicle", "")]);
        World::new(pack, vec![own(1, 0, from, from + 20)], vec![other(2, 0, from, from + 20)]).graded()
    };
    assert_eq!(world(0).len(), 1);
    assert_eq!(world(60), []);
    assert_eq!(world(3 * 1440), []);
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

    /// More time together never lowers a class, and less evidence never raises one.
    #[test]
    fn more_never_lowers_and_less_never_raises(
        parts in prop::collection::vec((0i64..3000, 1i64..120, 0usize..6, 1usize..4), 1..7),
        longer in 1i64..60, at in 0usize..7, keys in 0usize..6,
    ) {
        use crate::domain::numbered::Numbered;
        let keys = ["", "within_hours = 24", "within = \"day_local\"", "within = \"period\"", "meetings_min = 2",
            "joined = false; within = \"period\""][keys];
        let asks = |mins: u32, name: &str| class(name, &format!("{keys}; together_mins = {mins}"));
        let weights = "weight_percent = { \"0\" = 80, \"1\" = 120, \"2\" = 100 }";
        let pack = pack_of(weights, "", &[asks(90, "close"), asks(30, "exposed_place"), asks(1, "residual")]);
        let world = World::new(pack, vec![], vec![]);
        let all: Vec<Exposure> = parts.iter().map(|(from, mins, granularity, presence)| {
            exposure(2, *from, *mins, Granularity::ALL[*granularity], Presence::ALL[*presence])
        }).collect();
        let class_of = |exposures: &[Exposure]| {
            grade(&world.question(), exposures, &Dwell::default()).first().map_or(i16::MAX, |contact| contact.class as i16)
        };
        let at = at % all.len();
        let mut less = all.clone();
        less.remove(at);
        prop_assert!(class_of(&less) >= class_of(&all));
        let mut more = all.clone();
        more[at].span = Span::new(more[at].span.from(), more[at].span.until() + TimeDelta::minutes(longer)).unwrap();
        prop_assert!(class_of(&more) <= class_of(&all));
    }
}
