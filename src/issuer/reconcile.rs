//! Asks an issuing system what it holds. Both the question and its answer are signed.

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use super::client::Client;
use crate::domain::reconcile::{After, Ask, Bucket, Buckets, Entries, RECONCILIATION};
use crate::domain::webhook::{
    Headers, ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER, VerifyingKey,
};

/// The longest answer that is read, in bytes: two thousand entries need a quarter of it.
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// An issuing system that is asked.
#[derive(Debug)]
pub struct Other<'a> {
    /// The connections.
    pub client: &'a Client,
    /// Where it answers.
    pub url: Url,
    /// What the questions are signed with.
    pub key: &'a SigningKey,
    /// What its answers are verified with.
    pub its_key: VerifyingKey,
}

/// Why there is no answer to go by; names no visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It cannot be reached, or broke off.
    #[error("the issuing system does not answer")]
    Away,
    /// It answered with another status.
    #[error("the issuing system answered with status {0}")]
    Status(u16),
    /// The answer is longer than any should be.
    #[error("the answer is too long")]
    Long,
    /// The answer is not signed by it, or not just now, or answers something else.
    #[error("the answer is not signed by the issuing system")]
    Forged,
    /// The answer is none to this question.
    #[error("the answer is not one to this question")]
    Strange,
}

impl Other<'_> {
    /// Tells our buckets, and asks for theirs.
    pub async fn buckets(
        &self,
        at: DateTime<Utc>,
        ours: &[Bucket],
        now: DateTime<Utc>,
    ) -> Result<Buckets, NoAnswer> {
        let kind = RECONCILIATION.to_owned();
        let ask = Ask { kind, at, buckets: Some(ours.to_vec()), bucket: None, after: None };
        let answer: Buckets = self.ask(&ask, now).await?;
        if answer.at == at { Ok(answer) } else { Err(NoAnswer::Strange) }
    }

    /// Asks for a page of the entries of one bucket.
    pub async fn entries(
        &self,
        at: DateTime<Utc>,
        bucket: u8,
        after: Option<After>,
        now: DateTime<Utc>,
    ) -> Result<Entries, NoAnswer> {
        let kind = RECONCILIATION.to_owned();
        self.ask(&Ask { kind, at, buckets: None, bucket: Some(bucket), after }, now).await
    }

    async fn ask<T: DeserializeOwned>(&self, ask: &Ask, now: DateTime<Utc>) -> Result<T, NoAnswer> {
        let body = serde_json::to_vec(ask).map_err(|_unwritable| NoAnswer::Strange)?;
        let (id, timestamp) = (Uuid::now_v7().to_string(), now.timestamp());
        let signature = self.key.sign(&id, timestamp, &body);
        let request = self
            .client
            .http()
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ID_HEADER, &id)
            .header(TIMESTAMP_HEADER, timestamp)
            .header(SIGNATURE_HEADER, signature)
            .body(body);
        let mut response = request.send().await.map_err(|_why| NoAnswer::Away)?;
        if response.status() != StatusCode::OK {
            return Err(NoAnswer::Status(response.status().as_u16()));
        }
        let headers = response.headers().clone();
        let body = read(&mut response).await?;
        self.verify(&headers, &id, &body, now)?;
        serde_json::from_slice(&body).map_err(|_other| NoAnswer::Strange)
    }

    /// The answer must carry the id of the question, so that none can stand in for another.
    fn verify(&self, headers: &HeaderMap, id: &str, body: &[u8], now: DateTime<Utc>) -> Result<(), NoAnswer> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let timestamp: u32 =
            header(TIMESTAMP_HEADER).and_then(|text| text.parse().ok()).ok_or(NoAnswer::Forged)?;
        let signatures = header(SIGNATURE_HEADER).ok_or(NoAnswer::Forged)?;
        let signed = Headers { id, timestamp: timestamp.into(), signatures };
        let same = header(ID_HEADER) == Some(id);
        let genuine = same && self.its_key.verify(&signed, body, now).is_ok();
        if genuine { Ok(()) } else { Err(NoAnswer::Forged) }
    }
}

async fn read(response: &mut Response) -> Result<Vec<u8>, NoAnswer> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_why| NoAnswer::Away)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(NoAnswer::Long);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
