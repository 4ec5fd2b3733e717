//! Publishing what the audit log came to: a signed head a day, and more when somebody asks.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use diesel_async::AsyncPgConnection;

use super::App;
use crate::domain::audit::{GENESIS, hex};
use crate::domain::audit_heads::Head;
use crate::store::{StoreError, audit, audit_heads};

/// How many days without a head are caught up with; of a longer pause, the last ones.
const CATCH_UP_DAYS: u64 = 400;

impl App {
    /// Publishes the heads of all days that are over and have none, the first one being that of the first entry.
    /// The head of yesterday covers the whole log as it is; heads that are caught up with cover what was written
    /// before their day ended. Returns how many.
    pub async fn publish_daily(
        &self,
        conn: &mut AsyncPgConnection,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let Some(yesterday) = self.local_day(now).pred_opt() else { return Ok(0) };
        if audit_heads::last_day(conn).await?.is_some_and(|last| last >= yesterday) {
            return Ok(0);
        }
        audit_heads::lock(conn).await?;
        // Another publisher may have been here while we waited.
        let first = match audit_heads::last_day(conn).await? {
            Some(last) => last.succ_opt(),
            None => audit_heads::earliest(conn).await?.map(|at| self.local_day(at)),
        };
        let Some(first) = first else { return Ok(0) };
        let earliest = yesterday.checked_sub_days(Days::new(CATCH_UP_DAYS)).unwrap_or(first);
        let mut count = 0;
        for day in first.max(earliest).iter_days().take_while(|day| *day <= yesterday) {
            let end = if day == yesterday { None } else { self.end_of(day) };
            self.publish(conn, day, true, end, now).await?;
            count += 1;
        }
        Ok(count)
    }

    /// Publishes a head over the whole log as it is, beside that of the day.
    pub async fn publish_now(
        &self,
        conn: &mut AsyncPgConnection,
        now: DateTime<Utc>,
    ) -> Result<Head, StoreError> {
        audit_heads::lock(conn).await?;
        self.publish(conn, self.local_day(now), false, None, now).await
    }

    async fn publish(
        &self,
        conn: &mut AsyncPgConnection,
        day: NaiveDate,
        daily: bool,
        end: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Head, StoreError> {
        let last = audit_heads::last(conn).await?;
        let (seq, hash) = match end {
            Some(end) => audit_heads::before(conn, last.as_ref().map_or(0, |last| last.seq), end).await?,
            None => audit::head(conn).await?,
        };
        let head = Head {
            number: last.as_ref().map_or(1, |last| last.number + 1),
            day,
            daily,
            seq,
            hash,
            before: last.as_ref().map_or_else(|| hex(&GENESIS), Head::digest),
            at_micros: now.timestamp_micros(),
            key_id: String::new(),
            signature: String::new(),
        };
        let key = self.keys.audit_key().ok_or(StoreError::Corrupt("audit_heads"))?;
        let head = head.signed(&key);
        audit_heads::insert(conn, &head).await?;
        Ok(head)
    }

    fn local_day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.config.local_offset).date_naive()
    }

    /// When a local day is over.
    fn end_of(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        let midnight = day.succ_opt()?.and_time(NaiveTime::MIN);
        Some(midnight.and_local_timezone(self.config.local_offset).single()?.to_utc())
    }
}
