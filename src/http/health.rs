//! Whether the service lives, and whether it can work.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::web::Web;

/// How long Redis and Postgres may take to answer; whoever asks has little more patience.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the parts stand.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Postgres answers.
    pub postgres: bool,
    /// Redis answers.
    pub redis: bool,
}

/// The process answers.
#[utoipa::path(responses((status = 200)), tag = "health")]
#[get("/livez")]
pub(crate) async fn livez() -> HttpResponse {
    HttpResponse::Ok().body("ok")
}

/// The service can take scans: Redis or Postgres answers, since a scan is kept by either. Which of them does
/// stands in the body; the rest needs both.
#[utoipa::path(responses((status = 200, body = Readiness), (status = 503, body = Readiness)), tag = "health")]
#[get("/readyz")]
pub(crate) async fn readyz(web: Data<Web>) -> HttpResponse {
    let redis = timeout(PATIENCE, web.app.intake.ping());
    let postgres = timeout(PATIENCE, web.app.store.conn());
    let (redis, postgres) = tokio::join!(redis, postgres);
    let body = Readiness { postgres: matches!(postgres, Ok(Ok(_))), redis: matches!(redis, Ok(Ok(()))) };
    if body.redis || body.postgres {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}
