//! Calls to the service and the issuing system over HTTP, patient with a server that was just killed.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

/// How long a call is tried again while the other side is away.
const PATIENCE: Duration = Duration::from_secs(90);

/// Somebody who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Caller {
    /// Nobody in particular.
    pub(super) fn new(base: &Url) -> anyhow::Result<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, base: base.clone(), token: None })
    }

    /// The same with a bearer token.
    pub(super) fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Asks.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None, &[]).await
    }

    /// Asks for text.
    pub(super) async fn text(&self, path: &str) -> anyhow::Result<String> {
        self.send(Method::GET, path, None, &[]).await
    }

    /// Writes. The key makes a second attempt the same write.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let key = uuid::Uuid::new_v4().to_string();
        self.call(Method::POST, path, Some(body.to_string()), &[("idempotency-key", &key)]).await
    }

    /// Any call that is answered with JSON.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Value> {
        let text = self.send(method, path, body, headers).await?;
        serde_json::from_str(&text).with_context(|| format!("{path}: the answer is no JSON"))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let url = self.base.join(path)?;
        let since = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            let mut request = self.http.request(method.clone(), url.clone());
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = &body {
                request = request.header("content-type", "application/json").body(body.clone());
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let failure = match request.send().await {
                Ok(response) => {
                    let status = response.status();
                    let text = response.text().await.unwrap_or_default();
                    if status.is_success() {
                        return Ok(text);
                    }
                    if !worth_another(status) {
                        bail!("{method} {path}: {status}: {text}");
                    }
                    format!("{status}: {text}")
                }
                Err(error) => format!("{error:#}"),
            };
            if since.elapsed() > PATIENCE {
                bail!("{method} {path}: {failure}");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

fn worth_another(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
