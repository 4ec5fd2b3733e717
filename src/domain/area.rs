//! The outline of a venue that is wider than a door: checked once, and the H3 cells that cover it.

use std::collections::BTreeSet;

use geo::{BoundingRect, Contains, CoordsIter, InteriorPoint, MultiPolygon, Validation};
use geojson::GeometryValue;
use h3o::CellIndex;
use h3o::geom::{ContainmentMode, TilerBuilder};

use super::position::{InvalidPosition, PHONE_RESOLUTION, POINT_RESOLUTION, Position};

/// The most corners an outline may have.
pub const CORNERS_MAX: usize = 2000;

/// How wide and how high an outline may be, in metres: the largest airports measure some 10 km.
pub const EXTENT_MAX_M: f64 = 20_000.0;

/// The most cells of [`POINT_RESOLUTION`] that an outline may cover; each is some 2,150 m².
pub const CELLS_MAX: usize = 20_000;

/// The most steps of [`PHONE_RESOLUTION`] between two stops of a line, some 300 m each.
const HOP_MAX: i32 = 500;

/// The ground that a venue covers.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    shape: MultiPolygon,
    cells: Vec<CellIndex>,
}

/// Why a GeoJSON geometry is no outline of a venue.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidArea {
    /// Not a GeoJSON geometry.
    #[error("must be a GeoJSON geometry: {0}")]
    Syntax(String),
    /// A line, a point, a collection.
    #[error("must be a Polygon or MultiPolygon, not a {0}")]
    Kind(String),
    /// Rings that are open, cross themselves or each other.
    #[error("the rings must be closed and must not cross: {0}")]
    Shape(String),
    /// A corner that is no position.
    #[error("a corner is no position in degrees, longitude first: {0}")]
    Corner(InvalidPosition),
    /// Too many corners.
    #[error("has {0} corners; at most {CORNERS_MAX}")]
    Corners(usize),
    /// Too wide, or too many cells.
    #[error("is larger than one venue can be: at most 20 km wide and high, and 43 square kilometres")]
    Large,
}

impl Area {
    /// An outline from a GeoJSON geometry: a `Polygon` or a `MultiPolygon`, longitude first.
    pub fn from_geojson(geometry: &geojson::Geometry) -> Result<Self, InvalidArea> {
        let shape = match &geometry.value {
            GeometryValue::Polygon { .. } => {
                let one: geo::Polygon = geometry.try_into().map_err(|e| syntax(&e))?;
                MultiPolygon::new(vec![one])
            }
            GeometryValue::MultiPolygon { .. } => geometry.try_into().map_err(|e| syntax(&e))?,
            other => return Err(InvalidArea::Kind(other.type_name().to_owned())),
        };
        Self::new(shape)
    }

    /// An outline from the JSON text or value of a GeoJSON geometry.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, InvalidArea> {
        let geometry: geojson::Geometry =
            serde_json::from_value(value.clone()).map_err(|error| syntax(&error))?;
        Self::from_geojson(&geometry)
    }

    fn new(shape: MultiPolygon) -> Result<Self, InvalidArea> {
        let corners = shape.coords_count();
        if corners > CORNERS_MAX {
            return Err(InvalidArea::Corners(corners));
        }
        for corner in shape.coords_iter() {
            Position::new(corner.y, corner.x).map_err(InvalidArea::Corner)?;
        }
        shape.check_validation().map_err(|error| InvalidArea::Shape(error.to_string()))?;
        let (south_west, north_east) =
            corners_of(&shape).ok_or_else(|| InvalidArea::Shape("it has no corner".to_owned()))?;
        let wide_m = south_west.distance_m(&position(south_west.lat_deg(), north_east.lng_deg())?);
        let high_m = south_west.distance_m(&position(north_east.lat_deg(), south_west.lng_deg())?);
        if wide_m > EXTENT_MAX_M || high_m > EXTENT_MAX_M {
            return Err(InvalidArea::Large);
        }
        let cells = cover(&shape)?;
        Ok(Self { shape, cells })
    }

    /// The cells of [`POINT_RESOLUTION`] that it touches, with whole groups replaced by their parent.
    pub fn cells(&self) -> &[CellIndex] {
        &self.cells
    }

    /// A position inside it, for a map and for the venue's own cell.
    pub fn middle(&self) -> Result<Position, InvalidArea> {
        let inside = self.shape.interior_point().ok_or(InvalidArea::Large)?;
        position(inside.y(), inside.x())
    }

    /// Whether a position lies inside it.
    pub fn contains(&self, position: &Position) -> bool {
        self.shape.contains(&geo::Point::new(position.lng_deg(), position.lat_deg()))
    }

    /// The geometry as GeoJSON.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(geojson::Geometry::from(&self.shape)).unwrap_or_default()
    }
}

/// The cells of a phone's resolution in which a phone inside these cells may say that it is.
pub fn phone_cells(cells: impl IntoIterator<Item = CellIndex>) -> Vec<CellIndex> {
    let mut coarse = BTreeSet::new();
    for cell in cells {
        match cell.parent(PHONE_RESOLUTION) {
            Some(parent) => drop(coarse.insert(parent)),
            None => coarse.extend(cell.children(PHONE_RESOLUTION)),
        }
    }
    coarse.into_iter().collect()
}

