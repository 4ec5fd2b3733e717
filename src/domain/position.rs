//! Where something is: latitude and longitude, H3 cell, distance.

use geo::{Distance, Haversine, Point};
use h3o::{CellIndex, LatLng, Resolution};

/// The resolution at which a point is stored: a hexagon of some 25 m edge (`H3` resolution table).
pub const POINT_RESOLUTION: Resolution = Resolution::Eleven;

/// The resolution at which a phone tells where it is, to judge presence: some 174 m edge.
pub const PHONE_RESOLUTION: Resolution = Resolution::Nine;

/// A place on the Earth, WGS 84, in degrees. The only place where latitude and longitude change
/// order: `geo` wants (x = longitude, y = latitude), `h3o` wants (latitude, longitude).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    lat_deg: f64,
    lng_deg: f64,
}

/// Why two numbers are no position.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidPosition {
    /// Outside −90..=90, or not a number.
    #[error("latitude must lie between -90 and 90 degrees")]
    Latitude,
    /// Outside −180..=180, or not a number.
    #[error("longitude must lie between -180 and 180 degrees")]
    Longitude,
    /// Exactly (0, 0): what a form sends when nothing was filled in.
    #[error("latitude 0 and longitude 0 together mean that no position was given")]
    Null,
}

impl Position {
    /// A position from degrees.
    pub fn new(lat_deg: f64, lng_deg: f64) -> Result<Self, InvalidPosition> {
        if !(-90.0..=90.0).contains(&lat_deg) {
            Err(InvalidPosition::Latitude)
        } else if !(-180.0..=180.0).contains(&lng_deg) {
            Err(InvalidPosition::Longitude)
        } else if lat_deg == 0.0 && lng_deg == 0.0 {
            Err(InvalidPosition::Null)
        } else {
            Ok(Self { lat_deg, lng_deg })
        }
    }

    /// Degrees north.
    pub fn lat_deg(&self) -> f64 {
        self.lat_deg
    }

    /// Degrees east.
    pub fn lng_deg(&self) -> f64 {
        self.lng_deg
    }

    /// The H3 cell that contains it.
    #[expect(
        clippy::expect_used,
        reason = "a Position is finite by construction, and h3o refuses only the rest"
    )]
    pub fn cell(&self, resolution: Resolution) -> CellIndex {
        LatLng::new(self.lat_deg, self.lng_deg).expect("finite").to_cell(resolution)
    }

    /// Great-circle distance in metres.
    pub fn distance_m(&self, other: &Self) -> f64 {
        Haversine.distance(Point::new(self.lng_deg, self.lat_deg), Point::new(other.lng_deg, other.lat_deg))
    }
}

/// A cell as Postgres keeps it. The highest bit of an H3 index is always zero, so nothing is lost.
pub fn cell_to_i64(cell: CellIndex) -> i64 {
    u64::from(cell).cast_signed()
}

/// A cell as Postgres kept it; `None` when the number is no cell.
pub fn cell_from_i64(number: i64) -> Option<CellIndex> {
    CellIndex::try_from(number.cast_unsigned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_its_cell_and_its_distance() {
        let station = Position::new(34.7466, 113.6253).unwrap();
        let square = Position::new(34.7466, 113.6363).unwrap();
        assert_eq!(station.cell(POINT_RESOLUTION).resolution(), POINT_RESOLUTION);
        assert!((station.distance_m(&square) - 1005.0).abs() < 2.0);
        assert_eq!(
            cell_from_i64(cell_to_i64(station.cell(POINT_RESOLUTION))),
            Some(station.cell(POINT_RESOLUTION))
        );
    }

    #[test]
    fn what_is_outside_the_earth_is_refused() {
        assert_eq!(Position::new(90.5, 0.0), Err(InvalidPosition::Latitude));
        assert_eq!(Position::new(f64::NAN, 0.0), Err(InvalidPosition::Latitude));
        assert_eq!(Position::new(1.0, 180.5), Err(InvalidPosition::Longitude));
        assert_eq!(Position::new(0.0, 0.0), Err(InvalidPosition::Null));
    }
}
