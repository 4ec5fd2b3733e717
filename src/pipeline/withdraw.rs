//! A withdrawn case, or a run whose ground was corrected → what hung on it is undone, and nothing else.

use anyhow::Context;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::post::{Note, post};
use super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::domain::numbered::Numbered;
use crate::store::assignments::AssignmentRow;
use crate::store::{assignments, audit, cases, decisions, grounds, hand_overs, runs, undoings};

/// Undoes one withdrawn case, or else one run of a case that was corrected.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        if let Some(case_id) = decisions::withdrawn_case(conn).await? {
            withdraw(app, conn, case_id).await?;
        } else if let Some(undoing) = undoings::next(conn).await? {
            undo(app, conn, &undoing).await?;
        } else {
            return Ok(Outcome::Idle);
        }
        Ok(Outcome::Worked(1))
    })
    .await
}

async fn withdraw(app: &App, conn: &mut AsyncPgConnection, case_id: Uuid) -> anyhow::Result<()> {
    let case = cases::find(conn, case_id).await?.context("the case was found a moment ago")?;
    let living = grounds::living_of_case(conn, case_id).await?;
    let reason = case.withdrawal_reason.unwrap_or_default();
    let counts = take_back(app, conn, &living, &case.authority, &reason).await?;
    hand_overs::take_back_of_case(conn, case_id, app.clock.now()).await?;
    runs::withdraw(conn, case_id).await?;
    note(app, conn, "case.undone", format!("case {case_id}"), counts).await
}

/// The case stays open, so that a new run can be asked for; and so does what another released run demands as well.
async fn undo(app: &App, conn: &mut AsyncPgConnection, undoing: &undoings::Undoing) -> anyhow::Result<()> {
    let case = cases::find(conn, undoing.case_id).await?.context("a run has its case")?;
    let living = grounds::fallen_with(conn, undoing.run_id).await?;
    let counts = take_back(app, conn, &living, &case.authority, &undoing.reason).await?;
    hand_overs::take_back_of_run(conn, undoing.run_id, app.clock.now()).await?;
    grounds::judge_extended(conn, undoing.run_id, app.clock.now()).await?;
    undoings::done(conn, undoing.run_id, app.clock.now()).await?;
    note(app, conn, "run.undone", format!("run {}", undoing.run_id), counts).await
}

/// Withdraws assignments, with a letter for each that somebody was told of. Returns how many of both there were.
async fn take_back(
    app: &App,
    conn: &mut AsyncPgConnection,
    living: &[AssignmentRow],
    authority: &str,
    reason: &str,
) -> anyhow::Result<(usize, usize)> {
    let now = app.clock.now();
    let known = |number| AssignmentState::from_number(number).is_some_and(AssignmentState::is_open);
    let shown: Vec<Uuid> = living.iter().filter(|row| known(row.state)).map(|row| row.id).collect();
    let all: Vec<Uuid> = living.iter().map(|row| row.id).collect();
    assignments::advance(conn, &all, AssignmentState::Withdrawn, ACTOR, reason, now).await?;
    let note = Note { kind: LetterKind::Withdrawn, authority, legal_basis: reason };
    let letters = post(app, conn, &shown, &note, now).await?;
    Ok((all.len(), letters))
}

async fn note(
    app: &App,
    conn: &mut AsyncPgConnection,
    action: &'static str,
    subject: String,
    (assignments, letters): (usize, usize),
) -> anyhow::Result<()> {
    let detail = serde_json::json!({ "assignments": assignments, "letters": letters });
    let act = audit::Act { actor: ACTOR, action, subject, detail };
    Ok(audit::append(conn, act, app.clock.now()).await?)
}
