//! The hash chain of the audit log: each entry carries the hash of the one before.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The hash that the first entry follows.
pub const GENESIS: [u8; 32] = [0; 32];

/// One entry, as the table and an export hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 without a gap.
    pub seq: i64,
    /// When, in microseconds of the Unix epoch.
    pub at_micros: i64,
    /// Who: a member of staff, a machine, or the pipeline. Never a visitor.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The rest, as JSON text.
    pub detail: String,
    /// Hash of the entry before, 64 hexadecimal digits.
    pub prev: String,
    /// Hash of this entry, 64 hexadecimal digits.
    pub hash: String,
}

/// Where a chain is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// An entry is missing, doubled or out of order.
    #[error("entry {0} is not where it belongs: an entry was removed, added or moved")]
    Sequence(i64),
    /// An entry does not follow the one before.
    #[error("entry {0} does not follow the entry before it: one of them was altered")]
    Link(i64),
    /// An entry does not have the hash of its own content.
    #[error("entry {0} was altered")]
    Content(i64),
}

impl Entry {
    /// The hash of an entry's content after the hash of the entry before. Each part is preceded by
    /// its length, so that no two entries read the same.
    pub fn hash_of(&self, prev: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(prev);
        hasher.update(self.seq.to_be_bytes());
        hasher.update(self.at_micros.to_be_bytes());
        for part in [&self.actor, &self.action, &self.subject, &self.detail] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().into()
    }

    /// When it was written.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.at_micros)
    }
}

/// Walks a chain; entries are added one by one, in order.
#[derive(Clone, Debug)]
pub struct Verifier {
    next: i64,
    prev: [u8; 32],
}

impl Default for Verifier {
    fn default() -> Self {
        Self { next: 1, prev: GENESIS }
    }
}

impl Verifier {
    /// Checks the next entry.
    pub fn add(&mut self, entry: &Entry) -> Result<(), BrokenChain> {
        if entry.seq != self.next {
            return Err(BrokenChain::Sequence(entry.seq));
        }
        if entry.prev != hex(&self.prev) {
            return Err(BrokenChain::Link(entry.seq));
        }
        let hash = entry.hash_of(&self.prev);
        if entry.hash != hex(&hash) {
            return Err(BrokenChain::Content(entry.seq));
        }
        self.next += 1;
        self.prev = hash;
        Ok(())
    }

    /// How many entries were good, and the hash of the last.
    pub fn head(&self) -> (i64, String) {
        (self.next - 1, hex(&self.prev))
    }
}

/// A hash as text.
pub fn hex(hash: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: i64) -> Vec<Entry> {
        let mut prev = GENESIS;
        let mut entries = Vec::new();
        for seq in 1..=length {
            let mut entry = Entry {
                seq,
                at_micros: seq * 1000,
                actor: "li".into(),
                action: "run.preview".into(),
                subject: format!("run {seq}"),
                detail: "{}".into(),
                prev: hex(&prev),
                hash: String::new(),
            };
            prev = entry.hash_of(&prev);
            entry.hash = hex(&prev);
            entries.push(entry);
        }
        entries
    }

    fn walk(entries: &[Entry]) -> Result<(i64, String), BrokenChain> {
        let mut verifier = Verifier::default();
        entries.iter().try_for_each(|entry| verifier.add(entry))?;
        Ok(verifier.head())
    }

    #[test]
    fn a_whole_chain_verifies() {
        let entries = chain(5);
        assert_eq!(walk(&entries), Ok((5, entries[4].hash.clone())));
    }

    #[test]
    fn altered_removed_and_moved_entries_are_found() {
        let mut altered = chain(5);
        altered[2].detail = "{\"count\":0}".into();
        assert_eq!(walk(&altered), Err(BrokenChain::Content(3)));
        let mut removed = chain(5);
        removed.remove(2);
        assert_eq!(walk(&removed), Err(BrokenChain::Sequence(4)));
        let mut moved = chain(5);
        moved.swap(1, 2);
        assert_eq!(walk(&moved), Err(BrokenChain::Sequence(3)));
        let mut rehashed = chain(5);
        rehashed[2].actor = "wang".into();
        rehashed[2].hash = hex(&rehashed[2].hash_of(&{
            let mut prev = [0; 32];
            prev.copy_from_slice(&data_encoding::HEXLOWER.decode(rehashed[1].hash.as_bytes()).unwrap());
            prev
        }));
        assert_eq!(walk(&rehashed), Err(BrokenChain::Link(4)));
    }
}
