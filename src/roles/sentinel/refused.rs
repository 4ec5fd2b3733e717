//! What the service will never accept, with the reason, for whoever looks after the device.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::queue::Entry;

/// How much of the end of the file is read to know what stands there already: more than any batch leaves.
const KNOWN_BYTES: u64 = 8 * 1024 * 1024;

/// The file of refused entries.
#[derive(Debug)]
pub(super) struct Refused {
    file: File,
    known: HashSet<Uuid>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    reason: &'a str,
}

#[derive(Deserialize)]
struct IdOnly {
    id: Uuid,
}

impl Refused {
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut options = File::options();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(folder.join("refused"))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KNOWN_BYTES)))?;
        let mut reader = BufReader::new(&file);
        let (mut known, mut line) = (HashSet::new(), Vec::new());
        while reader.read_until(b'\n', &mut line)? > 0 {
            known.extend(serde_json::from_slice::<IdOnly>(&line).ok().map(|line| line.id));
            if line.last() != Some(&b'\n') {
                // A kill left half a line; the next one begins on its own.
                (&file).write_all(b"\n")?;
            }
            line.clear();
        }
        Ok(Self { file, known })
    }

    /// Keeps an entry with the reason, once: a kill may have the service refuse it again.
    pub(super) fn add(&mut self, entry: &Entry, reason: &str) -> anyhow::Result<()> {
        if self.known.contains(&entry.id) {
            return Ok(());
        }
        let mut line = serde_json::to_vec(&Line { entry, reason })?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.known.insert(entry.id);
        Ok(())
    }
}
