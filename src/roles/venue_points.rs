//! The points of a venue in a file, and the stops of a line.

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset, Utc};

use super::refusals::Refusal;
use super::row::Row;
use super::venue_fields::{choice, choice_of, expires, position_of, text, yes_or_no};
use crate::domain::position::Position;
use crate::domain::register_file::{pieces, unescaped};
use crate::domain::venue::Granularity;

/// The most points that one row may name.
const POINTS_MAX: usize = 200;
/// The highest number of a stop.
const STOPS_MAX: i16 = 999;

const GRANULARITIES: &str = "seat, room, floor, hall, open_air, vehicle";

/// A place where a code is to hang.
#[derive(Clone, Debug)]
pub(super) struct DraftPoint {
    /// Its name.
    pub(super) name: String,
    /// How close together people are.
    pub(super) granularity: Granularity,
    /// Whether it moves.
    pub(super) is_mobile: bool,
    /// When its codes end.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Where it hangs, when that is not the venue's own position.
    pub(super) position: Option<Position>,
}

/// A stop of a line.
#[derive(Clone, Debug)]
pub(super) struct DraftStop {
    /// Its number along the line.
    pub(super) number: i16,
    /// Its name.
    pub(super) name: String,
    /// Where it is.
    pub(super) position: Position,
}

/// The points of a row: names separated by `;`, each of which may say in what it differs from the row, such as
/// `东门|lat=34.7|lng=113.6|granularity=hall`.
pub(super) fn points(
    row: &Row,
    default: &str,
    usual: Granularity,
    offset: FixedOffset,
) -> Result<Vec<DraftPoint>, Refusal> {
    let granularity = choice(row, "granularity", GRANULARITIES)?.unwrap_or(usual);
    let mobile = row.get("mobile").map(|value| yes_or_no("mobile", value)).transpose()?;
    let expires_at = row.get("expires").map(|value| expires("expires", value, offset)).transpose()?;
    let plain = DraftPoint {
        name: String::new(),
        granularity,
        is_mobile: mobile.unwrap_or(granularity == Granularity::Vehicle),
        expires_at,
        position: None,
    };
    let list = row.get("point").unwrap_or(default);
    let entries = pieces(list, &[';', '；']).into_iter().filter(|entry| !entry.trim().is_empty());
    let points = entries.map(|entry| point(entry, &plain, offset)).collect::<Result<Vec<_>, _>>()?;
    if points.is_empty() || points.len() > POINTS_MAX {
        let right = format!("1 to {POINTS_MAX} names, separated by `;`");
        return Err(Refusal::new("point", list, "none, or too many", &right));
    }
    if points.iter().map(|point| &point.name).collect::<BTreeSet<_>>().len() < points.len() {
        return Err(Refusal::new("point", list, "named twice", "names that differ within the venue"));
    }
    Ok(points)
}

fn point(entry: &str, plain: &DraftPoint, offset: FixedOffset) -> Result<DraftPoint, Refusal> {
    let mut parts = pieces(entry, &['|']).into_iter();
    let name = text("point", unescaped(parts.next().unwrap_or_default().trim()).as_str(), 100)?;
    if name.is_empty() {
        return Err(Refusal::new("point", entry, "has no name", "a name before the first `|`"));
    }
    let mut point = DraftPoint { name, ..plain.clone() };
    let (mut lat, mut lng) = (None, None);
    for part in parts {
        match part.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("lat", value)) => lat = Some(value),
            Some(("lng", value)) => lng = Some(value),
            Some(("granularity", value)) => point.granularity = choice_of("point", value, GRANULARITIES)?,
            Some(("mobile", value)) => point.is_mobile = yes_or_no("point", value)?,
            Some(("expires", "")) => point.expires_at = None,
            Some(("expires", value)) => point.expires_at = Some(expires("point", value, offset)?),
            Some(_) | None => {
                let right = "NAME|lat=…|lng=…|granularity=…|mobile=…|expires=…, and `\\|` for a | in a name";
                return Err(Refusal::new("point", entry, "says what no point has", right));
            }
        }
    }
    point.position = match (lat, lng) {
        (None, None) => None,
        (lat, lng) => {
            Some(position_of(("point", lat.unwrap_or_default()), ("point", lng.unwrap_or_default()))?)
        }
    };
    Ok(point)
}

/// The stops of a line: `number|name|lat|lng`, separated by `;`. Only what moves has stops.
pub(super) fn stops(row: &Row, points: &[DraftPoint]) -> Result<Vec<DraftStop>, Refusal> {
    let Some(list) = row.get("stops") else { return Ok(Vec::new()) };
    if !points.iter().any(|point| point.is_mobile) {
        let right = "stops only for vehicles (mobile = yes), or none";
        return Err(Refusal::new("stops", list, "the venue does not move", right));
    }
    let entries = pieces(list, &[';', '；']).into_iter().filter(|entry| !entry.trim().is_empty());
    let stops = entries.map(stop).collect::<Result<Vec<_>, _>>()?;
    if stops.iter().map(|stop| stop.number).collect::<BTreeSet<_>>().len() < stops.len() {
        return Err(Refusal::new("stops", list, "numbered twice", "another number for each stop"));
    }
    Ok(stops)
}

fn stop(entry: &str) -> Result<DraftStop, Refusal> {
    let right = format!("number|name|lat|lng, the number between 1 and {STOPS_MAX}, separated by `;`");
    let refusal = || Refusal::new("stops", entry, "no stop", &right);
    let [number, name, lat, lng] = pieces(entry, &['|']).try_into().map_err(|_parts: Vec<_>| refusal())?;
    let number = number.trim().parse().ok().filter(|number| (1..=STOPS_MAX).contains(number));
    let name = text("stops", &unescaped(name.trim()), 100)?;
    if name.is_empty() {
        return Err(refusal());
    }
    let position = position_of(("stops", lat.trim()), ("stops", lng.trim()))?;
    Ok(DraftStop { number: number.ok_or_else(refusal)?, name, position })
}
