//! Reads a trial from JSON, so that what is wrong is told by its path.

use chrono::FixedOffset;
use h3o::CellIndex;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::form::{
    InvalidTrial, PLACES_MAX, STAYS_MAX, TRAIL_MAX, Trial, TrialCase, TrialPlace, TrialStay, TrialTrailStay,
};
use super::{CASE, POINT_RESOLUTION, Position};
use crate::domain::exposure::GRID_RESOLUTION;
use crate::domain::venue::Granularity;

/// The longest label, in bytes.
const LABEL_BYTES_MAX: usize = 100;

/// The clock of China.
const OFFSET_SECS: i32 = 8 * 3600;

type Read<T> = Result<T, InvalidTrial>;

impl Trial {
    /// A trial from JSON. What it does not know is refused, since somebody meant something by it.
    pub fn read(value: Value) -> Read<Self> {
        let mut form = Fields::of(value, "")?;
        let trial = Self {
            now: form.needed("now")?,
            local_offset: offset(&mut form)?,
            case: case(form.object("case")?)?,
            places: form.rows("places", PLACES_MAX, place)?,
            trail: form.rows("trail", TRAIL_MAX, trail_stay)?,
            stays: form.rows("stays", STAYS_MAX, stay)?,
        };
        form.end()?;
        Ok(trial)
    }
}

fn offset(form: &mut Fields) -> Read<FixedOffset> {
    let Some(text) = form.maybe::<String>("local_offset")? else {
        return FixedOffset::east_opt(OFFSET_SECS).ok_or_else(|| form.wrong("local_offset", "is missing"));
    };
    text.parse().map_err(|_unreadable| form.wrong("local_offset", "must be such as +08:00"))
}

fn case(mut form: Fields) -> Read<TrialCase> {
    let case = TrialCase {
        who: form.maybe_label("who")?.unwrap_or_else(|| CASE.to_owned()),
        kind: form.needed("kind")?,
        onset_at: form.maybe("onset_at")?,
        sampled_at: form.needed("sampled_at")?,
        isolated_at: form.maybe("isolated_at")?,
    };
    form.end()?;
    Ok(case)
}

fn place(mut form: Fields) -> Read<TrialPlace> {
    let place = TrialPlace {
        id: form.label("id")?,
        venue: form.maybe_label("venue")?,
        cell: place_cell(&mut form)?,
        granularity: form.maybe("granularity")?.unwrap_or(Granularity::Room),
        category: form.maybe_label("category")?.unwrap_or_else(|| "other".to_owned()),
        row: form.maybe("row")?,
    };
    form.end()?;
    Ok(place)
}

fn place_cell(form: &mut Fields) -> Read<Option<CellIndex>> {
    let cell = form.maybe_cell("cell")?;
    let position = (form.maybe::<f64>("lat_deg")?, form.maybe::<f64>("lng_deg")?);
    match (cell, position) {
        (cell, (None, None)) => Ok(cell),
        (None, (Some(lat), Some(lng))) => {
            let position = Position::new(lat, lng).map_err(|error| form.wrong("lat_deg", error))?;
            Ok(Some(position.cell(POINT_RESOLUTION)))
        }
        (Some(_), _) => Err(form.wrong("cell", "must not stand beside `lat_deg` and `lng_deg`")),
        (None, _) => Err(form.wrong("lat_deg", "and `lng_deg` stand together")),
    }
}

fn trail_stay(mut form: Fields) -> Read<TrialTrailStay> {
    let stay = TrialTrailStay {
        place: form.maybe_label("place")?,
        venue: form.maybe_label("venue")?,
        cell: form.maybe_cell("cell")?,
        from: form.needed("from")?,
        until: form.maybe("until")?,
        row: form.maybe("row")?,
    };
    form.end()?;
    Ok(stay)
}

fn stay(mut form: Fields) -> Read<TrialStay> {
    let stay = TrialStay {
        who: form.label("who")?,
        place: form.label("place")?,
        from: form.needed("from")?,
        until: form.maybe("until")?,
        presence: form.maybe("presence")?,
        ended_by: form.maybe("ended_by")?,
    };
    form.end()?;
    Ok(stay)
}

/// The fields of one object that have not been read yet, and where the object stands.
struct Fields {
    path: String,
    left: Map<String, Value>,
}

impl Fields {
    fn of(value: Value, path: &str) -> Read<Self> {
        match value {
            Value::Object(left) => Ok(Self { path: path.to_owned(), left }),
            _ => Err(InvalidTrial::new(if path.is_empty() { "body" } else { path }, "must be an object")),
        }
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn wrong(&self, name: &str, reason: impl std::fmt::Display) -> InvalidTrial {
        InvalidTrial::new(&self.at(name), reason)
    }

    fn maybe<T: DeserializeOwned>(&mut self, name: &str) -> Read<Option<T>> {
        match self.left.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value).map(Some).map_err(|error| self.wrong(name, error)),
        }
    }

    fn needed<T: DeserializeOwned>(&mut self, name: &str) -> Read<T> {
        self.maybe(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    fn maybe_label(&mut self, name: &str) -> Read<Option<String>> {
        let Some(label) = self.maybe::<String>(name)? else { return Ok(None) };
        if (1..=LABEL_BYTES_MAX).contains(&label.len()) {
            Ok(Some(label))
        } else {
            Err(self.wrong(name, format!("must have 1 to {LABEL_BYTES_MAX} bytes")))
        }
    }

    fn label(&mut self, name: &str) -> Read<String> {
        self.maybe_label(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    fn maybe_cell(&mut self, name: &str) -> Read<Option<CellIndex>> {
        let Some(text) = self.maybe::<String>(name)? else { return Ok(None) };
        let right = "must be an H3 cell of resolution 8 to 11 as 15 hexadecimal digits";
        let cell: CellIndex = text.parse().map_err(|_unreadable| self.wrong(name, right))?;
        if (GRID_RESOLUTION..=POINT_RESOLUTION).contains(&cell.resolution()) {
            Ok(Some(cell))
        } else {
            Err(self.wrong(name, right))
        }
    }

    fn object(&mut self, name: &str) -> Read<Self> {
        let value = self.left.remove(name).ok_or_else(|| self.wrong(name, "is missing"))?;
        Self::of(value, &self.at(name))
    }

    /// The rows of a list; one that is absent is empty.
    fn rows<T>(&mut self, name: &str, max: usize, row: fn(Self) -> Read<T>) -> Read<Vec<T>> {
        let Some(rows) = self.maybe::<Vec<Value>>(name)? else { return Ok(Vec::new()) };
        if rows.len() > max {
            return Err(self.wrong(name, format!("has {} rows; {max} are the most", rows.len())));
        }
        let at = |(number, value)| row(Self::of(value, &format!("{}[{number}]", self.at(name)))?);
        rows.into_iter().enumerate().map(at).collect()
    }

    fn end(self) -> Read<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.wrong(name, "is no field here")),
        }
    }
}
