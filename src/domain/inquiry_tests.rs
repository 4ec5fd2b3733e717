//! Companions, contacts of contacts, and what a question gives from one set of stays.

use super::*;
use crate::domain::exposure::Relation;
use crate::domain::exposure::fixtures::{World, at, between, class, other, own, pack, visitor};
use chrono::TimeDelta;
use proptest::prelude::*;

/// Everybody of the world is in memory, the case too; each point is a room.
fn traced(world: &World) -> Traced {
    trace(&world.question(), &world.others, &places())
}

fn places() -> Places {
    let room = |point| {
        (PointId::new(point).unwrap(), Place { granularity: Granularity::Room, category: "other".into() })
    };
    (0..4).map(room).collect()
}

fn classes(found: &Traced) -> Vec<(u128, Class, u8)> {
    found.contacts.iter().map(|c| (c.visitor.to_uuid().as_u128(), c.class, c.depth)).collect()
}

const HOUR: i64 = 60;

/// The companion rule of the telecom grid: more than ten minutes together, more than thirty hours there in fourteen days.
fn companions(trail: Vec<TrailStay>, others: Vec<Candidate>) -> Vec<u128> {
    let keys =
        "relations = [\"same_point\", \"same_venue\", \"nearby_cell\"]; together_mins = 10; more_than = true;
                companion = { stay_hours = 30, within_days = 14 }; within = \"period\"";
    let world = World::new(pack("", "", &[class("companion", keys)]), trail, others);
    let mut found: Vec<u128> = classes(&traced(&world)).into_iter().map(|(who, ..)| who).collect();
    found.sort_unstable();
    found
}

#[test]
fn a_companion_was_in_the_grid_for_more_than_thirty_hours_or_the_case_was() {
    let meeting = |who| other(who, 2, 0, 11);
    let trail = || vec![own(1, 0, 0, 100)];
    // Nobody was there for long.
    assert_eq!(companions(trail(), vec![meeting(2), meeting(3)]), []);
    // Visitor 2 was, next door and in two parts that overlap; visitor 3 for exactly thirty hours; 4 far away; 5 too long ago.
    let long = |who, point, from, hours| other(who, point, from, from + hours * HOUR);
    let others = vec![
        meeting(2),
        long(2, 0, -3000, 20),
        long(2, 1, -2400, 20),
        meeting(3),
        long(3, 2, -3000, 29),
        other(3, 2, -1000, -951),
        meeting(4),
        long(4, 3, -3000, 31),
        meeting(5),
        long(5, 2, 11 - 14 * 24 * HOUR - 5 * HOUR, 34),
        other(6, 2, 0, 10),
        long(6, 2, -3000, 40),
    ];
    assert_eq!(companions(trail(), others.clone()), [2]);
    // The case itself was there for long: then so was everybody who met it for more than ten minutes.
    let case = [others, vec![long(1, 0, -4000, 31)]].concat();
    assert_eq!(companions(trail(), case.clone()), [2, 3, 4, 5]);
    let mut forged = case;
    forged.last_mut().unwrap().stay.presence = Presence::Contradicted;
    assert_eq!(companions(trail(), forged), [2]);
}

#[test]
fn only_those_who_may_be_companions_are_looked_up() {
    let keys = "relations = [\"nearby_cell\"]; together_mins = 10; companion = { stay_hours = 30, within_days = 14 }";
    let others = vec![other(2, 2, 0, 10), other(3, 2, 0, 9), other(4, 0, 0, 60)];
    let world = World::new(pack("", "", &[class("companion", keys)]), vec![own(1, 0, 0, 100)], others);
    let question = world.question();
    let wanted = Tracing::new(&question, &world.others).dwell_wanted();
    let before = Span::new(at(10) - TimeDelta::days(14), at(10)).unwrap();
    assert_eq!(wanted, [(visitor(1), before), (visitor(2), before)]);
}

