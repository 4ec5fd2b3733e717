//! The fields of a venue in a file: from text to values that are valid, or what would be right.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, Utc};
use serde::de::DeserializeOwned;

use super::moment;
use super::refusals::Refusal;
use super::row::Row;
use crate::domain::area::Area;
use crate::domain::division_bounds::DivisionBounds;
use crate::domain::fields::{self, InvalidField};
use crate::domain::position::{InvalidPosition, Position};
use crate::domain::venue::{CreditCode, Division, InvalidCreditCode, OrganisationKind};
use crate::domain::words::from_word;

/// The most people that a venue may be said to hold.
const CAPACITY_MAX: i32 = 1_000_000;

/// A text that must be there.
pub(super) fn need(row: &Row, column: &'static str, max: usize) -> Result<String, Refusal> {
    text(column, row.need(column)?, max)
}

/// A text that may be empty.
pub(super) fn bounded(row: &Row, column: &'static str, max: usize) -> Result<String, Refusal> {
    text(column, row.get(column).unwrap_or_default(), max)
}

/// A text of so many characters at most, as forms take it too.
pub(super) fn text(column: &'static str, value: &str, max: usize) -> Result<String, Refusal> {
    fields::text(value, 0, max).map_err(|error| invalid(column, value, &error))
}

/// A telephone number, or nothing.
pub(super) fn phone(row: &Row, column: &'static str) -> Result<String, Refusal> {
    let value = row.get(column).unwrap_or_default();
    fields::phone(value).map_err(|error| invalid(column, value, &error))
}

fn invalid(column: &'static str, value: &str, error: &InvalidField) -> Refusal {
    match error {
        InvalidField::Control => {
            Refusal::new(column, value, "holds control characters", "plain text in one line")
        }
        InvalidField::Length { max, .. } => {
            Refusal::new(column, value, "too long", &format!("{max} characters at most"))
        }
        InvalidField::Phone => Refusal::new(column, value, "no telephone number", &error.to_string()),
    }
}

/// A word of a closed set, when the row has one.
pub(super) fn choice<T: DeserializeOwned>(
    row: &Row,
    column: &'static str,
    words: &str,
) -> Result<Option<T>, Refusal> {
    let Some(value) = row.get(column) else { return Ok(None) };
    choice_of(column, value, words).map(Some)
}

/// A word of a closed set.
pub(super) fn choice_of<T: DeserializeOwned>(
    column: &'static str,
    value: &str,
    words: &str,
) -> Result<T, Refusal> {
    let refusal = || Refusal::new(column, value, "not one of its words", &format!("one of {words}"));
    from_word(&value.to_lowercase()).ok_or_else(refusal)
}

/// Yes or no.
pub(super) fn yes_or_no(column: &'static str, value: &str) -> Result<bool, Refusal> {
    match value.to_lowercase().as_str() {
        "yes" | "true" | "1" | "是" => Ok(true),
        "no" | "false" | "0" | "否" => Ok(false),
        _ => Err(Refusal::new(column, value, "neither yes nor no", "yes or no")),
    }
}

/// When codes end: a moment, or a day, at whose end by the local clock they do.
pub(super) fn expires(
    column: &'static str,
    value: &str,
    offset: FixedOffset,
) -> Result<DateTime<Utc>, Refusal> {
    let end_of_day = |day: NaiveDate| {
        let next = day.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?;
        Some(next.and_local_timezone(offset).single()?.to_utc())
    };
    let day = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok().and_then(end_of_day);
    day.or_else(|| moment::read(value, offset)).ok_or_else(|| {
        let right = format!("a day such as 2026-05-01, at whose end the codes end, or {}", moment::FORMS);
        Refusal::new(column, value, "no day or moment", &right)
    })
}

/// The division, or the default for rows without one.
pub(super) fn division(row: &Row, default: Option<Division>) -> Result<Division, Refusal> {
    match (row.get("division"), default) {
        (Some(code), _) => code.parse().map_err(|_digits| {
            Refusal::new("division", code, "no division code", "six digits (GB/T 2260), such as 410105")
        }),
        (None, Some(division)) => Ok(division),
        (None, None) => {
            Err(Refusal::new("division", "", "empty", "six digits (GB/T 2260), or give --division"))
        }
    }
}

