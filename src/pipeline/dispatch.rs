//! Outbox → issuing systems: the only place that talks to one.
//!
//! Each issuing system has its own task, so one that hangs holds no other. A task takes letters, at most one of each
//! visitor, sends them as one envelope, and keeps what was said of each: delivered, put off, or buried. What is taken
//! by a dispatcher that dies is due again when its lease is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncConnection;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Outcome;
use super::deliver::{self, Answer, Held};
use crate::app::App;
use crate::domain::circuit::Passage;
use crate::domain::letter::{Delivery, ENVELOPE, ENVELOPE_LETTERS_MAX, Envelope, Letter};
use crate::domain::numbered::Numbered;
use crate::domain::pace;
use crate::issuer::answer;
use crate::issuer::client::Sent;
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::letters::{self, IssuerRow};
use crate::store::outbox::{self, LeasedLetter};
use crate::store::{StoreError, circuits};

/// How often a round looks for letters to systems that had none, while it waits for others.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a round lasts. What is under way then goes on beside the next one.
const ROUND_MAX: Duration = Duration::from_secs(10);

/// What came of one task: how many letters it sent, and to whom.
type Told = (String, anyhow::Result<usize>);

/// Sends what is due to every issuing system, all at the same time, until nothing is due to any of them.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let (tell, mut told) = mpsc::unbounded_channel::<Told>();
    let (mut under_way, mut resting) = (0_usize, BTreeSet::new());
    let (mut count, mut failure) = (0, None);
    while begun.elapsed() < ROUND_MAX {
        for issuer in due(app).await? {
            if !resting.contains(&issuer)
                && let Some(turn) = Turn::take(app, issuer)
            {
                under_way += 1;
                tokio::spawn(turn.play(app.clone(), tell.clone()));
            }
        }
        if under_way == 0 {
            break;
        }
        tokio::select! {
            Some((issuer, sent)) = told.recv() => {
                under_way -= 1;
                match sent {
                    Ok(0) => { resting.insert(issuer); }
                    Ok(sent) => count += sent,
                    Err(error) => {
                        failure = Some(error.context(format!("letters to {issuer}")));
                        resting.insert(issuer);
                    }
                }
            }
            () = tokio::time::sleep(LOOK_EVERY) => resting.clear(),
        }
    }
    failure.map_or(Ok(Outcome::of(count)), Err)
}

/// The right of one task to send to one issuing system; it ends with the task, however that ends.
struct Turn {
    issuer: String,
    sending: Arc<Mutex<BTreeSet<String>>>,
}

impl Turn {
    /// `None` while another task of this process is sending to it.
    fn take(app: &App, issuer: String) -> Option<Self> {
        let mut sending = app.sending.lock().unwrap_or_else(PoisonError::into_inner);
        sending.insert(issuer.clone()).then(|| Self { issuer, sending: app.sending.clone() })
    }

    async fn play(self, app: App, tell: mpsc::UnboundedSender<Told>) {
        let sent = send(&app, &self.issuer).await;
        let issuer = self.issuer.clone();
        if let Err(error) = &sent {
            tracing::error!(issuer, error = format!("{error:#}"), "letters could not be sent");
        }
        // The turn ends before it is told, so that whoever hears of it can take the next. A round that is over hears
        // nothing.
        drop(self);
        drop(tell.send((issuer, sent)));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.issuer);
    }
}

/// The issuing systems that may be called now and have letters due.
async fn due(app: &App) -> anyhow::Result<Vec<String>> {
    let mut conn = app.store.conn().await?;
    if decisions::switch(&mut conn, EMERGENCY_STOP).await? {
        return Ok(Vec::new());
    }
    let mut due = outbox::due(&mut conn, app.clock.now()).await?;
    due.retain(|issuer| app.issuer_keys.contains_key(issuer));
    Ok(due)
}

/// Letters that this task holds.
struct Batch {
    issuer: IssuerRow,
    held: Held,
    letters: Vec<Letter>,
}

/// Takes letters to one issuing system and sends them. Returns how many were sent.
async fn send(app: &App, issuer: &str) -> anyhow::Result<usize> {
    let Some(batch) = take(app, issuer).await? else { return Ok(0) };
    let (mut parts, mut count) = (VecDeque::from([batch.letters.clone()]), 0);
    while let Some(part) = parts.pop_front() {
        if part.is_empty() {
            continue;
        }
        if !may_go_on(app, &batch.held).await? {
            let rest = std::iter::once(part).chain(parts).flatten();
            deliver::give_back(app, &batch.held, &ids(rest)).await?;
            break;
        }
        count += part.len();
        let (sha256, sent) = post(app, &batch.issuer, &part).await?;
        match deliver::record(app, &batch.held, &part, &understood(&sent), &sha256).await? {
            deliver::Next::Goes => {}
            deliver::Next::InHalves => {
                let mut first = part;
                let second = first.split_off(first.len() / 2);
                parts.push_front(second);
                parts.push_front(first);
            }
            deliver::Next::Stops => {
                deliver::give_back(app, &batch.held, &ids(parts.into_iter().flatten())).await?;
                break;
            }
        }
    }
    Ok(count)
}

