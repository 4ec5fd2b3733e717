//! What is filled in about points and stops, parsed into rows.

use std::collections::BTreeSet;

use serde::Deserialize;
use utoipa::ToSchema;

use super::error::ApiError;
use super::venue_forms::text;
use super::web::Web;
use crate::domain::area::Area;
use crate::domain::exposure::grid_cell;
use crate::domain::numbered::Numbered;
use crate::domain::position::{POINT_RESOLUTION, Position, cell_to_i64};
use crate::domain::venue::{Granularity, PointId};
use crate::store::register::{PointRow, VenueRow};
use crate::store::stops::StopRow;

/// How many points a venue may be entered with.
pub const POINTS_MAX: usize = 200;

/// How many stops a line may have; the longest bus lines of Chinese cities have some 100 each way.
pub const STOPS_MAX: usize = 200;

/// How far from its venue a point may hang, in metres, where no outline says how wide the venue is.
const REACH_MAX_M: f64 = 2_000.0;

/// A place where a code is to hang.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPoint {
    /// Door, floor, room, table, stall, carriage.
    pub name: String,
    /// How close together people are there; the category's when absent.
    #[schema(value_type = Option<String>)]
    pub granularity: Option<Granularity>,
    /// Degrees north (WGS 84), where it does not hang at the venue's own position.
    pub lat_deg: Option<f64>,
    /// Degrees east (WGS 84).
    pub lng_deg: Option<f64>,
    /// Whether it moves along a line, as a carriage, bus or taxi does; so when absent and it is a vehicle.
    pub mobile: Option<bool>,
    /// Which row of a vehicle it is, 1 to 999.
    pub row: Option<i16>,
    /// Which seat of that row, up to 8 characters.
    pub seat: Option<String>,
}

/// A stop of a line.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStop {
    /// Its number on the line, 1 to 999.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Degrees north, WGS 84.
    pub lat_deg: f64,
    /// Degrees east, WGS 84.
    pub lng_deg: f64,
}

impl NewPoint {
    /// The row, under a new random id.
    pub fn row(self, web: &Web, venue: &VenueRow, area: Option<&Area>) -> Result<PointRow, ApiError> {
        let category = web.app.catalogue.get(&venue.category);
        let granularity = self.granularity.or(category.map(|category| category.granularity));
        let granularity = granularity.unwrap_or(Granularity::Hall);
        let is_mobile = self.mobile.unwrap_or(granularity == Granularity::Vehicle);
        let in_vehicle = is_mobile || matches!(granularity, Granularity::Vehicle);
        let (row_no, seat) = row_and_seat(self.row, self.seat.as_deref(), in_vehicle)?;
        let home = position_of(venue)?;
        let own = position("points.position", self.lat_deg, self.lng_deg)?;
        if let Some(own) = own {
            check_own(&own, &home, area, is_mobile)?;
        }
        // A point that moves stands in its line's cell until a scan reports the stop.
        let cell = own.unwrap_or(home).cell(POINT_RESOLUTION);
        Ok(PointRow {
            id: rand::random_range(0..PointId::END).cast_signed(),
            venue_id: venue.id,
            name: text("points.name", &self.name, 1, 100)?,
            granularity: granularity.number(),
            cell: cell_to_i64(cell),
            grid_cell: grid_cell(cell).map_or(0, cell_to_i64),
            generation: 1,
            previous_until: None,
            revoked_at: None,
            created_at: web.now(),
            lat_deg: own.map(|own| own.lat_deg()),
            lng_deg: own.map(|own| own.lng_deg()),
            is_mobile,
            expires_at: None,
            row_no,
            seat,
        })
    }
}

