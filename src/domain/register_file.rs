//! The register as a file: one venue of it as a row of CSV or a feature of GeoJSON, as an import reads it back.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::venue::{Granularity, OrganisationKind, VenueState};
use super::words::word;

/// The columns of a table of venues, and the properties of a feature, in the order of an export.
pub const COLUMNS: &[&str] = &[
    "id",
    "name",
    "short_name",
    "category",
    "division",
    "street",
    "address",
    "lat",
    "lng",
    "outline",
    "capacity",
    "organisation",
    "organisation_kind",
    "credit_code",
    "superior",
    "contact_name",
    "contact_phone",
    "point",
    "granularity",
    "mobile",
    "expires",
    "stops",
    "state",
];

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated, with a header, and a mark of UTF-8 that spreadsheets look for.
    Csv,
    /// One GeoJSON `FeatureCollection` (RFC 7946).
    Geojson,
    /// One GeoJSON feature in each line.
    Geojsonl,
}

/// A venue with everything that a file says about it. Nothing about visitors.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The id in its set, else `set:id`, else the venue's own.
    pub id: String,
    /// Name.
    pub name: String,
    /// What people call it.
    pub short_name: String,
    /// Word of the category.
    pub category: String,
    /// GB/T 2260 code.
    pub division: String,
    /// Street or town.
    pub street: String,
    /// Address.
    pub address: String,
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
    /// GeoJSON geometry of a venue that is wider than a door.
    pub outline: Option<Value>,
    /// How many people it holds.
    pub capacity: Option<i32>,
    /// Legal name of who answers for it.
    pub organisation: String,
    /// What kind of body that is.
    pub organisation_kind: OrganisationKind,
    /// Its unified social credit code.
    pub credit_code: Option<String>,
    /// The supervising authority.
    pub superior: String,
    /// Whom to call.
    pub contact_name: String,
    /// At which number.
    pub contact_phone: String,
    /// Where codes hang; those without a code that answers are left out.
    pub points: Vec<PointRecord>,
    /// The stops of a line.
    pub stops: Vec<StopRecord>,
    /// Where it stands in its life.
    pub state: VenueState,
}

/// A point of a venue.
#[derive(Clone, Debug, PartialEq)]
pub struct PointRecord {
    /// Name.
    pub name: String,
    /// How close together people are.
    pub granularity: Granularity,
    /// Whether it moves.
    pub is_mobile: bool,
    /// When its codes end.
    pub expires_at: Option<DateTime<Utc>>,
    /// Where it hangs, when that is not the venue's own position: degrees north, degrees east.
    pub position: Option<(f64, f64)>,
}

/// A stop of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct StopRecord {
    /// Counts from 1 along the line.
    pub number: i16,
    /// Name.
    pub name: String,
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
}

impl Format {
    /// What stands before the first venue.
    pub fn head(self) -> String {
        match self {
            Self::Csv => format!("\u{feff}{}\r\n", COLUMNS.join(",")),
            Self::Geojson => "{\"type\":\"FeatureCollection\",\"features\":[".to_owned(),
            Self::Geojsonl => String::new(),
        }
    }

    /// Adds one venue; `first` when none stands before it.
    pub fn add(self, to: &mut String, record: &Record, first: bool) {
        match self {
            Self::Csv => {
                let cells: Vec<String> =
                    record.values().iter().map(|value| quoted(&guarded(value))).collect();
                to.push_str(&cells.join(","));
                to.push_str("\r\n");
            }
            Self::Geojson => {
                to.push_str(if first { "\n" } else { ",\n" });
                to.push_str(&record.feature().to_string());
            }
            Self::Geojsonl => {
                to.push_str(&record.feature().to_string());
                to.push('\n');
            }
        }
    }

    /// What stands after the last venue.
    pub fn tail(self) -> &'static str {
        match self {
            Self::Geojson => "\n]}\n",
            Self::Csv | Self::Geojsonl => "",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Geojson => "application/geo+json",
            Self::Geojsonl => "application/geo+json-seq",
        }
    }
}

impl Record {
    /// The values in the order of [`COLUMNS`]; empty where there is none.
    fn values(&self) -> Vec<String> {
        // The first point stands for all; the others say where they differ.
        let usual = self.points.first();
        let points: Vec<String> = self.points.iter().map(|point| point.text(usual)).collect();
        let stops: Vec<String> = self.stops.iter().map(StopRecord::text).collect();
        // A company without credit code is what older imports made of everybody; nothing is known then.
        let kind = match (self.organisation_kind, &self.credit_code) {
            (OrganisationKind::Company, None) => String::new(),
            (kind, _) => word(kind),
        };
        vec![
            self.id.clone(),
            self.name.clone(),
            self.short_name.clone(),
            self.category.clone(),
            self.division.clone(),
            self.street.clone(),
            self.address.clone(),
            self.lat_deg.to_string(),
            self.lng_deg.to_string(),
            self.outline.as_ref().map(Value::to_string).unwrap_or_default(),
            self.capacity.map(|capacity| capacity.to_string()).unwrap_or_default(),
            self.organisation.clone(),
            kind,
            self.credit_code.clone().unwrap_or_default(),
            self.superior.clone(),
            self.contact_name.clone(),
            self.contact_phone.clone(),
            points.join(";"),
            usual.map(|point| word(point.granularity)).unwrap_or_default(),
            usual.map(|point| yes_or_no(point.is_mobile).to_owned()).unwrap_or_default(),
            usual.and_then(|point| point.expires_at).map(moment).unwrap_or_default(),
            stops.join(";"),
            word(self.state),
        ]
    }

