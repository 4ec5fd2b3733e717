//! From the queue to the service: one signed batch after the other, and what became of each entry.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use ed25519_dalek::SigningKey;
use reqwest::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use url::Url;
use uuid::Uuid;

use super::queue::{Entry, Head, Queue};
use crate::clock::Clock;
use crate::domain::assertion::sign_device;
use crate::domain::scan::{Direction, LATE_MAX};
use crate::http::scan_batches::{BATCH_BYTES_MAX, ROWS_MAX};
use crate::http::scans::DEVICE_HEADER;
use crate::roles::terminal::remark;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait after the first failure; it doubles with each one that follows.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// How long to wait at the most: a service that comes back is found within half a minute.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How much of the queue goes into one batch, in bytes. A row is a few bytes longer than its entry.
const HEAD_BYTES: u64 = BATCH_BYTES_MAX as u64 / 2;

/// The longest answer that is read: a thousand refusals need half of it.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Who sends.
pub(super) struct Device {
    pub(super) id: Uuid,
    pub(super) key: SigningKey,
}

/// Carries entries to the service.
pub(super) struct Courier {
    http: reqwest::Client,
    url: Url,
    device: Device,
    queue: Arc<Mutex<Queue>>,
    clock: Clock,
}

/// What is sent.
#[derive(Serialize)]
struct Batch<'a> {
    scans: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    assertion: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<&'a str>,
    occurred_at: DateTime<Utc>,
    direction: Direction,
}

/// What the service answers; of the rest nothing is needed.
#[derive(Deserialize)]
struct Answer {
    refused: Vec<RefusedRow>,
}

#[derive(Deserialize)]
struct RefusedRow {
    index: usize,
    reason: String,
}

/// What came of sending a batch.
enum Sent {
    /// Each entry was answered for; these were refused.
    Answered(Vec<RefusedRow>),
    /// The whole is not acceptable, for this reason: something in it is, or it is too large.
    Unacceptable(String),
    /// It may or may not have arrived.
    Later(String),
}

/// What became of one batch.
enum Carried {
    /// There was none.
    Nothing,
    /// It is gone from the queue.
    Settled,
    /// It was so long, and something in it is not acceptable.
    TryHalf(usize),
    /// It stays in the queue.
    Later(String),
}

impl Courier {
    pub(super) fn new(
        service: &Url,
        device: Device,
        queue: Arc<Mutex<Queue>>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        // An error means that the process has chosen its cryptography already, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .user_agent(concat!("placecode-sentinel/", env!("CARGO_PKG_VERSION")))
            // What visitors showed goes to the service that was named and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let url = service.join("v1/scans/batch").context("--service-url")?;
        Ok(Self { http, url, device, queue, clock })
    }

