//! Requests to the service under test, and what came back.

use placecode::domain::webhook::{ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER};
use reqwest::Method;
use serde_json::Value;

use super::TestApp;

/// Somebody with a token, or nobody.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    pub token: Option<String>,
}

/// A status and a body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl TestApp {
    /// What the issuing system of this test asks of the service, signed as it would.
    pub async fn as_issuer(&self, path: &str, body: &Value) -> Answer {
        let key = SigningKey::parse(self.issuer_keys.letters_secret_text()).unwrap();
        self.signed(&key, path, body).await
    }

    /// A request that is signed with `key`, in the form of Standard Webhooks.
    pub async fn signed(&self, key: &SigningKey, path: &str, body: &Value) -> Answer {
        let (id, at, body) = (uuid::Uuid::now_v7().to_string(), self.now().timestamp(), body.to_string());
        let (signature, at) = (key.sign(&id, at, body.as_bytes()), at.to_string());
        let headers = [(ID_HEADER, &*id), (TIMESTAMP_HEADER, &*at), (SIGNATURE_HEADER, &*signature)];
        self.client(None).send(Method::POST, path, Some(body), &headers).await
    }

    /// Somebody with a token.
    pub fn client(&self, token: Option<&str>) -> Client {
        let base = format!("http://{}", self.address);
        Client { http: self.http.clone(), base, token: token.map(str::to_owned) }
    }
}

/// What makes the requests of one test; it belongs to that test's runtime. It keeps no connection, since
/// a service waits for idle ones when it ends.
pub fn http() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let builder = builder.pool_max_idle_per_host(0);
    builder.build().unwrap()
}

impl Client {
    /// The same somebody, asking another service.
    pub fn at(&self, address: std::net::SocketAddr) -> Self {
        Self { base: format!("http://{address}"), ..self.clone() }
    }

    /// The token, which on a page would be the cookie.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string()), &[]).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body.to_string()), &[]).await
    }

    /// Any request.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }
}

impl Answer {
    /// The body as JSON, when the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A failure in the form of RFC 9457, with the expected status; gives its detail.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["status"], status);
        problem["detail"].as_str().unwrap().to_owned()
    }
}