    /// The venue as a GeoJSON feature: its outline or position, and the columns that are not empty.
    fn feature(&self) -> Value {
        let place = ["lat", "lng", "outline"];
        let mut properties = Map::new();
        for (column, value) in COLUMNS.iter().zip(self.values()) {
            // A point says where it is; beside an outline the position is a property of its own.
            let told = place.contains(column) && (*column == "outline" || self.outline.is_none());
            if !value.is_empty() && !told {
                properties.insert((*column).to_owned(), Value::String(value));
            }
        }
        let point = || json!({ "type": "Point", "coordinates": [self.lng_deg, self.lat_deg] });
        let geometry = self.outline.clone().unwrap_or_else(point);
        json!({ "type": "Feature", "id": self.id, "geometry": geometry, "properties": properties })
    }
}

impl PointRecord {
    fn text(&self, usual: Option<&Self>) -> String {
        let mut text = escaped(&self.name);
        let mut say = |name: &str, value: &str| {
            text.extend(["|", name, "=", value]);
        };
        if let Some((lat_deg, lng_deg)) = self.position {
            say("lat", &lat_deg.to_string());
            say("lng", &lng_deg.to_string());
        }
        let Some(usual) = usual else { return text };
        if self.granularity != usual.granularity {
            say("granularity", &word(self.granularity));
        }
        if self.is_mobile != usual.is_mobile {
            say("mobile", yes_or_no(self.is_mobile));
        }
        if self.expires_at != usual.expires_at {
            say("expires", &self.expires_at.map(moment).unwrap_or_default());
        }
        text
    }
}

impl StopRecord {
    fn text(&self) -> String {
        format!("{}|{}|{}|{}", self.number, escaped(&self.name), self.lat_deg, self.lng_deg)
    }
}

fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A cell of CSV (RFC 4180).
pub fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) || value.starts_with(' ') || value.ends_with(' ') {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// A value that no spreadsheet takes for a formula: `'` before what begins with = + - @ and is no number. Who
/// already has apostrophes there gets one more, so that [`unguarded`] gives back exactly what was there.
pub fn guarded(value: &str) -> String {
    if is_formula(value) && value.parse::<f64>().is_err() { format!("'{value}") } else { value.to_owned() }
}

/// The value behind the apostrophe of [`guarded`].
pub fn unguarded(value: &str) -> &str {
    value.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(value)
}

fn is_formula(value: &str) -> bool {
    value.trim_start_matches('\'').starts_with(['=', '+', '-', '@'])
}

/// A name inside a list: `;`, `|` and `\` are preceded by `\`.
pub fn escaped(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if matches!(letter, ';' | '；' | '|' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

/// Cuts a list at one of these letters where no `\` precedes it; what `\` precedes stays as it is.
pub fn pieces<'a>(list: &'a str, at: &[char]) -> Vec<&'a str> {
    let (mut found, mut from, mut after_escape) = (Vec::new(), 0, false);
    for (place, letter) in list.char_indices() {
        if !after_escape && at.contains(&letter) {
            found.push(list.get(from..place).unwrap_or_default());
            from = place + letter.len_utf8();
        }
        after_escape = letter == '\\' && !after_escape;
    }
    found.push(list.get(from..).unwrap_or_default());
    found
}

/// The name that [`escaped`] wrote.
pub fn unescaped(text: &str) -> String {
    let (mut name, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        name.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_cell_is_taken_for_a_formula_and_numbers_stay_numbers() {
        for (value, cell) in [
            ("=1+1", "'=1+1"),
            ("@sum(a1)", "'@sum(a1)"),
            ("+86 371 0000 0000", "'+86 371 0000 0000"),
            ("-门", "'-门"),
            ("'=x", "''=x"),
            ("-33.86", "-33.86"),
            ("'早'餐", "'早'餐"),
            ("", ""),
        ] {
            assert_eq!((guarded(value).as_str(), unguarded(cell)), (cell, value));
        }
    }

    #[test]
    fn a_list_is_cut_where_nothing_is_escaped() {
        assert_eq!(pieces("a\\;b；c;", &[';', '；']), ["a\\;b", "c", ""]);
        assert_eq!(pieces("a\\\\|b", &['|']), ["a\\\\", "b"]);
        assert_eq!(unescaped("a\\;b\\\\"), "a;b\\");
    }

    proptest! {
        #[test]
        fn what_is_guarded_comes_back(value in "['=+@a1-]{0,6}|\\PC{0,20}") {
            let cell = guarded(&value);
            prop_assert_eq!(unguarded(&cell), value.as_str());
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']) || cell.parse::<f64>().is_ok());
        }

        #[test]
        fn names_survive_a_list(names in proptest::collection::vec("[a门;；|\\\\]{1,6}", 1..6)) {
            let list = names.iter().map(|name| escaped(name)).collect::<Vec<_>>().join(";");
            let back: Vec<String> = pieces(&list, &[';', '；']).into_iter().map(unescaped).collect();
            prop_assert_eq!(back, names);
        }
    }
}
