//! Whom to reach first: frequent and long contact before short and single (edition 9 of the national protocol).

use std::collections::{BTreeMap, BTreeSet};

use super::contact::{Met, Person};
use crate::domain::exposure::Relation;
use crate::domain::scan::Presence;
use crate::domain::venue::Granularity;
use crate::domain::visitor::Visitor;

/// How much a minute counts by the place, in hundredths. Design values, ordered by how close people come.
fn by_granularity(granularity: Granularity) -> u64 {
    match granularity {
        Granularity::Seat => 100,
        Granularity::Vehicle => 90,
        Granularity::Room => 80,
        Granularity::Floor => 40,
        Granularity::Hall => 20,
        Granularity::OpenAir => 10,
    }
}

/// How much by how near the two were, in hundredths. Design values.
fn by_relation(relation: Relation) -> u64 {
    match relation {
        Relation::SamePoint => 100,
        Relation::SameVenue => 50,
        Relation::AfterCase => 20,
        Relation::NearbyCell => 10,
    }
}

/// How much by what proves the presence, in hundredths. Design values.
fn by_presence(presence: Presence) -> u64 {
    match presence {
        Presence::Verified => 100,
        Presence::Plausible => 80,
        Presence::Unproven => 50,
        Presence::Contradicted => 0,
    }
}

/// The score of a contact: minutes together × the weight of an average minute × the number of distinct places, in
/// hundredths. The weight of a minute is closeness of the place × nearness × presence. Whoever was together for no
/// time, or nowhere that is known, has 0: what is missing never ranks higher.
pub fn score(person: &Person) -> u64 {
    let (mut weighted, mut secs) = (0u128, 0u128);
    for met in &person.met {
        let own = u128::from(met.secs.max(0).unsigned_abs());
        weighted += own * u128::from(weight(met));
        secs += own;
    }
    let places: BTreeSet<_> = person.met.iter().map(|met| met.venue).collect();
    let together = u128::from(person.together_secs.max(0).unsigned_abs());
    let count = u128::try_from(places.len()).unwrap_or(0);
    // A weight is in millionths: ten thousand of them are a hundredth; sixty seconds are a minute.
    let found = (together * weighted * count).checked_div(secs * 60 * 10_000).unwrap_or(0);
    u64::try_from(found).unwrap_or(u64::MAX)
}

/// In millionths.
fn weight(met: &Met) -> u64 {
    by_granularity(met.granularity) * by_relation(met.relation) * by_presence(met.presence)
}

/// Where somebody stands in the order: contacts of the case before contacts of contacts, then the higher score, then
/// the stronger class, then the pseudonym, so that the order is the same each time.
type Place = (u8, std::cmp::Reverse<u64>, i16, Visitor);

/// The first so many of all contacts, whatever order they come in; no more of them is held.
#[derive(Debug)]
pub struct First {
    limit: usize,
    kept: BTreeMap<Place, Person>,
    /// How many were seen.
    pub seen: u64,
}

impl First {
    /// Room for so many.
    pub fn of(limit: usize) -> Self {
        Self { limit, kept: BTreeMap::new(), seen: 0 }
    }

    /// Looks at one more. Whoever is left out needs no call.
    pub fn add(&mut self, person: Person) {
        if person.exclusion_reason.is_some() {
            return;
        }
        self.seen += 1;
        let place = (person.depth, std::cmp::Reverse(score(&person)), person.class as i16, person.visitor);
        self.kept.insert(place, person);
        if self.kept.len() > self.limit {
            self.kept.pop_last();
        }
    }

