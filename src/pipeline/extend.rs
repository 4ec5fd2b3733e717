//! A later exposure of the same class → an assignment that lasts longer, never a second one.

use anyhow::Context;
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::ACTOR;
use super::post::{Note, post};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::store::runs::RunRow;
use crate::store::{assignments, cases, decisions, grounds};

/// What is told of an open assignment that makes room for a stronger proposal.
const REPLACED: &str = "a later run decides anew";

/// In the transaction that lets a run go, before its proposals are read: extends what is open and was exposed later,
/// makes room where the run gives a stronger colour, and turns aside the proposals that would be a second assignment,
/// or give again what has ended for the same exposure. Returns how many were extended, for the entry that the release
/// writes into the audit log.
pub async fn step_in_release(
    app: &App,
    conn: &mut AsyncPgConnection,
    run: &RunRow,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let case = cases::find(conn, run.case_id).await?.context("a run has its case")?;
    let words = decisions::releases(conn, run.id).await?;
    let mut bases: Vec<&str> = words.iter().map(|word| word.legal_basis.as_str()).collect();
    bases.dedup();
    let legal_basis = bases.join("; ");
    let note = |kind| Note { kind, authority: &case.authority, legal_basis: &legal_basis };
    let known = grounds::known(conn, run.id).await?;
    let of = |how| known.iter().filter(move |one| one.how == how);
    let replaced: Vec<Uuid> = of(0).map(|one| one.other).collect();
    let withdrawn = AssignmentState::Withdrawn;
    let gone = assignments::advance(conn, &replaced, withdrawn, ACTOR, REPLACED, now).await?;
    post(app, conn, &gone, &Note { legal_basis: REPLACED, ..note(LetterKind::Withdrawn) }, now).await?;
    for (how, reason) in [(1, "already open by another run"), (2, "it has ended for the same exposure")] {
        let aside: Vec<Uuid> = of(how).map(|one| one.id).collect();
        assignments::advance(conn, &aside, withdrawn, ACTOR, reason, now).await?;
    }
    let reason = "exposed again, as a later run found";
    let extended = assignments::extend(conn, run.id, ACTOR, reason, now).await?;
    post(app, conn, &extended, &note(LetterKind::Extended), now).await?;
    Ok(extended.len())
}
