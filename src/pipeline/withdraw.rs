//! A withdrawn case → everything that hung on it is undone, and nothing else.

use anyhow::Context;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::post::{Note, post};
use super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::domain::numbered::Numbered;
use crate::store::{audit, cases, decisions, runs};

/// Undoes one withdrawn case.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let Some(case_id) = decisions::withdrawn_case(conn).await? else { return Ok(Outcome::Idle) };
        withdraw(app, conn, case_id).await?;
        Ok(Outcome::Worked(1))
    })
    .await
}

async fn withdraw(app: &App, conn: &mut AsyncPgConnection, case_id: Uuid) -> anyhow::Result<()> {
    let now = app.clock.now();
    let case = cases::find(conn, case_id).await?.context("the case was found a moment ago")?;
    let living = decisions::living_of_case(conn, case_id).await?;
    let known = |number| AssignmentState::from_number(number).is_some_and(AssignmentState::is_open);
    let shown: Vec<Uuid> = living.iter().filter(|row| known(row.state)).map(|row| row.id).collect();
    let all: Vec<Uuid> = living.iter().map(|row| row.id).collect();
    let reason = case.withdrawal_reason.unwrap_or_default();
    decisions::advance(conn, &all, AssignmentState::Withdrawn, ACTOR, &reason, now).await?;
    let note = Note { kind: LetterKind::Withdrawn, authority: &case.authority, legal_basis: &reason };
    let letters = post(conn, &shown, &note, now).await?;
    runs::withdraw(conn, case_id).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "case.undone",
        subject: format!("case {case_id}"),
        detail: serde_json::json!({ "assignments": all.len(), "letters": letters }),
    };
    Ok(audit::append(conn, act, now).await?)
}
