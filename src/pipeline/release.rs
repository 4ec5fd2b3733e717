//! Two officers' words → open assignments and letters in the outbox.

use anyhow::Context;
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use uuid::Uuid;

use super::post::{Note, post};
use super::{ACTOR, Outcome, extend, hand_over};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::domain::release::Proposal;
use crate::store::cases::CaseRow;
use crate::store::releasing::{self, RecordRow};
use crate::store::runs::RunRow;
use crate::store::{assignments, audit, cases, decisions, differences, runs};

/// Lets go of one run that nothing holds: the emergency stop, missing words, unequal reviews or the hour's bound.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    if decisions::switch(&mut conn, decisions::EMERGENCY_STOP).await? {
        return Ok(Outcome::Idle);
    }
    let mut failed = None;
    for id in releasing::with_words(&mut conn).await? {
        // A run that the database refuses to let go does not hold up the others.
        let done = conn.transaction::<_, anyhow::Error, _>(async |conn| judge(app, conn, id).await).await;
        match done {
            Ok(true) => return Ok(Outcome::Worked(1)),
            Ok(false) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(Outcome::Idle), Err)
}

/// Lets a run go when nothing holds it; whether it did.
async fn judge(app: &App, conn: &mut AsyncPgConnection, id: Uuid) -> anyhow::Result<bool> {
    let Some(run) = releasing::take(conn, id).await? else { return Ok(false) };
    let case = cases::find(conn, run.case_id).await?.context("a run has its case")?;
    let now = app.clock.now();
    releasing::one_by_one(conn, &case.division).await?;
    let proposal = releasing::proposal(conn, &run, &case.division, now).await?;
    if !proposal.held_by(&app.release_limits()).is_empty() {
        return Ok(false);
    }
    let_go(app, conn, &run, &case, &proposal, now).await?;
    Ok(true)
}

async fn let_go(
    app: &App,
    conn: &mut AsyncPgConnection,
    run: &RunRow,
    case: &CaseRow,
    proposal: &Proposal,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let words = decisions::releases(conn, run.id).await?;
    let legal_basis = legal_basis(&words);
    let fallen = withdraw_fallen(app, conn, run, &case.authority, &legal_basis, now).await?;
    let extended = extend::step_in_release(app, conn, run, now).await?;
    let proposed = assignments::ids_of_run(conn, run.id, AssignmentState::Proposed).await?;
    let proposed = hand_over::turn_aside(app, conn, run, &proposed, now).await?;
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
    runs::set_released(conn, run.id, now).await?;
    let record = record(app, conn, (run, case), proposal, legal_basis, now).await?;
    releasing::insert_record(conn, &record).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "run.released",
        subject: format!("run {}", run.id),
        detail: json!({
            "count": released.len(),
            "letters": letters,
            "no_longer_met": fallen,
            "extended": extended,
            "officers": words.iter().map(|word| word.officer_id).collect::<Vec<_>>(),
            "authority": record.authority,
            "legal_basis": record.legal_basis,
            "counts": record.counts,
            "held": record.held,
        }),
    };
    Ok(audit::append(conn, act, now).await?)
}

/// The legal bases that officers named, each once.
fn legal_basis(words: &[decisions::ReleaseRow]) -> String {
    let mut bases: Vec<&str> = Vec::new();
    for word in words {
        if !bases.contains(&word.legal_basis.as_str()) {
            bases.push(&word.legal_basis);
        }
    }
    bases.join("; ")
}

/// What the release was, as it is kept.
async fn record(
    app: &App,
    conn: &mut AsyncPgConnection,
    (run, case): (&RunRow, &CaseRow),
    proposal: &Proposal,
    legal_basis: String,
    now: DateTime<Utc>,
) -> anyhow::Result<RecordRow> {
    let limits = app.release_limits();
    let counts = releasing::counts(conn, run.id, AssignmentState::Released).await?;
    let people: i64 = counts.iter().map(|count| count.people).sum();
    let shown = counts.iter().map(
        |count| json!({ "class": count.grade.name(), "colour": count.grade.colour, "people": count.people }),
    );
    let lift = releasing::lift(conn, run.id).await?;
    Ok(RecordRow {
        run_id: run.id,
        division: case.division.clone(),
        authority: case.authority.clone(),
        legal_basis,
        people: i32::try_from(people)?,
        counts: shown.collect(),
        held: json!({
            "chief_because": proposal.chief_because(&limits),
            "confirmed": proposal.needs_confirmation(&limits),
            "hour": { "released_before": proposal.last_hour, "at_most": limits.block_hour },
            "lifted": lift.map(|lift| lift.reason),
            "changed_by_hand": proposal.changed,
        }),
        at: now,
    })
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
