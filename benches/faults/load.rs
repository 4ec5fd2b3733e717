//! Visitors who scan, a sentinel that hands in batches, and clients that send again what they are unsure of.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use placecode::clock::Clock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::city::{City, Person};
use super::ledger::{Answer, Ledger};

/// How many requests may be under way at the same time.
const LANES: u32 = 40;
/// How many requests are sent each second when nothing is slow.
const PER_SEC: u32 = 200;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often a stubborn client sends one scan.
const ATTEMPTS_MAX: u32 = 8;
/// How many acknowledged requests are remembered, to be sent once more.
const PAST_MAX: usize = 4000;

/// A request that can be sent again as it is.
#[derive(Clone)]
struct Sendable {
    path: &'static str,
    token: Option<String>,
    body: String,
    ids: Vec<Uuid>,
}

/// Who sends, to whom, and what was acknowledged before.
#[derive(Clone)]
pub struct Load {
    pub city: Arc<City>,
    services: [SocketAddr; 2],
    http: reqwest::Client,
    past: Arc<Mutex<Vec<Sendable>>>,
}

/// A load that is under way.
pub struct Running {
    stop: watch::Sender<bool>,
    lanes: JoinSet<()>,
}

impl Load {
    pub fn new(city: Arc<City>, services: [SocketAddr; 2]) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a plain client");
        Self { city, services, http, past: Arc::default() }
    }

    /// Begins to send; every answer goes into the ledger.
    pub fn start(&self, ledger: &Arc<Ledger>, seed: u64) -> Running {
        let (stop, stopped) = watch::channel(false);
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            let rng = StdRng::seed_from_u64(seed.wrapping_add(lane.into()));
            let sender = Sender { load: self.clone(), ledger: ledger.clone(), rng, stop: stopped.clone() };
            lanes.spawn(sender.run());
        }
        Running { stop, lanes }
    }

    fn remember(&self, rng: &mut StdRng, sent: Sendable) {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() < PAST_MAX {
            past.push(sent);
        } else {
            let at = rng.random_range(0..past.len());
            past.splice(at..=at, [sent]);
        }
    }

    fn recall(&self, rng: &mut StdRng) -> Option<Sendable> {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let at = rng.random_range(0..past.len().max(1));
        past.get(at).cloned()
    }
}

impl Running {
    /// Lets what is under way come to its answer, and sends no more.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.lanes.join_next().await.is_some() {}
    }
}

/// One lane: a request at a time.
struct Sender {
    load: Load,
    ledger: Arc<Ledger>,
    rng: StdRng,
    stop: watch::Receiver<bool>,
}

impl Sender {
    async fn run(mut self) {
        let slot = Duration::from_secs(1) * LANES / PER_SEC;
        self.rest(slot).await;
        while !*self.stop.borrow() {
            let begun = Instant::now();
            match self.rng.random_range(0..100) {
                0..10 => self.again().await,
                10..13 => {
                    let batch = self.batch();
                    self.deliver(batch).await;
                }
                _ => {
                    let scan = self.scan();
                    self.deliver(scan).await;
                }
            }
            self.rest(slot.saturating_sub(begun.elapsed())).await;
        }
    }

    /// Sends what was acknowledged before: the client did not hear the answer, or a phone is restored.
    async fn again(&mut self) {
        if let Some(sent) = self.load.recall(&mut self.rng) {
            let service = self.rng.random_range(0..2);
            self.send(&sent, service).await;
        }
    }

    /// Sends until it is acknowledged or refused for good; one client in five gives up at once.
    async fn deliver(&mut self, sent: Sendable) {
        let attempts = if self.rng.random_bool(0.2) { 1 } else { ATTEMPTS_MAX };
        let mut service = self.rng.random_range(0..2);
        for attempt in 0..attempts {
            match self.send(&sent, service).await {
                Answer::Acknowledged => return self.load.remember(&mut self.rng, sent),
                Answer::Refused(_) => return,
                Answer::Busy(_) | Answer::NotSent | Answer::Unknown => {}
            }
            if *self.stop.borrow() {
                return;
            }
            service = 1 - service;
            self.rest(Duration::from_millis(100) * (attempt + 1)).await;
        }
    }