    /// The first ones, in order.
    pub fn done(self) -> Vec<Person> {
        self.kept.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::contact::tests::{met, person};
    use super::*;

    #[test]
    fn a_score_is_minutes_by_weight_by_places() {
        let hour = |granularity, presence| {
            let met = Met { granularity, presence, ..met(1, 3_600) };
            score(&Person { together_secs: 3_600, met: vec![met], ..person(1) })
        };
        assert_eq!(hour(Granularity::Seat, Presence::Verified), 6_000);
        assert_eq!(hour(Granularity::Room, Presence::Plausible), 3_840);
        assert_eq!(hour(Granularity::Hall, Presence::Unproven), 600);
        // Half an hour at each of two places ranks above an hour at one.
        let twice = Person { together_secs: 3_600, met: vec![met(1, 1_800), met(2, 1_800)], ..person(1) };
        assert_eq!(score(&twice), 7_680);
        // Twice at one place is one place.
        let same = Person { together_secs: 3_600, met: vec![met(1, 1_800), met(1, 1_800)], ..person(1) };
        assert_eq!(score(&same), 3_840);
        let near = Met { relation: Relation::NearbyCell, ..met(1, 3_600) };
        assert_eq!(score(&Person { together_secs: 3_600, met: vec![near], ..person(1) }), 384);
    }

    #[test]
    fn what_is_missing_ranks_last() {
        let nobody = Person { together_secs: 3_600, met: vec![], ..person(1) };
        let no_time = Person { together_secs: 0, met: vec![met(1, 0)], ..person(2) };
        let contradicted =
            Person { met: vec![Met { presence: Presence::Contradicted, ..met(1, 600) }], ..person(3) };
        assert_eq!([&nobody, &no_time, &contradicted].map(score), [0, 0, 0]);
        let met_a_little = Person { together_secs: 60, met: vec![met(1, 60)], ..person(4) };
        let mut first = First::of(2);
        for person in [nobody, no_time, contradicted, met_a_little] {
            first.add(person);
        }
        assert_eq!(first.seen, 4);
        assert_eq!(first.done()[0].visitor, person(4).visitor);
    }

    #[test]
    fn contacts_of_contacts_and_the_left_out_do_not_come_before_contacts() {
        let long = Person { depth: 1, together_secs: 36_000, met: vec![met(1, 36_000)], ..person(1) };
        let short = Person { together_secs: 600, met: vec![met(1, 600)], ..person(2) };
        let left_out = Person { exclusion_reason: Some("家人".to_owned()), ..person(3) };
        let mut first = First::of(10);
        for person in [left_out, long, short] {
            first.add(person);
        }
        let order: Vec<_> = first.done().iter().map(|person| person.visitor).collect();
        assert_eq!(order, [person(2).visitor, person(1).visitor]);
    }

    proptest! {
        #[test]
        fn the_first_are_the_same_whatever_order_they_come_in(
            people in proptest::collection::vec((0i64..5_000, 1u32..4, 0u8..2), 0..30),
            limit in 1usize..10,
            turn in 0usize..30,
        ) {
            let make = |(at, (secs, places, depth)): (usize, &(i64, u32, u8))| {
                let met = (1..=*places).map(|venue| met(venue, *secs)).collect();
                Person { together_secs: *secs, met, depth: *depth, ..person(u32::try_from(at).unwrap()) }
            };
            let all: Vec<Person> = people.iter().enumerate().map(make).collect();
            let first = |people: &[Person]| {
                let mut first = First::of(limit);
                for person in people {
                    first.add(person.clone());
                }
                first.done().iter().map(|person| person.visitor).collect::<Vec<_>>()
            };
            let mut turned = all.clone();
            if !turned.is_empty() {
                turned.rotate_left(turn % all.len());
            }
            prop_assert_eq!(first(&all), first(&turned));
            let kept = first(&all);
            let score_of = |visitor: &Visitor| all.iter().find(|p| p.visitor == *visitor).map(|p| (p.depth, std::cmp::Reverse(score(p))));
            prop_assert!(kept.iter().map(score_of).collect::<Vec<_>>().is_sorted());
        }

        #[test]
        fn longer_closer_or_better_proven_never_ranks_lower(secs in 0i64..50_000, more in 0i64..50_000) {
            let of = |secs: i64| score(&Person { together_secs: secs, met: vec![met(1, secs)], ..person(1) });
            prop_assert!(of(secs) <= of(secs + more));
        }
    }

    #[test]
    fn the_same_venue_has_one_id() {
        assert_eq!(met(1, 0).venue, Some(Uuid::from_u128(1)));
    }
}
