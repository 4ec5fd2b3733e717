//! The form of an export: a line that says what it is, a line for each assignment, and a line that seals them.

use std::io::{BufRead, Write};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::life::Exported;

/// The only type of file.
const KIND: &str = "placecode.assignments.v1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    exported_at: DateTime<Utc>,
}

/// The last line: how many assignments, and SHA-256 over all lines before.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    count: u64,
    sha256: String,
}

/// Writes an export.
pub(super) struct Writer<W> {
    file: W,
    digest: Sha256,
    count: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the first line.
    pub(super) fn begin(file: W, exported_at: DateTime<Utc>) -> anyhow::Result<Self> {
        let mut writer = Self { file, digest: Sha256::new(), count: 0 };
        writer.line(&Head { kind: KIND.to_owned(), exported_at })?;
        Ok(writer)
    }

    /// Writes an assignment.
    pub(super) fn add(&mut self, one: &Exported) -> anyhow::Result<()> {
        self.count += 1;
        self.line(one)
    }

    /// Writes the seal, and gives back how many there were, and the file.
    pub(super) fn end(mut self) -> anyhow::Result<(u64, W)> {
        let seal = Seal { count: self.count, sha256: HEXLOWER.encode(&self.digest.clone().finalize()) };
        self.line(&seal)?;
        Ok((self.count, self.file))
    }

    fn line(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.digest.update(&line);
        Ok(self.file.write_all(&line)?)
    }
}

/// Reads an export.
pub(super) struct Reader<R> {
    file: R,
    digest: Sha256,
    count: u64,
    /// When it was written.
    pub(super) exported_at: DateTime<Utc>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    pub(super) fn begin(mut file: R) -> anyhow::Result<Self> {
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line)?;
        let head: Option<Head> = serde_json::from_slice(&line).ok();
        let head = head.filter(|head| head.kind == KIND);
        let head = head.with_context(|| format!("line 1 must say that this is a `{KIND}`"))?;
        Ok(Self { file, digest: Sha256::new().chain_update(&line), count: 0, exported_at: head.exported_at })
    }

    /// The next assignment with the number of its line; `None` after the seal, which must be right.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<(u64, Exported)>> {
        let number = self.count + 2;
        let mut line = Vec::new();
        self.file.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            bail!("the file ends after line {} without its seal: something is missing", number - 1);
        }
        if let Ok(seal) = serde_json::from_slice::<Seal>(&line) {
            let sha256 = HEXLOWER.encode(&self.digest.clone().finalize());
            ensure!(
                seal.count == self.count && seal.sha256 == sha256,
                "the seal in line {number} is that of other assignments: lines were altered, removed or added"
            );
            let mut rest = Vec::new();
            self.file.read_until(b'\n', &mut rest)?;
            ensure!(rest.is_empty(), "something follows the seal in line {number}");
            return Ok(None);
        }
        let one: Exported =
            serde_json::from_slice(&line).with_context(|| format!("line {number}: no assignment"))?;
        self.digest.update(&line);
        self.count += 1;
        Ok(Some((number, one)))
    }
}
