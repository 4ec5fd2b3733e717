//! How far the computation of a run is, and who wants it to end. Kept apart from the run's row, which the
//! computation holds in one transaction.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::run_progress;
use super::{StoreError, sound};
use crate::domain::numbered::Numbered;

/// What a computation is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Stage {
    /// Nothing yet.
    #[default]
    Queued = 0,
    /// Looking for stays that met those of the case.
    Searching = 1,
    /// Judging who met a rule.
    Grading = 2,
    /// Looking for those who met contacts.
    Secondary = 3,
    /// Keeping the result.
    Keeping = 4,
}

impl Numbered for Stage {
    const ALL: &'static [Self] =
        &[Self::Queued, Self::Searching, Self::Grading, Self::Secondary, Self::Keeping];

    fn number(self) -> i16 {
        self as i16
    }
}

/// How far a computation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub stage: Stage,
    /// How many places and times are to be searched at this stage.
    pub searches: i64,
    /// How many have been.
    pub searched: i64,
    /// How many visitors were met so far.
    pub people: i64,
}

/// What is noted of a run that waits or is computed.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = run_progress)]
pub struct ProgressRow {
    /// Number of a [`Stage`].
    pub stage: i16,
    /// How many places and times are to be searched.
    pub searches: i64,
    /// How many have been.
    pub searched: i64,
    /// How many visitors were met so far.
    pub people: i64,
    /// When this was noted; absent where only the wish to cancel was.
    pub noted_at: Option<DateTime<Utc>>,
    /// When somebody asked that it be cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
}

impl ProgressRow {
    /// What the computation was at.
    pub fn stage(&self) -> Result<Stage, StoreError> {
        sound(Stage::from_number(self.stage), "run_progress")
    }
}

/// What is noted of a run.
pub async fn find(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Option<ProgressRow>, StoreError> {
    Ok(run_progress::table.find(run_id).select(ProgressRow::as_select()).first(conn).await.optional()?)
}

/// Notes how far a run is. True when somebody wants it cancelled.
pub async fn note(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    progress: Progress,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let change = (
        run_progress::stage.eq(progress.stage.number()),
        run_progress::searches.eq(progress.searches),
        run_progress::searched.eq(progress.searched),
        run_progress::people.eq(progress.people),
        run_progress::noted_at.eq(now),
    );
    let cancelled_at: Option<DateTime<Utc>> = diesel::insert_into(run_progress::table)
        .values((run_progress::run_id.eq(run_id), change))
        .on_conflict(run_progress::run_id)
        .do_update()
        .set(change)
        .returning(run_progress::cancelled_at)
        .get_result(conn)
        .await?;
    Ok(cancelled_at.is_some())
}

/// Asks whoever computes a run to cancel it.
pub async fn ask_to_cancel(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let change = (run_progress::cancelled_by.eq(by), run_progress::cancelled_at.eq(now));
    diesel::insert_into(run_progress::table)
        .values((run_progress::run_id.eq(run_id), change))
        .on_conflict(run_progress::run_id)
        .do_update()
        .set(change)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether somebody wants a run cancelled. The note is held until the transaction ends: whoever asks from now
/// on waits for it, and then finds the run computed.
pub async fn is_cancelled(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<bool, StoreError> {
    diesel::insert_into(run_progress::table)
        .values(run_progress::run_id.eq(run_id))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    let noted: Option<DateTime<Utc>> =
        run_progress::table.find(run_id).select(run_progress::cancelled_at).for_update().first(conn).await?;
    Ok(noted.is_some())
}

/// Forgets what was noted of a run that has ended.
pub async fn forget(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<(), StoreError> {
    diesel::delete(run_progress::table.find(run_id)).execute(conn).await?;
    Ok(())
}
