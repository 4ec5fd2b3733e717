//! Channels: who they are, and how their assertions become visitor tokens.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use super::web::Web;
use super::write::Write;
use crate::domain::assertion::{Identified, signer_of, verify_person};
use crate::domain::token::VisitorToken;
use crate::store::residences::Told;

/// A channel's word.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// A compact JSON web signature with `EdDSA`; `kid` names the channel, `sub` is the visitor.
    pub assertion: String,
}

/// A visitor token.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedToken {
    /// Send it as a bearer token.
    pub token: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Turns a channel's assertion into a token that is cheap to check.
#[utoipa::path(request_body = Assertion, responses((status = 201, body = IssuedToken), (status = "default", body = super::error::Problem)), tag = "visitors")]
#[post("/visitor-tokens")]
pub(crate) async fn issue_visitor_token(
    web: Data<Web>,
    write: Write<Assertion>,
) -> Result<HttpResponse, ApiError> {
    let token = vouch(&web, &write.into_body()?.assertion).await?;
    let answer = IssuedToken { token: token.seal(web.app.keys.token()), expires_at: token.expires_at };
    Ok(HttpResponse::Created().json(answer))
}

/// Verifies a channel's assertion.
pub async fn vouch(web: &Web, assertion: &str) -> Result<VisitorToken, ApiError> {
    const UNKNOWN: ApiError = ApiError::Unauthenticated("the channel is not known");
    let refused = |_why| ApiError::Unauthenticated("the assertion is forged, stale, or meant for others");
    let channel = signer_of(assertion).map_err(refused)?;
    let channels = web.channels(std::slice::from_ref(&channel)).await?;
    let key = channels.keys.get(&channel).ok_or(UNKNOWN)?;
    let now = web.now();
    let (identified, aliases) = verify_person(assertion, key, now).map_err(refused)?;
    let Identified { visitor, colour, residence } = identified;
    if residence.is_some() || !aliases.is_empty() {
        web.residences.tell(Told { visitor, residence, aliases, channel: channel.clone(), heard_at: now });
    }
    let life = TimeDelta::from_std(web.app.config.visitor_token_life).unwrap_or(TimeDelta::hours(1));
    Ok(VisitorToken { visitor, channel, expires_at: now + life, colour })
}
