//! What has ended is gone: assignments, sessions, kept answers, and the scans of days past.

use std::collections::BTreeMap;

use chrono::Days;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::post::{Note, post};
use super::{ACTOR, Outcome, day_of};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::domain::scan::LATE_MAX;
use crate::store::{access, audit, cards, cases, decisions, idempotency, partitions, usage};

/// How many days ahead partitions are made.
const AHEAD_DAYS: u64 = 3;

/// How many assignments one step ends.
const ASSIGNMENTS_MAX: i64 = 1000;

/// How long answers to writes are kept for clients that ask again, in days.
const ANSWERS_DAYS: u64 = 2;

/// How long counts by point and hour are kept, in days: a quarter, so that a season can be compared. They
/// name nobody.
const COUNTS_DAYS: u64 = 92;

/// How many counts one step removes.
const COUNTS_MAX: i64 = 50_000;

/// Ends what is over, and makes room for the days to come.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let today = day_of(now);
    let mut conn = app.store.conn().await?;
    let made = partitions::ensure(&mut conn, today - Days::new(1), today + Days::new(AHEAD_DAYS)).await?;
    let dropped = drop_days(app, &mut conn).await?;
    let ended = end_assignments(app, &mut conn).await?;
    let sessions = access::expire_sessions(&mut conn, now).await?;
    let answers = idempotency::expire(&mut conn, now - Days::new(ANSWERS_DAYS)).await?;
    // A row that comes late may name a card that was good when its scan occurred.
    let cards = cards::expire(&mut conn, now - LATE_MAX).await?;
    let counts = usage::drop_before(&mut conn, now - Days::new(COUNTS_DAYS), COUNTS_MAX).await?;
    Ok([made, dropped, ended, sessions, answers, cards, counts].into_iter().map(Outcome::of).sum())
}

async fn drop_days(app: &App, conn: &mut AsyncPgConnection) -> anyhow::Result<usize> {
    let now = app.clock.now();
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

async fn end_assignments(app: &App, conn: &mut AsyncPgConnection) -> anyhow::Result<usize> {
    let now = app.clock.now();
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let over = decisions::ending(conn, now, ASSIGNMENTS_MAX).await?;
        let mut by_case: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for row in &over {
            by_case.entry(row.case_id).or_default().push(row.id);
        }
        for (case_id, ids) in by_case {
            let ended =
                decisions::advance(conn, &ids, AssignmentState::Expired, ACTOR, "its days are over", now)
                    .await?;
            let authority = cases::find(conn, case_id).await?.map(|case| case.authority).unwrap_or_default();
            let note =
                Note { kind: LetterKind::Expired, authority: &authority, legal_basis: "its days are over" };
            post(conn, &ended, &note, now).await?;
        }
        Ok(over.len())
    })
    .await
}
