//! Outbox → issuing systems: the only place that talks to one.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncConnection;
use uuid::Uuid;

use super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::{ENVELOPE, ENVELOPE_LETTERS_MAX, Envelope, Letter, LetterKind};
use crate::issuer::client::Sent;
use crate::store::assignments;
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::feed;
use crate::store::letters::{self, IssuerRow, LeasedLetter};

/// Sends one envelope to every issuing system that has letters due.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    if decisions::switch(&mut conn, EMERGENCY_STOP).await? {
        return Ok(Outcome::Idle);
    }
    let issuers = letters::issuers(&mut conn).await?;
    let pulling = feed::pulling(&mut conn).await?;
    drop(conn);
    let mut sent = Vec::new();
    for issuer in issuers.into_iter().filter(|issuer| !pulling.contains(&issuer.id)) {
        sent.push(dispatch(app, &issuer).await?);
    }
    Ok(sent.into_iter().sum())
}

async fn dispatch(app: &App, issuer: &IssuerRow) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let Some(key) = app.issuer_keys.get(&issuer.id) else { return Ok(Outcome::Idle) };
    let lease_until = now + TimeDelta::from_std(app.config.letter_lease)?;
    let limit = i64::try_from(ENVELOPE_LETTERS_MAX)?;
    let mut conn = app.store.conn().await?;
    let leased = letters::lease(&mut conn, &issuer.id, lease_until, limit, now).await?;
    drop(conn);
    if leased.is_empty() {
        return Ok(Outcome::Idle);
    }
    let (readable, broken): (Vec<_>, Vec<_>) = leased.iter().map(read).partition(Result::is_ok);
    let letters: Vec<Letter> = readable.into_iter().flatten().collect();
    let envelope = Envelope { kind: ENVELOPE.to_owned(), timestamp: now, letters };
    let answer = app.client.send(&issuer.url.parse()?, key, &envelope, Uuid::now_v7(), now).await;
    record(app, issuer, &leased, &envelope.letters, answer).await?;
    let broken: Vec<Uuid> = broken.into_iter().filter_map(Result::err).collect();
    let mut conn = app.store.conn().await?;
    letters::bury(&mut conn, &broken, "the letter cannot be read").await?;
    Ok(Outcome::of(leased.len()))
}

/// The letter with its sequence, or the id of one that cannot be read.
fn read(leased: &LeasedLetter) -> Result<Letter, Uuid> {
    let letter = serde_json::from_value::<Letter>(leased.body.clone());
    let numbered = letter.map(|letter| Letter { sequence: leased.sequence, ..letter });
    numbered.map_err(|_unreadable| leased.id)
}

async fn record(
    app: &App,
    issuer: &IssuerRow,
    leased: &[LeasedLetter],
    sent: &[Letter],
    answer: Sent,
) -> anyhow::Result<()> {
    let now = app.clock.now();
    let ids: Vec<Uuid> = sent.iter().map(|letter| letter.id).collect();
    let mut conn = app.store.conn().await?;
    match answer {
        Sent::Delivered(_) => {
            let shown: Vec<Uuid> =
                sent.iter().filter(|l| l.kind == LetterKind::Assigned).map(|l| l.assignment).collect();
            conn.transaction::<_, anyhow::Error, _>(async |conn| {
                letters::settle(conn, &ids, now).await?;
                assignments::advance(conn, &shown, AssignmentState::Delivered, ACTOR, &issuer.id, now)
                    .await?;
                Ok(())
            })
            .await?;
        }
        Sent::Refused { status, detail } => {
            tracing::error!(
                issuer = issuer.id,
                status,
                count = ids.len(),
                "an issuing system refused letters"
            );
            letters::bury(&mut conn, &ids, &format!("{status}: {detail}")).await?;
        }
        Sent::Later { detail } => {
            tracing::warn!(issuer = issuer.id, error = detail, count = ids.len(), "letters are put off");
            put_off(app, &mut conn, leased, &detail, now).await?;
        }
    }
    Ok(())
}

async fn put_off(
    app: &App,
    conn: &mut diesel_async::AsyncPgConnection,
    leased: &[LeasedLetter],
    detail: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for letter in leased {
        let tried = usize::try_from(letter.attempts - 1)?;
        match app.config.letter_retries.get(tried) {
            Some(wait) => letters::postpone(conn, &[letter.id], now + jittered(*wait)?, detail).await?,
            None => letters::bury(conn, &[letter.id], detail).await?,
        }
    }
    Ok(())
}

/// The waiting time, a fifth shorter or longer by chance, so that letters that failed together do not
/// all come back together.
fn jittered(wait: Duration) -> anyhow::Result<TimeDelta> {
    let factor = rand::random_range(0.8..1.2);
    Ok(TimeDelta::from_std(wait.mul_f64(factor))?)
}
