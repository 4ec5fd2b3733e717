//! The audit log, for auditors, and its published heads, for everybody.

use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get, post};
use chrono::NaiveDate;
use data_encoding::HEXLOWER;
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::ReadAudit;
use super::runs::Nothing;
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use crate::domain::audit_heads::Head;
use crate::store::{audit, audit_heads};

/// How many entries one page holds at the most.
const PAGE_MAX: i64 = 1000;

/// Mounts the routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(read_audit).service(see_heads).service(publish_head).service(see_keys);
}

/// Which page of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LogPage {
    /// The number of the last entry of the page before; 0 when absent.
    #[serde(default)]
    pub after: i64,
    /// How many; 1 to 1,000, and 100 when absent.
    pub limit: Option<i64>,
}

/// An entry of the chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogEntry {
    /// Counts from 1 without a gap.
    pub seq: i64,
    /// When, in microseconds of the Unix epoch.
    pub at_micros: i64,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The rest, as JSON text.
    pub detail: String,
    /// Hash of the entry before.
    pub prev: String,
    /// Hash of this entry.
    pub hash: String,
}

/// A page of the log as lines of JSON, as `placecode audit verify` reads them.
#[utoipa::path(params(LogPage), responses((status = 200, body = [LogEntry], content_type = "application/x-ndjson"), (status = "default", body = super::error::Problem)), tag = "audit", security(("staff" = [])))]
#[get("/audit")]
pub(crate) async fn read_audit(
    web: Data<Web>,
    _staff: Staff<ReadAudit>,
    page: Query<LogPage>,
) -> Result<HttpResponse, ApiError> {
    let limit = page.limit.unwrap_or(100);
    if !(1..=PAGE_MAX).contains(&limit) || page.after < 0 {
        return Err(ApiError::invalid(
            "limit",
            "must lie between 1 and 1,000, and `after` must not be negative",
        ));
    }
    let mut conn = web.app.store.conn().await?;
    let mut body = String::new();
    for entry in audit::page(&mut conn, page.after, limit).await? {
        body.push_str(&serde_json::to_string(&entry).map_err(|error| ApiError::Internal(error.into()))?);
        body.push('\n');
    }
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").body(body))
}

/// Which page of the heads.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct HeadsPage {
    /// The number of the last head of the page before; 0 when absent.
    #[serde(default)]
    pub after: i64,
    /// How many; 1 to 1,000, and 100 when absent.
    pub limit: Option<i64>,
}

/// What the audit log came to at one moment, signed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedHead {
    /// Counts from 1 without a gap.
    pub number: i64,
    /// The local day that it closes; of one that was asked for, the day on which it was.
    pub day: NaiveDate,
    /// Whether it is the one of its day, or was asked for beside it.
    pub daily: bool,
    /// The last entry of the log that it covers; 0 when there was none.
    pub seq: i64,
    /// The hash of that entry.
    pub hash: String,
    /// The digest of the head before; zeros for the first.
    pub before: String,
    /// When it was signed, in microseconds of the Unix epoch.
    pub at_micros: i64,
    /// Which key has signed it.
    pub key_id: String,
    /// Ed25519 over the text that docs/audit.md describes, 128 hexadecimal digits.
    pub signature: String,
}

impl From<Head> for PublishedHead {
    fn from(head: Head) -> Self {
        Self {
            number: head.number,
            day: head.day,
            daily: head.daily,
            seq: head.seq,
            hash: head.hash,
            before: head.before,
            at_micros: head.at_micros,
            key_id: head.key_id,
            signature: head.signature,
        }
    }
}

/// What verifies published heads.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditKey {
    /// Its name in heads.
    pub id: String,
    /// Ed25519, 64 hexadecimal digits.
    pub public_key: String,
    /// Whether it signs now; others have signed earlier heads.
    pub current: bool,
}

/// The published heads of the audit log, in order; `Link` names the next page.
#[utoipa::path(params(HeadsPage), responses((status = 200, body = [PublishedHead]), (status = "default", body = super::error::Problem)), tag = "audit")]
#[get("/audit/heads")]
pub(crate) async fn see_heads(web: Data<Web>, page: Query<HeadsPage>) -> Result<HttpResponse, ApiError> {
    let limit = page.limit.unwrap_or(100);
    if !(1..=PAGE_MAX).contains(&limit) || page.after < 0 {
        return Err(ApiError::invalid(
            "limit",
            "must lie between 1 and 1,000, and `after` must not be negative",
        ));
    }
    let mut conn = web.app.store.conn().await?;
    let heads = audit_heads::page(&mut conn, page.after, limit).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = heads.last().filter(|_| i64::try_from(heads.len()).is_ok_and(|count| count == limit))
    {
        let query = [("after", Some(last.number.to_string())), ("limit", Some(limit.to_string()))];
        response.insert_header(next_page("/v1/audit/heads", &query));
    }
    Ok(response.json(heads.into_iter().map(PublishedHead::from).collect::<Vec<_>>()))
}

/// Publishes a head over the log as it is, beside that of the day.
#[utoipa::path(request_body = Nothing, responses((status = 201, body = PublishedHead), (status = "default", body = super::error::Problem)), tag = "audit", security(("staff" = [])))]
#[post("/audit/heads")]
pub(crate) async fn publish_head(
    web: Data<Web>,
    staff: Staff<ReadAudit>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        // Before the head, which so covers that it was asked for.
        actor.note(&web, conn, "audit.head_published", "audit log".to_owned()).await?;
        Ok(Reply::created(PublishedHead::from(web.app.publish_now(conn, web.now()).await?)))
    };
    write.once(&web, &actor.name, work).await
}

/// The public keys that verify published heads.
#[utoipa::path(responses((status = 200, body = [AuditKey]), (status = "default", body = super::error::Problem)), tag = "audit")]
#[get("/audit/keys")]
pub(crate) async fn see_keys(web: Data<Web>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(keys(&web)))
}

/// The public keys that verify published heads, for the API and the page.
pub fn keys(web: &Web) -> Vec<AuditKey> {
    let current = web.app.keys.audit_key().map(|key| key.verifying_key());
    let tell = |(id, key): (String, ed25519_dalek::VerifyingKey)| AuditKey {
        id,
        public_key: HEXLOWER.encode(key.as_bytes()),
        current: current == Some(key),
    };
    web.app.keys.audit_public_keys().into_iter().map(tell).collect()
}
