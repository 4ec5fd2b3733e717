//! Two officers' words → open assignments and letters in the outbox.

use anyhow::Context;
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::post::{Note, post};
use super::{ACTOR, Outcome, hand_over};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::store::runs::RunRow;
use crate::store::{assignments, audit, cases, decisions, differences, runs};

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
    let words = decisions::releases(conn, run_id).await?;
    let mut bases: Vec<&str> = words.iter().map(|word| word.legal_basis.as_str()).collect();
    bases.dedup();
    let legal_basis = bases.join("; ");
    let fallen = withdraw_fallen(app, conn, &run, &case.authority, &legal_basis, now).await?;
    let twice = assignments::already_open(conn, run_id).await?;
    assignments::advance(conn, &twice, AssignmentState::Withdrawn, ACTOR, "already open by another run", now)
        .await?;
    let proposed = assignments::ids_of_run(conn, run_id, AssignmentState::Proposed).await?;
    let proposed = hand_over::turn_aside(app, conn, &run, &proposed, now).await?;
    let released = assignments::advance(
        conn,
        &proposed,
        AssignmentState::Released,
        ACTOR,
        "released by two officers",
        now,
    )
    .await?;
    let note = Note { kind: LetterKind::Assigned, authority: &case.authority, legal_basis: &legal_basis };
    let letters = post(app, conn, &released, &note, now).await?;
    runs::set_released(conn, run_id, now).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "run.released",
        subject: format!("run {run_id}"),
        detail: serde_json::json!({
            "count": released.len(),
            "letters": letters,
            "no_longer_met": fallen,
            "officers": words.iter().map(|word| word.officer_id).collect::<Vec<_>>(),
            "legal_basis": note.legal_basis,
        }),
    };
    Ok(audit::append(conn, act, now).await?)
}

/// Withdraws what runs let go before, that this one follows up, and that rests on nothing any more. Returns how much.
async fn withdraw_fallen(
    app: &App,
    conn: &mut AsyncPgConnection,
    run: &RunRow,
    authority: &str,
    legal_basis: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    if run.base_run.is_none() {
        return Ok(0);
    }
    let fallen = differences::no_longer_met(conn, run.id).await?;
    let all: Vec<Uuid> = fallen.iter().map(|one| one.id).collect();
    let shown: Vec<Uuid> = fallen.iter().filter(|one| one.is_open).map(|one| one.id).collect();
    let withdrawn =
        assignments::advance(conn, &all, AssignmentState::Withdrawn, ACTOR, "no longer met", now).await?;
    post(app, conn, &shown, &Note { kind: LetterKind::Withdrawn, authority, legal_basis }, now).await?;
    Ok(withdrawn.len())
}
