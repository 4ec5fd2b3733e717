//! Moments as people and other systems write them.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};

/// What [`read`] understands, for messages.
pub const FORMS: &str =
    "a moment such as 2026-03-01T08:30:00+08:00 (RFC 3339), or 2026-03-01 08:30:00 by the local clock";

/// A moment by RFC 3339, or `YYYY-MM-DD HH:MM` with or without seconds by a clock of that offset.
pub fn read(text: &str, offset: FixedOffset) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return DateTime::from_timestamp_micros(moment.timestamp_micros());
    }
    let local = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    of_local(local, offset)
}

/// The same, or a day alone, `YYYY-MM-DD`, which is its beginning by the local clock.
pub fn read_or_day(text: &str, offset: FixedOffset) -> Option<DateTime<Utc>> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    read(text, offset).or_else(|| of_local(day()?.and_time(NaiveTime::MIN), offset))
}

fn of_local(local: NaiveDateTime, offset: FixedOffset) -> Option<DateTime<Utc>> {
    let moment = local.and_local_timezone(offset).single()?;
    DateTime::from_timestamp_micros(moment.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_is_told_by_the_local_clock() {
        let china = FixedOffset::east_opt(8 * 3600).unwrap();
        let morning: DateTime<Utc> = "2026-03-01T00:30:00Z".parse().unwrap();
        for text in
            ["2026-03-01T00:30:00Z", "2026-03-01T08:30:00+08:00", "2026-03-01 08:30:00", "2026-03-01 08:30"]
        {
            assert_eq!(read(text, china), Some(morning), "{text}");
        }
        for bad in ["", "yesterday", "2026-13-01 08:30", "2026-03-01", "01/03/2026 08:30"] {
            assert_eq!(read(bad, china), None, "{bad}");
        }
        let midnight: DateTime<Utc> = "2026-02-28T16:00:00Z".parse().unwrap();
        assert_eq!(read_or_day("2026-03-01", china), Some(midnight));
        for bad in ["2026-3-1", "26-03-01", "01/03/2026", "20260301"] {
            assert_eq!(read_or_day(bad, china), None, "{bad}");
        }
    }
}
