//! Where people live, work, ride and go: places with a code, and homes without one.

use h3o::CellIndex;
use placecode::domain::catalogue::Catalogue;
use placecode::domain::position::{POINT_RESOLUTION, Position};
use placecode::domain::venue::{Granularity, PointId};
use rand::RngExt;
use rand::rngs::StdRng;
use uuid::Uuid;

/// Centre of the city, and how far it reaches in degrees: some ten kilometres across.
const CENTRE: (f64, f64) = (34.75, 113.63);
const REACH_DEG: f64 = 0.05;

/// A point with a code.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: PointId,
    pub(crate) venue: Uuid,
    pub(crate) cell: CellIndex,
    pub(crate) granularity: Granularity,
    pub(crate) category: &'static str,
}

/// What a place is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Work,
    School,
    Ride,
    Eat,
    Shop,
    Leisure,
}

/// The city's places, by what they are for.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) places: Vec<Place>,
    uses: Vec<(Use, Vec<usize>)>,
}

/// Somebody who lives here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) home: u32,
    /// Where the day is spent: an office, a factory, a school; some have neither.
    pub(crate) work: Option<usize>,
    /// The carriage or bus that is taken there and back.
    pub(crate) ride: Option<usize>,
}

/// Word of the catalogue, what for, people of the city for each such point, and points in one venue.
const KINDS: &[(&str, Use, u32, u32)] = &[
    ("office", Use::Work, 60, 4),
    ("factory", Use::Work, 400, 2),
    ("shop", Use::Work, 600, 1),
    ("school", Use::School, 160, 12),
    ("bus", Use::Ride, 250, 1),
    ("metro_carriage", Use::Ride, 400, 6),
    ("restaurant", Use::Eat, 250, 1),
    ("canteen", Use::Eat, 1200, 1),
    ("supermarket", Use::Shop, 1200, 2),
    ("wet_market", Use::Shop, 2500, 1),
    ("pharmacy", Use::Shop, 2500, 1),
    ("mall", Use::Leisure, 5000, 6),
    ("teahouse", Use::Leisure, 1500, 1),
    ("ktv", Use::Leisure, 2500, 4),
    ("cinema", Use::Leisure, 5000, 4),
    ("gym", Use::Leisure, 3000, 1),
    ("park", Use::Leisure, 3000, 1),
];

impl Map {
    /// Lays out a city for so many people.
    pub(crate) fn draw(rng: &mut StdRng, people: u32) -> Self {
        let catalogue = Catalogue::shipped().unwrap();
        let mut map = Self { places: Vec::new(), uses: Vec::new() };
        for (category, purpose, people_each, in_venue) in KINDS {
            let granularity = catalogue.get(category).unwrap().granularity;
            let mut own = Vec::new();
            let (mut venue, mut cell) = (Uuid::nil(), None);
            for number in 0..(people / people_each).max(*in_venue) {
                if number % in_venue == 0 {
                    venue = Uuid::from_u128(rng.random());
                    let off = |rng: &mut StdRng| rng.random_range(-REACH_DEG..REACH_DEG);
                    let position = Position::new(CENTRE.0 + off(rng), CENTRE.1 + off(rng)).unwrap();
                    cell = Some(position.cell(POINT_RESOLUTION));
                }
                own.push(map.places.len());
                let id = PointId::new(map.places.len() as u64 + 1).unwrap();
                map.places.push(Place { id, venue, cell: cell.unwrap(), granularity, category });
            }
            map.uses.push((*purpose, own));
        }
        map
    }

    /// Households of one to five, with their work and their way to it.
    pub(crate) fn people(&self, rng: &mut StdRng, count: u32) -> Vec<Person> {
        let mut people = Vec::new();
        let mut home = 0;
        while people.len() < count as usize {
            for member in 0..rng.random_range(1..=5u32) {
                let work = match rng.random_range(0..100u32) {
                    0..20 => None,
                    20..35 if member >= 2 => self.any(rng, Use::School),
                    _ => self.any(rng, Use::Work),
                };
                let rides = work.is_some() && rng.random_bool(0.5);
                let ride = if rides { self.any(rng, Use::Ride) } else { None };
                people.push(Person { home, work, ride });
            }
            home += 1;
        }
        people.truncate(count as usize);
        people
    }

    /// A place for that purpose; some are more popular than others, as the tenth part is of the first.
    pub(crate) fn any(&self, rng: &mut StdRng, purpose: Use) -> Option<usize> {
        let kinds: Vec<&Vec<usize>> =
            self.uses.iter().filter(|(of, _)| *of == purpose).map(|(_, places)| places).collect();
        let all: usize = kinds.iter().map(|places| places.len()).sum();
        let mut at = if matches!(purpose, Use::Work | Use::School | Use::Ride) {
            rng.random_range(0..all)
        } else {
            popular(rng, all)
        };
        for places in kinds {
            match places.get(at) {
                Some(place) => return Some(*place),
                None => at -= places.len(),
            }
        }
        None
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank among some thousand places"
)]
fn popular(rng: &mut StdRng, count: usize) -> usize {
    let skew: f64 = rng.random_range(0.0..1.0f64).powi(2);
    ((skew * count as f64) as usize).min(count - 1)
}
