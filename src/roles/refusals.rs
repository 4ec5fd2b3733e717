//! Rows that an import does not take: each is written down with what is wrong and what would be right.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::terminal::grouped;
use crate::domain::register_file::guarded;

/// How much of a wrong value is repeated in the report, in characters.
const VALUE_CHARACTERS: usize = 200;
/// How many different reasons are counted one by one.
const REASONS_MAX: usize = 50;

/// Why one row is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    column: &'static str,
    value: String,
    wrong: String,
    right: String,
}

impl Refusal {
    /// The value in that column is `wrong`; `right` says what it should be. `wrong` is one of few texts, since
    /// the summary counts by it.
    pub(crate) fn new(column: &'static str, value: &str, wrong: &str, right: &str) -> Self {
        let value = value.chars().take(VALUE_CHARACTERS).collect();
        Self { column, value, wrong: wrong.to_owned(), right: right.to_owned() }
    }
}

/// The report of one import. The file is made with the first refusal.
pub(crate) struct Refusals {
    path: PathBuf,
    writer: Option<csv::Writer<File>>,
    by_reason: BTreeMap<String, u64>,
    total: u64,
}

impl Refusals {
    /// The report beside `file`; the one of an earlier import is removed.
    pub(crate) fn beside(file: &Path) -> anyhow::Result<Self> {
        let mut name = file.as_os_str().to_owned();
        name.push(".refused.csv");
        let path = PathBuf::from(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing the old {}", path.display()));
            }
            Ok(()) | Err(_) => {}
        }
        Ok(Self { path, writer: None, by_reason: BTreeMap::new(), total: 0 })
    }

    /// Writes one row down.
    pub(crate) fn add(&mut self, line: u64, refusal: &Refusal) -> anyhow::Result<()> {
        let failed = || format!("writing {}", self.path.display());
        if self.writer.is_none() {
            // It repeats values of the source, which may name persons.
            let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&self.path);
            let mut writer = csv::Writer::from_writer(file.with_context(failed)?);
            writer.write_record(["row", "column", "value", "wrong", "right"]).with_context(failed)?;
            self.writer = Some(writer);
        }
        if let Some(writer) = &mut self.writer {
            let row = line.to_string();
            // Somebody opens it in a spreadsheet, and the source decides what stands there.
            let value = guarded(&refusal.value);
            let fields = [&row, refusal.column, &value, &refusal.wrong, &refusal.right];
            writer.write_record(fields).with_context(failed)?;
        }
        self.total += 1;
        let reason = format!("{}: {}", refusal.column, refusal.wrong);
        let counted = self.by_reason.len() < REASONS_MAX || self.by_reason.contains_key(&reason);
        let reason = if counted { reason } else { "other reasons".to_owned() };
        *self.by_reason.entry(reason).or_default() += 1;
        Ok(())
    }

    /// How many rows were refused.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Closes the report and returns its summary, line by line, the most frequent reason first.
    pub(crate) fn close(mut self) -> anyhow::Result<Vec<String>> {
        if let Some(writer) = &mut self.writer {
            writer.flush().with_context(|| format!("writing {}", self.path.display()))?;
        }
        let mut reasons: Vec<_> = self.by_reason.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut lines: Vec<String> =
            reasons.iter().map(|(reason, count)| format!("  {:>9}  {reason}", grouped(*count))).collect();
        if self.total > 0 {
            lines.push(format!("Each refused row stands in {}", self.path.display()));
        }
        Ok(lines)
    }
}
