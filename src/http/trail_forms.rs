//! What an investigator fills in about a trail: places known more or less exactly, times, and what they rest on.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use h3o::{CellIndex, Resolution};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::ApiError;
use super::point_forms::{position, row_and_seat};
use super::venue_forms::text;
use super::web::Web;
use crate::domain::case::EARLIEST_SECS;
use crate::domain::numbered::Numbered;
use crate::domain::position::cell_to_i64;
use crate::domain::span::Span;
use crate::domain::venue::Granularity;
use crate::store::register;

/// The longest stay that an investigator may tell of, in hours; a longer one is several.
const STAY_HOURS_MAX: i64 = 48;

/// How far around an address somebody may have been, in metres. A wider ground is several stays.
const RADIUS_MAX_M: i32 = 500;

/// Where a stay of a trail is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Source {
    /// The person's own scan.
    Scan = 0,
    /// What the person or others told.
    Interview = 1,
    /// A camera.
    Camera = 2,
    /// A payment.
    Payment = 3,
    /// A ticket.
    Ticket = 4,
}

impl Numbered for Source {
    const ALL: &'static [Self] = &[Self::Scan, Self::Interview, Self::Camera, Self::Payment, Self::Ticket];

    fn number(self) -> i16 {
        self as i16
    }
}

/// A stay that an investigator adds. Its place is given in one of four ways: `code`, `point`, `venue`, or `address` with
/// `cell` or with degrees and `radius_m`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrailStay {
    /// The point's place code.
    pub code: Option<String>,
    /// The point's id.
    pub point: Option<i64>,
    /// The venue's id, where the point is not known.
    pub venue: Option<Uuid>,
    /// The address, where the venue is not known or not registered; up to 300 characters.
    pub address: Option<String>,
    /// Beside an address: its H3 cell, of resolution 8 to 11.
    pub cell: Option<String>,
    /// Beside an address without a cell: degrees north, WGS 84.
    pub lat_deg: Option<f64>,
    /// Degrees east.
    pub lng_deg: Option<f64>,
    /// How exact that is: 1 to 500 metres.
    pub radius_m: Option<i32>,
    /// In a vehicle: the row, 1 to 999.
    pub row: Option<i16>,
    /// The seat in that row, up to 8 characters.
    pub seat: Option<String>,
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when, 48 hours later at the most.
    pub until: DateTime<Utc>,
    /// Where it is known from; not a scan.
    pub source: Source,
    /// What it rests on; 3 to 500 characters.
    pub reason: String,
}

/// A place as exactly as it is known.
#[derive(Debug, Default)]
pub struct Place {
    /// The point.
    pub point_id: Option<i64>,
    /// The venue, where the point is not known.
    pub venue_id: Option<Uuid>,
    /// The cell, where neither is known.
    pub cell: Option<i64>,
    /// The address beside the cell.
    pub address: Option<String>,
    /// Row in a vehicle.
    pub row_no: Option<i16>,
    /// Seat in that row.
    pub seat: Option<String>,
}

impl NewTrailStay {
    /// The place, once it is found to be one.
    pub async fn place(&self, web: &Web, conn: &mut AsyncPgConnection) -> Result<Place, ApiError> {
        match (&self.code, self.point, self.venue, &self.address) {
            (Some(code), None, None, None) => {
                let (code, _) = super::scans::place(web, code, web.now()).await?;
                self.at_point(conn, code.point().to_i64()).await
            }
            (None, Some(point), None, None) => self.at_point(conn, point).await,
            (None, None, Some(venue), None) => self.at_venue(conn, venue).await,
            (None, None, None, Some(address)) => self.at_address(address),
            _ => Err(ApiError::invalid("place", "must be given by one of code, point, venue and address")),
        }
    }

    async fn at_point(&self, conn: &mut AsyncPgConnection, id: i64) -> Result<Place, ApiError> {
        self.no_cell()?;
        let point = register::point(conn, id).await?;
        let point = point.ok_or_else(|| ApiError::invalid("point", "is not in the register"))?;
        let in_vehicle = point.is_mobile || point.granularity == Granularity::Vehicle.number();
        let (row_no, seat) = row_and_seat(self.row, self.seat.as_deref(), in_vehicle)?;
        if row_no.is_some() && point.row_no.is_some_and(|own| row_no != Some(own)) {
            return Err(ApiError::invalid("row", "is not that of the point"));
        }
        Ok(Place { point_id: Some(id), row_no, seat, ..Place::default() })
    }

