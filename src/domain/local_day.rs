//! Days as the local clock cuts them.

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};

/// When the local day of `at` began.
pub fn day_start(at: DateTime<Utc>, offset: FixedOffset) -> DateTime<Utc> {
    let midnight = at.with_timezone(&offset).date_naive().and_time(NaiveTime::MIN);
    midnight.and_utc() - TimeDelta::seconds(offset.local_minus_utc().into())
}

/// Microseconds in a day.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// The number of the local day in which a moment lies, both counted from the Unix epoch, the moment in microseconds.
pub fn day_number(micros: i64, offset: FixedOffset) -> i64 {
    (micros + i64::from(offset.local_minus_utc()) * 1_000_000).div_euclid(DAY_MICROS)
}

/// The first local midnight after a moment; both in microseconds since the Unix epoch.
pub fn next_midnight(micros: i64, offset: FixedOffset) -> i64 {
    (day_number(micros, offset) + 1) * DAY_MICROS - i64::from(offset.local_minus_utc()) * 1_000_000
}

/// A time `from..until` in microseconds, cut at the midnights of a clock; whole where there is none. What has no
/// length is never cut.
pub fn by_days(time: (i64, i64), clock: Option<FixedOffset>) -> impl Iterator<Item = (i64, i64)> {
    let (mut from, until) = time;
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let end = clock.map_or(until, |clock| until.min(next_midnight(from, clock)));
        let part = (from, end);
        (from, done) = (end, end >= until);
        Some(part)
    })
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
        let midnight: DateTime<Utc> = "2026-03-09T16:00:00Z".parse().unwrap();
        let (before, at) = (midnight.timestamp_micros() - 1, midnight.timestamp_micros());
        assert_eq!(next_midnight(before, china), at);
        assert_eq!(next_midnight(at, china), at + DAY_MICROS);
        assert_eq!(day_number(before, china) + 1, day_number(at, china));
    }
}
