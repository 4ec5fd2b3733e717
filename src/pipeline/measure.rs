//! Counts by hour → how each point is used, judged once a local day by its own past.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use diesel_async::AsyncConnection;

use super::Outcome;
use crate::app::App;
use crate::domain::local_day::day_start;
use crate::domain::numbered::Numbered;
use crate::domain::usage::{BASELINE_DAYS, Counted, WEEK_DAYS};
use crate::store::StoreError;
use crate::store::usage::{self, Due, UsageRow, Window};

/// How many points one step judges.
const POINTS_MAX: i64 = 2000;

/// Judges some of the points that were not judged for this local day.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let window = window(app.clock.now(), app.config.local_offset);
    let mut conn = app.store.conn().await?;
    let judged = conn
        .transaction::<_, StoreError, _>(async |conn| {
            let due = usage::due(conn, &window, POINTS_MAX).await?;
            let rows: Vec<UsageRow> = due.iter().map(|due| judge(due, &window)).collect();
            usage::keep(conn, window.day, &rows).await
        })
        .await?;
    Ok(Outcome::of(judged))
}

/// The seven whole local days before today, and the four weeks before them.
fn window(now: DateTime<Utc>, offset: FixedOffset) -> Window {
    let day = now.with_timezone(&offset).date_naive();
    let midnight = |days: u16| day_start(now, offset) - TimeDelta::days(days.into());
    let (baseline_from, week_from) = (midnight(BASELINE_DAYS + WEEK_DAYS), midnight(WEEK_DAYS));
    Window { day, baseline_from, week_from, until: midnight(0) }
}

fn judge(due: &Due, window: &Window) -> UsageRow {
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let days = (window.week_from - due.since).num_days().clamp(0, BASELINE_DAYS.into());
    let counted = Counted {
        week: count(due.week),
        contradicted: count(due.contradicted),
        baseline: count(due.baseline),
        baseline_days: u16::try_from(days).unwrap_or(BASELINE_DAYS),
    };
    let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    UsageRow {
        point_id: due.point_id,
        usage: counted.judge().number(),
        week_scans: small(counted.week),
        week_expected: counted.expected(),
        week_contradicted: small(counted.contradicted),
        last_scan_at: due.last_scan_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_is_made_of_whole_local_days() {
        let window =
            window("2026-03-16T17:00:00Z".parse().unwrap(), FixedOffset::east_opt(8 * 3600).unwrap());
        assert_eq!(window.day.to_string(), "2026-03-17");
        assert_eq!(window.until.to_rfc3339(), "2026-03-16T16:00:00+00:00");
        assert_eq!(window.until - window.week_from, TimeDelta::days(7));
        assert_eq!(window.week_from - window.baseline_from, TimeDelta::days(28));
    }
}
