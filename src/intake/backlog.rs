//! How much of the scan log is not drained yet.

use serde::Serialize;
use utoipa::ToSchema;

use super::entry::decode;
use super::log::has_passed;
use super::{Intake, IntakeError};

/// How many entries are read to be counted.
const COUNTED_MAX: u64 = 1_000;

/// How many entries are asked for at once.
const BLOCK: u32 = 200;

/// A position behind every entry there can be.
pub const NO_END: &str = "18446744073709551615-18446744073709551615";

/// Entries that wait to be drained, and the scans in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Backlog {
    /// How many entries.
    pub entries: u64,
    /// How many scans are in them.
    pub scans: u64,
    /// Whether there are more: counting ends at 1,000 entries.
    pub at_least: bool,
}

impl Backlog {
    /// Counts one more entry; false when no more are to be counted.
    pub fn add(&mut self, record: &[u8]) -> bool {
        if self.entries >= COUNTED_MAX {
            self.at_least = true;
            return false;
        }
        self.entries += 1;
        self.scans += u64::try_from(decode(record).0.len()).unwrap_or(0);
        true
    }
}

impl Intake {
    /// What waits in a shard up to a position.
    pub async fn backlog(&self, shard: i16, end: &str) -> Result<Backlog, IntakeError> {
        let (mut backlog, mut after) = (Backlog::default(), None);
        loop {
            let entries = self.read(shard, after.as_deref(), BLOCK).await?;
            for entry in &entries {
                if !has_passed(end, &entry.position) || !backlog.add(&entry.record) {
                    return Ok(backlog);
                }
            }
            match entries.last() {
                Some(last) => after = Some(last.position.clone()),
                None => return Ok(backlog),
            }
        }
    }
}
