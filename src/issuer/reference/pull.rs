//! Fetches letters from the service's feed, where the service cannot call this platform.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::letters::addressed;
use super::outgoing::NoAnswer;
use super::store::StoreError;
use super::{Platform, outgoing};
use crate::domain::letter::Letter;

/// The only type of message.
const MESSAGE: &str = "placecode.feed.v1";

/// How many letters are fetched at once.
const LETTERS_MAX: usize = 500;

#[derive(Serialize)]
struct Question {
    #[serde(rename = "type")]
    kind: &'static str,
    after: i64,
    limit: usize,
}

#[derive(Deserialize)]
struct Page {
    letters: Vec<Letter>,
    next: i64,
    more: bool,
}

/// Why nothing was fetched. Names no visitor.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the service answered {0}")]
    Status(u16),
    #[error("the service did not sign its answer to this question")]
    Unsigned,
    #[error("the answer is no page of letters")]
    Form,
    #[error("letter {0} of the page: {1}")]
    Letter(usize, &'static str),
    #[error("the page leads from {after} to {next}")]
    Position { after: i64, next: i64 },
    #[error("the address of the feed cannot be made")]
    Address,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fetches again and again.
pub(super) async fn run(platform: &Platform, every: Duration) {
    loop {
        match pull(platform).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "letters were fetched"),
            Err(error) => tracing::warn!(error = %error, "letters could not be fetched"),
        }
        tokio::time::sleep(every).await;
    }
}

/// Fetches and applies everything that there is, and answers how many letters. A page is applied together with the
/// position after it, or not at all.
pub(super) async fn pull(platform: &Platform) -> Result<usize, PullError> {
    let mut count = 0;
    loop {
        let after = platform.store.position().await?;
        let (page, now) = ask(platform, after).await?;
        let fetched = page.letters.len();
        if page.next < after || (page.next == after && fetched > 0) {
            return Err(PullError::Position { after, next: page.next });
        }
        let addressed = addressed(page.letters).map_err(|(at, why)| PullError::Letter(at, why))?;
        if page.next > after && !platform.store.apply_page(&addressed, after, page.next, now).await? {
            // Somebody else has read on meanwhile: what they applied is not counted here.
            continue;
        }
        count += fetched;
        if !page.more || page.next == after {
            return Ok(count);
        }
    }
}

async fn ask(platform: &Platform, after: i64) -> Result<(Page, chrono::DateTime<chrono::Utc>), PullError> {
    let url = platform.service.join(&format!("v1/issuers/{}/feed", platform.issuer_id));
    let url = url.map_err(|_unwritable| PullError::Address)?;
    let question = Question { kind: MESSAGE, after, limit: LETTERS_MAX };
    let answer: outgoing::Answer =
        platform.outgoing.post(url, &question, &platform.keys, platform.clock.now()).await?;
    if !answer.status.is_success() {
        return Err(PullError::Status(answer.status.as_u16()));
    }
    let now = platform.clock.now();
    if !answer.is_signed(&platform.keys, now) {
        return Err(PullError::Unsigned);
    }
    let page = serde_json::from_slice(&answer.body).map_err(|_other| PullError::Form)?;
    Ok((page, now))
}
