//! Who infects whom, where and when. The rates are this simulation's own: they set how many are infected, and hold
//! for all packs alike.

use std::collections::HashMap;

use placecode::domain::venue::Granularity;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::days::{DAYS, Visit, day};
use crate::map::{Map, Person};

/// How many are infected on the first day.
const SEEDS: u32 = 40;
/// Chance that a member of the household is infected, a day.
const HOME_A_DAY: f64 = 0.10;

/// Chance of an infection in an hour together.
fn an_hour(granularity: Granularity) -> f64 {
    match granularity {
        Granularity::Seat | Granularity::Room => 0.012,
        Granularity::Vehicle => 0.010,
        Granularity::Floor => 0.002,
        Granularity::Hall => 0.0015,
        Granularity::OpenAir => 0.0001,
    }
}

/// How infectious somebody is, by days since onset.
fn infectious(since_onset: i64) -> f64 {
    match since_onset {
        -2 => 0.6,
        -1 | 0 => 1.0,
        1 => 0.8,
        2 => 0.5,
        3 => 0.3,
        _ => 0.0,
    }
}

/// One infection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Infection {
    /// Who was infected.
    pub(crate) person: u32,
    /// By whom; the first ones came from outside.
    pub(crate) by: Option<u32>,
    /// At which place; none at home.
    pub(crate) place: Option<u32>,
    /// Day of the first symptom.
    pub(crate) onset_day: u32,
    /// Day from which the person stays in isolation.
    pub(crate) isolated_day: u32,
}

/// All that happened.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) visits: Vec<Visit>,
    pub(crate) infections: Vec<Infection>,
}

impl History {
    /// Cases with a full period before and after them, that infected somebody outside the home or not.
    pub(crate) fn cases(&self, count: usize) -> Vec<Infection> {
        let whole = |case: &&Infection| case.onset_day >= 5 && case.isolated_day + 2 < DAYS;
        self.infections.iter().filter(whole).take(count).copied().collect()
    }

    /// Whom a case infected at places.
    pub(crate) fn infected_by(&self, case: u32) -> impl Iterator<Item = u32> {
        let of = move |infection: &&Infection| infection.by == Some(case) && infection.place.is_some();
        self.infections.iter().filter(of).map(|infection| infection.person)
    }
}

/// Lets the days go by.
pub(crate) fn spread(rng: &mut StdRng, map: &Map, people: &[Person]) -> History {
    let mut history = History { visits: Vec::new(), infections: Vec::new() };
    let mut infected: HashMap<u32, Infection> = HashMap::new();
    let count = u32::try_from(people.len()).unwrap();
    for number in 0..SEEDS {
        let person = number * (count / SEEDS);
        let seed = fall_ill(rng, person, None, None, 0);
        infected.insert(person, seed);
        history.infections.push(seed);
    }
    for today in 0..DAYS {
        let mut visits = Vec::new();
        for (number, person) in (0..).zip(people) {
            if infected.get(&number).is_none_or(|case: &Infection| today < case.isolated_day) {
                day(rng, map, number, person, today, &mut visits);
            }
        }
        for infection in new_today(rng, map, people, &infected, &visits, today) {
            if let std::collections::hash_map::Entry::Vacant(entry) = infected.entry(infection.person) {
                entry.insert(infection);
                history.infections.push(infection);
            }
        }
        history.visits.extend(visits);
    }
    history
}

fn new_today(
    rng: &mut StdRng,
    map: &Map,
    people: &[Person],
    infected: &HashMap<u32, Infection>,
    visits: &[Visit],
    today: u32,
) -> Vec<Infection> {
    let mut by_place: HashMap<u32, Vec<Visit>> = HashMap::new();
    for visit in visits {
        by_place.entry(visit.place).or_default().push(*visit);
    }
    let mut found = Vec::new();
    let mut cases: Vec<&Infection> = infected.values().filter(|case| today < case.isolated_day).collect();
    cases.sort_by_key(|case| case.person);
    for case in cases {
        let strength = infectious(i64::from(today) - i64::from(case.onset_day));
        if strength == 0.0 {
            continue;
        }
        for own in visits.iter().filter(|visit| visit.person == case.person) {
            let granularity = map.places[own.place as usize].granularity;
            for other in by_place[&own.place].iter().filter(|other| other.person != case.person) {
                let mins = own.until.min(other.until).saturating_sub(own.from.max(other.from));
                let chance = an_hour(granularity) * strength * f64::from(mins) / 60.0;
                if mins > 0 && rng.random_bool(chance.min(1.0)) {
                    found.push(fall_ill(rng, other.person, Some(case.person), Some(own.place), today));
                }
            }
        }
        let home = people[case.person as usize].home;
        let near = case.person.saturating_sub(5)..(case.person + 6).min(u32::try_from(people.len()).unwrap());
        for other in near.filter(|other| *other != case.person && people[*other as usize].home == home) {
            if rng.random_bool(HOME_A_DAY * strength) {
                found.push(fall_ill(rng, other, Some(case.person), None, today));
            }
        }
    }
    found
}

fn fall_ill(rng: &mut StdRng, person: u32, by: Option<u32>, place: Option<u32>, today: u32) -> Infection {
    let onset_day = today + rng.random_range(2..=5);
    let isolated_day = onset_day + rng.random_range(1..=3);
    Infection { person, by, place, onset_day, isolated_day }
}