/// The cells of a phone's resolution along a line, from stop to stop: a vehicle may be anywhere between.
pub fn along(stops: impl IntoIterator<Item = CellIndex>) -> Vec<CellIndex> {
    let stops: Vec<CellIndex> = stops.into_iter().filter_map(|stop| stop.parent(PHONE_RESOLUTION)).collect();
    let mut cells: BTreeSet<CellIndex> = stops.iter().copied().collect();
    for pair in stops.windows(2) {
        if let [from, to] = pair
            && from.grid_distance(*to).is_ok_and(|steps| steps <= HOP_MAX)
            && let Ok(path) = from.grid_path_cells(*to)
        {
            cells.extend(path.flatten());
        }
    }
    cells.into_iter().collect()
}

fn cover(shape: &MultiPolygon) -> Result<Vec<CellIndex>, InvalidArea> {
    let wrong = |error: &dyn std::fmt::Display| InvalidArea::Shape(error.to_string());
    let mode = ContainmentMode::Covers;
    let mut tiler = TilerBuilder::new(POINT_RESOLUTION).containment_mode(mode).build();
    tiler.add_batch(shape.iter().cloned()).map_err(|error| wrong(&error))?;
    if tiler.coverage_size_hint() > CELLS_MAX * 8 {
        return Err(InvalidArea::Large);
    }
    let mut cells: Vec<CellIndex> = tiler.into_coverage().collect();
    if cells.len() > CELLS_MAX {
        return Err(InvalidArea::Large);
    }
    CellIndex::compact(&mut cells).map_err(|error| wrong(&error))?;
    Ok(cells)
}

fn corners_of(shape: &MultiPolygon) -> Option<(Position, Position)> {
    let bounds = shape.bounding_rect()?;
    let corner = |at: geo::Coord| Position::new(at.y, at.x).ok();
    Some((corner(bounds.min())?, corner(bounds.max())?))
}

fn position(lat_deg: f64, lng_deg: f64) -> Result<Position, InvalidArea> {
    Position::new(lat_deg, lng_deg).map_err(InvalidArea::Corner)
}

fn syntax(error: &impl ToString) -> InvalidArea {
    InvalidArea::Syntax(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn square(west: f64, south: f64, side: f64) -> serde_json::Value {
        let (east, north) = (west + side, south + side);
        json!({ "type": "Polygon", "coordinates":
            [[[west, south], [east, south], [east, north], [west, north], [west, south]]] })
    }

    #[test]
    fn a_park_is_covered_by_the_cells_that_it_touches() {
        let park = Area::from_json(&square(113.62, 34.74, 0.01)).unwrap();
        let inside = park.middle().unwrap();
        assert!(park.contains(&inside));
        assert!(!park.contains(&Position::new(34.70, 113.62).unwrap()));
        let fine: BTreeSet<CellIndex> =
            CellIndex::uncompact(park.cells().iter().copied(), POINT_RESOLUTION).collect();
        assert!(fine.contains(&inside.cell(POINT_RESOLUTION)));
        assert!(fine.contains(&Position::new(34.7401, 113.6201).unwrap().cell(POINT_RESOLUTION)));
        // Some 915 m by 1,113 m at about 2,000 m² a cell, and all cells that the edge touches.
        assert!((470..720).contains(&fine.len()), "{}", fine.len());
        assert!(park.cells().len() < fine.len() / 2);
        let phones = phone_cells(park.cells().iter().copied());
        assert!(phones.contains(&inside.cell(PHONE_RESOLUTION)));
        assert!((5..40).contains(&phones.len()), "{}", phones.len());
    }

    #[test]
    fn an_outline_survives_its_json() {
        let park = Area::from_json(&square(113.62, 34.74, 0.002)).unwrap();
        assert_eq!(Area::from_json(&park.to_json()).unwrap(), park);
    }

    #[test]
    fn a_bus_may_be_anywhere_between_its_stops() {
        let stop = |lat, lng| Position::new(lat, lng).unwrap().cell(POINT_RESOLUTION);
        let line = along([stop(34.74, 113.62), stop(34.76, 113.66), stop(34.75, 113.70)]);
        let halfway = Position::new(34.75, 113.64).unwrap().cell(PHONE_RESOLUTION);
        assert!(line.iter().any(|cell| cell.grid_distance(halfway).is_ok_and(|steps| steps <= 1)));
        let aside = Position::new(34.72, 113.66).unwrap().cell(PHONE_RESOLUTION);
        assert!(line.iter().all(|cell| cell.grid_distance(aside).is_ok_and(|steps| steps > 1)));
        assert!(along([]).is_empty());
    }

    #[test]
    fn what_is_no_outline_is_refused_by_its_fault() {
        let line = json!({ "type": "LineString", "coordinates": [[113.0, 34.0], [113.1, 34.1]] });
        assert!(matches!(Area::from_json(&line), Err(InvalidArea::Kind(kind)) if kind == "LineString"));
        let bow = json!({ "type": "Polygon", "coordinates":
            [[[113.0, 34.0], [113.01, 34.01], [113.01, 34.0], [113.0, 34.01], [113.0, 34.0]]] });
        assert!(matches!(Area::from_json(&bow), Err(InvalidArea::Shape(_))));
        assert_eq!(Area::from_json(&square(113.0, 34.0, 0.5)), Err(InvalidArea::Large));
        let swapped = json!({ "type": "Polygon", "coordinates":
            [[[34.0, 113.0], [34.01, 113.0], [34.01, 113.01], [34.0, 113.0]]] });
        assert!(matches!(Area::from_json(&swapped), Err(InvalidArea::Corner(_))));
        assert!(matches!(Area::from_json(&json!({ "type": "Nonsense" })), Err(InvalidArea::Syntax(_))));
    }
}
