//! One row of a list of scans: from text to a scan that only lacks its place.

use chrono::{DateTime, FixedOffset, TimeZone, Utc};
use uuid::Uuid;

use super::moment;
use super::named_id::named_id;
use super::refusals::Refusal;
use super::row::Row;
use super::table::Layout;
use crate::domain::keyring::{Key, Keyring};
use crate::domain::place_code::PlaceCode;
use crate::domain::scan::{Direction, Presence};
use crate::domain::venue::PointId;
use crate::domain::visitor::{IdentityKind, Visitor};

/// The columns of a list of scans.
pub(super) const LAYOUT: Layout = Layout {
    known: &["visitor", "visitor_hex", "time", "venue", "point", "code", "direction", "presence", "id"],
    required: &["time"],
};

/// The longest identity number, name of a point or id, in characters.
const CHARACTERS_MAX: usize = 100;
/// No scan is older: what claims to be is a slip, such as a clock that was never set.
const FIRST_YEAR: i32 = 2000;

/// What all rows of a file share.
pub(super) struct Context<'a> {
    pub(super) set: &'a str,
    pub(super) offset: FixedOffset,
    pub(super) kind: IdentityKind,
    /// Absent when the file has pseudonyms only.
    pub(super) key: Option<Key>,
    pub(super) keys: &'a Keyring,
    pub(super) now: DateTime<Utc>,
}

/// Where a scan was, as the file says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// At a venue of the set, by its source reference; at the point of that name, or at its only one.
    Venue(String, Option<String>),
    /// At a point, and which column told it.
    Point(PointId, &'static str),
}

/// A scan of a file.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: Uuid,
    pub(super) visitor: Visitor,
    pub(super) place: Whereabouts,
    pub(super) at: DateTime<Utc>,
    pub(super) direction: Direction,
    pub(super) presence: Presence,
}

/// Reads a row.
pub(super) fn read(row: &Row, context: &Context) -> Result<Draft, Refusal> {
    let at = time(row, context)?;
    let visitor = visitor(row, context)?;
    let place = place(row, context)?;
    let direction = direction(row)?;
    let id = id(row, context, visitor, &place, at, direction)?;
    Ok(Draft { id, visitor, place, at, direction, presence: presence(row)? })
}

fn time(row: &Row, context: &Context) -> Result<DateTime<Utc>, Refusal> {
    let text = row.need("time")?;
    let refuse = |wrong, right| Refusal::new("time", text, wrong, right);
    let at = moment::read(text, context.offset).ok_or_else(|| refuse("no moment", moment::FORMS))?;
    if at > context.now {
        return Err(refuse("in the future", "when the visitor was there"));
    }
    if Utc.with_ymd_and_hms(FIRST_YEAR, 1, 1, 0, 0, 0).single().is_some_and(|first| at < first) {
        return Err(refuse("before the year 2000", "when the visitor was there"));
    }
    Ok(at)
}

fn visitor(row: &Row, context: &Context) -> Result<Visitor, Refusal> {
    if let Some(hex) = row.get("visitor_hex") {
        let refusal =
            || Refusal::new("visitor_hex", hex, "no pseudonym", "32 hexadecimal digits in lower case");
        return Visitor::from_hex(hex).ok_or_else(refusal);
    }
    let (number, Some(key)) = (row.need("visitor")?, &context.key) else {
        return Err(Refusal::new("visitor_hex", "", "empty", "32 hexadecimal digits in lower case"));
    };
    bounded("visitor", number)?;
    Ok(Visitor::of(key.bytes(), context.kind, number))
}

fn bounded(column: &'static str, value: &str) -> Result<(), Refusal> {
    let right = format!("{CHARACTERS_MAX} characters at most");
    let short = value.chars().count() <= CHARACTERS_MAX;
    if short { Ok(()) } else { Err(Refusal::new(column, value, "too long", &right)) }
}

fn place(row: &Row, context: &Context) -> Result<Whereabouts, Refusal> {
    if let Some(code) = row.get("code") {
        let refusal = |why| {
            Refusal::new(
                "code",
                code,
                "no genuine place code",
                &format!("the 21 symbols on the poster: {why}"),
            )
        };
        // A scanned code is a link; a typed one is the last part alone.
        let typed = code.rsplit('/').next().unwrap_or(code);
        let code = PlaceCode::parse(typed, context.keys).map_err(refusal)?;
        return Ok(Whereabouts::Point(code.point, "code"));
    }
    let point = row.get("point");
    if let Some(venue) = row.get("venue") {
        bounded("venue", venue)?;
        return Ok(Whereabouts::Venue(format!("{}:{venue}", context.set), point.map(str::to_owned)));
    }
    let Some(text) = point else {
        return Err(Refusal::new("venue", "", "no place", "a `venue`, a `point` or a `code`"));
    };
    let id = text.parse().ok().and_then(PointId::new);
    let refusal = || Refusal::new("point", text, "no point id", "a number; names of points need a `venue`");
    id.ok_or_else(refusal).map(|id| Whereabouts::Point(id, "point"))
}

fn direction(row: &Row) -> Result<Direction, Refusal> {
    match row.get("direction") {
        None => Ok(Direction::Entry),
        Some(text) => match text.to_lowercase().as_str() {
            "entry" | "in" | "进" => Ok(Direction::Entry),
            "exit" | "out" | "出" => Ok(Direction::Exit),
            "passing" => Ok(Direction::Passing),
            _ => Err(Refusal::new("direction", text, "unknown", "entry, exit or passing")),
        },
    }
}

fn presence(row: &Row) -> Result<Presence, Refusal> {
    match row.get("presence") {
        None | Some("unproven") => Ok(Presence::Unproven),
        Some("plausible") => Ok(Presence::Plausible),
        Some("verified") => Ok(Presence::Verified),
        Some("contradicted") => Ok(Presence::Contradicted),
        Some(text) => {
            let right = "verified, plausible, unproven or contradicted";
            Err(Refusal::new("presence", text, "unknown", right))
        }
    }
}

/// The scan's own id when the file has one, so that another import of the source finds the same scans; else one
/// that follows from what the row says.
fn id(
    row: &Row,
    context: &Context,
    visitor: Visitor,
    place: &Whereabouts,
    at: DateTime<Utc>,
    direction: Direction,
) -> Result<Uuid, Refusal> {
    if let Some(text) = row.get("id") {
        bounded("id", text)?;
        return Ok(Uuid::parse_str(text).unwrap_or_else(|_other| named_id("scan", &[context.set, text])));
    }
    let place = match place {
        Whereabouts::Venue(venue, None) => venue.clone(),
        Whereabouts::Venue(venue, Some(point)) => format!("{venue} {point}"),
        Whereabouts::Point(point, _) => point.to_string(),
    };
    let (at, direction) = (at.timestamp_micros().to_string(), format!("{direction:?}"));
    Ok(named_id("scan", &[context.set, &visitor.to_hex(), &place, &at, &direction]))
}
