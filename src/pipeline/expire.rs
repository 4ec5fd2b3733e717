//! What has ended is gone: assignments, sessions, kept answers, and the scans of days past.
//!
//! Dropping a day cannot be undone, so no single clock is believed. A machine's clock is compared with that
//! of Postgres, and the earlier one counts. And Postgres remembers what the clock said the last time: after a
//! leap, in either direction, nothing is dropped until it has been steady for a day, in which somebody can put
//! it right. Two workers whose clocks disagree keep finding leaps, so they drop nothing until they agree.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::post::{Note, post};
use super::{ACTOR, Outcome, day_of};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::domain::scan::LATE_MAX;
use crate::store::retention::{self, Sighting};
use crate::store::{
    access, assignments, audit, cards, cases, hand_overs, health_facts, idempotency, partitions, residences,
    usage,
};

/// How many days ahead partitions are made.
const AHEAD_DAYS: u64 = 3;

/// How many assignments one step ends.
const ASSIGNMENTS_MAX: i64 = 1000;

/// How long answers to writes are kept for clients that ask again, in days.
const ANSWERS_DAYS: u64 = 2;

/// How long counts by point and hour are kept, in days: a quarter, so that a season can be compared. They
/// name nobody.
const COUNTS_DAYS: u64 = 92;

/// How many counts, residences and facts of health one step removes of each.
const COUNTS_MAX: i64 = 50_000;

/// By how much more than this a clock leaps from one sighting to the next. A night in which no worker ran is
/// none, nor is a day of the demo, which plays two weeks in a minute.
const LEAP: TimeDelta = TimeDelta::hours(36);

/// How long a clock must have been steady before days are dropped by it.
const STEADY: TimeDelta = TimeDelta::hours(24);

/// By how much the clock of this machine may be ahead of that of Postgres without a word.
const AHEAD_MAX: TimeDelta = TimeDelta::hours(1);

/// Ends what is over, and makes room for the days to come.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    let today = day_of(app.clock.now());
    let made = partitions::ensure(&mut conn, today - Days::new(1), today + Days::new(AHEAD_DAYS)).await?;
    let now = earlier_now(app, &mut conn).await?;
    let (dropped, counts) = if is_steady(&mut conn, now).await? {
        let counts = usage::drop_before(&mut conn, now - Days::new(COUNTS_DAYS), COUNTS_MAX).await?;
        // Where somebody lives is of no use without that person's scans.
        let kept_from = now - Days::new(app.config.retention_days.into());
        let homes = residences::expire(&mut conn, kept_from, COUNTS_MAX).await?
            + hand_overs::expire_all(&mut conn, kept_from, now, COUNTS_MAX).await?;
        let facts = health_facts::expire(&mut conn, kept_from, COUNTS_MAX).await?;
        (drop_days(app, &mut conn, now).await?, counts + homes + facts)
    } else {
        (0, 0)
    };
    let ended = end_assignments(app, &mut conn, now).await?;
    let sessions = access::expire_sessions(&mut conn, now).await?;
    let answers = idempotency::expire(&mut conn, now - Days::new(ANSWERS_DAYS)).await?;
    // A row that comes late may name a card that was good when its scan occurred.
    let cards = cards::expire(&mut conn, now - LATE_MAX).await?;
    Ok([made, dropped, ended, sessions, answers, cards, counts].into_iter().map(Outcome::of).sum())
}

/// The earlier of this machine's clock and that of Postgres. A clock that a test or the demo shifts is shifted
/// on purpose, and has nothing to be compared with.
async fn earlier_now(app: &App, conn: &mut AsyncPgConnection) -> anyhow::Result<DateTime<Utc>> {
    let own = app.clock.now();
    if !app.clock.is_the_machines() {
        return Ok(own);
    }
    let other = retention::postgres_now(conn).await?;
    if own - other > AHEAD_MAX {
        tracing::error!("this machine's clock is far ahead of that of postgres, which is followed instead");
    }
    Ok(own.min(other))
}

