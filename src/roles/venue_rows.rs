//! One row of a register of venues: from text to a venue that is valid.

use std::collections::{BTreeSet, HashMap};

use super::refusals::Refusal;
use super::table::{Layout, Row};
use crate::domain::catalogue::{Catalogue, Category};
use crate::domain::position::{InvalidPosition, Position};
use crate::domain::venue::{CreditCode, Division};

/// The columns of a register of venues.
pub(super) const LAYOUT: Layout = Layout {
    known: &[
        "id",
        "name",
        "category",
        "division",
        "address",
        "lat",
        "lng",
        "capacity",
        "credit_code",
        "organisation",
        "contact_name",
        "contact_phone",
        "point",
    ],
    required: &["id", "name", "lat", "lng"],
};

/// The most people that a venue may be said to hold.
const CAPACITY_MAX: i32 = 1_000_000;
/// The most points that one row may name.
const POINTS_MAX: usize = 200;

/// What stands in for columns that the file does not have, or values that are empty.
pub(super) struct Defaults<'a> {
    set: &'a str,
    categories: HashMap<String, (&'a str, &'a Category)>,
    category: &'a str,
    division: Option<Division>,
    point: &'a str,
}

impl<'a> Defaults<'a> {
    /// Categories may be written as their word or as their Chinese or English name.
    pub(super) fn new(
        catalogue: &'a Catalogue,
        set: &'a str,
        category: &'a str,
        division: Option<Division>,
        point: &'a str,
    ) -> Self {
        let names = |(word, category): (&'a str, &'a Category)| {
            [word, &category.zh, &category.en].map(|name| (name.to_lowercase(), (word, category)))
        };
        Self { set, categories: catalogue.iter().flat_map(names).collect(), category, division, point }
    }
}

/// A venue of a file.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) source_ref: String,
    pub(super) name: String,
    pub(super) category: String,
    pub(super) granularity: crate::domain::venue::Granularity,
    pub(super) division: Division,
    pub(super) address: String,
    pub(super) position: Position,
    pub(super) capacity: Option<i32>,
    pub(super) credit_code: Option<CreditCode>,
    pub(super) organisation: Option<String>,
    pub(super) contact_name: String,
    pub(super) contact_phone: String,
    pub(super) points: Vec<String>,
}

/// Reads a row.
pub(super) fn read(row: &Row, defaults: &Defaults) -> Result<Draft, Refusal> {
    let id = bounded("id", row.need("id")?, 150)?;
    let word = row.get("category").unwrap_or(defaults.category);
    let (category, kind) = defaults.categories.get(&word.to_lowercase()).ok_or_else(|| {
        Refusal::new("category", word, "not in the catalogue", "a word or name of venues/categories.toml")
    })?;
    Ok(Draft {
        source_ref: format!("{}:{id}", defaults.set),
        name: bounded("name", row.need("name")?, 200)?,
        category: (*category).to_owned(),
        granularity: kind.granularity,
        division: division(row, defaults)?,
        address: bounded("address", row.get("address").unwrap_or_default(), 300)?,
        position: position(row)?,
        capacity: capacity(row)?,
        credit_code: credit_code(row)?,
        organisation: row.get("organisation").map(|name| bounded("organisation", name, 200)).transpose()?,
        contact_name: bounded("contact_name", row.get("contact_name").unwrap_or_default(), 100)?,
        contact_phone: bounded("contact_phone", row.get("contact_phone").unwrap_or_default(), 30)?,
        points: points(row, defaults.point)?,
    })
}

fn bounded(column: &'static str, value: &str, characters: usize) -> Result<String, Refusal> {
    if value.chars().any(char::is_control) {
        return Err(Refusal::new(column, value, "holds control characters", "plain text in one line"));
    }
    if value.chars().count() > characters {
        return Err(Refusal::new(column, value, "too long", &format!("{characters} characters at most")));
    }
    Ok(value.to_owned())
}

fn division(row: &Row, defaults: &Defaults) -> Result<Division, Refusal> {
    match (row.get("division"), defaults.division) {
        (Some(code), _) => code.parse().map_err(|_digits| {
            Refusal::new("division", code, "no division code", "six digits (GB/T 2260), such as 410105")
        }),
        (None, Some(division)) => Ok(division),
        (None, None) => {
            Err(Refusal::new("division", "", "empty", "six digits (GB/T 2260), or give --division"))
        }
    }
}

fn position(row: &Row) -> Result<Position, Refusal> {
    let degrees = |column: &'static str| {
        let text = row.need(column)?;
        let number = text.parse::<f64>().map_err(|_text| {
            Refusal::new(column, text, "no number", "degrees (WGS 84) with a decimal point, such as 34.7466")
        })?;
        Ok((text, number))
    };
    let ((lat_text, lat), (lng_text, lng)) = (degrees("lat")?, degrees("lng")?);
    Position::new(lat, lng).map_err(|error| match error {
        InvalidPosition::Latitude => Refusal::new("lat", lat_text, "out of range", "-90 to 90 degrees"),
        InvalidPosition::Longitude => Refusal::new("lng", lng_text, "out of range", "-180 to 180 degrees"),
        InvalidPosition::Null => Refusal::new("lat", lat_text, "0, 0 is no position", "where the venue is"),
    })
}

fn capacity(row: &Row) -> Result<Option<i32>, Refusal> {
    let Some(text) = row.get("capacity") else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (1..=CAPACITY_MAX).contains(number));
    let refusal =
        || Refusal::new("capacity", text, "no number of people", &format!("1 to {CAPACITY_MAX}, or empty"));
    number.ok_or_else(refusal).map(Some)
}

fn credit_code(row: &Row) -> Result<Option<CreditCode>, Refusal> {
    let Some(text) = row.get("credit_code") else { return Ok(None) };
    let refusal = |why: crate::domain::venue::InvalidCreditCode| {
        Refusal::new("credit_code", text, "no unified social credit code", &format!("GB 32100-2015: {why}"))
    };
    text.parse().map(Some).map_err(refusal)
}

fn points(row: &Row, default: &str) -> Result<Vec<String>, Refusal> {
    let text = row.get("point").unwrap_or(default);
    let names = text.split([';', '；']).map(str::trim).filter(|name| !name.is_empty());
    let names = names.map(|name| bounded("point", name, 100)).collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() || names.len() > POINTS_MAX {
        let right = format!("1 to {POINTS_MAX} names, separated by `;`");
        return Err(Refusal::new("point", text, "none, or too many", &right));
    }
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        return Err(Refusal::new("point", text, "named twice", "names that differ within the venue"));
    }
    Ok(names)
}
