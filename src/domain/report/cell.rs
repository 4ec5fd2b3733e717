//! Tables: columns with a type, rows of cells, and how a cell is written.

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::domain::register_file::{guarded, quoted};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// A text.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Real,
    /// A moment.
    Time,
    /// Yes or no.
    Flag,
}

/// A column: its name and what it holds. Any cell may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in every format.
    pub name: &'static str,
    /// What it holds.
    pub kind: CellKind,
}

/// A column of that name and kind.
pub const fn column(name: &'static str, kind: CellKind) -> Column {
    Column { name, kind }
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing is known, or nothing applies.
    Empty,
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Real(f64),
    /// A moment.
    Time(DateTime<Utc>),
    /// Yes or no.
    Flag(bool),
}

/// A row, in the order of the columns.
pub type Row = Vec<Cell>;

impl Cell {
    /// A text; an empty one is an empty cell.
    pub fn text(value: impl Into<String>) -> Self {
        let value = value.into();
        if value.is_empty() { Self::Empty } else { Self::Text(value) }
    }

    /// A moment that may be unknown.
    pub fn time(value: Option<DateTime<Utc>>) -> Self {
        value.map_or(Self::Empty, Self::Time)
    }

    /// The cell in CSV (RFC 4180); no spreadsheet takes it for a formula. A moment has the local offset.
    pub fn csv(&self, offset: FixedOffset) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(value) => quoted(&guarded(value)),
            Self::Int(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
            Self::Time(value) => moment(*value, offset),
            Self::Flag(value) => value.to_string(),
        }
    }

    /// The cell in JSON; empty is `null`.
    pub fn json(&self, offset: FixedOffset) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Text(value) => json!(value),
            Self::Int(value) => json!(value),
            Self::Real(value) => json!(value),
            Self::Time(value) => json!(moment(*value, offset)),
            Self::Flag(value) => json!(value),
        }
    }
}

/// A moment by RFC 3339, to the second, by the local clock.
pub fn moment(at: DateTime<Utc>, offset: FixedOffset) -> String {
    at.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// One line of CSV.
pub fn csv_line(row: &Row, offset: FixedOffset) -> String {
    let mut line = row.iter().map(|cell| cell.csv(offset)).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

/// A row as an object.
pub fn json_object(columns: &[Column], row: &Row, offset: FixedOffset) -> Map<String, Value> {
    columns.iter().zip(row).map(|(column, cell)| (column.name.to_owned(), cell.json(offset))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_quoted_guarded_and_told_by_the_local_clock() {
        let china = FixedOffset::east_opt(8 * 3600).unwrap();
        let at = "2026-03-16T04:00:00.5Z".parse().unwrap();
        let row = vec![
            Cell::text("a,\"b\""),
            Cell::text("=1+1"),
            Cell::Int(-3),
            Cell::Time(at),
            Cell::text(""),
            Cell::Flag(true),
        ];
        assert_eq!(csv_line(&row, china), "\"a,\"\"b\"\"\",'=1+1,-3,2026-03-16T12:00:00+08:00,,true\r\n");
        let columns = [column("n", CellKind::Int), column("none", CellKind::Text)];
        let object = json_object(&columns, &vec![Cell::Int(7), Cell::Empty], china);
        assert_eq!(Value::Object(object), json!({ "n": 7, "none": null }));
    }
}