    async fn at_venue(&self, conn: &mut AsyncPgConnection, id: Uuid) -> Result<Place, ApiError> {
        self.no_cell()?;
        let venue = register::venue(conn, id).await?;
        venue.ok_or_else(|| ApiError::invalid("venue", "is not in the register"))?;
        let points = register::points_of_venue(conn, id).await?;
        let in_vehicle = points.iter().any(|point| point.is_mobile);
        let (row_no, seat) = row_and_seat(self.row, self.seat.as_deref(), in_vehicle)?;
        Ok(Place { venue_id: Some(id), row_no, seat, ..Place::default() })
    }

    fn at_address(&self, address: &str) -> Result<Place, ApiError> {
        row_and_seat(self.row, self.seat.as_deref(), false)?;
        let address = text("address", address, 1, 300)?;
        let degrees = position("position", self.lat_deg, self.lng_deg)?;
        let cell = match (&self.cell, degrees, self.radius_m) {
            (Some(cell), None, None) => read_cell(cell)?,
            (None, Some(degrees), Some(radius_m)) => degrees.cell(fineness(radius_m)?),
            _ => {
                let reason = "beside an address, give its H3 cell, or degrees north and east with `radius_m`, not both";
                return Err(ApiError::invalid("cell", reason));
            }
        };
        Ok(Place { cell: Some(cell_to_i64(cell)), address: Some(address), ..Place::default() })
    }

    fn no_cell(&self) -> Result<(), ApiError> {
        let given = self.cell.is_some()
            || self.lat_deg.is_some()
            || self.lng_deg.is_some()
            || self.radius_m.is_some();
        if given { Err(ApiError::invalid("cell", "and degrees belong to an address alone")) } else { Ok(()) }
    }
}

fn read_cell(text: &str) -> Result<CellIndex, ApiError> {
    let cell = text.parse::<CellIndex>();
    let cell = cell.map_err(|_unread| ApiError::invalid("cell", "must be an H3 index of 15 digits"))?;
    if (Resolution::Eight..=Resolution::Eleven).contains(&cell.resolution()) {
        Ok(cell)
    } else {
        Err(ApiError::invalid("cell", "must be of resolution 8 to 11: neighbourhood to house"))
    }
}

/// The finest resolution whose cells have an edge as long as the radius (`H3` resolution table: 29, 76, 201, 531 m), so
/// that a cell says no more than is known.
fn fineness(radius_m: i32) -> Result<Resolution, ApiError> {
    match radius_m {
        1..=29 => Ok(Resolution::Eleven),
        30..=76 => Ok(Resolution::Ten),
        77..=201 => Ok(Resolution::Nine),
        202..=RADIUS_MAX_M => Ok(Resolution::Eight),
        _ => Err(ApiError::invalid("radius_m", format!("must lie between 1 and {RADIUS_MAX_M}"))),
    }
}

/// A time that somebody can have been somewhere.
pub fn span(from: DateTime<Utc>, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<Span, ApiError> {
    // Postgres keeps microseconds; what is finer would come back as another time.
    let kept = |at: DateTime<Utc>| DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at);
    let (from, until) = (kept(from), kept(until));
    let span = Span::new(from, until).map_err(|error| ApiError::invalid("until", error))?;
    if span.from().timestamp() < EARLIEST_SECS {
        return Err(ApiError::invalid("from", "lies before the year 2000"));
    }
    if span.secs() > STAY_HOURS_MAX * 3600 || span.until() > now {
        return Err(ApiError::invalid(
            "until",
            "must lie within 48 hours after `from`, and not in the future",
        ));
    }
    Ok(span)
}

/// What an investigator's word rests on: never a scan, and always a reason.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Where it is known from.
    pub source: Source,
    /// Why.
    pub reason: String,
}

impl Ground {
    /// The ground, once it is found to be one.
    pub fn read(source: Source, reason: &str) -> Result<Self, ApiError> {
        if source == Source::Scan {
            let reason = "scans come by themselves; name what else it is known from";
            return Err(ApiError::invalid("source", reason));
        }
        Ok(Self { source, reason: text("reason", reason, 3, 500)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_radius_is_as_fine_as_its_cell() {
        let of = |radius_m| fineness(radius_m).ok();
        assert_eq!([29, 30, 201, 202, 500].map(of), {
            use Resolution::{Eight, Eleven, Nine, Ten};
            [Some(Eleven), Some(Ten), Some(Nine), Some(Eight), Some(Eight)]
        });
        assert_eq!([0, -1, 501, i32::MAX].map(of), [None; 4]);
    }

    #[test]
    fn a_stay_lasts_48_hours_at_the_most_and_is_over() {
        let at = |hours: i64| DateTime::from_timestamp(1_700_000_000 + hours * 3600, 0).unwrap();
        let now = at(100);
        assert!(span(at(0), at(48), now).is_ok());
        for (from, until) in [(at(0), at(49)), (at(1), at(1)), (at(2), at(1)), (at(99), at(101))] {
            assert!(span(from, until, now).is_err(), "{from:?} {until:?}");
        }
    }
}
