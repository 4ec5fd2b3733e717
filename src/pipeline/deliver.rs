//! What an issuing system said of an envelope → what becomes of its letters, its circuit, and the audit log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::ACTOR;
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::circuit::Circuit;
use crate::domain::letter::{Letter, LetterKind};
use crate::store::outbox::{self, Again};
use crate::store::{assignments, audit, circuits, letters};

/// Letters that a dispatcher has taken.
#[derive(Debug, Clone)]
pub struct Held {
    /// To whom they go.
    pub issuer: String,
    /// How long they are kept from other dispatchers.
    pub until: DateTime<Utc>,
    /// Whether they only try whether the system answers again. Then nothing counts as an attempt.
    pub is_probe: bool,
    /// How often each was tried, this time included.
    pub attempts: BTreeMap<Uuid, i32>,
}

/// What came of an envelope.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The system took it, and names what became of each letter; what it does not name has not arrived.
    Said {
        /// New, and they hold.
        applied: BTreeSet<Uuid>,
        /// Applied before.
        repeated: BTreeSet<Uuid>,
        /// Newer ones were known.
        stale: BTreeSet<Uuid>,
    },
    /// Something in it is not right and will never be.
    Refused(String),
    /// No answer, or none that can be understood: it may or may not have arrived.
    Failed(String),
}

/// What a dispatcher does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It goes on.
    Goes,
    /// It sends the same letters again in two halves, to find the one that is not right.
    InHalves,
    /// It leaves this system alone for now.
    Stops,
}

/// Gives back what was taken and not sent.
pub async fn give_back(app: &App, held: &Held, ids: &[Uuid]) -> anyhow::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut conn = app.store.conn().await?;
    Ok(outbox::give_back(&mut conn, ids, held.until, app.clock.now()).await?)
}

/// Keeps what became of the letters of one envelope, of the circuit and of the audit log, in one transaction.
pub async fn record(
    app: &App,
    held: &Held,
    part: &[Letter],
    answer: &Answer,
    sha256: &str,
) -> anyhow::Result<Next> {
    let now = app.clock.now();
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let (next, detail) = match answer {
            Answer::Said { applied, repeated, stale } => {
                let said: BTreeSet<Uuid> = applied.iter().chain(repeated).chain(stale).copied().collect();
                let missing = settle(app, conn, held, part, &said).await?;
                let is_heard = missing < part.len();
                let error = (missing > 0).then_some("the answer does not name every letter");
                turn(conn, held, is_heard, error, now).await?;
                let own = |ids: &BTreeSet<Uuid>| part.iter().filter(|letter| ids.contains(&letter.id)).count();
                let detail = serde_json::json!({
                    "outcome": "delivered", "applied": own(applied), "repeated": own(repeated), "stale": own(stale),
                    "not_named": missing,
                });
                (if is_heard { Next::Goes } else { Next::Stops }, detail)
            }
            Answer::Refused(error) => {
                tracing::error!(issuer = held.issuer, error, count = part.len(), "letters were refused");
                let next = if part.len() > 1 { Next::InHalves } else { Next::Goes };
                if next == Next::Goes {
                    outbox::bury(conn, &ids(part), held.until, error, now).await?;
                }
                turn(conn, held, true, Some(error), now).await?;
                (next, serde_json::json!({ "outcome": "refused" }))
            }
            Answer::Failed(error) => {
                tracing::warn!(issuer = held.issuer, error, count = part.len(), "letters are put off");
                let circuit = turn(conn, held, false, Some(error), now).await?;
                put_off(app, conn, held, &ids(part), error, circuit.probe_at).await?;
                (Next::Stops, serde_json::json!({ "outcome": "failed" }))
            }
        };
        note(conn, held, part.len(), sha256, detail, now).await?;
        Ok(next)
    })
    .await
}

fn ids(part: &[Letter]) -> Vec<Uuid> {
    part.iter().map(|letter| letter.id).collect()
}

