//! Whether the service lives, and whether it can work.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::web::Web;

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

/// The service can take scans: Redis answers. Whether Postgres does stands in the body; scans go on
/// without it.
#[utoipa::path(responses((status = 200, body = Readiness), (status = 503, body = Readiness)), tag = "health")]
#[get("/readyz")]
pub(crate) async fn readyz(web: Data<Web>) -> HttpResponse {
    let redis = web.app.intake.ping().await.is_ok();
    let postgres = web.app.store.conn().await.is_ok();
    let body = Readiness { postgres, redis };
    if redis { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}
