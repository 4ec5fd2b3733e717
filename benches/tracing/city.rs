//! The city: who was where when, drawn by chance with a heavy tail, the same each time.

use chrono::{DateTime, TimeDelta, Utc};
use placecode::domain::position::{POINT_RESOLUTION, Position};
use placecode::domain::span::Span;
use placecode::domain::venue::PointId;
use placecode::domain::visitor::Visitor;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

pub(crate) const DAYS: u32 = 14;
const SECS: u32 = DAYS * 24 * 3600;
/// The longest stay, in seconds.
pub(crate) const LONGEST: u32 = 180 * 60;
/// How many stays those have whose cases are traced.
pub(crate) const FREQUENT_STAYS: u32 = 58;
/// The place at which a Zipf law falls off so that the points that people are at are as crowded as measured ones.
const EXPONENT: f64 = 0.74;
/// Odd, so that it has an inverse: a person's number comes back from the pseudonym.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stay in sixteen bytes; times in seconds since the city began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Visit {
    pub(crate) point: u32,
    pub(crate) from: u32,
    pub(crate) until: u32,
    pub(crate) person: u32,
}

/// All stays by point and beginning.
pub(crate) struct City {
    pub(crate) visits: Vec<Visit>,
    pub(crate) points: u32,
    pub(crate) people: u32,
    /// The first people are the frequent ones.
    pub(crate) frequent: u32,
}

impl City {
    /// So many stays at the density of 20 million: ten for a person, 400 for a point.
    pub(crate) fn new(stays: u32) -> Self {
        let (people, points) = (stays / 10, (stays / 400).max(1));
        let frequent = (people / 100).clamp(1, 10_000);
        let rest = stays - frequent * FREQUENT_STAYS;
        let (others, more) = (rest / (people - frequent), rest % (people - frequent));
        let mut rng = StdRng::seed_from_u64(7);
        let ends = popularity(points);
        let mut visits = Vec::with_capacity(stays as usize);
        for person in 0..people {
            let count = match person.checked_sub(frequent) {
                None => FREQUENT_STAYS,
                Some(nth) => others + u32::from(nth < more),
            };
            // One stay in each part of the time, so that nobody is at two places.
            let part = SECS / count;
            for nth in 0..count {
                let minutes = rng.random_range(5..=180);
                // Half of the ends are known, the others assumed, which are whole minutes.
                let known = rng.random_range(0..120);
                let length = if known < 60 { minutes * 60 - known } else { minutes * 60 };
                let from = nth * part + rng.random_range(0..part - LONGEST - 1);
                let drawn: f64 = rng.random_range(0.0..1.0);
                let point = number(ends.partition_point(|end| *end < drawn)).min(points - 1);
                visits.push(Visit { point, from, until: from + length, person });
            }
        }
        visits.sort_unstable();
        Self { visits, points, people, frequent }
    }

    /// The stays of the first frequent people, each in order of time.
    pub(crate) fn trails(&self, cases: u32) -> Vec<Vec<Visit>> {
        let mut trails = vec![Vec::new(); cases.min(self.frequent) as usize];
        for visit in &self.visits {
            if let Some(trail) = trails.get_mut(visit.person as usize) {
                trail.push(*visit);
            }
        }
        for trail in &mut trails {
            trail.sort_unstable_by_key(|visit| visit.from);
        }
        trails
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap()
}

/// Up to which share of all stays the points reach, the most popular first.
fn popularity(points: u32) -> Vec<f64> {
    let weights: Vec<f64> = (1..=points).map(|rank| f64::from(rank).powf(-EXPONENT)).collect();
    let whole: f64 = weights.iter().sum();
    let mut reached = 0.0;
    weights
        .iter()
        .map(|weight| {
            reached += weight / whole;
            reached
        })
        .collect()
}

pub(crate) fn begin() -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

pub(crate) fn at(secs: u32) -> DateTime<Utc> {
    begin() + TimeDelta::seconds(secs.into())
}

pub(crate) fn secs(at: DateTime<Utc>) -> i128 {
    (at - begin()).num_seconds().into()
}

pub(crate) fn span(visit: &Visit) -> Span {
    Span::new(at(visit.from), at(visit.until)).unwrap()
}

pub(crate) fn point(number: u32) -> PointId {
    PointId::new(u64::from(number) + 1).unwrap()
}

pub(crate) fn cell(number: u32) -> h3o::CellIndex {
    let step = |part: u32| f64::from(part) * 0.003;
    Position::new(34.5 + step(number % 115), 113.4 + step(number / 115 % 114)).unwrap().cell(POINT_RESOLUTION)
}

/// A pseudonym, as even as a keyed hash.
pub(crate) fn visitor(person: u32) -> Visitor {
    let low = u64::from(person + 1).wrapping_mul(SPREAD);
    let high = (low ^ low >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    Visitor::from_uuid(Uuid::from_u128(u128::from(high ^ high >> 32) << 64 | u128::from(low)))
}

/// Whose pseudonym it is.
pub(crate) fn person(visitor: Visitor) -> i128 {
    let (_, low) = visitor.to_uuid().as_u64_pair();
    // Each step of Newton's doubles the digits of the inverse that are right.
    let inverse = (0..6).fold(SPREAD, |x, _| x.wrapping_mul(2u64.wrapping_sub(SPREAD.wrapping_mul(x))));
    i128::from(low.wrapping_mul(inverse)) - 1
}
