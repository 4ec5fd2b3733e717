//! The scan log: one Redis stream a shard, appended durably before a scan is answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use redis::streams::{StreamInfoStreamReply, StreamRangeReply};
use redis::{AsyncCommands, Value};

use super::entry::encode;
use super::windows::{append_windows, window_of};
use super::{Intake, IntakeError};
use crate::domain::scan::Scan;
use crate::domain::span::Span;

/// How many scans one entry holds at the most.
pub const ENTRY_SCANS_MAX: usize = 512;

/// An entry of the log.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Its position.
    pub position: String,
    /// The record.
    pub record: Vec<u8>,
}

/// A scan that is to be taken in, with the window that it opens.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The scan.
    pub scan: Scan,
    /// The window in which the visitor counts as present, when the scan opens one.
    pub window: Option<Span>,
}

/// What one append sends to one shard.
#[derive(Default)]
struct Share<'a> {
    scans: Vec<&'a Scan>,
    /// Records of open windows by their key.
    windows: BTreeMap<String, Vec<u8>>,
}

impl Intake {
    /// Appends scans, and the windows that they open, in one pipeline a shard. When this returns, they
    /// are in the append-only file: Redis runs with `appendfsync always`. After a failure some of the scans
    /// may be in the log, or all; whoever appends them once more, here or elsewhere, doubles none.
    pub async fn append(&self, accepted: &[Accepted]) -> Result<(), IntakeError> {
        let mut shares: BTreeMap<i16, Share<'_>> = BTreeMap::new();
        for one in accepted {
            shares.entry(self.shard_of(one.scan.visitor.spread())).or_default().scans.push(&one.scan);
            if let Some(span) = one.window {
                let (shard, key) = self.windows_key(one.scan.cell, span.from());
                let records = shares.entry(shard).or_default().windows.entry(key).or_default();
                records.extend(window_of(&one.scan, span).to_record());
            }
        }
        let appends = shares.into_iter().map(|(shard, share)| self.append_to(shard, share));
        let appended: Result<Vec<()>, IntakeError> = join_all(appends).await.into_iter().collect();
        if let Err(IntakeError::Busy(_)) = &appended {
            self.server.suspect();
        }
        appended.map(drop)
    }

    async fn append_to(&self, shard: i16, share: Share<'_>) -> Result<(), IntakeError> {
        let key = self.log_key(shard);
        let mut conn = self.conn().await?;
        let bytes = self.bytes_seen(shard);
        let is_full = |bytes: u64| !share.scans.is_empty() && bytes >= self.log_bytes_max;
        if is_full(bytes.load(Ordering::Relaxed)) {
            bytes.store(self.bytes(shard).await?, Ordering::Relaxed);
            if is_full(bytes.load(Ordering::Relaxed)) {
                return Err(IntakeError::Full);
            }
        }
        let mut pipeline = redis::pipe();
        for scans in share.scans.chunks(ENTRY_SCANS_MAX) {
            pipeline.xadd(&key, "*", &[("s", encode(scans.iter().copied()))]).ignore();
        }
        for (key, records) in &share.windows {
            append_windows(&mut pipeline, key, records);
        }
        pipeline.cmd("MEMORY").arg("USAGE").arg(&key).arg("SAMPLES").arg(1);
        let (used,): (Option<u64>,) = pipeline.query_async(&mut conn).await?;
        bytes.store(used.unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }

    fn bytes_seen(&self, shard: i16) -> &AtomicU64 {
        static NONE: AtomicU64 = AtomicU64::new(0);
        usize::try_from(shard).ok().and_then(|shard| self.log_bytes.get(shard)).unwrap_or(&NONE)
    }

    /// How many bytes of memory the log of a shard takes.
    pub async fn bytes(&self, shard: i16) -> Result<u64, IntakeError> {
        let mut conn = self.conn().await?;
        let mut command = redis::cmd("MEMORY");
        command.arg("USAGE").arg(self.log_key(shard)).arg("SAMPLES").arg(1);
        Ok(command.query_async::<Option<u64>>(&mut conn).await?.unwrap_or(0))
    }

    fn log_key(&self, shard: i16) -> String {
        self.key(shard, "log")
    }

    /// Entries of a shard from its beginning, or after a position, in order. What Postgres has is removed
    /// from the log, so all that is there is to be drained.
    pub async fn read(
        &self,
        shard: i16,
        after: Option<&str>,
        count: u32,
    ) -> Result<Vec<LogEntry>, IntakeError> {
        let mut conn = self.conn().await?;
        let from = after.map_or_else(|| "-".to_owned(), |position| format!("({position}"));
        let reply = conn.xrange_count(self.log_key(shard), from, "+", count).await;
        let reply: StreamRangeReply = reply.inspect_err(|_error| self.server.suspect())?;
        let record = |entry: &redis::streams::StreamId| match entry.map.get("s") {
            Some(Value::BulkString(bytes)) => bytes.clone(),
            _ => Vec::new(),
        };
        Ok(reply.ids.iter().map(|id| LogEntry { position: id.id.clone(), record: record(id) }).collect())
    }

    /// Removes entries that Postgres has, each by its position: a log that was lost and begun anew may have
    /// others with smaller ones.
    pub async fn remove(&self, shard: i16, drained: &[LogEntry]) -> Result<(), IntakeError> {
        let mut conn = self.conn().await?;
        for block in drained.chunks(1000) {
            let positions: Vec<&str> = block.iter().map(|entry| entry.position.as_str()).collect();
            conn.xdel::<_, _, i64>(self.log_key(shard), &positions).await?;
        }
        Ok(())
    }

    /// The position of the last entry that a shard has ever had; `0-0` when it has had none.
    pub async fn end(&self, shard: i16) -> Result<String, IntakeError> {
        let mut conn = self.conn().await?;
        let key = self.log_key(shard);
        if !conn.exists::<_, bool>(&key).await? {
            return Ok("0-0".to_owned());
        }
        let info: StreamInfoStreamReply = conn.xinfo_stream(&key).await?;
        Ok(info.last_generated_id)
    }

    /// How many entries of a shard are not drained yet; each has one scan or several.
    pub async fn length(&self, shard: i16) -> Result<u64, IntakeError> {
        let mut conn = self.conn().await?;
        Ok(conn.xlen(self.log_key(shard)).await?)
    }
}

/// The two numbers of a position.
fn parse_position(position: &str) -> Option<(u64, u64)> {
    let (millis, number) = position.split_once('-')?;
    Some((millis.parse().ok()?, number.parse().ok()?))
}

/// Whether what was drained up to `position` includes `end`.
pub fn has_passed(position: &str, end: &str) -> bool {
    parse_position(position).zip(parse_position(end)).is_some_and(|(position, end)| position >= end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_compared_as_numbers() {
        assert!(has_passed("1000-2", "999-10"));
        assert!(has_passed("1000-10", "1000-9"));
        assert!(!has_passed("1000-9", "1000-10"));
        assert!(has_passed("0-0", "0-0"));
        assert!(!has_passed("nonsense", "0-0"));
    }
}
