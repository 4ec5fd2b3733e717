//! A signed document to another system, and the signed answer: hand-overs and what is asked about them.

use chrono::{DateTime, Utc};
use reqwest::{StatusCode, header};
use url::Url;

use super::{Client, read, reason, redacted, said};
use crate::domain::webhook::{
    Headers, ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER, VerifyingKey,
};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was taken, and this is the answer, whose signature was checked.
    Answered(Vec<u8>),
    /// It will never be taken.
    Refused(String),
    /// It may or may not have arrived: send it again later, under the same id.
    Later(String),
}

/// Between whom a document goes.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    /// What we sign with.
    pub own: &'a SigningKey,
    /// What the answer must be signed with.
    pub peer: &'a VerifyingKey,
}

impl Client {
    /// Sends `body` to `url`. `id` names the message, the same when it is sent again, and the answer carries it too.
    pub async fn tell(&self, url: &Url, keys: Keys<'_>, id: &str, body: Vec<u8>, now: DateTime<Utc>) -> Told {
        let timestamp = now.timestamp();
        let signature = keys.own.sign(id, timestamp, &body);
        let request = self
            .http
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, timestamp)
            .header(SIGNATURE_HEADER, signature)
            .body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Told::Later(reason(&error).to_owned()),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match read(&mut response).await {
            Ok(body) => body,
            Err(detail) => return Told::Later(detail.to_owned()),
        };
        if status.is_success() {
            return if is_signed(&headers, id, &body, keys.peer, now) {
                Told::Answered(body)
            } else {
                Told::Later("the answer is not signed by the other side".to_owned())
            };
        }
        let detail = format!("{status}: {}", redacted(&said(&body)));
        let passing = matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
        if status.is_client_error() && !passing { Told::Refused(detail) } else { Told::Later(detail) }
    }
}

fn is_signed(
    headers: &header::HeaderMap,
    id: &str,
    body: &[u8],
    key: &VerifyingKey,
    now: DateTime<Utc>,
) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given = text(TIMESTAMP_HEADER).and_then(|text| text.parse().ok()).zip(text(SIGNATURE_HEADER));
    given.is_some_and(|(timestamp, signatures)| {
        text(ID_HEADER) == Some(id) && key.verify(&Headers { id, timestamp, signatures }, body, now).is_ok()
    })
}
