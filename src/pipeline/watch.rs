//! Counts of this hour → alarms about points whose code may go round as a photo. An inspector decides.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::burst::{HOURS, PAST_DAYS, Past, judge};
use crate::store::alarms::{self, NewAlarm, Suspect, Window};
use crate::store::{StoreError, audit};

/// How many points one step judges, the most doubtful first.
const POINTS_MAX: i64 = 500;

/// Raises alarms, and keeps the counts of open ones up to date.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let window = window(now)?;
    let mut conn = app.store.conn().await?;
    let changed = conn
        .transaction::<_, StoreError, _>(async |conn| {
            let mut changed = 0;
            for suspect in alarms::suspects(conn, &window, POINTS_MAX).await? {
                changed += usize::from(look_at(conn, &suspect, &window, now).await?);
            }
            Ok(changed)
        })
        .await?;
    Ok(Outcome::of(changed))
}

/// The running hour and the one before it, as counts are kept: by hours of UTC.
fn window(now: DateTime<Utc>) -> anyhow::Result<Window> {
    let until = now.duration_trunc(TimeDelta::hours(1))? + TimeDelta::hours(1);
    let from = until - TimeDelta::hours(HOURS);
    let before = (1..=i64::from(PAST_DAYS)).map(|day| (from - TimeDelta::days(day), day % 7 == 0)).collect();
    Ok(Window { from, until, before })
}

/// Whether something was changed.
async fn look_at(
    conn: &mut AsyncPgConnection,
    suspect: &Suspect,
    window: &Window,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    match suspect.last {
        Some((None, _)) => return alarms::grow(conn, suspect.point_id, &suspect.now).await,
        Some((Some(closed_at), counted)) if counts_again(closed_at, window) => {
            if !suspect.now.is_worse_than(&counted) {
                return Ok(false);
            }
        }
        Some((Some(_), _)) | None => {}
    }
    let days = (window.until - suspect.since).num_days().clamp(0, PAST_DAYS.into());
    let past = Past { day_count: u16::try_from(days).unwrap_or(PAST_DAYS), ..suspect.past };
    let usual = past.usual();
    let Some(sign) = judge(&suspect.now, usual.as_ref()) else { return Ok(false) };
    let alarm = NewAlarm {
        id: Uuid::now_v7(),
        point_id: suspect.point_id,
        hour: window.until - TimeDelta::hours(1),
        now: suspect.now,
        usual,
        sign,
    };
    if !alarms::raise(conn, &alarm, now).await? {
        return Ok(false);
    }
    let counted = suspect.now;
    let detail = serde_json::json!({
        "point": alarm.point_id, "sign": sign, "scans": counted.scans, "contradicted": counted.contradicted,
        "unproven": counted.unproven,
    });
    let subject = format!("alarm {}", alarm.id);
    audit::append(conn, audit::Act { actor: ACTOR, action: "alarm.raised", subject, detail }, now).await?;
    Ok(true)
}

/// Whether the hours in question may hold scans that an alarm had counted when it was closed.
fn counts_again(closed_at: DateTime<Utc>, window: &Window) -> bool {
    closed_at >= window.from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hours_of_the_days_before_are_the_same_by_the_clock() {
        let now: DateTime<Utc> = "2026-03-16T04:20:00Z".parse().unwrap();
        let window = window(now).unwrap();
        assert_eq!(window.from.to_rfc3339(), "2026-03-16T03:00:00+00:00");
        assert_eq!(window.until.to_rfc3339(), "2026-03-16T05:00:00+00:00");
        assert_eq!(window.before.len(), 28);
        assert_eq!(window.before[6], (window.from - TimeDelta::days(7), true));
        assert_eq!(window.before.iter().filter(|day| day.1).count(), 4);
    }

    #[test]
    fn what_was_closed_counts_until_its_hours_are_over() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let closed = at("2026-03-16T04:20:00Z");
        let again = |now: &str| counts_again(closed, &window(at(now)).unwrap());
        assert!(again("2026-03-16T05:59:59Z"));
        assert!(!again("2026-03-16T06:00:00Z"));
    }
}