/// Close contacts in 30 minutes; their contacts in as many, to a depth; exposed places without any.
fn chain(depth: u8, others: Vec<Candidate>) -> World {
    let secondary = format!("together_mins = 30; secondary = {{ of = [\"close\"], depth = {depth} }}");
    let classes =
        [class("close", "together_mins = 30"), class("secondary", &secondary), class("exposed_place", "")];
    World::new(pack("", "", &classes), vec![own(1, 0, 100, 200)], others)
}

#[test]
fn contacts_of_contacts_count_from_the_first_exposure_on() {
    let others = vec![
        other(2, 0, 150, 200), // close
        other(2, 2, 0, 60),    // before the first exposure
        other(2, 2, 300, 400),
        other(3, 2, 0, 60),    // met 2 too early
        other(4, 2, 350, 400), // met 2 afterwards
        other(5, 2, 371, 400), // not for long enough
        other(6, 0, 190, 200), // met the case shortly, and 2 below
        other(6, 2, 300, 400),
        other(7, 0, 160, 190), // close, and with 2: stays close
        other(1, 2, 300, 400), // the case itself
        other(8, 2, 360, 400), // met 2 and 6
        other(8, 1, 500, 600),
        other(9, 1, 500, 600), // met 8 afterwards
    ];
    let expected = [
        (2, Class::Close, 0),
        (7, Class::Close, 0),
        (6, Class::Secondary, 1),
        (4, Class::Secondary, 1),
        (8, Class::Secondary, 1),
    ];
    let found = traced(&chain(1, others.clone()));
    assert_eq!(classes(&found), expected);
    for contact in &found.contacts {
        let evidence: Vec<_> = contact.evidence.iter().map(|at| &found.exposures[*at]).collect();
        assert!(!evidence.is_empty() && evidence.iter().all(|met| met.visitor == contact.visitor));
        let with_contact = |met: &&Exposure| matches!(met.with, With::Contact(source, ..) if source == visitor(2) || source == visitor(7));
        assert_eq!(evidence.iter().all(with_contact), contact.depth == 1);
    }
    let deeper = classes(&traced(&chain(2, others)));
    assert_eq!(deeper.len(), 6);
    assert!(deeper.contains(&(9, Class::Secondary, 2)));
}

#[test]
fn a_contact_of_a_contact_at_an_unknown_place_or_a_forged_stay_is_none() {
    let others = vec![other(2, 0, 150, 200), other(2, 2, 300, 400), other(3, 2, 300, 400)];
    let mut world = chain(1, others);
    assert_eq!(classes(&traced(&world)).len(), 2);
    let unknown = trace(&world.question(), &world.others, &Places::new());
    assert_eq!(classes(&unknown), [(2, Class::Close, 0)]);
    world.infectious = between(0, 329);
    assert_eq!(classes(&traced(&world)), [(2, Class::Close, 0)]);
    world.infectious = between(0, 330);
    assert_eq!(classes(&traced(&world)).len(), 2);
    world.others[1].stay.presence = Presence::Contradicted;
    assert_eq!(classes(&traced(&world)), [(2, Class::Close, 0)]);
}

#[test]
fn sensitivity_tells_how_many_more_or_fewer_there_would_be() {
    let classes = [
        class("close", "together_mins = 30"),
        class("exposed_place", "together_mins = 15"),
        class("residual", ""),
    ];
    let others = (2..).zip([5, 10, 15, 20, 30, 40]).map(|(who, mins)| other(who, 0, 0, mins)).collect();
    let world = World::new(pack("", "", &classes), vec![own(1, 0, 0, 100)], others);
    let question = world.question();
    let mut tracing = Tracing::new(&question, &world.others);
    tracing.grade(Dwell::default());
    let counts = tracing.sensitivity(&[10, 30]);
    let expected = |close, residual| BTreeMap::from([(Class::Close, close), (Class::Residual, residual)]);
    assert_eq!(counts, [(10, expected(5, 1)), (30, expected(2, 4))]);
}

/// A small town: some visitors at three points over some hours.
fn town() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::btree_map((2u128..9, 0u64..3, 0i64..12), 1i64..90, 1..25).prop_map(|visits| {
        visits
            .into_iter()
            .map(|((who, point, hour), mins)| other(who, point, hour * 50, hour * 50 + mins))
            .collect()
    })
}

