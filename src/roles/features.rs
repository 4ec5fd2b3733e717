//! GeoJSON files: a feature is a row, its properties are the columns.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::pieces::{FEATURE_BYTES_MAX, Piece, Pieces};
use super::refusals::Refusal;
use super::row::Row;
use super::table::{FileArgs, Layout, Opened};

/// How many property names that are not used are remembered, to be told at the end.
const UNUSED_MAX: usize = 50;

/// A GeoJSON file that is being read.
pub(crate) struct Features {
    pieces: Pieces,
    layout: Layout,
    map: Vec<(&'static str, String)>,
    number: u64,
    unused: BTreeSet<String>,
}

/// One feature as it is written.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    id: Option<Value>,
    geometry: Option<Value>,
    properties: Option<Map<String, Value>>,
}

impl Features {
    /// Begins to read an open file.
    pub(crate) fn new(
        opened: Opened,
        args: &FileArgs,
        layout: Layout,
        in_lines: bool,
    ) -> anyhow::Result<Self> {
        ensure!(
            args.columns.is_empty() && args.delimiter.is_none(),
            "--columns and --delimiter are for tables; a property of a GeoJSON file is named with --map COLUMN=NAME"
        );
        let mut map = Vec::new();
        for (column, name) in &args.map {
            let Some(known) = layout.known.iter().find(|known| *known == column) else {
                bail!(
                    "--map {column}={name}: `{column}` is no column of this import; it knows {}",
                    layout.known.join(", ")
                );
            };
            map.push((*known, name.clone()));
        }
        let pieces = Pieces::new(opened.source, in_lines);
        Ok(Self { pieces, layout, map, number: 0, unused: BTreeSet::new() })
    }

    /// The next feature with its number, counted from 1, or why it cannot be read; `None` at the end.
    pub(crate) fn next_row(&mut self) -> anyhow::Result<Option<(u64, Result<Row, Refusal>)>> {
        let Some(piece) = self.pieces.next()? else { return Ok(None) };
        self.number += 1;
        let row = match piece {
            Piece::Whole(text) => self.row(&text),
            Piece::TooLarge => {
                let right = format!("at most {FEATURE_BYTES_MAX} bytes");
                Err(Refusal::new("feature", "", "too large", &right))
            }
        };
        Ok(Some((self.number, row)))
    }

    /// Names of properties that no column is called by.
    pub(crate) fn unused(&self) -> Vec<String> {
        self.unused.iter().cloned().collect()
    }

    fn row(&mut self, text: &[u8]) -> Result<Row, Refusal> {
        let shown =
            || String::from_utf8_lossy(text.get(..text.len().min(200)).unwrap_or_default()).into_owned();
        let no_feature = |right: &str| Refusal::new("feature", &shown(), "no GeoJSON feature", right);
        let Written { kind, id, geometry, properties } =
            serde_json::from_slice(text).map_err(|error| no_feature(&format!("RFC 7946: {error}")))?;
        if kind != "Feature" {
            return Err(no_feature("an object whose `type` is `Feature`"));
        }
        let mut values = BTreeMap::new();
        for (name, value) in properties.unwrap_or_default() {
            match self.column(&name) {
                Some(column) => drop(values.insert(column, plain(column, &value)?)),
                None if self.unused.len() < UNUSED_MAX => drop(self.unused.insert(name)),
                None => {}
            }
        }
        if let Some(id) = id.filter(|_| !values.contains_key("id") && self.layout.known.contains(&"id")) {
            values.insert("id", plain("id", &id)?);
        }
        let geometry = geometry.filter(|geometry| !geometry.is_null());
        let geometry = geometry
            .ok_or_else(|| Refusal::new("geometry", "", "empty", "a Point, Polygon or MultiPolygon"))?;
        let geometry = point(geometry, &mut values)?;
        Ok(Row::Feature { values, geometry })
    }

    /// The column that a property is.
    fn column(&self, name: &str) -> Option<&'static str> {
        if let Some((column, _)) = self.map.iter().find(|(_, mapped)| mapped == name) {
            return Some(column);
        }
        let same = name.to_lowercase();
        let own = self.layout.known.iter().find(|known| **known == same)?;
        let taken = self.map.iter().any(|(column, _)| column == own);
        (!taken).then_some(own)
    }
}

/// Puts a point's position into the columns `lat` and `lng`; gives back any other geometry.
fn point(geometry: Value, values: &mut BTreeMap<&'static str, String>) -> Result<Option<Value>, Refusal> {
    if geometry.get("type").and_then(Value::as_str) != Some("Point") {
        return Ok(Some(geometry));
    }
    let numbers = geometry.get("coordinates").and_then(Value::as_array).map(Vec::as_slice);
    if let Some([Value::Number(lng), Value::Number(lat), ..]) = numbers {
        values.insert("lat", lat.to_string());
        values.insert("lng", lng.to_string());
        return Ok(None);
    }
    let right = "two numbers in `coordinates`, the longitude first (WGS 84)";
    Err(Refusal::new("geometry", &geometry.to_string(), "no position", right))
}

/// A property as a cell of a table would hold it.
fn plain(column: &'static str, value: &Value) -> Result<String, Refusal> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(is) => Ok(if *is { "yes" } else { "no" }.to_owned()),
        Value::Array(items) => {
            let items = items.iter().map(|item| match item {
                Value::Array(_) => plain(column, &Value::Object(Map::new())),
                other => plain(column, other),
            });
            Ok(items.collect::<Result<Vec<_>, _>>()?.join(";"))
        }
        Value::Object(_) => {
            Err(Refusal::new(column, &value.to_string(), "an object", "a text, a number, or a list of texts"))
        }
    }
}
