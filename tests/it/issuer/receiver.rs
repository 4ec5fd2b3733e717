//! A small service that a platform talks to: it verifies what arrives with the published form of signatures, and answers
//! as the test wants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use placecode::clock::Clock;
use placecode::domain::letter::Letter;
use placecode::domain::webhook::{Headers, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::platform::{Platform, usual_keys};

/// What the receiver has seen, and how it answers.
pub(crate) struct State {
    pub(crate) believes: VerifyingKey,
    pub(crate) signs: SigningKey,
    clock: Clock,
    /// The facts that it has, by id.
    pub(crate) facts: BTreeMap<String, Value>,
    pub(crate) requests: usize,
    /// Answers this status to everything, after it has kept what was said.
    pub(crate) breaks: Option<u16>,
    /// Refuses every message that holds this fact.
    pub(crate) refuses: Option<Uuid>,
    /// Its feed: positions count from 1.
    pub(crate) letters: Vec<Letter>,
    /// Answers with another question's id.
    pub(crate) replays: bool,
}

/// A receiver that listens.
pub(crate) struct Receiver {
    pub(crate) url: Url,
    state: Arc<Mutex<State>>,
}

/// A platform and the service that it talks to, with one clock.
pub(crate) async fn both() -> (Platform, Receiver) {
    let receiver = Receiver::start(&SigningKey::parse(usual_keys().letters_secret_text()).unwrap());
    let url = receiver.url.clone();
    let platform = Platform::start_with(|config| config.service_url = url).await;
    receiver.state().clock = platform.clock.clone();
    (platform, receiver)
}

impl Receiver {
    fn start(key: &SigningKey) -> Self {
        let state = State {
            believes: key.verifying_key(),
            signs: key.clone(),
            clock: Clock::System,
            facts: BTreeMap::new(),
            requests: 0,
            breaks: None,
            refuses: None,
            letters: Vec::new(),
            replays: false,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = web::Data::from(state.clone());
        let routes = |to: &mut web::ServiceConfig| {
            to.route("/v1/issuers/health-code/facts", web::post().to(facts))
                .route("/v1/issuers/health-code/feed", web::post().to(feed));
        };
        let server = HttpServer::new(move || App::new().app_data(shared.clone()).configure(routes))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let url = format!("http://{}/", server.addrs()[0]).parse().unwrap();
        drop(tokio::spawn(server.run()));
        Self { url, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The id of a message that is genuine and of this time.
fn verified(request: &HttpRequest, body: &[u8], state: &State) -> Option<String> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let id = header("webhook-id")?;
    let timestamp = header("webhook-timestamp")?.parse().ok()?;
    let headers = Headers { id, timestamp, signatures: header("webhook-signature")? };
    state.believes.verify(&headers, body, state.clock.now()).ok()?;
    Some(id.to_owned())
}

async fn facts(request: HttpRequest, body: web::Bytes, state: web::Data<Mutex<State>>) -> HttpResponse {
    let mut state = lock(&state);
    state.requests += 1;
    if verified(&request, &body, &state).is_none() {
        return HttpResponse::Unauthorized().finish();
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(message["type"], "placecode.facts.v1");
    let facts = message["facts"].as_array().unwrap();
    assert!((1..=500).contains(&facts.len()));
    if facts.iter().any(|fact| state.refuses.is_some_and(|id| fact["id"] == id.to_string())) {
        return HttpResponse::UnprocessableEntity().finish();
    }
    let before = state.facts.len();
    for fact in facts {
        state.facts.insert(fact["id"].as_str().unwrap().to_owned(), fact.clone());
    }
    let accepted = state.facts.len() - before;
    match state.breaks {
        // It has them, and the sender does not learn of it.
        Some(status) => HttpResponse::build(status.try_into().unwrap()).finish(),
        None => HttpResponse::Ok().json(json!({ "accepted": accepted, "known": facts.len() - accepted })),
    }
}

async fn feed(request: HttpRequest, body: web::Bytes, state: web::Data<Mutex<State>>) -> HttpResponse {
    let mut state = lock(&state);
    state.requests += 1;
    let Some(id) = verified(&request, &body, &state) else {
        return HttpResponse::Unauthorized().finish();
    };
    let question: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(question["type"], "placecode.feed.v1");
    let after = usize::try_from(question["after"].as_u64().unwrap()).unwrap();
    // Pages of its own size, so that there are several.
    let letters: Vec<&Letter> = state.letters.iter().skip(after).take(3).collect();
    let next = after + letters.len();
    let more = next < state.letters.len();
    let body = json!({ "letters": letters, "next": next, "more": more, "stopped": false }).to_string();
    let (id, now) = (if state.replays { "another".to_owned() } else { id }, state.clock.now().timestamp());
    HttpResponse::Ok()
        .insert_header(("webhook-id", id.clone()))
        .insert_header(("webhook-timestamp", now.to_string()))
        .insert_header(("webhook-signature", state.signs.sign(&id, now, body.as_bytes())))
        .body(body)
}
