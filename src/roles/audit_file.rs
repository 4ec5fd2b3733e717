//! Files of the audit log: exports (published heads first, then entries, one JSON object a line) and kept heads.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::domain::audit::Entry;
use crate::domain::audit_heads::Head;

/// How the line of a head begins in an export.
const HEAD: &str = "{\"head\":";

/// A head as a line of an export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadLine {
    pub(super) head: Head,
}

/// An export that is read page by page.
pub(super) struct Export {
    path: PathBuf,
    reader: BufReader<File>,
    line: usize,
    /// How many bytes were read.
    pub(super) bytes: u64,
    /// The heads that were read so far.
    pub(super) heads: Vec<Head>,
}

impl Export {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file), line: 0, bytes: 0, heads: Vec::new() })
    }

    /// How many bytes there are.
    pub(super) fn size(&self) -> anyhow::Result<u64> {
        Ok(self.reader.get_ref().metadata().with_context(|| self.path.display().to_string())?.len())
    }

    /// The next entries, `limit` at most; heads among them are put aside.
    pub(super) fn page(&mut self, limit: usize) -> anyhow::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut text = String::new();
        while entries.len() < limit {
            text.clear();
            let read = self.reader.read_line(&mut text).with_context(|| self.path.display().to_string())?;
            if read == 0 {
                break;
            }
            self.line += 1;
            self.bytes += u64::try_from(read)?;
            let place = || format!("{}, line {}: no audit entry", self.path.display(), self.line);
            if text.starts_with(HEAD) {
                let line: HeadLine = serde_json::from_str(&text).with_context(place)?;
                self.heads.push(line.head);
            } else {
                entries.push(serde_json::from_str(&text).with_context(place)?);
            }
        }
        Ok(entries)
    }
}

/// Published heads that were kept: one JSON object a line, or the list that the service answers.
pub(super) fn read_heads(path: &Path) -> anyhow::Result<Vec<Head>> {
    let place = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(place)?;
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(&text).with_context(|| format!("{}: no list of heads", place()));
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let head = if line.starts_with(HEAD) {
                serde_json::from_str::<HeadLine>(line).map(|line| line.head)
            } else {
                serde_json::from_str(line)
            };
            head.with_context(|| format!("{}, line {number}: no head", place()))
        })
        .collect()
}
