//! What is filled in about a venue, parsed into rows.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::ApiError;
use super::point_forms::{NewPoint, NewStop, POINTS_MAX, position, stop_rows};
use super::web::Web;
use crate::domain::area::Area;
use crate::domain::fields;
use crate::domain::numbered::Numbered;
use crate::domain::position::{POINT_RESOLUTION, Position, cell_to_i64};
use crate::domain::venue::{CreditCode, Division, OrganisationKind, VenueState};
use crate::store::register::{OrganisationRow, PointRow, VenueRow};
use crate::store::stops::StopRow;

/// An application for a venue, or its correction.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVenue {
    /// Full legal name of who answers for it.
    pub organisation: String,
    /// What kind of body that is; `other` when absent. A company must give its credit code.
    #[serde(default)]
    pub kind: OrganisationKind,
    /// Unified social credit code (GB 32100-2015), checked by its last symbol. The legal name must be
    /// the one under which the code is known.
    pub credit_code: Option<String>,
    /// Name of the venue, up to 200 characters.
    pub name: String,
    /// What people call it: 2 to 8 characters, for the poster.
    #[serde(default)]
    pub short_name: String,
    /// A word of the category catalogue.
    pub category: String,
    /// GB/T 2260 code, six digits.
    pub division: String,
    /// Street or town within the division, up to 100 characters.
    #[serde(default)]
    pub street: String,
    /// Address, up to 300 characters.
    pub address: String,
    /// Degrees north, WGS 84. May be left out beside an outline, and is its middle then.
    pub lat_deg: Option<f64>,
    /// Degrees east, WGS 84.
    pub lng_deg: Option<f64>,
    /// The ground that it covers, where it is wider than a door: a GeoJSON `Polygon` or `MultiPolygon`,
    /// longitude first.
    #[schema(value_type = Option<Object>)]
    pub outline: Option<serde_json::Value>,
    /// Which authority supervises it, up to 200 characters.
    #[serde(default)]
    pub superior: String,
    /// Whom to call, up to 100 characters.
    #[serde(default)]
    pub contact_name: String,
    /// At which number: 5 to 15 digits.
    #[serde(default)]
    pub contact_phone: String,
    /// How many people it holds, 1 to 1,000,000.
    pub capacity: Option<i32>,
    /// The stops of a line whose points move; 200 at most.
    #[serde(default)]
    pub stops: Vec<NewStop>,
    /// Its points; one entrance when absent. A correction has none.
    #[serde(default)]
    pub points: Vec<NewPoint>,
}

/// An application of which every field was found right.
#[derive(Debug)]
pub struct Draft {
    /// Who answers for it.
    pub organisation: OrganisationRow,
    /// The venue itself.
    pub venue: VenueRow,
    /// The ground that it covers.
    pub area: Option<Area>,
    /// The stops of its line.
    pub stops: Vec<StopRow>,
    /// Its points.
    pub points: Vec<PointRow>,
}

impl NewVenue {
    /// The rows, once every field is found right.
    pub fn read(self, web: &Web) -> Result<Draft, ApiError> {
        let organisation = self.organisation_row(web)?;
        let area = self.outline.as_ref().map(Area::from_json).transpose();
        let area = area.map_err(|error| ApiError::invalid("outline", error))?;
        let position = self.position(area.as_ref())?;
        let venue = self.venue_row(web, organisation.id, &position, area.as_ref())?;
        let stops = stop_rows(&self.stops, &venue)?;
        if self.points.len() > POINTS_MAX {
            return Err(ApiError::invalid("points", format!("at most {POINTS_MAX} at once")));
        }
        let entrance = vec![NewPoint { name: "入口 Entrance".to_owned(), ..NewPoint::default() }];
        let points = if self.points.is_empty() { entrance } else { self.points };
        let points = points.into_iter().map(|point| point.row(web, &venue, area.as_ref()));
        let points = points.collect::<Result<_, _>>()?;
        Ok(Draft { organisation, venue, area, stops, points })
    }

    fn organisation_row(&self, web: &Web) -> Result<OrganisationRow, ApiError> {
        let credit_code = self.credit_code.as_deref().map(str::parse::<CreditCode>).transpose();
        let credit_code = credit_code.map_err(|error| ApiError::invalid("credit_code", error))?;
        if self.kind == OrganisationKind::Company && credit_code.is_none() {
            return Err(ApiError::invalid("credit_code", "is needed for a company; it is on its licence"));
        }
        Ok(OrganisationRow {
            id: Uuid::now_v7(),
            legal_name: text("organisation", &self.organisation, 1, 200)?,
            credit_code: credit_code.map(|code| code.as_str().to_owned()),
            created_at: web.now(),
            kind: self.kind.number(),
        })
    }

    /// Where it is: as it was given, else in the middle of the outline, and not outside of it.
    fn position(&self, area: Option<&Area>) -> Result<Position, ApiError> {
        let given = position("position", self.lat_deg, self.lng_deg)?;
        match (given, area) {
            (Some(given), Some(area)) if !area.contains(&given) => {
                Err(ApiError::invalid("position", "lies outside the outline"))
            }
            (Some(given), _) => Ok(given),
            (None, Some(area)) => area.middle().map_err(|error| ApiError::invalid("outline", error)),
            (None, None) => {
                Err(ApiError::invalid("position", "is needed: lat_deg and lng_deg, or an outline"))
            }
        }
    }

    fn venue_row(
        &self,
        web: &Web,
        organisation_id: Uuid,
        position: &Position,
        area: Option<&Area>,
    ) -> Result<VenueRow, ApiError> {
        let division: Division =
            self.division.parse().map_err(|error| ApiError::invalid("division", error))?;
        if division == Division::COUNTRY {
            return Err(ApiError::invalid("division", "must name where in the country the venue is"));
        }
        if web.app.catalogue.get(&self.category).is_none() {
            return Err(ApiError::invalid("category", "is not in the catalogue (venues/categories.toml)"));
        }
        if self.capacity.is_some_and(|capacity| !(1..=1_000_000).contains(&capacity)) {
            return Err(ApiError::invalid("capacity", "must lie between 1 and 1,000,000"));
        }
        let short_name = text("short_name", &self.short_name, 0, 8)?;
        let short_name =
            if short_name.is_empty() { short_name } else { text("short_name", &short_name, 2, 8)? };
        Ok(VenueRow {
            id: Uuid::now_v7(),
            organisation_id,
            source_ref: None,
            name: text("name", &self.name, 1, 200)?,
            category: self.category.clone(),
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
            created_at: web.now(),
            short_name,
            street: text("street", &self.street, 0, 100)?,
            superior: text("superior", &self.superior, 0, 200)?,
            outline: area.map(Area::to_json),
            cells: area
                .map(|area| area.cells().iter().copied().map(cell_to_i64).collect())
                .unwrap_or_default(),
        })
    }
}

/// The ground that a venue of the register covers.
pub fn area_of(venue: &VenueRow) -> Result<Option<Area>, ApiError> {
    let area = venue.outline.as_ref().map(Area::from_json).transpose();
    area.map_err(|error| ApiError::Internal(anyhow::anyhow!("the outline of a venue: {error}")))
}

/// A text of so many characters; `field` stands in the error.
pub fn text(field: &'static str, value: &str, min: usize, max: usize) -> Result<String, ApiError> {
    fields::text(value, min, max).map_err(|error| ApiError::invalid(field, error))
}
