//! A file that is imported, whatever its form: a table, or GeoJSON.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::features::Features;
use super::refusals::Refusal;
use super::row::Row;
use super::table::{FileArgs, Layout, Opened, Table, unpacked_name};

/// A file that is being read, row by row.
pub(crate) struct Source {
    reader: Reader,
    seen: Arc<AtomicU64>,
    size: u64,
}

enum Reader {
    Table(Table),
    Features(Features),
}

impl Source {
    /// Opens a file; its name tells its form. What is neither GeoJSON nor lines of it is a table.
    pub(crate) fn open(args: &FileArgs, layout: Layout) -> anyhow::Result<Self> {
        let opened = Opened::open(&args.file)?;
        let (seen, size) = (opened.seen.clone(), opened.size);
        let ending =
            Path::new(unpacked_name(&args.file)).extension().unwrap_or_default().to_ascii_lowercase();
        let reader = match ending.to_str().unwrap_or_default() {
            "geojson" | "json" => Reader::Features(Features::new(opened, args, layout, false)?),
            "geojsonl" | "geojsons" | "ndjson" | "jsonl" => {
                Reader::Features(Features::new(opened, args, layout, true)?)
            }
            _ => Reader::Table(Table::new(opened, args, layout)?),
        };
        Ok(Self { reader, seen, size })
    }

    /// The next row with its number, or why it cannot be read; `None` at the end. A table's rows are numbered by
    /// their line, features from 1.
    pub(crate) fn next_row(&mut self) -> anyhow::Result<Option<(u64, Result<Row, Refusal>)>> {
        match &mut self.reader {
            Reader::Table(table) => table.next_row(),
            Reader::Features(features) => features.next_row(),
        }
    }

    /// Whether rows may say something about a column. Each feature has its own.
    pub(crate) fn has(&self, column: &str) -> bool {
        match &self.reader {
            Reader::Table(table) => table.has(column),
            Reader::Features(_) => true,
        }
    }

    /// Whether the names of its columns are known before its rows are.
    pub(crate) fn has_header(&self) -> bool {
        matches!(self.reader, Reader::Table(_))
    }

    /// Names in the file that no column is called by. Those of features are known at the end.
    pub(crate) fn unused(&self) -> Vec<String> {
        match &self.reader {
            Reader::Table(table) => table.unused.clone(),
            Reader::Features(features) => features.unused(),
        }
    }

    /// How many bytes of the file were read, and how many there are.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.seen.load(Ordering::Relaxed), self.size)
    }
}
