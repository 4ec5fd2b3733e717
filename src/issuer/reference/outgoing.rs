//! What this platform asks of the service: signed requests, and answers that the service has signed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{StatusCode, header};
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use super::keys::IssuerKeys;
use crate::domain::webhook::{Headers, ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read: a thousand letters with all their meetings.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A client of the service; it keeps connections open between requests.
#[derive(Clone)]
pub(super) struct Outgoing {
    http: reqwest::Client,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The request's own id.
    asked: String,
    id: String,
    timestamp: String,
    signatures: String,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back; names no visitor and no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("no answer in time")]
    Late,
    #[error("no connection")]
    Away,
    #[error("the connection broke")]
    Broken,
    #[error("the answer is too long")]
    Long,
    #[error("the request has no JSON form")]
    Form,
}

impl Outgoing {
    pub(super) fn new() -> reqwest::Result<Self> {
        // An error means that the process has chosen its cryptography already, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .user_agent(concat!("placecode-issuer/", env!("CARGO_PKG_VERSION")))
            // A signed request goes where its address says and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http })
    }

    /// Posts `body`, signed with the platform's key.
    pub(super) async fn post<B: Serialize>(
        &self,
        url: Url,
        body: &B,
        keys: &IssuerKeys,
        now: DateTime<Utc>,
    ) -> Result<Answer, NoAnswer> {
        let body = serde_json::to_vec(body).map_err(|_unwritable| NoAnswer::Form)?;
        let (asked, timestamp) = (Uuid::now_v7().to_string(), now.timestamp());
        let signature = keys.signing_key().sign(&asked, timestamp, &body);
        let request = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(ID_HEADER, &asked)
            .header(TIMESTAMP_HEADER, timestamp)
            .header(SIGNATURE_HEADER, signature)
            .body(body);
        let mut response = request.send().await.map_err(|error| reason(&error))?;
        let header = |name| {
            let value =
                response.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (id, timestamp, signatures) =
            (header(ID_HEADER), header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(NoAnswer::Long);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, asked, id, timestamp, signatures, body })
    }
}

impl Answer {
    /// Whether the service has signed it, just now, as the answer to this very request: an answer to another one,
    /// sent again by somebody on the way, is none.
    pub(super) fn is_signed(&self, keys: &IssuerKeys, now: DateTime<Utc>) -> bool {
        let Ok(timestamp) = self.timestamp.parse::<u32>() else { return false };
        let headers = Headers { id: &self.id, timestamp: timestamp.into(), signatures: &self.signatures };
        self.id == self.asked && keys.verify(&headers, &self.body, now).is_ok()
    }
}

fn reason(error: &reqwest::Error) -> NoAnswer {
    if error.is_timeout() {
        NoAnswer::Late
    } else if error.is_connect() {
        NoAnswer::Away
    } else {
        NoAnswer::Broken
    }
}
