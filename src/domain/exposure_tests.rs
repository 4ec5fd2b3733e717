//! Exposures against an oracle that walks the minutes, for every relation and every boundary rule.

use super::fixtures::{World, at, between, class, other, own, pack, place, visitor};
use super::oracle::{after_case, case_there, day, minutes, visitor_there};
use super::window::tests::rules;
use super::*;
use crate::domain::rule_pack::{Ends, TimeRule};
use proptest::prelude::*;

/// All relations of those who are there together.
const TOGETHER: &str = "relations = [\"same_point\", \"same_venue\", \"nearby_cell\"]";

fn near(point: u64) -> Option<Relation> {
    relation(&own(1, 0, 0, 10), &other(2, point, 0, 10))
}

/// A world in which everybody who is there together meets.
fn together(trail: Vec<TrailStay>, others: Vec<Candidate>) -> World {
    World::new(pack("", "", &[class("close", TOGETHER)]), trail, others)
}

#[test]
fn the_nearest_relation_counts() {
    assert_eq!(near(0), Some(Relation::SamePoint));
    assert_eq!(near(1), Some(Relation::SameVenue));
    assert_eq!(near(2), Some(Relation::NearbyCell));
    assert_eq!(near(3), None);
}

#[test]
fn a_contradicted_stay_and_the_case_itself_meet_nobody() {
    let mut others = vec![other(2, 0, 0, 60), other(1, 0, 0, 60), other(3, 0, 0, 60)];
    others[0].stay.presence = Presence::Contradicted;
    let met = together(vec![own(1, 0, 0, 60)], others).met();
    assert_eq!(met.iter().map(|e| e.visitor).collect::<Vec<_>>(), [visitor(3)]);
}

#[test]
fn only_the_infectious_part_of_a_stay_counts() {
    let mut world = together(vec![own(1, 0, 0, 60)], vec![other(2, 0, 0, 60)]);
    world.infectious = between(30, 40);
    assert_eq!(world.met().iter().map(|e| e.span).collect::<Vec<_>>(), [between(30, 40)]);
}

#[test]
fn what_is_unknown_of_a_place_meets_nobody_there() {
    let mut world = together(vec![own(1, 0, 0, 60)], vec![other(2, 0, 0, 60), other(3, 1, 0, 60)]);
    world.trail[0].point = None;
    assert!(world.met().iter().all(|e| e.relation == Relation::SameVenue));
    world.trail[0].venue = None;
    assert!(world.met().iter().all(|e| e.relation == Relation::NearbyCell));
    assert_eq!(world.met().len(), 2);
    assert_eq!(world.met()[0].rows_apart, None);
    (world.trail[0].row, world.others[0].row) = (Some(7), Some(4));
    assert_eq!(world.met()[0].rows_apart, Some(3));
}

#[test]
fn who_stays_on_was_with_the_case_and_there_after_it() {
    let residual = class("residual", "relations = [\"after_case\"]; after_case_mins = 30");
    let pack = pack("", "", &[class("close", ""), residual]);
    let met = World::new(pack, vec![own(1, 0, 0, 60)], vec![other(2, 0, 30, 80), other(3, 0, 91, 99)]).met();
    let found: Vec<_> = met.iter().map(|e| (e.relation, e.span, e.left_at)).collect();
    let expected =
        [(Relation::SamePoint, between(30, 60), None), (Relation::AfterCase, between(60, 80), Some(at(60)))];
    assert_eq!(found, expected);
}

#[test]
fn a_stay_that_is_brought_twice_counts_once() {
    let (trail, visit) = (vec![own(1, 0, 0, 60)], other(2, 0, 0, 60));
    assert_eq!(together(trail, vec![visit.clone(), visit]).met().len(), 1);
}

fn trails() -> impl Strategy<Value = Vec<TrailStay>> {
    let stays = prop::collection::vec((0u64..4, 0i64..240, 1i64..60), 0..5);
    let trail =
        |(id, (point, from, mins)): (usize, (u64, i64, i64))| own(id as u128, point, from, from + mins);
    stays.prop_map(move |stays| stays.into_iter().enumerate().map(trail).collect())
}

/// Stays of a few visitors, no two of one visitor that begin at one point at once.
fn crowd() -> impl Strategy<Value = Vec<Candidate>> {
    let visits = prop::collection::btree_map((2u128..5, 0u64..4, 0i64..240), (1i64..60, 0usize..4), 0..10);
    visits.prop_map(|visits| {
        let visit = |((who, point, from), (mins, presence)): ((u128, u64, i64), (i64, usize))| {
            let mut found = other(who, point, from, from + mins);
            found.stay.presence = Presence::ALL[presence];
            found
        };
        visits.into_iter().map(visit).collect()
    })
}