/// Notes what the clock says, and tells whether days may be dropped by it.
async fn is_steady(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> anyhow::Result<bool> {
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let last = retention::last_sighting(conn).await?;
        let sighting = next_sighting(last, now);
        if last.is_some_and(|last| has_leapt(last, now)) {
            tracing::warn!("the clock has leapt: no day is dropped until it has been steady for a day");
        }
        retention::note_sighting(conn, sighting).await?;
        Ok(now - sighting.steady_since >= STEADY)
    })
    .await
}

/// What is remembered of a clock that now says `now`. The first sighting is like a leap: there is nothing to
/// compare it with.
fn next_sighting(last: Option<Sighting>, now: DateTime<Utc>) -> Sighting {
    let unbroken = last.filter(|last| !has_leapt(*last, now));
    Sighting { seen_at: now, steady_since: unbroken.map_or(now, |last| last.steady_since) }
}

fn has_leapt(last: Sighting, now: DateTime<Utc>) -> bool {
    (now - last.seen_at).abs() > LEAP
}

async fn drop_days(app: &App, conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> anyhow::Result<usize> {
    let first_kept = day_of(now) - Days::new(app.config.retention_days.into());
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let dropped = partitions::drop_before(conn, first_kept).await?;
        if !dropped.is_empty() {
            let act = audit::Act {
                actor: ACTOR,
                action: "retention.dropped",
                subject: format!("before {first_kept}"),
                detail: serde_json::json!({ "partitions": dropped }),
            };
            audit::append(conn, act, now).await?;
        }
        Ok(dropped.len())
    })
    .await
}

async fn end_assignments(
    app: &App,
    conn: &mut AsyncPgConnection,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let over = assignments::ending(conn, now, ASSIGNMENTS_MAX).await?;
        let mut by_case: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for row in &over {
            by_case.entry(row.case_id).or_default().push(row.id);
        }
        let mut acts = Vec::new();
        for (case_id, ids) in by_case {
            let ended =
                assignments::advance(conn, &ids, AssignmentState::Expired, ACTOR, "its days are over", now)
                    .await?;
            let authority = cases::find(conn, case_id).await?.map(|case| case.authority).unwrap_or_default();
            let note =
                Note { kind: LetterKind::Expired, authority: &authority, legal_basis: "its days are over" };
            let letters = post(app, conn, &ended, &note, now).await?;
            let act = audit::Act {
                actor: ACTOR,
                action: "assignments.expired",
                subject: format!("case {case_id}"),
                detail: serde_json::json!({ "count": ended.len(), "letters": letters }),
            };
            acts.push(act);
        }
        // The head of the chain is locked last.
        for act in acts {
            audit::append(conn, act, now).await?;
        }
        Ok(over.len())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + hours * 3600, 0).unwrap()
    }

    /// Since when a clock is steady that was seen at these hours.
    fn steady_since(hours: &[i64]) -> DateTime<Utc> {
        let seen = hours.iter().fold(None, |last, hour| Some(next_sighting(last, at(*hour))));
        seen.unwrap().steady_since
    }

    #[test]
    fn a_clock_is_steady_since_its_last_leap() {
        assert_eq!(steady_since(&[0]), at(0));
        assert_eq!(steady_since(&[0, 1, 30, 66]), at(0));
        assert_eq!(steady_since(&[0, 1, 38, 39]), at(38), "nobody looked for a day and a half");
        assert_eq!(steady_since(&[0, 960, 961]), at(960), "forty days ahead");
        assert_eq!(steady_since(&[0, 960, 1]), at(1), "and back");
    }

    #[test]
    fn two_clocks_that_disagree_are_never_steady() {
        let seen: Vec<i64> = (0..200).map(|step| if step % 2 == 0 { step } else { step + 960 }).collect();
        assert_eq!(steady_since(&seen), at(199 + 960));
    }
}