/// Contacts of contacts by their definition: who was with whom for how many minutes, walking.
fn walked(others: &[Candidate], depth: u8) -> Vec<(u128, Class, u8)> {
    let there = |who: u128, point: u64, minute: i64| {
        who == 1 && point == 0 && (100..200).contains(&minute)
            || others.iter().any(|other| {
                other.stay.visitor == visitor(who)
                    && other.stay.point == PointId::new(point).unwrap()
                    && other.stay.span.contains(at(minute))
            })
    };
    let met = |who: u128, with: &[(u128, i64)]| -> Vec<i64> {
        let together = |minute: &i64| {
            (0..3).any(|point| {
                there(who, point, *minute)
                    && with
                        .iter()
                        .any(|(with, since)| minute >= since && *with != who && there(*with, point, *minute))
            })
        };
        (0..800).filter(together).collect()
    };
    // The longest run of minutes at one point is the longest meeting; the first minute is the first exposure.
    let long = |minutes: &[i64]| minutes.chunk_by(|one, next| one + 1 == *next).any(|run| run.len() >= 30);
    let mut found: Vec<(u128, Class, u8, i64)> = Vec::new();
    let close: Vec<_> =
        (2..9).map(|who| (who, met(who, &[(1, 0)]))).filter(|(_, minutes)| long(minutes)).collect();
    let mut sources: Vec<(u128, i64)> = close.iter().map(|(who, minutes)| (*who, minutes[0])).collect();
    found.extend(sources.iter().map(|(who, since)| (*who, Class::Close, 0, *since)));
    for step in 1..=depth {
        let is_new = |who: &u128| !found.iter().any(|known| known.0 == *who);
        let next: Vec<_> = (2..9)
            .filter(is_new)
            .map(|who| (who, met(who, &sources)))
            .filter(|(_, minutes)| long(minutes))
            .collect();
        sources = next.iter().map(|(who, minutes)| (*who, minutes[0])).collect();
        found.extend(sources.iter().map(|(who, since)| (*who, Class::Secondary, step, *since)));
    }
    for who in 2..9 {
        if !found.iter().any(|known| known.0 == who) && !met(who, &[(1, 0)]).is_empty() {
            found.push((who, Class::ExposedPlace, 0, 0));
        }
    }
    let mut found: Vec<_> = found.into_iter().map(|(who, class, depth, _)| (who, class, depth)).collect();
    found.sort_unstable();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contacts_of_contacts_are_what_walking_the_minutes_says(others in town(), depth in 1u8..4) {
        // Two stays of one visitor at a time would make two points one meeting in the walk.
        let apart = |one: &Candidate, two: &Candidate| {
            one.stay.visitor != two.stay.visitor || one.stay == two.stay
                || one.stay.span.from() - two.stay.span.until() > TimeDelta::zero()
                || two.stay.span.from() - one.stay.span.until() > TimeDelta::zero()
        };
        let mut kept: Vec<Candidate> = Vec::new();
        for other in others {
            if kept.iter().all(|known| apart(known, &other)) {
                kept.push(other);
            }
        }
        let mut found = classes(&traced(&chain(depth, kept.clone())));
        found.sort_unstable();
        prop_assert_eq!(found, walked(&kept, depth));
    }

    #[test]
    fn the_order_of_the_stays_changes_nothing(
        towns in town().prop_flat_map(|town| (Just(town.clone()), Just(town).prop_shuffle())), depth in 1u8..4
    ) {
        prop_assert_eq!(traced(&chain(depth, towns.0)), traced(&chain(depth, towns.1)));
    }
}

#[test]
fn a_class_of_contacts_of_contacts_counts_no_exposure_to_the_case() {
    let found = traced(&chain(3, vec![other(2, 0, 100, 120)]));
    assert_eq!(classes(&found), [(2, Class::ExposedPlace, 0)]);
    assert_eq!(found.exposures[0].relation, Relation::SamePoint);
}
