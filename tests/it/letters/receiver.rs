//! An HTTP server that takes envelopes, keeps their bytes, and answers as a test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use placecode::domain::letter::Envelope;
use serde_json::{Value, json};
use tokio::sync::watch;

/// What came in one request.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn envelope(&self) -> Envelope {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The answer of a system that applies everything.
    pub fn all_applied(&self) -> Value {
        let one = |id| json!({ "id": id, "result": "applied" });
        self.envelope().letters.iter().map(|letter| one(letter.id)).collect()
    }
}

/// What is answered to the nth envelope, counted from 0.
type Answering = dyn Fn(usize, &Received) -> (u16, Value) + Send + Sync;

struct State {
    received: Mutex<Vec<Received>>,
    answering: Mutex<Arc<Answering>>,
    /// Answers wait while this is false.
    open: watch::Sender<bool>,
}

/// A server that listens.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    handle: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Receiver {
    /// One that applies everything.
    pub fn start() -> Self {
        Self::answering(|_, received| (200, received.all_applied()))
    }

    pub fn answering(answer: impl Fn(usize, &Received) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let state = Arc::new(State {
            received: Mutex::default(),
            answering: Mutex::new(Arc::new(answer)),
            open: watch::Sender::new(true),
        });
        let shared = web::Data::from(state.clone());
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    let limit = web::PayloadConfig::new(4 * 1024 * 1024);
                    App::new().app_data(shared.clone()).app_data(limit).default_service(web::to(take))
                };
                let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                tell.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, handle) = told.recv().unwrap();
        Self { address, state, handle, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1/letters", self.address)
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, answer: impl Fn(usize, &Received) -> (u16, Value) + Send + Sync + 'static) {
        *self.state.answering.lock().unwrap() = Arc::new(answer);
    }

    /// Applies everything from now on.
    pub fn applies(&self) {
        self.answer(|_, received| (200, received.all_applied()));
    }

    /// Lets answers wait, or lets them go.
    pub fn set_open(&self, open: bool) {
        self.state.open.send_replace(open);
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// How many letters came, each sending counted.
    pub fn letters(&self) -> usize {
        self.received().iter().map(|received| received.envelope().letters.len()).sum()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.set_open(true);
        drop(self.handle.stop(false));
        let _ended = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn take(request: HttpRequest, body: web::Bytes, state: web::Data<State>) -> HttpResponse {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let received = Received { headers: headers.collect(), body: body.to_vec() };
    let nth = {
        let mut all = state.received.lock().unwrap();
        all.push(received.clone());
        all.len() - 1
    };
    let mut open = state.open.subscribe();
    drop(open.wait_for(|open| *open).await);
    let answering = state.answering.lock().unwrap().clone();
    let (status, answer) = answering(nth, &received);
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(answer)
}
