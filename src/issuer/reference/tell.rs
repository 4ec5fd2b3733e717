//! Sends the facts of the outbox to the service, until it has them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Platform;
use super::facts::{FACTS_MAX, FactKind};
use super::store::{StoreError, Waiting};
use crate::domain::numbered::Numbered;
use crate::domain::visitor::Visitor;

/// How often the outbox is looked at, beside whenever a fact arrives.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long one sender may keep facts before another takes them.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// The first pause after a failure, which doubles each time, and the longest.
const PAUSE_SECS: i64 = 2;
const PAUSE_SECS_MAX: i64 = 900;

/// The only type of message.
const MESSAGE: &str = "placecode.facts.v1";

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    facts: Vec<Sent>,
}

#[derive(Serialize)]
struct Sent {
    id: Uuid,
    visitor: String,
    kind: &'static str,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Taken {
    accepted: usize,
    known: usize,
}

/// What came of sending some facts.
enum Outcome {
    /// The service has them.
    Taken,
    /// One of them at least is such that it will never be taken.
    Refused,
    /// Not now.
    Later,
}

/// Sends what is due, again and again.
pub(super) async fn run(platform: &Platform) {
    loop {
        match send_due(platform).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "facts were told to the service"),
            Err(error) => tracing::warn!(error = %error, "facts could not be read"),
        }
        // Whichever comes first; that the time is over is no error.
        drop(tokio::time::timeout(LOOK_EVERY, platform.told.notified()).await);
    }
}

/// Sends everything that is due now, and answers how many facts the service has taken.
pub(super) async fn send_due(platform: &Platform) -> Result<usize, StoreError> {
    let mut count = 0;
    loop {
        let now = platform.clock.now();
        let limit = i64::try_from(FACTS_MAX).unwrap_or(i64::MAX);
        let waiting = platform.store.take_facts(limit, now, now + LEASE).await?;
        if waiting.is_empty() {
            return Ok(count);
        }
        let (taken, is_reached) = send(platform, waiting, now).await?;
        count += taken;
        if !is_reached {
            return Ok(count);
        }
    }
}

/// Sends some facts. Those among them that the service refuses for ever are found by halving, so that one does not
/// keep back the others. Answers how many were taken, and whether the service answers at all.
async fn send(
    platform: &Platform,
    waiting: Vec<Waiting>,
    now: DateTime<Utc>,
) -> Result<(usize, bool), StoreError> {
    let (mut count, mut is_reached) = (0, true);
    let mut parts = vec![waiting];
    while let Some(mut part) = parts.pop() {
        let ids: Vec<Uuid> = part.iter().map(|fact| fact.id).collect();
        let outcome = if is_reached { post(platform, &part, now).await } else { Outcome::Later };
        match outcome {
            Outcome::Taken => {
                platform.store.facts_taken(&ids).await?;
                count += ids.len();
            }
            Outcome::Refused if part.len() > 1 => {
                let rest = part.split_off(part.len() / 2);
                parts.extend([rest, part]);
            }
            Outcome::Refused => {
                tracing::error!(count = 1, "the service refuses a fact for ever");
                platform.store.facts_refused(&ids).await?;
            }
            Outcome::Later => {
                is_reached = false;
                let attempts = part.iter().map(|fact| fact.attempts).max().unwrap_or(1);
                platform.store.facts_later(&ids, now + pause(attempts, ids.first())).await?;
            }
        }
    }
    Ok((count, is_reached))
}

async fn post(platform: &Platform, part: &[Waiting], now: DateTime<Utc>) -> Outcome {
    let facts = part.iter().filter_map(sent).collect();
    let Ok(url) = platform.service.join(&format!("v1/issuers/{}/facts", platform.issuer_id)) else {
        return Outcome::Later;
    };
    let message = Message { kind: MESSAGE, facts };
    let answer = match platform.outgoing.post(url, &message, &platform.keys, now).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(error = %error, "facts were not told");
            return Outcome::Later;
        }
    };
    let taken: Option<Taken> = serde_json::from_slice(&answer.body).ok();
    match answer.status {
        StatusCode::OK if taken.is_some_and(|taken| taken.accepted + taken.known == part.len()) => {
            Outcome::Taken
        }
        // What is wrong with a fact, and not with who sends it, where, or in which form.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => Outcome::Refused,
        status => {
            tracing::warn!(status = status.as_u16(), "facts were not taken");
            Outcome::Later
        }
    }
}

fn sent(fact: &Waiting) -> Option<Sent> {
    // The table admits no other numbers.
    let kind = FactKind::from_number(fact.kind)?.word();
    Some(Sent { id: fact.id, visitor: Visitor::from_uuid(fact.visitor).to_hex(), kind, at: fact.at })
}

/// Longer after every attempt, and by up to half of it apart, so that not all platforms come back in one moment.
fn pause(attempts: i32, of: Option<&Uuid>) -> TimeDelta {
    let doublings = u32::try_from(attempts - 1).unwrap_or_default().min(16);
    let pause = PAUSE_SECS.saturating_mul(1 << doublings).min(PAUSE_SECS_MAX);
    let jitter = of.map_or(0, |id| i64::from(id.as_bytes().last().copied().unwrap_or_default()));
    TimeDelta::milliseconds(pause * 1000 + pause * 500 * jitter / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let id = Uuid::from_u128(0);
        let secs = |attempts| pause(attempts, Some(&id)).num_seconds();
        assert_eq!([secs(1), secs(2), secs(3), secs(40)], [2, 4, 8, 900]);
        assert_eq!(pause(1, Some(&Uuid::from_u128(255))), TimeDelta::seconds(3));
    }
}