/// Settles the letters that the answer names, and puts the others off. Returns how many those are.
async fn settle(
    app: &App,
    conn: &mut AsyncPgConnection,
    held: &Held,
    part: &[Letter],
    said: &BTreeSet<Uuid>,
) -> anyhow::Result<usize> {
    let now = app.clock.now();
    let (arrived, missing): (Vec<&Letter>, Vec<&Letter>) =
        part.iter().partition(|letter| said.contains(&letter.id));
    let missing: Vec<Uuid> = missing.into_iter().map(|letter| letter.id).collect();
    letters::settle(conn, &arrived.iter().map(|letter| letter.id).collect::<Vec<_>>(), now).await?;
    put_off(app, conn, held, &missing, "the answer does not name the letter", None).await?;
    let shown: Vec<Uuid> = arrived
        .iter()
        .filter(|letter| letter.kind == LetterKind::Assigned)
        .map(|letter| letter.assignment)
        .collect();
    assignments::advance(conn, &shown, AssignmentState::Delivered, ACTOR, &held.issuer, now).await?;
    Ok(missing.len())
}

/// Puts letters off by how often each was tried; one that was tried often enough is buried. A probe was no attempt, and
/// where only probes are sent, no letter waits longer than for the next one.
async fn put_off(
    app: &App,
    conn: &mut AsyncPgConnection,
    held: &Held,
    ids: &[Uuid],
    error: &str,
    probe_at: Option<DateTime<Utc>>,
) -> anyhow::Result<()> {
    let now = app.clock.now();
    if held.is_probe {
        return Ok(outbox::give_back(conn, ids, held.until, now).await?);
    }
    let (mut again, mut over) = (Vec::new(), Vec::new());
    for id in ids {
        let tried = held.attempts.get(id).copied().unwrap_or(1);
        match app.config.letter_retries.get(usize::try_from(tried - 1).unwrap_or(0)) {
            Some(wait) => {
                let due_at = now + jittered(*wait)?;
                again.push(Again { id: *id, due_at: probe_at.map_or(due_at, |at| at.min(due_at)) });
            }
            None => over.push(*id),
        }
    }
    outbox::put_off(conn, &again, held.until, error).await?;
    outbox::bury(conn, &over, held.until, error, now).await?;
    Ok(())
}

/// Notes in the circuit whether the system answered; tells how it is then.
async fn turn(
    conn: &mut AsyncPgConnection,
    held: &Held,
    is_answered: bool,
    error: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<Circuit> {
    let before = circuits::hold(conn, &held.issuer).await?.circuit();
    let after = if is_answered { before.answered() } else { before.failed(now, chance()) };
    if after.opened_at.is_some() && before.opened_at.is_none() {
        tracing::error!(issuer = held.issuer, "an issuing system does not answer: only probes are sent");
    } else if after.opened_at.is_none() && before.opened_at.is_some() {
        tracing::info!(issuer = held.issuer, "an issuing system answers again");
    }
    if after != before || error.is_some() {
        circuits::keep(conn, &held.issuer, &after, error).await?;
    }
    Ok(after)
}

/// Writes an envelope down: to whom, how many letters, the hash of its bytes and what came of it. It names nobody.
async fn note(
    conn: &mut AsyncPgConnection,
    held: &Held,
    count: usize,
    sha256: &str,
    mut detail: serde_json::Value,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("letters".to_owned(), count.into());
        detail.insert("sha256".to_owned(), sha256.into());
    }
    let subject = format!("issuer {}", held.issuer);
    let act = audit::Act { actor: ACTOR, action: "letters.sent", subject, detail };
    Ok(audit::append(conn, act, now).await?)
}

/// The waiting time, a fifth shorter or longer by chance, so that letters that failed together do not
/// all come back together.
fn jittered(wait: Duration) -> anyhow::Result<TimeDelta> {
    Ok(TimeDelta::from_std(wait.mul_f64(chance()))?)
}

fn chance() -> f64 {
    rand::random_range(0.8..1.2)
}
