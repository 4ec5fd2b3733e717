//! A wire between two systems that keeps every byte it carries, and that can be cut.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use placecode::domain::webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

use crate::support::client;

/// A wire to one system.
pub struct Wire {
    pub address: SocketAddr,
    ends: Arc<Ends>,
}

struct Ends {
    target: SocketAddr,
    http: reqwest::Client,
    carried: Mutex<Vec<String>>,
    is_cut: AtomicBool,
    /// Carries what is sent, and swallows what is answered.
    is_deaf: AtomicBool,
}

impl Wire {
    pub fn to(target: SocketAddr) -> Self {
        let ends = Arc::new(Ends {
            target,
            http: client::http(),
            carried: Mutex::default(),
            is_cut: AtomicBool::new(false),
            is_deaf: AtomicBool::new(false),
        });
        let shared = Data::from(ends.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(1 << 20))
                .default_service(web::to(carry))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        Self { address, ends }
    }

    /// The address of a path at the other end.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn cut(&self, is_cut: bool) {
        self.ends.is_cut.store(is_cut, Ordering::SeqCst);
    }

    pub fn deafen(&self, is_deaf: bool) {
        self.ends.is_deaf.store(is_deaf, Ordering::SeqCst);
    }

    /// Everything that was sent and answered.
    pub fn carried(&self) -> Vec<String> {
        self.ends.carried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ends {
    fn keep(&self, body: &[u8]) {
        let text = String::from_utf8_lossy(body).into_owned();
        self.carried.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }
}

async fn carry(request: HttpRequest, body: Bytes, ends: Data<Ends>) -> HttpResponse {
    if ends.is_cut.load(Ordering::SeqCst) {
        return HttpResponse::ServiceUnavailable().finish();
    }
    ends.keep(&body);
    let mut onward = ends.http.post(format!("http://{}{}", ends.target, request.path())).body(body);
    for name in ["content-type", ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER] {
        if let Some(value) = request.headers().get(name) {
            onward = onward.header(name, value.to_str().unwrap());
        }
    }
    let Ok(answer) = onward.send().await else { return HttpResponse::BadGateway().finish() };
    let mut back = HttpResponse::build(answer.status().as_u16().try_into().unwrap());
    for name in ["content-type", ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER] {
        if let Some(value) = answer.headers().get(name) {
            back.insert_header((name, value.to_str().unwrap()));
        }
    }
    let body = answer.bytes().await.unwrap();
    ends.keep(&body);
    if ends.is_deaf.load(Ordering::SeqCst) {
        return HttpResponse::GatewayTimeout().finish();
    }
    back.body(body)
}