/// Where a venue is: its outline, when it has one, and its position, which is the outline's middle when none is
/// given. A position outside the division, or outside the outline, is a slip.
pub(super) fn place(
    row: &Row,
    division: &Division,
    known: &DivisionBounds,
) -> Result<(Position, Option<Area>), Refusal> {
    let area = outline(row)?;
    let given = row.get("lat").is_some() || row.get("lng").is_some();
    let position = match &area {
        Some((column, area)) if !given => middle(column, area)?,
        None | Some(_) => position(row)?,
    };
    if let Some((column, area)) = &area
        && given
        && !area.contains(&position)
        && middle(column, area)? != position
    {
        let value = row.get("lat").unwrap_or_default();
        return Err(Refusal::new("lat", value, "outside the outline", "a position inside it, or none"));
    }
    known.check(division, &position).map_err(|outside| {
        let [south, _, north, _] = outside.bounds.degrees();
        let is_lat = !(south..=north).contains(&position.lat_deg());
        let (column, value) = if is_lat { ("lat", position.lat_deg()) } else { ("lng", position.lng_deg()) };
        let right = format!("{outside}; or the division where the venue is");
        Refusal::new(column, &value.to_string(), "outside the division", &right)
    })?;
    Ok((position, area.map(|(_, area)| area)))
}

fn outline(row: &Row) -> Result<Option<(&'static str, Area)>, Refusal> {
    let Some((column, geometry)) = row.shape()? else { return Ok(None) };
    let area = Area::from_json(&geometry).map_err(|error| {
        let right = format!("a Polygon or MultiPolygon, longitude first (WGS 84): it {error}");
        Refusal::new(column, &geometry.to_string(), "no outline", &right)
    })?;
    Ok(Some((column, area)))
}

fn middle(column: &'static str, area: &Area) -> Result<Position, Refusal> {
    area.middle().map_err(|error| Refusal::new(column, "", "has no middle", &error.to_string()))
}

fn position(row: &Row) -> Result<Position, Refusal> {
    let (lat, lng) = (row.need("lat")?, row.need("lng")?);
    position_of(("lat", lat), ("lng", lng))
}

/// A position from two texts, each with the column that a refusal names.
pub(super) fn position_of(
    (lat_column, lat_text): (&'static str, &str),
    (lng_column, lng_text): (&'static str, &str),
) -> Result<Position, Refusal> {
    let degrees = |column, text: &str| {
        text.parse::<f64>().map_err(|_text| {
            Refusal::new(column, text, "no number", "degrees (WGS 84) with a decimal point, such as 34.7466")
        })
    };
    let (lat, lng) = (degrees(lat_column, lat_text)?, degrees(lng_column, lng_text)?);
    Position::new(lat, lng).map_err(|error| match error {
        InvalidPosition::Latitude => Refusal::new(lat_column, lat_text, "out of range", "-90 to 90 degrees"),
        InvalidPosition::Longitude => {
            Refusal::new(lng_column, lng_text, "out of range", "-180 to 180 degrees")
        }
        InvalidPosition::Null => {
            Refusal::new(lat_column, lat_text, "0, 0 is no position", "where the venue is")
        }
    })
}

/// How many people a venue holds.
pub(super) fn capacity(row: &Row) -> Result<Option<i32>, Refusal> {
    let Some(text) = row.get("capacity") else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (1..=CAPACITY_MAX).contains(number));
    let refusal =
        || Refusal::new("capacity", text, "no number of people", &format!("1 to {CAPACITY_MAX}, or empty"));
    number.ok_or_else(refusal).map(Some)
}

/// Who answers for a venue: the credit code, and the kind of body, which follows from the code unless it is named.
/// Who calls itself a company has a code.
pub(super) fn organisation(row: &Row) -> Result<(Option<CreditCode>, OrganisationKind), Refusal> {
    let code = match row.get("credit_code") {
        Some(text) => Some(text.parse::<CreditCode>().map_err(|why: InvalidCreditCode| {
            let right = format!("GB 32100-2015: {why}");
            Refusal::new("credit_code", text, "no unified social credit code", &right)
        })?),
        None => None,
    };
    let kind = choice(row, "organisation_kind", "company, government, institution, social, other")?;
    if kind == Some(OrganisationKind::Company) && code.is_none() {
        let right = "the 18 symbols on the business licence (GB 32100-2015)";
        return Err(Refusal::new("credit_code", "", "empty for a company", right));
    }
    let kind = kind.or(code.as_ref().map(CreditCode::body)).unwrap_or(OrganisationKind::Other);
    Ok((code, kind))
}
