//! Sends one envelope to one issuing system and says what came of it.

pub mod peer;

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{StatusCode, header};
use url::Url;
use uuid::Uuid;

use super::answer::Applied;
use crate::domain::letter::Envelope;
use crate::domain::webhook::{ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER};

/// The longest answer that is read: two hundred letters need a tenth of it.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How much of a refusal's text is kept for the operator.
const DETAIL_CHARS_MAX: usize = 200;

/// A client for all issuing systems; it keeps connections open between envelopes.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
}

/// What came of sending an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It arrived; what became of each letter.
    Delivered(Vec<Applied>),
    /// It arrived and will never be accepted: sending it again is of no use.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why, for the operator; names no visitor.
        detail: String,
    },
    /// It may or may not have arrived: send it again later. Letters are applied once, however often they arrive.
    Later {
        /// Why, for the operator; names no visitor.
        detail: String,
    },
}

impl Client {
    /// A client that waits no longer than `timeout` for an answer.
    pub fn new(timeout: Duration) -> reqwest::Result<Self> {
        // An error means that the process has chosen its cryptography already, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .user_agent(concat!("placecode/", env!("CARGO_PKG_VERSION")))
            // A signed letter goes where its address says and nowhere else: not to where the answer points,
            // and not through a proxy that happens to stand in the environment.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http })
    }

    /// The connections, for the other questions to an issuing system.
    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends `envelope` to `url`, signed with `key`. `id` names this sending, `now` is its time.
    pub async fn send(
        &self,
        url: &Url,
        key: &SigningKey,
        envelope: &Envelope,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Sent {
        match serde_json::to_vec(envelope) {
            Ok(body) => self.post(url, key, body, id, now).await,
            Err(_) => later("the envelope has no JSON form"),
        }
    }

    /// Sends the bytes of an envelope, as [`Client::send`] does.
    pub async fn post(
        &self,
        url: &Url,
        key: &SigningKey,
        body: Vec<u8>,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Sent {
        let (id, timestamp) = (id.to_string(), now.timestamp());
        let signature = key.sign(&id, timestamp, &body);
        let request = self
            .http
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, timestamp)
            .header(SIGNATURE_HEADER, signature)
            .body(body);
        match request.send().await {
            Ok(response) => understand(response).await,
            Err(error) => later(reason(&error)),
        }
    }
}

async fn understand(mut response: reqwest::Response) -> Sent {
    let status = response.status();
    let body = match read(&mut response).await {
        Ok(body) => body,
        Err(detail) => return later(detail),
    };
    if status.is_success() {
        return match serde_json::from_slice(&body) {
            Ok(applied) => Sent::Delivered(applied),
            Err(_) => later("the answer is no list of results"),
        };
    }
    let detail = format!("{status}: {}", redacted(&said(&body)));
    // These three say "not now"; a redirect is an address to be mended, not a letter to be buried.
    let passing =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if status.is_client_error() && !passing {
        Sent::Refused { status: status.as_u16(), detail }
    } else {
        Sent::Later { detail }
    }
}

async fn read(response: &mut reqwest::Response) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("the answer is too long");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn later(detail: impl Into<String>) -> Sent {
    Sent::Later { detail: detail.into() }
}

/// Why there was no answer, in words of ours: the error itself would print the address with its secrets.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

/// The `detail` of a problem document, if the body is one.
fn said(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    detail.unwrap_or_default().chars().take(DETAIL_CHARS_MAX).collect()
}

/// The text without anything that could name a visitor: words of sixteen or more hexadecimal digits or
/// hyphens. What somebody else says goes into logs and tables, and it is not ours to trust.
fn redacted(text: &str) -> String {
    const WORD_MIN: usize = 16;
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-') {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit() && c != '-');
        let hidden = digits.len() >= WORD_MIN;
        out.push_str(if hidden { "…" } else { digits });
        out.extend(word.chars().skip(digits.chars().count()).map(|c| if c.is_control() { ' ' } else { c }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_kept_without_whom_it_names() {
        let hex = "0123456789abcdef0123456789abcdef";
        let body = format!(r#"{{"detail":"letter 3: visitor {hex} is\nunknown"}}"#);
        assert_eq!(redacted(&said(body.as_bytes())), "letter 3: visitor … is unknown");
        assert_eq!(redacted("01890a5d-ac96-774b-bcce-b302099a8057"), "…");
        assert_eq!(said(b"<html>"), "");
    }
}
