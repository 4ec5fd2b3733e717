//! A table under way in a format: what stands before the rows, each page of rows, what stands after.

use chrono::FixedOffset;
use parquet::errors::ParquetError;
use serde_json::{Map, Value, json};

use super::cell::{Cell, Column, Row, csv_line, json_object};
use super::kind::Format;
use super::parquet::ParquetTable;

/// The column of degrees north of a table that has a map.
pub const LAT: &str = "lat_deg";
/// The column of degrees east.
pub const LNG: &str = "lng_deg";

/// What a table is like.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Its columns.
    pub columns: Vec<Column>,
    /// A line of CSV above the names of the columns, where a program wants one: the same word for each column.
    pub above: Option<&'static str>,
    /// Whether CSV begins with the mark of UTF-8 that spreadsheets look for.
    pub marked: bool,
    /// What JSON, GeoJSON and Parquet say of themselves.
    pub about: Map<String, Value>,
}

/// A table that is being written.
#[derive(Debug)]
pub struct TableFile {
    sheet: Sheet,
    format: Format,
    offset: FixedOffset,
    parquet: Option<ParquetTable>,
    rows: u64,
}

impl TableFile {
    /// Begins a table; moments are told by a clock of that offset.
    pub fn begin(sheet: Sheet, format: Format, offset: FixedOffset) -> Result<Self, ParquetError> {
        let about = Value::Object(sheet.about.clone()).to_string();
        let parquet = match format {
            Format::Parquet => Some(ParquetTable::begin(&sheet.columns, &about)?),
            _ => None,
        };
        Ok(Self { sheet, format, offset, parquet, rows: 0 })
    }

    /// What stands before the rows.
    pub fn head(&self) -> Vec<u8> {
        let names = || self.sheet.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(",");
        match self.format {
            Format::Csv => {
                let mark = if self.sheet.marked { "\u{feff}" } else { "" };
                let above =
                    self.sheet.above.map(|word| vec![word; self.sheet.columns.len()].join(",") + "\r\n");
                format!("{mark}{}{}\r\n", above.unwrap_or_default(), names()).into_bytes()
            }
            Format::Json => self.opening("rows", &json!({})),
            Format::Geojson => self.opening("features", &json!({ "type": "FeatureCollection" })),
            Format::Parquet | Format::Dot | Format::Html | Format::Txt => Vec::new(),
        }
    }

    /// An object whose last member is a list that is still open.
    fn opening(&self, list: &str, begin: &Value) -> Vec<u8> {
        let mut told = begin.as_object().cloned().unwrap_or_default();
        told.extend(self.sheet.about.clone());
        let text = Value::Object(told).to_string();
        let open = text.strip_suffix('}').unwrap_or_default();
        let comma = if open == "{" { "" } else { "," };
        format!("{open}{comma}\"{list}\":[").into_bytes()
    }

    /// A page of rows.
    pub fn add(&mut self, rows: &[Row]) -> Result<Vec<u8>, ParquetError> {
        if let Some(parquet) = &mut self.parquet {
            return parquet.add(rows);
        }
        let mut text = String::new();
        for row in rows {
            if self.format == Format::Csv {
                text.push_str(&csv_line(row, self.offset));
            } else {
                text.push_str(if self.rows == 0 { "\n" } else { ",\n" });
                text.push_str(&self.object(row).to_string());
            }
            self.rows += 1;
        }
        Ok(text.into_bytes())
    }

    fn object(&self, row: &Row) -> Value {
        let mut object = json_object(&self.sheet.columns, row, self.offset);
        if self.format != Format::Geojson {
            return Value::Object(object);
        }
        let lng_lat = [LNG, LAT].map(|name| object.remove(name).and_then(|value| value.as_f64()));
        let geometry = match lng_lat {
            [Some(lng), Some(lat)] => json!({ "type": "Point", "coordinates": [lng, lat] }),
            _ => Value::Null,
        };
        json!({ "type": "Feature", "geometry": geometry, "properties": object })
    }

    /// What stands after the last row.
    pub fn end(self) -> Result<Vec<u8>, ParquetError> {
        match (self.parquet, self.format) {
            (Some(parquet), _) => parquet.end(),
            (None, Format::Json | Format::Geojson) => Ok(b"\n]}\n".to_vec()),
            (None, _) => Ok(Vec::new()),
        }
    }
}

/// Cells of a row that no page holds: a table with one page.
pub fn whole(
    sheet: Sheet,
    format: Format,
    offset: FixedOffset,
    rows: &[Vec<Cell>],
) -> Result<Vec<u8>, ParquetError> {
    let mut table = TableFile::begin(sheet, format, offset)?;
    let mut bytes = table.head();
    bytes.extend(table.add(rows)?);
    bytes.extend(table.end()?);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::cell::{CellKind, column};

    fn sheet() -> Sheet {
        let columns =
            vec![column("name", CellKind::Text), column(LAT, CellKind::Real), column(LNG, CellKind::Real)];
        let about = json!({ "description": "x" }).as_object().unwrap().clone();
        Sheet { columns, above: None, marked: true, about }
    }

    fn text(format: Format, rows: &[Row]) -> String {
        let offset = FixedOffset::east_opt(0).unwrap();
        String::from_utf8(whole(sheet(), format, offset, rows).unwrap()).unwrap()
    }

    #[test]
    fn every_format_is_whole_with_no_row_and_with_some() {
        let row = vec![Cell::text("a"), Cell::Real(34.5), Cell::Real(113.25)];
        let lost = vec![Cell::text("b"), Cell::Empty, Cell::Real(1.0)];
        assert_eq!(text(Format::Csv, &[]), "\u{feff}name,lat_deg,lng_deg\r\n");
        assert_eq!(
            text(Format::Csv, std::slice::from_ref(&row)),
            "\u{feff}name,lat_deg,lng_deg\r\na,34.5,113.25\r\n"
        );
        for rows in [vec![], vec![row.clone()], vec![row.clone(), lost.clone()]] {
            let told: Value = serde_json::from_str(&text(Format::Json, &rows)).unwrap();
            assert_eq!(
                (told["rows"].as_array().unwrap().len(), &told["description"]),
                (rows.len(), &json!("x"))
            );
            let map: geojson::FeatureCollection = text(Format::Geojson, &rows).parse().unwrap();
            assert_eq!(map.features.len(), rows.len());
        }
        let map: geojson::FeatureCollection = text(Format::Geojson, &[row, lost]).parse().unwrap();
        let properties = map.features[0].properties.as_ref().unwrap();
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["name"]);
        assert!(map.features[1].geometry.is_none(), "half a position is none");
    }

    #[test]
    fn a_program_that_wants_a_line_above_gets_a_word_for_each_column() {
        let sheet = Sheet { above: Some("Contact"), marked: false, ..sheet() };
        let offset = FixedOffset::east_opt(0).unwrap();
        let bytes = whole(sheet, Format::Csv, offset, &[]).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "Contact,Contact,Contact\r\nname,lat_deg,lng_deg\r\n");
    }
}