fn ids(letters: impl Iterator<Item = Letter>) -> Vec<Uuid> {
    letters.map(|letter| letter.id).collect()
}

/// Takes as many letters as circuit, envelope and pace allow. The row of the circuit is held meanwhile, so that two
/// dispatchers send neither two probes nor more than the pace.
async fn take(app: &App, issuer: &str) -> anyhow::Result<Option<Batch>> {
    let now = app.clock.now();
    let until = now + TimeDelta::from_std(app.config.letter_lease)?;
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let Some(issuer) = letters::issuer(conn, issuer).await? else { return Ok(None) };
        let row = circuits::hold(conn, &issuer.id).await?;
        let passage = row.circuit().passage(now);
        let mut limit = match passage {
            Passage::Nothing => 0,
            Passage::Probe => 1,
            Passage::All => issuer.batch_max.min(i32::try_from(ENVELOPE_LETTERS_MAX)?),
        };
        if let Some(per_min) = issuer.pace_per_min {
            limit = limit.min(pace::allowance(per_min, &row.recent(), now));
        }
        if limit < 1 || issuer.delivery != Delivery::Push.number() {
            return Ok(None);
        }
        let leased = outbox::lease(conn, &issuer.id, until, limit.into(), now).await?;
        if leased.is_empty() {
            return Ok(None);
        }
        if passage == Passage::Probe {
            circuits::keep(conn, &issuer.id, &row.circuit().probing(until), None).await?;
        }
        if issuer.pace_per_min.is_some() {
            let recent = pace::noted(&row.recent(), i32::try_from(leased.len())?, now);
            circuits::keep_sent(conn, &issuer.id, &recent).await?;
        }
        let (letters, unreadable) = read_all(&leased);
        outbox::bury(conn, &unreadable, until, "the letter cannot be read", now).await?;
        let attempts: BTreeMap<Uuid, i32> = leased.iter().map(|one| (one.id, one.attempts)).collect();
        let is_probe = passage == Passage::Probe;
        let held = Held { issuer: issuer.id.clone(), until, is_probe, attempts };
        Ok(Some(Batch { issuer, held, letters }))
    })
    .await
}

/// The letters with their sequences, and the ids of those that cannot be read.
fn read_all(leased: &[LeasedLetter]) -> (Vec<Letter>, Vec<Uuid>) {
    let (mut letters, mut unreadable) = (Vec::new(), Vec::new());
    for one in leased {
        match serde_json::from_value::<Letter>(one.body.clone()) {
            Ok(letter) => letters.push(Letter { sequence: one.sequence, ..letter }),
            Err(_) => unreadable.push(one.id),
        }
    }
    (letters, unreadable)
}

/// Whether another envelope may go: nobody has stopped all letters, and the lease outlasts the answer.
async fn may_go_on(app: &App, held: &Held) -> anyhow::Result<bool> {
    let answered_by = app.clock.now() + TimeDelta::from_std(app.config.letter_timeout)?;
    if answered_by >= held.until {
        return Ok(false);
    }
    let mut conn = app.store.conn().await?;
    Ok(!decisions::switch(&mut conn, EMERGENCY_STOP).await?)
}

/// Sends one envelope; tells the SHA-256 of its bytes and what came of it.
async fn post(app: &App, issuer: &IssuerRow, part: &[Letter]) -> anyhow::Result<(String, Sent)> {
    let now: DateTime<Utc> = app.clock.now();
    let envelope = Envelope { kind: ENVELOPE.to_owned(), timestamp: now, letters: part.to_vec() };
    let body = serde_json::to_vec(&envelope)?;
    let sha256 = crate::domain::audit::hex(&Sha256::digest(&body));
    let key = app.issuer_keys.get(&issuer.id).ok_or(StoreError::Corrupt("issuers"))?;
    let url = issuer.url.parse()?;
    Ok((sha256, app.client.post(&url, key, body, Uuid::now_v7(), now).await))
}

/// The answer in words of the pipeline, which beyond this file knows no issuing system.
fn understood(sent: &Sent) -> Answer {
    match sent {
        Sent::Delivered(applied) => {
            let of = |result| applied.iter().filter(move |one| one.result == result).map(|one| one.id);
            Answer::Said {
                applied: of(answer::Outcome::Applied).collect(),
                repeated: of(answer::Outcome::Repeated).collect(),
                stale: of(answer::Outcome::Stale).collect(),
            }
        }
        Sent::Refused { status, detail } if blames_letters(*status) => Answer::Refused(detail.clone()),
        Sent::Refused { detail, .. } | Sent::Later { detail } => Answer::Failed(detail.clone()),
    }
}

/// Whether a refusal is about what the envelope holds. The others, such as a wrong key (401) or address (404), are
/// about how two systems are set up: no letter is to be buried for that.
fn blames_letters(status: u16) -> bool {
    matches!(status, 400 | 409 | 413 | 422)
}
