//! Everything that can be asked of the issuing system, one function for each sort of caller.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::problem::Problem;
use super::{Platform, api, border, channel, facts, gb38963, letters, reconcile};

/// All routes. A part of its own mounts its own `routes` here.
pub(super) fn routes(to: &mut web::ServiceConfig) {
    to.configure(service).configure(trusted).configure(citizen).configure(gb38963::routes).configure(machine);
    to.default_service(web::to(async || {
        Err::<HttpResponse, _>(Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
    }));
}

/// What the service asks, signed.
fn service(to: &mut web::ServiceConfig) {
    to.service(
        web::resource("/v1/letters")
            .app_data(web::PayloadConfig::new(letters::BODY_BYTES_MAX))
            .route(web::post().to(letters::receive)),
    );
    to.configure(reconcile::routes);
    to.configure(border::routes);
}

/// What trusted programs ask, with the bearer token.
fn trusted(to: &mut web::ServiceConfig) {
    to.service(
        web::resource("/v1/assertions")
            .app_data(web::JsonConfig::default().limit(api::BODY_BYTES_MAX))
            .route(web::post().to(api::assertions)),
    )
    .service(
        web::resource("/v1/tests")
            .app_data(web::JsonConfig::default().limit(facts::BODY_BYTES_MAX))
            .route(web::post().to(facts::tests)),
    )
    .service(
        web::resource("/v1/discharges")
            .app_data(web::JsonConfig::default().limit(facts::BODY_BYTES_MAX))
            .route(web::post().to(facts::discharges)),
    )
    .route("/v1/colours/{visitor}", web::get().to(api::colour))
    .route("/v1/summary", web::get().to(api::summary));
}

/// The pages.
fn citizen(to: &mut web::ServiceConfig) {
    to.route("/", web::get().to(channel::entry))
        .route("/", web::post().to(channel::sign_in))
        .route("/me", web::get().to(channel::me))
        .route("/me/code", web::get().to(channel::code))
        .route("/me/check-in", web::post().to(channel::check_in))
        .route("/leave", web::post().to(channel::leave))
        .route("/identify", web::get().to(channel::identify))
        .route("/style.css", web::get().to(style));
}

/// What whoever runs the machine asks.
fn machine(to: &mut web::ServiceConfig) {
    to.route("/livez", web::get().to(async || "alive")).route("/readyz", web::get().to(ready));
}

async fn ready(platform: web::Data<Platform>) -> Result<&'static str, Problem> {
    platform.store.ping().await?;
    Ok("ready")
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header(("Cache-Control", "public, max-age=3600"))
        .body(include_str!("style.css"))
}
