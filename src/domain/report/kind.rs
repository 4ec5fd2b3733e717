//! Which reports there are, and in which formats.

use std::str::FromStr;

use clap::ValueEnum;

/// What is told of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The register of contacts.
    Contacts,
    /// The contacts that are to be reached first.
    Triage,
    /// The line list of cases.
    LineList,
    /// Every meeting: the evidence.
    Exposures,
    /// The places, with counts and slots.
    Venues,
    /// Contacts by division of the place and by division of residence.
    Divisions,
    /// Case → place → contact.
    Chain,
    /// Hand-over letters by division.
    Letters,
    /// What the public may know of a case's places.
    Trajectory,
    /// Cases for SORMAS.
    SormasCases,
    /// Contacts for SORMAS.
    SormasContacts,
    /// Cases for Go.Data.
    GodataCases,
    /// Contacts with their relationship for Go.Data.
    GodataContacts,
    /// Contacts of contacts for Go.Data.
    GodataContactsOfContacts,
    /// The line list of R's epicontacts.
    EpicontactsLinelist,
    /// The contacts of R's epicontacts.
    EpicontactsContacts,
}

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated, RFC 4180, UTF-8.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// One JSON document.
    Json,
    /// GeoJSON (RFC 7946).
    Geojson,
    /// `GraphViz`.
    Dot,
    /// A page to print.
    Html,
    /// Plain text.
    Txt,
}

/// A report in a format: what a file name such as `contacts.csv` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What.
    pub kind: Kind,
    /// In which form.
    pub format: Format,
}

/// Why there is no such report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// No such kind, or no format behind it.
    #[error("there is no such report; a name is KIND.FORMAT, such as contacts.csv")]
    Name,
    /// The kind has other formats.
    #[error("{kind} has no such format; it has {formats}")]
    Format {
        /// Which kind.
        kind: String,
        /// Its formats.
        formats: String,
    },
}

/// The name of a value on the command line and in addresses.
pub fn name(value: impl ValueEnum + Copy) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl Kind {
    /// The formats that it has.
    pub fn formats(self) -> &'static [Format] {
        use Format::{Csv, Dot, Geojson, Html, Json, Parquet, Txt};
        match self {
            Self::Contacts | Self::LineList | Self::Exposures => &[Csv, Parquet, Json],
            Self::Triage | Self::Divisions => &[Csv, Json],
            Self::Venues => &[Csv, Parquet, Json, Geojson],
            Self::Chain => &[Json, Dot],
            Self::Letters => &[Html, Txt, Csv, Json],
            Self::Trajectory => &[Txt, Json, Geojson],
            Self::SormasCases
            | Self::SormasContacts
            | Self::GodataCases
            | Self::GodataContacts
            | Self::GodataContactsOfContacts
            | Self::EpicontactsLinelist
            | Self::EpicontactsContacts => &[Csv],
        }
    }

    /// Whether another program reads it, which wants neither a byte-order mark nor anything of ours.
    pub fn is_for_a_program(self) -> bool {
        match self {
            Self::SormasCases
            | Self::SormasContacts
            | Self::GodataCases
            | Self::GodataContacts
            | Self::GodataContactsOfContacts
            | Self::EpicontactsLinelist
            | Self::EpicontactsContacts => true,
            Self::Contacts
            | Self::Triage
            | Self::LineList
            | Self::Exposures
            | Self::Venues
            | Self::Divisions
            | Self::Chain
            | Self::Letters
            | Self::Trajectory => false,
        }
    }
}

impl Format {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Json => "application/json",
            Self::Geojson => "application/geo+json",
            Self::Dot => "text/vnd.graphviz; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Txt => "text/plain; charset=utf-8",
        }
    }
}

impl Report {
    /// A report that there is.
    pub fn new(kind: Kind, format: Format) -> Result<Self, NoReport> {
        if kind.formats().contains(&format) {
            return Ok(Self { kind, format });
        }
        let formats = kind.formats().iter().map(|format| name(*format)).collect::<Vec<_>>().join(", ");
        Err(NoReport::Format { kind: name(kind), formats })
    }

    /// Its file name.
    pub fn file_name(self) -> String {
        format!("{}.{}", name(self.kind), name(self.format))
    }
}

impl FromStr for Report {
    type Err = NoReport;

    fn from_str(text: &str) -> Result<Self, NoReport> {
        let (kind, format) = text.split_once('.').ok_or(NoReport::Name)?;
        let kind = Kind::from_str(kind, false).map_err(|_unknown| NoReport::Name)?;
        let format = Format::from_str(format, false).map_err(|_unknown| NoReport::Name)?;
        Self::new(kind, format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_names_a_report_and_a_report_its_file() {
        for &kind in Kind::value_variants() {
            for &format in Format::value_variants() {
                match Report::new(kind, format) {
                    Ok(report) => assert_eq!(report.file_name().parse(), Ok(report)),
                    Err(error) => assert!(error.to_string().contains(&name(kind)), "{error}"),
                }
            }
        }
        assert_eq!(
            "contacts.dot".parse::<Report>().unwrap_err().to_string(),
            "contacts has no such format; it has csv, parquet, json"
        );
        for bad in ["", "contacts", "contacts.", ".csv", "people.csv", "contacts.csv.gz", "Contacts.csv"] {
            assert_eq!(bad.parse::<Report>(), Err(NoReport::Name), "{bad}");
        }
    }
}
