//! What becomes of a queued run: what it waits for, what it found, or why it failed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::runs::RunState;
use super::schema::runs;
use crate::domain::numbered::Numbered;

/// Remembers where the log ended when the run was first looked at.
pub async fn set_log_ends(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    ends: &serde_json::Value,
) -> Result<(), StoreError> {
    diesel::update(runs::table.find(id)).set(runs::log_ends.eq(ends)).execute(conn).await?;
    Ok(())
}

/// What a run found.
#[derive(Debug)]
pub struct Computed {
    /// When the case was infectious.
    pub infectious: crate::domain::span::Span,
    /// SHA-256 over the result.
    pub digest: Vec<u8>,
    /// Counts.
    pub summary: serde_json::Value,
    /// What waited to be drained, where the run did not wait for it.
    pub incomplete: Option<serde_json::Value>,
    /// The case as the run saw it.
    pub case_seen: serde_json::Value,
    /// What the run can have seen.
    pub snapshot: String,
    /// How many steps from the case the pack goes.
    pub depth: i16,
    /// When.
    pub at: DateTime<Utc>,
}

/// Keeps a run's result.
pub async fn set_computed(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    found: &Computed,
) -> Result<(), StoreError> {
    let change = (
        runs::state.eq(RunState::Computed.number()),
        runs::infectious_from.eq(found.infectious.from()),
        runs::infectious_until.eq(found.infectious.until()),
        runs::computed_at.eq(found.at),
        runs::result_digest.eq(&found.digest),
        runs::summary.eq(&found.summary),
        runs::incomplete.eq(&found.incomplete),
        runs::case_seen.eq(&found.case_seen),
        runs::snapshot.eq(&found.snapshot),
        runs::depth.eq(found.depth),
    );
    diesel::update(runs::table.find(id)).set(change).execute(conn).await?;
    Ok(())
}

/// Keeps how a run differs from the one that it follows up.
pub async fn set_difference(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    counts: &serde_json::Value,
) -> Result<(), StoreError> {
    diesel::update(runs::table.find(id)).set(runs::difference.eq(counts)).execute(conn).await?;
    Ok(())
}

/// Notes that a run cannot be computed, and why.
pub async fn set_failed(conn: &mut AsyncPgConnection, id: Uuid, why: &str) -> Result<(), StoreError> {
    let change = (runs::state.eq(RunState::Failed.number()), runs::failure.eq(why));
    let queued = runs::table.filter(runs::id.eq(id)).filter(runs::state.eq(RunState::Queued.number()));
    diesel::update(queued).set(change).execute(conn).await?;
    Ok(())
}
