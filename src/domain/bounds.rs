//! The bounding area of a division: a rectangle in degrees that a venue of it must lie in.

use std::fmt;

use super::position::{InvalidPosition, Position};

/// From the south-west corner to the north-east corner, both of them inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    south_west: Position,
    north_east: Position,
}

/// Why four numbers are no bounding area.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidBounds {
    /// A corner that is no position.
    #[error(transparent)]
    Corner(#[from] InvalidPosition),
    /// South above north, or west beyond east. No division of China crosses the 180th meridian.
    #[error("south must lie below north, and west before east")]
    Order,
}

impl Bounds {
    /// An area from its edges in degrees.
    pub fn new(south_deg: f64, west_deg: f64, north_deg: f64, east_deg: f64) -> Result<Self, InvalidBounds> {
        if south_deg < north_deg && west_deg < east_deg {
            let south_west = Position::new(south_deg, west_deg)?;
            Ok(Self { south_west, north_east: Position::new(north_deg, east_deg)? })
        } else {
            Err(InvalidBounds::Order)
        }
    }

    /// Whether a position lies in it.
    pub fn contains(&self, position: &Position) -> bool {
        self.nearest(position) == *position
    }

    /// How far outside of it a position lies, in metres; 0 inside.
    pub fn distance_m(&self, position: &Position) -> f64 {
        position.distance_m(&self.nearest(position))
    }

    /// The position of the area that is nearest to another, along meridian and parallel.
    fn nearest(&self, position: &Position) -> Position {
        let lat_deg = position.lat_deg().clamp(self.south_west.lat_deg(), self.north_east.lat_deg());
        let lng_deg = position.lng_deg().clamp(self.south_west.lng_deg(), self.north_east.lng_deg());
        Position::new(lat_deg, lng_deg).unwrap_or(self.south_west)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (&self.south_west, &self.north_east);
        let (south, north) = (low.lat_deg(), high.lat_deg());
        write!(f, "latitude {south} to {north}, longitude {} to {}", low.lng_deg(), high.lng_deg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat_deg: f64, lng_deg: f64) -> Position {
        Position::new(lat_deg, lng_deg).unwrap()
    }

    #[test]
    fn a_place_lies_inside_or_so_many_metres_outside() {
        let zhengzhou = Bounds::new(34.26, 112.70, 34.98, 114.24).unwrap();
        assert!(zhengzhou.contains(&at(34.7466, 113.6253)) && zhengzhou.contains(&at(34.26, 112.70)));
        assert!(!zhengzhou.contains(&at(30.25, 120.17)));
        assert!(zhengzhou.distance_m(&at(34.5, 113.0)).abs() < f64::EPSILON);
        let north = zhengzhou.distance_m(&at(35.0, 113.0));
        assert!((north - 2224.0).abs() < 5.0, "a fiftieth of a degree is some 2.2 km: {north}");
        assert_eq!(zhengzhou.to_string(), "latitude 34.26 to 34.98, longitude 112.7 to 114.24");
    }

    #[test]
    fn edges_in_the_wrong_order_are_refused() {
        assert_eq!(Bounds::new(35.0, 112.0, 34.0, 114.0), Err(InvalidBounds::Order));
        assert_eq!(Bounds::new(34.0, 114.0, 35.0, 112.0), Err(InvalidBounds::Order));
        assert_eq!(Bounds::new(34.0, 112.0, 35.0, f64::NAN), Err(InvalidBounds::Order));
        assert_eq!(
            Bounds::new(-91.0, 112.0, 35.0, 113.0),
            Err(InvalidBounds::Corner(InvalidPosition::Latitude))
        );
    }
}
