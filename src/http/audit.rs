//! The audit log, for auditors.

use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::ReadAudit;
use super::web::Web;
use crate::store::audit;

/// How many entries one page holds at the most.
const PAGE_MAX: i64 = 1000;

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