    async fn send(&mut self, sent: &Sendable, service: usize) -> Answer {
        let address = self.load.services.get(service).expect("two services");
        let mut request = self.load.http.post(format!("http://{address}{}", sent.path));
        request = request.header("content-type", "application/json").body(sent.body.clone());
        request = if let Some(token) = &sent.token {
            request.bearer_auth(token)
        } else {
            // Signed for this request, since such a word lives for minutes.
            let word = self.load.city.device_assertion(&sent.body, Clock::System.now());
            request.header("device-assertion", word)
        };
        let Read { answer, refused, words } = read(request.send().await).await;
        for words in words {
            self.ledger.note_refusal(words);
        }
        let (out, taken): (Vec<_>, Vec<_>) =
            sent.ids.iter().copied().enumerate().partition(|(index, _)| refused.contains(index));
        let ids = |part: Vec<(usize, Uuid)>| part.into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        self.ledger.note(&ids(taken), answer, Instant::now());
        if !out.is_empty() {
            self.ledger.note(&ids(out), Answer::Refused(200), Instant::now());
        }
        answer
    }

    fn someone(&mut self) -> (Arc<City>, usize) {
        let city = self.load.city.clone();
        let who = self.rng.random_range(0..city.people.len());
        (city, who)
    }

    /// Mostly a moment ago, sometimes up to half an hour, which makes stays change late.
    fn when(&mut self) -> DateTime<Utc> {
        let now = Clock::System.now();
        let ago = if self.rng.random_bool(0.3) { self.rng.random_range(0..1800) } else { 0 };
        now - TimeDelta::seconds(ago)
    }

    fn direction(&mut self) -> &'static str {
        match self.rng.random_range(0..10) {
            0..2 => "exit",
            2 => "passing",
            _ => "entry",
        }
    }

    fn scan(&mut self) -> Sendable {
        let (city, who) = self.someone();
        let Person { visitor, token } = city.people.get(who).expect("somebody");
        let place = city.places.get(self.rng.random_range(0..city.places.len())).expect("somewhere");
        let (id, at) = (Uuid::now_v7(), self.when());
        let cell = self.rng.random_bool(0.5).then_some(&place.near);
        let body = json!({
            "id": id, "code": place.code, "occurred_at": at, "direction": self.direction(), "phone_cell": cell,
        });
        self.ledger.enter(id, *visitor, place.point, at);
        Sendable { path: "/v1/scans", token: Some(token.clone()), body: body.to_string(), ids: vec![id] }
    }

    fn batch(&mut self) -> Sendable {
        let point = self.load.city.sentinel_point();
        let (mut ids, mut scans) = (Vec::new(), Vec::new());
        for _ in 0..self.rng.random_range(2..6) {
            let (city, who) = self.someone();
            let visitor = city.people.get(who).expect("somebody").visitor;
            let (id, at) = (Uuid::now_v7(), self.when());
            let word = city.assertion(visitor, at);
            scans.push(
                json!({ "id": id, "assertion": word, "occurred_at": at, "direction": self.direction() }),
            );
            self.ledger.enter(id, visitor, point, at);
            ids.push(id);
        }
        Sendable { path: "/v1/scans/batch", token: None, body: json!({ "scans": scans }).to_string(), ids }
    }

    async fn rest(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = self.stop.changed() => {}
        }
    }
}

/// What came back.
struct Read {
    answer: Answer,
    /// The rows of a batch that are refused.
    refused: Vec<usize>,
    /// In what words something was refused.
    words: Vec<String>,
}

impl Read {
    fn plain(answer: Answer) -> Self {
        Self { answer, refused: Vec::new(), words: Vec::new() }
    }
}

async fn read(answer: Result<reqwest::Response, reqwest::Error>) -> Read {
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Read::plain(Answer::NotSent),
        Err(_) => return Read::plain(Answer::Unknown),
    };
    let status = response.status().as_u16();
    let retry_after = response.headers().contains_key("retry-after");
    let Ok(body) = response.json::<Value>().await else {
        // The status came and the body did not; the promise stands in the status.
        return Read::plain(if status == 201 { Answer::Acknowledged } else { Answer::Unknown });
    };
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
    let words = vec![format!("{status} {detail}{}", if retry_after { " (retry-after)" } else { "" })];
    match status {
        201 => Read::plain(Answer::Acknowledged),
        200 => {
            let rows = body.get("refused").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let index = |row: &Value| usize::try_from(row.get("index")?.as_u64()?).ok();
            let reason = |row: &Value| {
                format!("200 row: {}", row.get("reason").and_then(Value::as_str).unwrap_or_default())
            };
            Read {
                answer: Answer::Acknowledged,
                refused: rows.iter().filter_map(index).collect(),
                words: rows.iter().map(reason).collect(),
            }
        }
        // Too many requests are no judgement of the scan.
        400..=428 | 430..500 => Read { words, ..Read::plain(Answer::Refused(status)) },
        _ => Read { words, ..Read::plain(Answer::Busy(status)) },
    }
}
