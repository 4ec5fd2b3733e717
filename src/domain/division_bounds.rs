//! Where divisions lie: a venue's position must be inside the bounding area of its own, where one is loaded.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::position::Position;
use super::venue::Division;

/// A box of degrees, WGS 84; its edges belong to it. None crosses the 180th meridian: China does not.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the postfix is the unit")]
pub struct Bounds {
    south_deg: f64,
    west_deg: f64,
    north_deg: f64,
    east_deg: f64,
}

/// Why four numbers are no bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBounds {
    /// Outside the Earth, or no numbers.
    #[error("latitudes lie between -90 and 90 degrees, longitudes between -180 and 180")]
    Range,
    /// Turned round, or without extent.
    #[error("south must be below north, and west below east")]
    Order,
}

impl Bounds {
    /// Bounds from degrees.
    pub fn new(south_deg: f64, west_deg: f64, north_deg: f64, east_deg: f64) -> Result<Self, InvalidBounds> {
        let on_earth = [south_deg, north_deg].iter().all(|lat| (-90.0..=90.0).contains(lat))
            && [west_deg, east_deg].iter().all(|lng| (-180.0..=180.0).contains(lng));
        if !on_earth {
            Err(InvalidBounds::Range)
        } else if south_deg < north_deg && west_deg < east_deg {
            Ok(Self { south_deg, west_deg, north_deg, east_deg })
        } else {
            Err(InvalidBounds::Order)
        }
    }

    /// The bounds of a GeoJSON geometry of any kind; `None` when it has no two corners that differ.
    pub fn around(geometry: &Value) -> Option<Self> {
        let mut corners = Vec::new();
        positions(geometry.get("coordinates")?, &mut corners);
        let least = |pick: fn(&(f64, f64)) -> f64| corners.iter().map(pick).fold(f64::INFINITY, f64::min);
        let most = |pick: fn(&(f64, f64)) -> f64| corners.iter().map(pick).fold(f64::NEG_INFINITY, f64::max);
        Self::new(least(|at| at.1), least(|at| at.0), most(|at| at.1), most(|at| at.0)).ok()
    }

    /// South, west, north and east, in degrees.
    pub fn degrees(&self) -> [f64; 4] {
        [self.south_deg, self.west_deg, self.north_deg, self.east_deg]
    }

    /// Whether a position lies inside.
    pub fn contains(&self, position: &Position) -> bool {
        (self.south_deg..=self.north_deg).contains(&position.lat_deg())
            && (self.west_deg..=self.east_deg).contains(&position.lng_deg())
    }

    /// How far outside a position lies, in metres, along meridian and parallel; 0 inside.
    pub fn distance_m(&self, position: &Position) -> f64 {
        let lat_deg = position.lat_deg().clamp(self.south_deg, self.north_deg);
        let lng_deg = position.lng_deg().clamp(self.west_deg, self.east_deg);
        Position::new(lat_deg, lng_deg).map_or(0.0, |edge| position.distance_m(&edge))
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [south, west, north, east] = self.degrees();
        write!(f, "{south} to {north} degrees north, {west} to {east} east")
    }
}

/// The longitude and latitude of each corner in nested GeoJSON coordinates.
fn positions(value: &Value, into: &mut Vec<(f64, f64)>) {
    let Value::Array(items) = value else { return };
    match items.as_slice() {
        [Value::Number(lng), Value::Number(lat), ..] => into.extend(lng.as_f64().zip(lat.as_f64())),
        nested => nested.iter().for_each(|item| positions(item, into)),
    }
}

/// The bounds of all divisions that are loaded.
#[derive(Clone, Debug, Default)]
pub struct DivisionBounds(BTreeMap<Division, Bounds>);

/// A position that cannot be right, or a division that cannot.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{division} lies at {bounds}")]
pub struct OutsideDivision {
    /// The division whose bounds are known: the venue's own, else the prefecture, else the province.
    pub division: Division,
    /// Those bounds.
    pub bounds: Bounds,
}

impl DivisionBounds {
    /// The bounds that hold for a division: its own, else its prefecture's, else its province's.
    pub fn of(&self, division: &Division) -> Option<(Division, Bounds)> {
        division.with_wider().into_iter().find_map(|code| self.0.get(&code).map(|bounds| (code, *bounds)))
    }

    /// Refuses a position outside its division. Where nothing is loaded everything may be right.
    pub fn check(&self, division: &Division, position: &Position) -> Result<(), OutsideDivision> {
        match self.of(division) {
            Some((division, bounds)) if !bounds.contains(position) => {
                Err(OutsideDivision { division, bounds })
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl FromIterator<(Division, Bounds)> for DivisionBounds {
    fn from_iter<I: IntoIterator<Item = (Division, Bounds)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(text: &str) -> Division {
        text.parse().unwrap()
    }

    fn at(lat: f64, lng: f64) -> Position {
        Position::new(lat, lng).unwrap()
    }

    #[test]
    fn the_narrowest_bounds_that_are_loaded_decide() {
        let henan = (code("410000"), Bounds::new(31.0, 110.0, 37.0, 117.0).unwrap());
        let zhengzhou = (code("410100"), Bounds::new(34.0, 112.0, 36.0, 115.0).unwrap());
        let known: DivisionBounds = [henan, zhengzhou].into_iter().collect();
        let (jinshui, kaifeng, wuhan) = (code("410105"), code("410202"), code("420102"));
        assert_eq!(known.check(&jinshui, &at(34.0, 113.6)), Ok(()), "an edge belongs to it");
        let outside = known.check(&jinshui, &at(33.0, 113.6)).unwrap_err();
        assert_eq!(outside.to_string(), "410100 lies at 34 to 36 degrees north, 112 to 115 east");
        assert_eq!(known.check(&kaifeng, &at(33.0, 113.6)), Ok(()), "only its province is known");
        assert_eq!(known.check(&kaifeng, &at(30.0, 113.6)).unwrap_err().division, henan.0);
        assert_eq!(known.check(&wuhan, &at(0.5, 0.5)), Ok(()), "nothing is known");
    }

    #[test]
    fn a_place_lies_inside_or_so_many_metres_outside() {
        let zhengzhou = Bounds::new(34.26, 112.70, 34.98, 114.24).unwrap();
        assert!(zhengzhou.distance_m(&at(34.5, 113.0)).abs() < f64::EPSILON);
        let north = zhengzhou.distance_m(&at(35.0, 113.0));
        assert!((north - 2224.0).abs() < 5.0, "a fiftieth of a degree is some 2.2 km: {north}");
    }

    #[test]
    fn bounds_come_from_any_geometry() {
        let islands = json!({ "type": "MultiPolygon", "coordinates":
            [[[[113.0, 34.0], [114.0, 34.5], [113.5, 35.0], [113.0, 34.0]]], [[[112.0, 33.0], [112.5, 33.0], [112.0, 33.5, 9.0]]]] });
        assert_eq!(Bounds::around(&islands), Bounds::new(33.0, 112.0, 35.0, 114.0).ok());
        for bad in [json!({}), json!({ "coordinates": [] }), json!({ "coordinates": [113.0, 34.0] })] {
            assert_eq!(Bounds::around(&bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_box_is_refused() {
        assert_eq!(Bounds::new(34.0, 112.0, 33.0, 113.0), Err(InvalidBounds::Order));
        assert_eq!(Bounds::new(34.0, 112.0, 95.0, 113.0), Err(InvalidBounds::Range));
        assert_eq!(Bounds::new(f64::NAN, 112.0, 35.0, 113.0), Err(InvalidBounds::Range));
    }
}
