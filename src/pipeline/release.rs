//! Two officers' words → open assignments and letters in the outbox.

use anyhow::Context;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::post::{Note, post};
use super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::store::{audit, cases, decisions, runs};

/// Lets go of one run that has its two officers.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let cap = i64::from(app.config.release_cap);
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let Some(run_id) = decisions::ready(conn, cap).await? else { return Ok(Outcome::Idle) };
        release(app, conn, run_id).await?;
        Ok(Outcome::Worked(1))
    })
    .await
}

async fn release(app: &App, conn: &mut AsyncPgConnection, run_id: Uuid) -> anyhow::Result<()> {
    let now = app.clock.now();
    let run = runs::find(conn, run_id).await?.context("the run was found a moment ago")?;
    let case = cases::find(conn, run.case_id).await?.context("a run has its case")?;
    let twice = decisions::already_open(conn, run_id).await?;
    decisions::advance(conn, &twice, AssignmentState::Withdrawn, ACTOR, "already open by another run", now)
        .await?;
    let proposed = decisions::ids_of_run(conn, run_id, AssignmentState::Proposed).await?;
    let released = decisions::advance(
        conn,
        &proposed,
        AssignmentState::Released,
        ACTOR,
        "released by two officers",
        now,
    )
    .await?;
    let words = decisions::releases(conn, run_id).await?;
    let mut bases: Vec<&str> = words.iter().map(|word| word.legal_basis.as_str()).collect();
    bases.dedup();
    let note =
        Note { kind: LetterKind::Assigned, authority: &case.authority, legal_basis: &bases.join("; ") };
    let letters = post(conn, &released, &note, now).await?;
    runs::set_released(conn, run_id, now).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "run.released",
        subject: format!("run {run_id}"),
        detail: serde_json::json!({
            "count": released.len(),
            "letters": letters,
            "officers": words.iter().map(|word| word.officer_id).collect::<Vec<_>>(),
            "legal_basis": note.legal_basis,
        }),
    };
    Ok(audit::append(conn, act, now).await?)
}
