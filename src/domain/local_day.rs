//! Days as the local clock cuts them.

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};

/// When the local day of `at` began.
pub fn day_start(at: DateTime<Utc>, offset: FixedOffset) -> DateTime<Utc> {
    let midnight = at.with_timezone(&offset).date_naive().and_time(NaiveTime::MIN);
    midnight.and_utc() - TimeDelta::seconds(offset.local_minus_utc().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_begins_at_local_midnight() {
        let china = FixedOffset::east_opt(8 * 3600).unwrap();
        let start = |text: &str| day_start(text.parse().unwrap(), china).to_rfc3339();
        assert_eq!(start("2026-03-09T20:30:00Z"), "2026-03-09T16:00:00+00:00");
        assert_eq!(start("2026-03-09T15:59:59Z"), "2026-03-08T16:00:00+00:00");
    }
}
