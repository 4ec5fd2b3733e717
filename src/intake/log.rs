//! The scan log: one Redis stream a shard, appended durably before a scan is answered.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use redis::streams::{StreamInfoStreamReply, StreamRangeReply};
use redis::{AsyncCommands, Value};

use super::entry::encode;
use super::windows::{append_window, window_of};
use super::{Intake, IntakeError};
use crate::domain::scan::Scan;
use crate::domain::span::Span;

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

impl Intake {
    /// Appends scans, and the windows that they open, in one pipeline a shard. When this returns, they
    /// are in the append-only file: Redis runs with `appendfsync always`.
    pub async fn append(&self, accepted: &[Accepted]) -> Result<(), IntakeError> {
        let mut by_shard: BTreeMap<i16, Vec<&Accepted>> = BTreeMap::new();
        for one in accepted {
            by_shard.entry(self.shard_of(one.scan.visitor.spread())).or_default().push(one);
        }
        let appends = by_shard.into_iter().map(|(shard, own)| self.append_to(shard, own));
        try_join_all(appends).await?;
        self.append_windows(accepted).await;
        Ok(())
    }

    async fn append_to(&self, shard: i16, own: Vec<&Accepted>) -> Result<(), IntakeError> {
        let key = self.key(shard, "log");
        let mut conn = self.conn().await?;
        if conn.xlen::<_, u64>(&key).await? >= self.log_length_max {
            return Err(IntakeError::Full);
        }
        let entry = encode(own.iter().map(|one| &one.scan));
        conn.xadd::<_, _, _, _, String>(&key, "*", &[("s", entry)]).await?;
        Ok(())
    }

    /// The windows serve counts of the moment; the scans are safe already, so a failure here is no
    /// failure of the scan.
    async fn append_windows(&self, accepted: &[Accepted]) {
        let mut pipeline = redis::pipe();
        for (one, span) in accepted.iter().filter_map(|one| Some((one, one.window?))) {
            append_window(
                &mut pipeline,
                &self.windows_key(one.scan.cell, span.from()),
                window_of(&one.scan, span),
            );
        }
        if pipeline.is_empty() {
            return;
        }
        let written = match self.conn().await {
            Ok(mut conn) => pipeline.query_async::<()>(&mut conn).await.map_err(IntakeError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(error = %error, "open windows were not written");
        }
    }

    /// So many entries of a shard after a position, in order.
    pub async fn read(&self, shard: i16, after: &str, count: u32) -> Result<Vec<LogEntry>, IntakeError> {
        let mut conn = self.conn().await?;
        let reply: StreamRangeReply =
            conn.xrange_count(self.key(shard, "log"), format!("({after}"), "+", count).await?;
        let record = |entry: &redis::streams::StreamId| match entry.map.get("s") {
            Some(Value::BulkString(bytes)) => bytes.clone(),
            _ => Vec::new(),
        };
        Ok(reply.ids.iter().map(|id| LogEntry { position: id.id.clone(), record: record(id) }).collect())
    }

    /// Forgets the entries of a shard up to a position, which Postgres has.
    pub async fn trim(&self, shard: i16, drained: &str) -> Result<(), IntakeError> {
        let Some((millis, number)) = parse_position(drained) else { return Ok(()) };
        let mut conn = self.conn().await?;
        let next = format!("{millis}-{}", number.saturating_add(1));
        redis::cmd("XTRIM")
            .arg(self.key(shard, "log"))
            .arg("MINID")
            .arg(next)
            .query_async::<i64>(&mut conn)
            .await?;
        Ok(())
    }

    /// The position of the last entry that a shard has ever had; `0-0` when it has had none.
    pub async fn end(&self, shard: i16) -> Result<String, IntakeError> {
        let mut conn = self.conn().await?;
        let key = self.key(shard, "log");
        if !conn.exists::<_, bool>(&key).await? {
            return Ok("0-0".to_owned());
        }
        let info: StreamInfoStreamReply = conn.xinfo_stream(&key).await?;
        Ok(info.last_generated_id)
    }

    /// How many entries of a shard are not drained yet.
    pub async fn length(&self, shard: i16) -> Result<u64, IntakeError> {
        let mut conn = self.conn().await?;
        Ok(conn.xlen(self.key(shard, "log")).await?)
    }
}

/// The two numbers of a position.
pub fn parse_position(position: &str) -> Option<(u64, u64)> {
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
