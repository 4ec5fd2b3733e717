//! The open windows by cell and hour: who is here now, as counts.

use chrono::{DateTime, TimeDelta, Utc};
use h3o::CellIndex;
use redis::Pipeline;

use super::{Intake, IntakeError};
use crate::domain::catalogue::LONGEST_MINS_MAX;
use crate::domain::open_window::{HOUR_SECS, OpenWindow, hour_of, read};
use crate::domain::position::cell_to_i64;
use crate::domain::scan::Scan;
use crate::domain::span::Span;

/// How long the windows of an hour are kept: as long as the longest of them may be open.
const LIFE_SECS: i64 = LONGEST_MINS_MAX as i64 * 60 + HOUR_SECS;

/// The window that a scan opens or ends.
pub fn window_of(scan: &Scan, span: Span) -> OpenWindow {
    OpenWindow { visitor: scan.visitor, point: scan.point, span }
}

/// Adds records to the string of their cell and hour.
pub fn append_windows(pipeline: &mut Pipeline, key: &str, records: &[u8]) {
    pipeline.append(key, records).ignore();
    pipeline.expire(key, LIFE_SECS).ignore();
}

impl Intake {
    /// The shard and the key of the windows that open in a cell within the hour of `at`.
    pub(super) fn windows_key(&self, cell: CellIndex, at: DateTime<Utc>) -> (i16, String) {
        let number = cell_to_i64(cell);
        let shard = self.shard_of(number.cast_unsigned() >> 12);
        (shard, self.key(shard, &format!("open:{number:x}:{}", hour_of(at))))
    }

    /// The windows of a cell that are open at `now`. Looks back as far as a stay of `longest` reaches.
    pub async fn open_windows(
        &self,
        cell: CellIndex,
        longest: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<OpenWindow>, IntakeError> {
        let mut conn = self.conn().await?;
        let hours = longest.num_seconds() / HOUR_SECS + 1;
        let mut pipeline = redis::pipe();
        for hour in (0..=hours).rev() {
            pipeline.get(self.windows_key(cell, now - TimeDelta::seconds(hour * HOUR_SECS)).1);
        }
        let strings: Vec<Option<Vec<u8>>> = pipeline.query_async(&mut conn).await?;
        let strings = strings.iter().flatten().map(Vec::as_slice);
        Ok(read(strings).into_iter().filter(|window| window.span.contains(now)).collect())
    }
}