    /// Sends what is queued, until the input has ended (`news` is dropped) and nothing is left. What goes wrong is
    /// told and tried again: the door must not close because of it.
    pub(super) async fn carry(&self, mut news: watch::Receiver<bool>) {
        let (mut pause, mut size) = (PAUSE_MIN, ROWS_MAX);
        loop {
            let has_ended = news.has_changed().is_err();
            news.mark_unchanged();
            let why = match self.carry_one(size).await {
                Ok(Carried::Nothing) if has_ended => return,
                Ok(Carried::Nothing) => {
                    // An error is the end of the input, which the next turn sees.
                    drop(news.changed().await);
                    continue;
                }
                Ok(Carried::Settled) => {
                    (pause, size) = (PAUSE_MIN, ROWS_MAX);
                    continue;
                }
                Ok(Carried::TryHalf(of)) => {
                    size = of / 2;
                    continue;
                }
                Ok(Carried::Later(why)) => why,
                Err(error) => format!("{error:#}"),
            };
            remark(format!("scans are kept and sent later: {why}"));
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Sends one batch from the head of the queue.
    async fn carry_one(&self, size: usize) -> anyhow::Result<Carried> {
        let head = self.lock().head(size, HEAD_BYTES)?;
        if head.entries.is_empty() && self.lock().waiting() == 0 {
            return Ok(Carried::Nothing);
        }
        if head.entries.is_empty() {
            self.lock().settle(head.until)?;
            return Ok(Carried::Settled);
        }
        if self.set_old_aside(&head)? {
            return Ok(Carried::Settled);
        }
        match self.send(&head.entries).await? {
            Sent::Answered(refused) => self.settle(&head, &refused)?,
            Sent::Unacceptable(reason) if head.entries.len() == 1 => {
                self.settle(&head, &[RefusedRow { index: 0, reason }])?;
            }
            // Halving finds the one that spoils the batch.
            Sent::Unacceptable(_) => return Ok(Carried::TryHalf(head.entries.len())),
            Sent::Later(why) => return Ok(Carried::Later(why)),
        }
        Ok(Carried::Settled)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the entries at the head aside that the service no longer takes; whether there were any.
    fn set_old_aside(&self, head: &Head) -> anyhow::Result<bool> {
        let too_old = |entry: &&Entry| self.clock.now() - entry.at > LATE_MAX;
        let old: Vec<&Entry> = head.entries.iter().take_while(too_old).collect();
        let Some(end) = old.len().checked_sub(1).and_then(|last| head.ends.get(last)) else {
            return Ok(false);
        };
        let mut queue = self.lock();
        for entry in &old {
            queue.set_aside(entry, "older than 72 hours, which the service does not take")?;
        }
        queue.settle(*end)?;
        remark(format!("{} entries are older than 72 hours and set aside in `refused`", old.len()));
        Ok(true)
    }

    fn settle(&self, head: &Head, refused: &[RefusedRow]) -> anyhow::Result<()> {
        let mut queue = self.lock();
        for row in refused {
            if let Some(entry) = head.entries.get(row.index) {
                queue.set_aside(entry, &row.reason)?;
                remark(format!("refused and set aside in `refused`: {} of {}", row.reason, entry.at));
            }
        }
        queue.settle(head.until)
    }

    async fn send(&self, entries: &[Entry]) -> anyhow::Result<Sent> {
        let body = serde_json::to_vec(&Batch { scans: entries.iter().map(row).collect() })?;
        let assertion = sign_device(self.device.id, &self.device.key, &body, self.clock.now());
        let request = self.http.post(self.url.clone()).header(header::CONTENT_TYPE, "application/json");
        match request.header(DEVICE_HEADER, assertion).body(body).send().await {
            Ok(response) => Ok(understand(response).await),
            Err(error) => Ok(Sent::Later(chain(&error))),
        }
    }
}

/// A channel's assertion has two dots; what a visitor shows or carries has none.
fn row(entry: &Entry) -> Row<'_> {
    let is_assertion = entry.shown.matches('.').count() == 2;
    let shown = entry.shown.as_str();
    Row {
        id: entry.id,
        assertion: is_assertion.then_some(shown),
        shown: (!is_assertion).then_some(shown),
        occurred_at: entry.at,
        direction: entry.direction,
    }
}

async fn understand(mut response: reqwest::Response) -> Sent {
    let status = response.status();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Sent::Later("the answer is too long".to_owned()),
            Ok(None) => break,
            Err(error) => return Sent::Later(chain(&error)),
        }
    }
    match status {
        StatusCode::OK => match serde_json::from_slice::<Answer>(&body) {
            Ok(answer) => Sent::Answered(answer.refused),
            Err(error) => Sent::Later(format!("the answer cannot be read: {error}")),
        },
        // These speak of what was sent. Everything else, a device that is not known (yet) among it, may pass.
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Sent::Unacceptable(detail(&body))
        }
        _ => Sent::Later(format!("{status}: {}", detail(&body))),
    }
}

/// What a problem of the service says.
fn detail(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    serde_json::from_slice::<Problem>(body).map_or_else(|_other| "no reason given".to_owned(), |it| it.detail)
}

/// An error with its causes, without the address.
fn chain(error: &reqwest::Error) -> String {
    let mut text = "it cannot be reached".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
