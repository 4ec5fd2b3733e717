//! What is filled in about a venue, parsed into rows.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::ApiError;
use super::web::Web;
use crate::domain::exposure::grid_cell;
use crate::domain::fields;
use crate::domain::numbered::Numbered;
use crate::domain::position::{POINT_RESOLUTION, Position, cell_to_i64};
use crate::domain::venue::{CreditCode, Division, Granularity, OrganisationKind, PointId, VenueState};
use crate::store::register::{OrganisationRow, PointRow, VenueRow};

/// How many points a venue may be entered with.
const POINTS_MAX: usize = 200;

/// An application for a venue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVenue {
    /// Full legal name of who answers for it.
    pub organisation: String,
    /// Unified social credit code, checked by its last symbol.
    pub credit_code: Option<String>,
    /// Name of the venue.
    pub name: String,
    /// A word of the category catalogue.
    pub category: String,
    /// GB/T 2260 code, six digits.
    pub division: String,
    /// Address.
    pub address: String,
    /// Degrees north, WGS 84.
    pub lat_deg: f64,
    /// Degrees east, WGS 84.
    pub lng_deg: f64,
    /// Whom to call.
    #[serde(default)]
    pub contact_name: String,
    /// At which number.
    #[serde(default)]
    pub contact_phone: String,
    /// How many people it holds.
    pub capacity: Option<i32>,
    /// Its points; one entrance when absent.
    #[serde(default)]
    pub points: Vec<NewPoint>,
}

/// A place where a code is to hang.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPoint {
    /// Door, floor, room, table, stall, carriage.
    pub name: String,
    /// How close together people are there; the category's when absent.
    #[schema(value_type = Option<String>)]
    pub granularity: Option<Granularity>,
}

impl NewVenue {
    /// The rows, once every field is found right.
    pub fn rows(self, web: &Web) -> Result<(OrganisationRow, VenueRow, Vec<PointRow>), ApiError> {
        let now = web.now();
        let credit_code = self.credit_code.as_deref().map(str::parse::<CreditCode>).transpose();
        let credit_code = credit_code.map_err(|error| ApiError::invalid("credit_code", error))?;
        let division: Division =
            self.division.parse().map_err(|error| ApiError::invalid("division", error))?;
        let position = Position::new(self.lat_deg, self.lng_deg)
            .map_err(|error| ApiError::invalid("position", error))?;
        if web.app.catalogue.get(&self.category).is_none() {
            return Err(ApiError::invalid("category", "is not in the catalogue (venues/categories.toml)"));
        }
        if self.capacity.is_some_and(|capacity| !(1..=1_000_000).contains(&capacity)) {
            return Err(ApiError::invalid("capacity", "must lie between 1 and 1,000,000"));
        }
        if self.points.len() > POINTS_MAX {
            return Err(ApiError::invalid("points", format!("at most {POINTS_MAX} at once")));
        }
        let organisation = OrganisationRow {
            id: Uuid::now_v7(),
            legal_name: text("organisation", &self.organisation, 1, 200)?,
            credit_code: credit_code.map(|code| code.as_str().to_owned()),
            created_at: now,
            kind: OrganisationKind::default().number(),
        };
        let venue = VenueRow {
            id: Uuid::now_v7(),
            organisation_id: organisation.id,
            source_ref: None,
            name: text("name", &self.name, 1, 200)?,
            category: self.category,
            division: division.to_string(),
            address: text("address", &self.address, 1, 300)?,
            lat_deg: position.lat_deg(),
            lng_deg: position.lng_deg(),
            cell: cell_to_i64(position.cell(POINT_RESOLUTION)),
            contact_name: text("contact_name", &self.contact_name, 0, 100)?,
            contact_phone: fields::phone(&self.contact_phone)
                .map_err(|error| ApiError::invalid("contact_phone", error))?,
            capacity: self.capacity,
            state: VenueState::Submitted.number(),
            state_reason: String::new(),
            created_at: now,
            short_name: String::new(),
            street: String::new(),
            superior: String::new(),
            outline: None,
            cells: Vec::new(),
        };
        let entrance = vec![NewPoint { name: "入口 Entrance".to_owned(), granularity: None }];
        let points = if self.points.is_empty() { entrance } else { self.points };
        let points = points.into_iter().map(|point| point.row(web, &venue)).collect::<Result<_, _>>()?;
        Ok((organisation, venue, points))
    }
}

impl NewPoint {
    /// The row, under a new random id.
    pub fn row(self, web: &Web, venue: &VenueRow) -> Result<PointRow, ApiError> {
        let category = web.app.catalogue.get(&venue.category);
        let granularity = self.granularity.or(category.map(|category| category.granularity));
        let position = Position::new(venue.lat_deg, venue.lng_deg);
        let position = position.map_err(|error| ApiError::invalid("position", error))?;
        let cell = position.cell(POINT_RESOLUTION);
        Ok(PointRow {
            id: rand::random_range(0..PointId::END).cast_signed(),
            venue_id: venue.id,
            name: text("points.name", &self.name, 1, 100)?,
            granularity: granularity.unwrap_or(Granularity::Hall).number(),
            cell: cell_to_i64(cell),
            grid_cell: grid_cell(cell).map_or(0, cell_to_i64),
            generation: 1,
            previous_until: None,
            revoked_at: None,
            created_at: web.now(),
            lat_deg: None,
            lng_deg: None,
            is_mobile: false,
            expires_at: None,
        })
    }
}

/// A text of so many characters; `field` stands in the error.
pub fn text(field: &'static str, value: &str, min: usize, max: usize) -> Result<String, ApiError> {
    fields::text(value, min, max).map_err(|error| ApiError::invalid(field, error))
}
