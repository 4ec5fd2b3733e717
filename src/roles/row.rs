//! One row of a file that is imported: cells of a table, or properties of a GeoJSON feature.

use std::collections::BTreeMap;
use std::sync::Arc;

use csv::StringRecord;
use serde_json::Value;

use super::refusals::Refusal;
use crate::domain::register_file::unguarded;

/// One row with its columns.
#[derive(Debug)]
pub(crate) enum Row {
    /// Of a table.
    Cells {
        /// Where each column stands.
        columns: Arc<BTreeMap<&'static str, usize>>,
        /// The cells.
        record: StringRecord,
    },
    /// Of a feature.
    Feature {
        /// Its properties by column; empty where a property is null.
        values: BTreeMap<&'static str, String>,
        /// Its geometry, unless that is a point, which stands in `lat` and `lng`.
        geometry: Option<Value>,
    },
}

impl Row {
    /// The value of a column without blanks around it, and without the apostrophe that guards against
    /// spreadsheets; `None` when it is empty or there is no such column.
    pub(crate) fn get(&self, column: &'static str) -> Option<&str> {
        let value = match self {
            Self::Cells { columns, record } => unguarded(record.get(*columns.get(column)?)?.trim()).trim(),
            Self::Feature { values, .. } => values.get(column)?.trim(),
        };
        (!value.is_empty()).then_some(value)
    }

    /// The same of a column that must not be empty.
    pub(crate) fn need(&self, column: &'static str) -> Result<&str, Refusal> {
        self.get(column).ok_or_else(|| Refusal::new(column, "", "empty", "a value"))
    }

    /// Whether the row says something about a column, be it that it is empty.
    pub(crate) fn has(&self, column: &str) -> bool {
        match self {
            Self::Cells { columns, .. } => columns.contains_key(column),
            Self::Feature { values, .. } => values.contains_key(column),
        }
    }

    /// The shape on the map, which is more than a position: the geometry of a feature, or what the column
    /// `outline` of a table holds; and what to call it in a refusal.
    pub(crate) fn shape(&self) -> Result<Option<(&'static str, Value)>, Refusal> {
        match self {
            Self::Feature { geometry, .. } => Ok(geometry.clone().map(|geometry| ("geometry", geometry))),
            Self::Cells { .. } => {
                let Some(text) = self.get("outline") else { return Ok(None) };
                let geometry = serde_json::from_str(text).map_err(|error| {
                    let right = format!("a GeoJSON geometry, such as {{\"type\":\"Polygon\",…}}: {error}");
                    Refusal::new("outline", text, "no JSON", &right)
                })?;
                Ok(Some(("outline", geometry)))
            }
        }
    }
}
