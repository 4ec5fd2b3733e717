//! The seven interfaces that GB/T 38963-2020 names, as HTTP endpoints.
//!
//! Public sources give their names, that there is a field `BizExtData` and a table of return codes, and examples of making
//! and verifying a code; the forms, the codes and the limits here are ours (docs/issuing-system.md says which is which).
//! The personal fields of GB/T 38962 occur at this border alone: [`person`] turns them into a pseudonym and drops them.

mod asked;
mod call;
mod codes;
mod correct;
mod declare;
mod itinerary;
mod person;
mod query;
mod refusal;

use actix_web::web;

pub(super) use self::codes::make_code;
pub use self::refusal::ReturnCode;

/// The longest body of a request.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The seven, each under the English word for its name.
pub(super) fn routes(to: &mut web::ServiceConfig) {
    let scope = web::scope("/gb38963/v1")
        .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
        .route("/declare", web::post().to(declare::declare))
        .route("/itinerary", web::post().to(itinerary::itinerary))
        .route("/query", web::post().to(query::query))
        .route("/call", web::post().to(call::call))
        .route("/make", web::post().to(codes::make))
        .route("/verify", web::post().to(codes::verify))
        .route("/correct", web::post().to(correct::correct));
    to.service(scope);
}
