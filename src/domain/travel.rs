//! Whether somebody can have been at two places so soon after each other.
//!
//! A picture of a code travels at once, a person does not. So a visitor who is seen in one city cannot
//! have scanned a code of another some minutes later, whatever the phone says or does not say.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use h3o::{CellIndex, LatLng};

use super::catalogue::Category;
use super::venue::Granularity;

/// What counts for nothing of a distance, in metres: two gates of one station or airport lie so far apart, and a
/// venue's position is often its middle.
const FREE_M: f64 = 2_000.0;

/// The fastest that anything scheduled runs on the ground: trains between large Chinese cities, in km/h.
const RAIL_KMH: f64 = 350.0;

/// Up to here nothing is faster than that train, since a flight begins and ends with an hour on the ground; in
/// metres.
const RAIL_M: f64 = 500_000.0;

/// Beyond it jets are: some 900 km/h, and 1,000 with the wind behind them.
const AIR_KMH: f64 = 1_000.0;

/// How far the clocks of two phones or devices may disagree, since each scan tells its own time.
const CLOCKS: TimeDelta = TimeDelta::minutes(2);

/// The highest speed limit on Chinese roads, in km/h.
const ROAD_KMH: f64 = 120.0;

const METRES_A_SECOND: f64 = 1.0 / 3.6;

/// The least time in which anybody covers a distance.
pub fn least_travel_time(distance_m: f64) -> TimeDelta {
    let counted_m = (distance_m - FREE_M).max(0.0);
    let by_rail_secs = counted_m.min(RAIL_M) / (RAIL_KMH * METRES_A_SECOND);
    let by_air_secs = (counted_m - RAIL_M).max(0.0) / (AIR_KMH * METRES_A_SECOND);
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of milliseconds, below a day")]
    let millis = ((by_rail_secs + by_air_secs) * 1000.0).round() as i64;
    TimeDelta::milliseconds(millis)
}

/// How far from its cell a scan of that category may have been made, in metres. A vehicle stands in the cell of
/// its line where no stop was named, and is then anywhere that its longest trip takes it.
pub fn roams_m(category: &Category) -> f64 {
    if category.granularity == Granularity::Vehicle {
        f64::from(category.longest_mins) * 60.0 * ROAD_KMH * METRES_A_SECOND
    } else {
        0.0
    }
}

/// Where and when somebody was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// When.
    pub at: DateTime<Utc>,
    /// Where.
    pub cell: CellIndex,
    /// How far from there it may have been, in metres.
    pub roams_m: f64,
}

/// What is taken for true of where one visitor was: nothing in it excludes anything else in it.
#[derive(Clone, Debug, Default)]
pub struct Journey {
    places: Vec<Place>,
}

/// One cell of a journey, and when the visitor was seen there.
#[derive(Clone, Debug)]
struct Place {
    cell: CellIndex,
    roams_m: f64,
    middle: LatLng,
    seen_at: BTreeSet<DateTime<Utc>>,
}

impl Journey {
    /// Takes a sighting in, unless the visitor cannot have come there from what was taken in before, or gone on
    /// to it. Returns whether it was taken.
    ///
    /// The nearest sightings before and after would not do: each pair has its own two kilometres and two minutes, so
    /// a chain of them could lead as far as one likes. Of one cell the nearest two do, since the distance is one.
    pub fn admit(&mut self, seen: Sighting) -> bool {
        let middle = LatLng::from(seen.cell);
        if !self.places.iter().all(|place| place.is_reachable(seen, middle)) {
            return false;
        }
        let same = |one: &&mut Place| one.cell == seen.cell && one.roams_m.total_cmp(&seen.roams_m).is_eq();
        if let Some(place) = self.places.iter_mut().find(same) {
            place.seen_at.insert(seen.at);
        } else {
            let seen_at = BTreeSet::from([seen.at]);
            self.places.push(Place { cell: seen.cell, roams_m: seen.roams_m, middle, seen_at });
        }
        true
    }
}