/// A row and a seat of a vehicle; a seat is one of a row.
pub fn row_and_seat(
    row: Option<i16>,
    seat: Option<&str>,
    in_vehicle: bool,
) -> Result<(Option<i16>, Option<String>), ApiError> {
    let seat = seat.filter(|seat| !seat.trim().is_empty());
    match (row, seat) {
        (None, None) => return Ok((None, None)),
        (None, Some(_)) => return Err(ApiError::invalid("row", "is needed beside a seat")),
        (Some(row), _) if !(1..=999).contains(&row) => {
            return Err(ApiError::invalid("row", "must lie between 1 and 999"));
        }
        (Some(_), _) if !in_vehicle => {
            let reason =
                "stands for a row of a vehicle: the place must move, or its granularity be `vehicle`";
            return Err(ApiError::invalid("row", reason));
        }
        (Some(_), _) => {}
    }
    Ok((row, seat.map(|seat| text("seat", seat, 1, 8)).transpose()?))
}

/// Refuses points that hang elsewhere than their venue is.
pub fn check_points(points: &[PointRow], venue: &VenueRow, area: Option<&Area>) -> Result<(), ApiError> {
    let home = position_of(venue)?;
    for point in points {
        if let Some(own) = position("points.position", point.lat_deg, point.lng_deg)? {
            check_own(&own, &home, area, point.is_mobile)?;
        }
    }
    Ok(())
}

fn check_own(own: &Position, home: &Position, area: Option<&Area>, is_mobile: bool) -> Result<(), ApiError> {
    let wrong = |reason: String| Err(ApiError::invalid("points.position", reason));
    let distance_m = own.distance_m(home);
    match area {
        _ if is_mobile => wrong("must be left out: a point that moves has none; its stops have".into()),
        Some(area) if !area.contains(own) => wrong("lies outside the outline of the venue".into()),
        None if distance_m > REACH_MAX_M => {
            let far = "lies {} m from the venue; at most {} m, or give the venue an outline";
            let far = far.replacen("{}", &format!("{distance_m:.0}"), 1);
            wrong(far.replacen("{}", &format!("{REACH_MAX_M:.0}"), 1))
        }
        Some(_) | None => Ok(()),
    }
}

/// The stops of a line as rows.
pub fn stop_rows(stops: &[NewStop], venue: &VenueRow) -> Result<Vec<StopRow>, ApiError> {
    if stops.len() > STOPS_MAX {
        return Err(ApiError::invalid("stops", format!("at most {STOPS_MAX} to a line")));
    }
    let mut numbers = BTreeSet::new();
    let row = |stop: &NewStop| {
        if !(1..=999).contains(&stop.number) || !numbers.insert(stop.number) {
            let reason = format!("{} must lie between 1 and 999 and stand there once", stop.number);
            return Err(ApiError::invalid("stops.number", reason));
        }
        let position = Position::new(stop.lat_deg, stop.lng_deg);
        let position = position.map_err(|error| ApiError::invalid("stops.position", error))?;
        let cell = position.cell(POINT_RESOLUTION);
        Ok(StopRow {
            venue_id: venue.id,
            number: stop.number,
            name: text("stops.name", &stop.name, 1, 100)?,
            lat_deg: position.lat_deg(),
            lng_deg: position.lng_deg(),
            cell: cell_to_i64(cell),
            grid_cell: grid_cell(cell).map_or(0, cell_to_i64),
        })
    };
    stops.iter().map(row).collect()
}

/// A position of which both degrees are given, or neither.
pub fn position(
    field: &'static str,
    lat_deg: Option<f64>,
    lng_deg: Option<f64>,
) -> Result<Option<Position>, ApiError> {
    match (lat_deg, lng_deg) {
        (None, None) => Ok(None),
        (Some(lat), Some(lng)) => {
            Position::new(lat, lng).map(Some).map_err(|error| ApiError::invalid(field, error))
        }
        (Some(_), None) | (None, Some(_)) => {
            Err(ApiError::invalid(field, "needs both degrees north and degrees east"))
        }
    }
}

/// Where a venue of the register is.
pub fn position_of(venue: &VenueRow) -> Result<Position, ApiError> {
    Position::new(venue.lat_deg, venue.lng_deg).map_err(|error| ApiError::invalid("position", error))
}
