//! Fair use: how often somebody may ask, counted in Redis for all replicas together.

use chrono::{DateTime, Utc};

use super::{Intake, IntakeError};

/// So many requests in each period.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is counted, such as `scan` or `login`.
    pub name: &'static str,
    /// How many in one period.
    pub count_max: u64,
    /// The length of the period.
    pub period_secs: i64,
}

/// Scans of one visitor: an hour on the metro has a dozen.
pub const SCANS: Limit = Limit { name: "scan", count_max: 60, period_secs: 60 };

/// Attempts to sign in under one name.
pub const LOGINS: Limit = Limit { name: "login", count_max: 10, period_secs: 300 };

/// Accounts that applicants make from one address: a household or an office has a few.
pub const APPLICANTS: Limit = Limit { name: "applicant", count_max: 5, period_secs: 3600 };

impl Intake {
    /// Counts one more request by `who` and says whether it is within the limit. `who` may be a secret
    /// or a person; the key in Redis is a hash under a name that is forgotten when the period ends.
    pub async fn allow(&self, limit: Limit, who: &[u8], now: DateTime<Utc>) -> Result<bool, IntakeError> {
        use sha2::{Digest, Sha256};
        let mut conn = self.conn().await?;
        let digest = Sha256::new().chain_update(limit.name).chain_update(who).finalize();
        let spread = digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let period = now.timestamp().div_euclid(limit.period_secs);
        let key = self.key(self.shard_of(spread), &format!("limit:{}:{period}:{spread:x}", limit.name));
        let (count,): (u64,) = redis::pipe()
            .incr(&key, 1)
            .expire(&key, limit.period_secs * 2)
            .ignore()
            .query_async(&mut conn)
            .await?;
        Ok(count <= limit.count_max)
    }
}
