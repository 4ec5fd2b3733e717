//! Fair use: how often somebody may ask, counted in Redis for all replicas together.
//!
//! Two ways of counting. [`Intake::allow`] is exact: one question to Redis for each request, and no answer
//! when Redis gives none, so that its callers refuse what cannot be counted. [`tally::Tally`] is for scans: it
//! counts in the process, tells Redis later, and lets a scan pass when nothing can be counted.
//!
//! Keys in Redis hold a keyed hash, never who is counted: an address or a pseudonym can be guessed, so that a
//! plain hash would tell it. They are forgotten after two periods.

pub mod tally;

use chrono::{DateTime, Utc};

use super::{Intake, IntakeError};
use crate::domain::keyring::Key;

/// So many requests in each period.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is counted, such as `login`.
    pub name: &'static str,
    /// How many in one period.
    pub count_max: u64,
    /// The length of the period.
    pub period_secs: i64,
}

/// Attempts to sign in under one name.
pub const LOGINS: Limit = Limit { name: "login", count_max: 10, period_secs: 300 };

/// Accounts that applicants make from one address: a household or an office has a few.
pub const APPLICANTS: Limit = Limit { name: "applicant", count_max: 5, period_secs: 3600 };

impl Limit {
    /// So many in a minute.
    pub fn of_a_minute(name: &'static str, count_max: u32) -> Self {
        Self { name, count_max: count_max.into(), period_secs: tally::MINUTE_SECS }
    }

    /// How many seconds are left of the period, at least one.
    pub fn left_secs(self, now: DateTime<Utc>) -> i64 {
        self.period_secs - now.timestamp().rem_euclid(self.period_secs)
    }
}

/// Who is counted: a keyed hash of an address, a name or a pseudonym.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted(u64);

impl Counted {
    /// The hash under the key that all replicas share. The name keeps apart what is counted apart.
    pub fn of(key: &Key, name: &str, who: &[u8]) -> Self {
        let mac = key.mac("placecode/limit/1", &[name.as_bytes(), &[0], who]);
        Self(mac.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }
}

impl Intake {
    /// Counts one more request and says whether it is within the limit.
    pub async fn allow(
        &self,
        limit: Limit,
        counted: Counted,
        now: DateTime<Utc>,
    ) -> Result<bool, IntakeError> {
        let mut conn = self.conn().await?;
        let key = self.limit_key(limit.name, counted, now.timestamp().div_euclid(limit.period_secs));
        let (count,): (u64,) = redis::pipe()
            .incr(&key, 1)
            .expire(&key, limit.period_secs * 2)
            .ignore()
            .query_async(&mut conn)
            .await?;
        Ok(count <= limit.count_max)
    }

    fn limit_key(&self, name: &str, counted: Counted, period: i64) -> String {
        let Counted(hash) = counted;
        self.key(self.shard_of(hash), &format!("limit:{name}:{period}:{hash:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_counted_cannot_be_guessed_without_the_key() {
        let (key, other) = (Key::new([1; 32]), Key::new([2; 32]));
        let counted = Counted::of(&key, "scan", b"1");
        assert_eq!(counted, Counted::of(&key, "scan", b"1"));
        for another in [
            Counted::of(&other, "scan", b"1"),
            Counted::of(&key, "sca", b"n1"),
            Counted::of(&key, "scan", b"2"),
        ] {
            assert_ne!(counted, another);
        }
    }

    #[test]
    fn the_period_ends_after_a_second_at_least() {
        let left = |secs| LOGINS.left_secs(DateTime::from_timestamp(secs, 999_999_999).unwrap());
        assert_eq!([left(600), left(601), left(899), left(900)], [300, 299, 1, 300]);
    }
}
