//! One row of a register of venues: from text to a venue that is valid.

use std::collections::HashMap;

use chrono::FixedOffset;

use super::refusals::Refusal;
use super::row::Row;
use super::table::Layout;
use super::venue_fields::{bounded, capacity, choice, division, need, organisation, phone, place};
use super::venue_points::{DraftPoint, DraftStop, points, stops};
use crate::domain::area::Area;
use crate::domain::catalogue::{Catalogue, Category};
use crate::domain::division_bounds::DivisionBounds;
use crate::domain::position::Position;
use crate::domain::register_file::COLUMNS;
use crate::domain::venue::{CreditCode, Division, OrganisationKind, VenueState};

/// The columns of a register of venues. A position is needed too, unless there are outlines.
pub(super) const LAYOUT: Layout = Layout { known: COLUMNS, required: &["id", "name"] };

/// What stands in for columns that the file does not have, or values that are empty, and what rows are held to.
pub(super) struct Defaults<'a> {
    /// What the source is called.
    pub(super) set: &'a str,
    /// Categories by what they may be written as.
    pub(super) categories: HashMap<String, &'a Category>,
    /// The category of rows that name none.
    pub(super) category: &'a str,
    /// The division of rows that name none.
    pub(super) division: Option<Division>,
    /// The points of rows that name none.
    pub(super) point: &'a str,
    /// How far the local clock is ahead of UTC.
    pub(super) offset: FixedOffset,
    /// Where divisions are known to lie.
    pub(super) bounds: DivisionBounds,
}

/// Categories may be written as their word or as their Chinese or English name.
pub(super) fn names_of(catalogue: &Catalogue) -> HashMap<String, &Category> {
    let mut found = HashMap::new();
    for (word, category) in catalogue.iter() {
        found.extend([word, &category.zh, &category.en].map(|name| (name.to_lowercase(), category)));
    }
    found
}

/// A venue of a file.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) source_ref: String,
    pub(super) name: String,
    pub(super) short_name: String,
    pub(super) category: String,
    pub(super) division: Division,
    pub(super) street: String,
    pub(super) address: String,
    pub(super) position: Position,
    pub(super) outline: Option<Area>,
    pub(super) capacity: Option<i32>,
    pub(super) credit_code: Option<CreditCode>,
    pub(super) organisation: Option<String>,
    pub(super) organisation_kind: OrganisationKind,
    pub(super) superior: String,
    pub(super) contact_name: String,
    pub(super) contact_phone: String,
    pub(super) points: Vec<DraftPoint>,
    pub(super) stops: Vec<DraftStop>,
    pub(super) state: VenueState,
    /// Columns about which the row says something; an update leaves the others alone.
    pub(super) told: Vec<&'static str>,
}

/// Reads a row.
pub(super) fn read(row: &Row, defaults: &Defaults) -> Result<Draft, Refusal> {
    let id = need(row, "id", 150)?;
    let named = row.get("category").unwrap_or(defaults.category);
    let category = defaults.categories.get(&named.to_lowercase()).ok_or_else(|| {
        Refusal::new(
            "category",
            named,
            "not in the catalogue",
            "a word or name that `placecode categories` lists",
        )
    })?;
    let name = need(row, "name", 200)?;
    let division = division(row, defaults.division)?;
    let (position, outline) = place(row, &division, &defaults.bounds)?;
    let (credit_code, organisation_kind) = organisation(row)?;
    let points = points(row, defaults.point, category.granularity, defaults.offset)?;
    Ok(Draft {
        source_ref: format!("{}:{id}", defaults.set),
        name,
        short_name: bounded(row, "short_name", 16)?,
        category: category.word.clone(),
        division,
        street: bounded(row, "street", 100)?,
        address: bounded(row, "address", 300)?,
        position,
        outline,
        capacity: capacity(row)?,
        credit_code,
        organisation: Some(bounded(row, "organisation", 200)?).filter(|name| !name.is_empty()),
        organisation_kind,
        superior: bounded(row, "superior", 200)?,
        contact_name: bounded(row, "contact_name", 100)?,
        contact_phone: phone(row, "contact_phone")?,
        stops: stops(row, &points)?,
        points,
        state: choice(row, "state", "submitted, approved, suspended, closed, rejected")?
            .unwrap_or(VenueState::Approved),
        told: COLUMNS.iter().copied().filter(|column| row.has(column)).collect(),
    })
}
