//! Writes: a bounded JSON body, one transaction, and the same answer to the same `Idempotency-Key`.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web::Bytes};
use diesel_async::{AsyncConnection, AsyncPgConnection, TransactionManager};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::web::Web;
use crate::store::idempotency::{self, Answer};

/// The largest body of an ordinary write, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// A JSON body together with what makes a retry recognisable. What is wrong with it is told only when
/// it is used: whoever may not ask at all is told that first.
#[derive(Debug)]
pub struct Write<T>(Result<Read<T>, ApiError>);

#[derive(Debug)]
struct Read<T> {
    body: T,
    key: Option<String>,
    fingerprint: Vec<u8>,
}

impl<T: DeserializeOwned + 'static> FromRequest for Write<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let body = body(payload, BODY_MAX);
        Box::pin(async move { Ok(Self(body.await.and_then(|bytes| Read::of(&request, &bytes)))) })
    }
}

impl<T: DeserializeOwned> Read<T> {
    fn of(request: &HttpRequest, bytes: &[u8]) -> Result<Self, ApiError> {
        let key = idempotency_key(request)?;
        let mut hasher = Sha256::new();
        hasher.update(request.method().as_str());
        hasher.update([0]);
        hasher.update(request.path());
        hasher.update([0]);
        hasher.update(bytes);
        Ok(Self { body: json(bytes)?, key, fingerprint: hasher.finalize().to_vec() })
    }
}

/// The body of a request, refused when it is larger than `max` bytes, or when it comes too slowly, which
/// [`super::bounds`] tells.
pub fn body(payload: &mut Payload, max: usize) -> impl Future<Output = Result<Bytes, ApiError>> + use<> {
    let mut stream = payload.take();
    async move {
        use futures_util::StreamExt;
        let mut all = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(broken_off)?;
            if all.len() + chunk.len() > max {
                return Err(ApiError::TooLarge(max));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }
}

fn broken_off(error: PayloadError) -> ApiError {
    match error {
        PayloadError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => ApiError::TooSlow,
        error => ApiError::Malformed(format!("the body broke off: {error}")),
    }
}

/// JSON from bytes. What is no JSON is malformed; JSON that is not what was asked for is invalid.
/// Postgres keeps no U+0000 in a text, and nobody needs one.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.windows(6).any(|part| part == br"\u0000") {
        return Err(ApiError::invalid("body", "must not hold the character U+0000"));
    }
    let body = serde_json::from_slice(bytes).map_err(|error| {
        if error.is_data() {
            ApiError::invalid("body", error)
        } else {
            ApiError::Malformed(format!("the body is no JSON: {error}"))
        }
    })?;
    // A list would be read as the fields in their order, which no document tells.
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    if is_object { Ok(body) } else { Err(ApiError::invalid("body", "must be an object")) }
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if (1..=100).contains(&key.len()) {
        Ok(Some(key.to_owned()))
    } else {
        Err(ApiError::invalid("Idempotency-Key", "must have 1 to 100 visible characters"))
    }
}

/// A status and a body.
#[derive(Debug)]
pub struct Reply<R>(pub StatusCode, pub R);

impl<R: Serialize> Reply<R> {
    /// 201 with a body.
    pub fn created(body: R) -> Self {
        Self(StatusCode::CREATED, body)
    }

    /// 200 with a body.
    pub fn ok(body: R) -> Self {
        Self(StatusCode::OK, body)
    }

    /// 202 with a body: the pipeline does the rest.
    pub fn accepted(body: R) -> Self {
        Self(StatusCode::ACCEPTED, body)
    }
}

impl<T> Write<T> {
    /// The body alone, where nothing is kept for a retry.
    pub fn into_body(self) -> Result<T, ApiError> {
        Ok(self.0?.body)
    }

    /// Does the work in one transaction and keeps the answer with it. The same key with the same body
    /// is answered again without working; with another body it is refused.
    pub async fn once<R, F>(self, web: &Web, principal: &str, work: F) -> Result<HttpResponse, ApiError>
    where
        R: Serialize,
        F: AsyncFnOnce(&mut AsyncPgConnection, T) -> Result<Reply<R>, ApiError>,
    {
        let Read { body, key, fingerprint } = self.0?;
        let now = web.now();
        let mut conn = web.app.store.conn().await?;
        if let Some(key) = &key
            && let Some(answer) = idempotency::find(&mut conn, principal, key).await?
        {
            return again(answer, &fingerprint);
        }
        let kept = |status: StatusCode, text: &str| {
            key.map(|key| Answer {
                principal: principal.to_owned(),
                key,
                fingerprint,
                status: i16::try_from(status.as_u16()).unwrap_or_default(),
                body: text.to_owned(),
                created_at: now,
            })
        };
        let (status, text) = transaction(&mut conn, async |conn| {
            let Reply(status, reply) = work(conn, body).await?;
            let text = serde_json::to_string(&reply).map_err(|error| ApiError::Internal(error.into()))?;
            if let Some(answer) = kept(status, &text) {
                idempotency::insert(conn, &answer).await?;
            }
            Ok((status, text))
        })
        .await?;
        Ok(HttpResponse::build(status).content_type("application/json").body(text))
    }
}

impl<T> Write<T> {
    /// Does the work in one transaction and keeps nothing, because the answer holds a secret. So it
    /// cannot be given again, and a key that asks for that is refused.
    pub async fn unkept<R, F>(self, web: &Web, work: F) -> Result<HttpResponse, ApiError>
    where
        R: Serialize,
        F: AsyncFnOnce(&mut AsyncPgConnection, T) -> Result<Reply<R>, ApiError>,
    {
        let Read { body, key, .. } = self.0?;
        if key.is_some() {
            return Err(ApiError::invalid("Idempotency-Key", "is not taken: this answer is never kept"));
        }
        let mut conn = web.app.store.conn().await?;
        let Reply(status, reply) = transaction(&mut conn, async |conn| work(conn, body).await).await?;
        Ok(HttpResponse::build(status).json(reply))
    }
}

/// Runs `work` in one transaction. A handler that is dropped midway leaves the transaction open; the
/// pool then closes the connection, and Postgres rolls back.
pub async fn transaction<R>(
    conn: &mut AsyncPgConnection,
    work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<R, ApiError>,
) -> Result<R, ApiError> {
    type Manager = <AsyncPgConnection as AsyncConnection>::TransactionManager;
    Manager::begin_transaction(conn).await?;
    match work(conn).await {
        Ok(done) => {
            Manager::commit_transaction(conn).await?;
            Ok(done)
        }
        Err(error) => {
            Manager::rollback_transaction(conn).await?;
            Err(error)
        }
    }
}

fn again(answer: Answer, fingerprint: &[u8]) -> Result<HttpResponse, ApiError> {
    if answer.fingerprint != fingerprint {
        return Err(ApiError::invalid("Idempotency-Key", "was used for another request"));
    }
    let status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::OK);
    Ok(HttpResponse::build(status).content_type("application/json").body(answer.body))
}
