//! What people do all day: from where to where, and how long.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::map::{Map, Person, Use};

/// How long the city is watched.
pub(crate) const DAYS: u32 = 28;

/// Somebody was at a place, by minutes since the first midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) person: u32,
    pub(crate) place: u32,
    pub(crate) from: u32,
    pub(crate) until: u32,
}

/// One person's visits of one day, in order of time.
pub(crate) fn day(
    rng: &mut StdRng,
    map: &Map,
    number: u32,
    person: &Person,
    day: u32,
    visits: &mut Vec<Visit>,
) {
    let mut now = day * 1440 + 7 * 60 + rng.random_range(0..60);
    let mut go = |rng: &mut StdRng, now: &mut u32, place: Option<usize>, mins: u32| {
        if let Some(place) = place {
            *now += rng.random_range(3..12);
            let place = u32::try_from(place).unwrap();
            visits.push(Visit { person: number, place, from: *now, until: *now + mins });
            *now += mins;
        }
    };
    let workday = !matches!(day % 7, 5 | 6);
    if workday && person.work.is_some() {
        let mins = rng.random_range(10..35);
        go(rng, &mut now, person.ride, mins);
        let hours = rng.random_range(180..260);
        go(rng, &mut now, person.work, hours);
        if rng.random_bool(0.35) {
            let (place, mins) = (map.any(rng, Use::Eat), rng.random_range(20..50));
            go(rng, &mut now, place, mins);
        }
        let hours = rng.random_range(180..280);
        go(rng, &mut now, person.work, hours);
        let mins = rng.random_range(10..35);
        go(rng, &mut now, person.ride, mins);
    } else {
        now += rng.random_range(0..240);
    }
    for (purpose, chance, from, until) in [
        (Use::Shop, 0.4, 10, 40),
        (Use::Eat, 0.25, 30, 100),
        (Use::Leisure, if workday { 0.12 } else { 0.45 }, 40, 180),
    ] {
        if rng.random_bool(chance) {
            let (place, mins) = (map.any(rng, purpose), rng.random_range(from..until));
            go(rng, &mut now, place, mins);
        }
    }
}