/// Each pair that met: who, where, since when, with which stay of the case, and how many minutes.
type Pairs = Vec<(Visitor, PointId, DateTime<Utc>, Uuid, i64)>;

fn found(world: &World, after: bool) -> Pairs {
    let mut pairs: Pairs = Vec::new();
    for met in world.met().iter().filter(|met| (met.relation == Relation::AfterCase) == after) {
        let With::Case(with) = met.with else { panic!("nobody met a contact") };
        let mins = if met.span.is_moment() { 0 } else { met.span.duration().num_minutes() };
        let key = (met.visitor, met.stay_point, met.stay_from, with);
        match pairs.iter_mut().find(|pair| (pair.0, pair.1, pair.2, pair.3) == key) {
            Some(pair) => pair.4 += mins,
            None => pairs.push((key.0, key.1, key.2, key.3, mins)),
        }
    }
    pairs.sort();
    pairs
}

fn proven(others: &[Candidate]) -> impl Iterator<Item = &Candidate> {
    others.iter().filter(|other| other.stay.presence != Presence::Contradicted)
}

proptest! {
    /// Together by every relation and every boundary rule: what both share is what counting ticks says.
    #[test]
    fn exposures_are_what_walking_the_minutes_says(
        time in rules(), trail in trails(), others in crowd(), infectious in (0i64..90, 90i64..240), wide: bool,
    ) {
        let keys = if wide { TOGETHER } else { "" };
        let pack = RulePack { time: time.clone(), ..pack("", "", &[class("close", keys)]) };
        let mut world = World::new(pack, trail, others);
        world.infectious = between(infectious.0, infectious.1);
        let mut expected: Pairs = Vec::new();
        for own in &world.trail {
            let Some(case) = case_there(&time, &world.infectious, &own.span) else { continue };
            for other in proven(&world.others) {
                let near = relation(own, other).is_some_and(|near| wide || near == Relation::SamePoint);
                let Some(visitor) = visitor_there(&time, &other.stay.span).filter(|_| near) else { continue };
                let both = &case.ticks(time.ends) & &visitor.ticks(time.ends);
                if !both.is_empty() {
                    let stay = &other.stay;
                    expected.push((stay.visitor, stay.point, stay.span.from(), own.id, minutes(&both)));
                }
            }
        }
        expected.sort();
        prop_assert_eq!(found(&world, false), expected);
        if let Some(clock) = time.split_days {
            let begins = |met: &Exposure| (met.span.from() - at(0)).num_minutes();
            let ends = |met: &Exposure| begins(met) + met.span.duration().num_minutes();
            let met = world.met();
            prop_assert!(met.iter().all(|met| met.span.is_moment() || day(begins(met), clock) == day(ends(met) - 1, clock)));
        }
    }

    /// After the case had left: the visitor's time there, until the case is back or the time is over.
    #[test]
    fn residual_exposures_are_what_walking_the_minutes_says(
        time in rules(), trail in trails(), others in crowd(), mins in 1u32..90,
    ) {
        let time = TimeRule { ends: Ends::HalfOpen, ..time };
        let keys = format!("relations = [\"after_case\"]; after_case_mins = {mins}");
        let pack = RulePack { time: time.clone(), ..pack("", "", &[class("residual", &keys)]) };
        let world = World::new(pack, trail, others);
        let there = |own: &TrailStay| case_there(&time, &world.infectious, &own.span);
        let mut expected: Pairs = Vec::new();
        for own in &world.trail {
            let windows: Vec<_> = world.trail.iter().filter(|one| one.point == own.point).filter_map(there).collect();
            let Some(left) = there(own) else { continue };
            let after = after_case(&windows, left, mins.into());
            for other in proven(&world.others).filter(|other| own.point == Some(other.stay.point)) {
                let Some(visitor) = visitor_there(&time, &other.stay.span) else { continue };
                let both = &visitor.ticks(time.ends) & &after;
                if !both.is_empty() {
                    let stay = &other.stay;
                    expected.push((stay.visitor, stay.point, stay.span.from(), own.id, minutes(&both)));
                }
            }
        }
        expected.sort();
        prop_assert_eq!(found(&world, true), expected);
    }

    #[test]
    fn the_order_of_the_candidates_changes_nothing(
        trail in trails(), others in crowd().prop_flat_map(|crowd| (Just(crowd.clone()), Just(crowd).prop_shuffle()))
    ) {
        prop_assert_eq!(together(trail.clone(), others.0).met(), together(trail, others.1).met());
    }
}

#[test]
fn the_four_points_are_where_the_tests_need_them() {
    assert_eq!(place(0).1, place(1).1);
    assert_ne!(grid_cell(place(0).2), grid_cell(place(3).2));
}
