//! Requests of issuing systems, signed in the form of Standard Webhooks, as our letters to them are.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::web::Web;
use super::write::{body, json};
use crate::domain::webhook::{Headers, ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, VerifyingKey};
use crate::store::letters::{self, IssuerRow};

/// The largest body that an issuing system may send, in bytes.
pub const BODY_MAX: usize = 1024 * 1024;

/// A body that the issuing system named in the path (`{issuer}`) has signed. Whoever may not ask at all is told that
/// before what is wrong with the body.
#[derive(Debug)]
pub struct Signed<T> {
    /// Who signed it.
    pub issuer: IssuerRow,
    /// The message's own id, the same when it is sent again.
    pub id: String,
    /// What it says.
    pub body: T,
}

impl<T: DeserializeOwned + 'static> FromRequest for Signed<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let body = body(payload, BODY_MAX);
        Box::pin(async move {
            let bytes = body.await?;
            let (issuer, id) = signer(&request, &bytes).await?;
            Ok(Self { issuer, id, body: json(&bytes)? })
        })
    }
}

async fn signer(request: &HttpRequest, bytes: &[u8]) -> Result<(IssuerRow, String), ApiError> {
    // One answer for everything that is not right, so that nobody learns which systems there are.
    const REFUSED: ApiError = ApiError::Unauthenticated(
        "an issuing system that is known must sign the request (Standard Webhooks)",
    );
    let web = request.app_data::<Data<Web>>().cloned();
    let web =
        web.ok_or_else(|| ApiError::Internal(anyhow::anyhow!("the handlers' shared state is missing")))?;
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let id = header(ID_HEADER).filter(|id| (1..=100).contains(&id.len())).ok_or(REFUSED)?;
    let timestamp: u32 = header(TIMESTAMP_HEADER).and_then(|text| text.parse().ok()).ok_or(REFUSED)?;
    let signatures = header(SIGNATURE_HEADER).ok_or(REFUSED)?;
    let name = request.match_info().get("issuer").ok_or(REFUSED)?;
    let mut conn = web.app.store.conn().await?;
    let issuer = letters::issuer(&mut conn, name).await?.ok_or(REFUSED)?;
    drop(conn);
    let own = issuer.public_key.as_deref().and_then(VerifyingKey::parse);
    let shared =
        || web.app.issuer_keys.get(&issuer.id).map(crate::domain::webhook::SigningKey::verifying_key);
    let key = own.or_else(shared).ok_or(REFUSED)?;
    let headers = Headers { id, timestamp: timestamp.into(), signatures };
    key.verify(&headers, bytes, web.now()).map_err(|_why| REFUSED)?;
    let id = id.to_owned();
    Ok((issuer, id))
}
