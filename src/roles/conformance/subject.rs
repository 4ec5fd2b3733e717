//! Who is asked: this program's own rules, or any implementation over HTTP.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{StatusCode, header};
use serde_json::Value;
use url::Url;

use super::suite::Question;
use crate::domain::rule_pack::RulePack;
use crate::domain::trial::Trial;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a case is put again to a service that is busy.
const TRIES: u32 = 5;

/// How long to wait at the most where a service says that it is busy.
const PAUSE_MAX_SECS: u64 = 60;

/// Who is asked.
pub(super) enum Subject {
    Own,
    Other { http: reqwest::Client, url: Url, token: Option<String> },
}

/// What came back.
pub(super) enum Answer {
    /// The contacts.
    Found(Value),
    /// The question was refused as wrong, with these words.
    Refused(String),
}

impl Subject {
    /// Another implementation where there is an address, else this program.
    pub(super) fn new(url: Option<&Url>, token: Option<&str>) -> anyhow::Result<Self> {
        let Some(url) = url else { return Ok(Self::Own) };
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .user_agent(concat!("placecode-conformance/", env!("CARGO_PKG_VERSION")))
            // The token goes to whom it was meant for and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let mut folder = url.clone();
        if !folder.path().ends_with('/') {
            folder.set_path(&format!("{}/", url.path()));
        }
        let url = folder.join("v1/rule-packs/trial").context("--url")?;
        Ok(Self::Other { http, url, token: token.map(str::to_owned) })
    }

    /// Puts one question.
    pub(super) async fn ask(&self, question: &Question) -> anyhow::Result<Answer> {
        match self {
            Self::Own => own(question),
            Self::Other { http, url, token } => ask_other(http, url, token.as_deref(), question).await,
        }
    }
}

fn own(question: &Question) -> anyhow::Result<Answer> {
    let pack = match RulePack::parse(&question.pack) {
        Ok(pack) => pack,
        Err(error) => return Ok(Answer::Refused(format!("pack: {error}"))),
    };
    match Trial::read(Value::Object(question.trial.clone())).and_then(|trial| trial.run(&pack)) {
        Ok(answer) => Ok(Answer::Found(serde_json::to_value(answer)?)),
        Err(error) => Ok(Answer::Refused(error.to_string())),
    }
}

async fn ask_other(
    http: &reqwest::Client,
    url: &Url,
    token: Option<&str>,
    question: &Question,
) -> anyhow::Result<Answer> {
    let mut body = question.trial.clone();
    body.insert("pack".to_owned(), Value::String(question.pack.clone()));
    let body = serde_json::to_string(&body)?;
    for attempt in 1.. {
        let mut request = http.post(url.clone()).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.body(body.clone()).send().await.with_context(|| url.to_string())?;
        let status = response.status();
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if busy && attempt < TRIES {
            let told = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let secs = told.and_then(|secs| secs.parse().ok()).unwrap_or(1);
            tokio::time::sleep(Duration::from_secs(secs.min(PAUSE_MAX_SECS))).await;
            continue;
        }
        let text = response.text().await.with_context(|| url.to_string())?;
        return match status {
            StatusCode::OK => {
                let answer =
                    serde_json::from_str(&text).with_context(|| format!("{url}: no JSON: {text}"))?;
                Ok(Answer::Found(answer))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Refused(text)),
            _ => bail!("{url}: {status}: {text}"),
        };
    }
    bail!("{url}: was never asked")
}