impl Place {
    fn is_reachable(&self, seen: Sighting, middle: LatLng) -> bool {
        if self.cell == seen.cell {
            return true;
        }
        let before = self.seen_at.range(..=seen.at).next_back().map(|at| seen.at - *at);
        let after = self.seen_at.range(seen.at..).next().map(|at| *at - seen.at);
        let between = before.into_iter().chain(after).min();
        let distance_m = self.middle.distance_m(middle) - self.roams_m - seen.roams_m;
        between.is_none_or(|between| least_travel_time(distance_m) <= between + CLOCKS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalogue::Catalogue;
    use crate::domain::position::{POINT_RESOLUTION, Position};
    use proptest::prelude::*;

    const ZHENGZHOU: (f64, f64) = (34.7466, 113.6253);
    /// 375 km from there.
    const SHIJIAZHUANG: (f64, f64) = (38.0428, 114.5149);
    /// 1,370 km from there.
    const SHENZHEN: (f64, f64) = (22.5431, 114.0579);

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + secs, 0).unwrap()
    }

    fn seen(place: (f64, f64), secs: i64) -> Sighting {
        let cell = Position::new(place.0, place.1).unwrap().cell(POINT_RESOLUTION);
        Sighting { at: at(secs), cell, roams_m: 0.0 }
    }

    fn admitted(all: &[Sighting]) -> Vec<bool> {
        let mut journey = Journey::default();
        all.iter().map(|one| journey.admit(*one)).collect()
    }

    #[test]
    fn a_distance_takes_its_time() {
        let mins = |km: f64| least_travel_time(km * 1000.0).num_minutes();
        assert_eq!([mins(0.0), mins(2.0), mins(37.0), mins(352.0)], [0, 0, 6, 60]);
        // 500 km by rail, and 1,000 km more by air.
        assert_eq!(mins(1502.0), 85 + 60);
        // Half way round the Earth.
        assert_eq!(mins(20_015.0) / 60, 20);
    }

    #[test]
    fn nobody_is_in_two_cities_within_minutes() {
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen(SHIJIAZHUANG, 600)]), [true, false]);
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen(SHIJIAZHUANG, -600)]), [true, false]);
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen(SHIJIAZHUANG, 3540)]), [true, false]);
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen(SHIJIAZHUANG, 3780)]), [true, true]);
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen(SHENZHEN, 3 * 3600)]), [true, true]);
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen(SHENZHEN, 2 * 3600)]), [true, false]);
    }

    #[test]
    fn neighbours_and_clocks_that_disagree_are_no_contradiction() {
        let next_street = (34.7466, 113.6453);
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen(next_street, 0)]), [true, true]);
        // 11 km, which the two minutes of the clocks allow; 22 km they do not.
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen((34.7466, 113.7453), 0)]), [true, true]);
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), seen((34.7466, 113.8653), 0)]), [true, false]);
    }

    #[test]
    fn many_small_steps_are_no_way_out() {
        let step = |n: u32| seen((34.7466, 113.6253 + 0.1 * f64::from(n)), 0);
        assert_eq!(admitted(&[step(0), step(1), step(2), step(3)]), [true, true, false, false]);
    }

    #[test]
    fn a_vehicle_may_be_anywhere_on_its_way() {
        let catalogue = Catalogue::shipped().unwrap();
        let roams = |word: &str| roams_m(catalogue.get(word).unwrap());
        assert!(roams("shop") < 1.0);
        assert!((roams("bus") - 360_000.0).abs() < 1.0);
        let on = |word: &str, place, secs| Sighting { roams_m: roams(word), ..seen(place, secs) };
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), on("train_carriage", SHIJIAZHUANG, 60)]), [true, true]);
        assert_eq!(admitted(&[seen(ZHENGZHOU, 0), on("bus", SHENZHEN, 60)]), [true, false]);
    }

    proptest! {
        #[test]
        fn no_two_of_a_journey_exclude_each_other(all in prop::collection::vec((20.0..45.0f64, 100.0..120.0f64, 0..86_400i64), 1..20)) {
            let all: Vec<Sighting> = all.into_iter().map(|(lat, lng, secs)| seen((lat, lng), secs)).collect();
            let taken = admitted(&all);
            let taken: Vec<Sighting> = all.into_iter().zip(taken).filter_map(|(one, taken)| taken.then_some(one)).collect();
            for one in &taken {
                for other in &taken {
                    let distance_m = LatLng::from(one.cell).distance_m(LatLng::from(other.cell));
                    prop_assert!(least_travel_time(distance_m) <= (one.at - other.at).abs() + CLOCKS);
                }
            }
        }
    }
}
