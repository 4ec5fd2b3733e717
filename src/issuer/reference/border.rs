//! Many jurisdictions, as an issuing system sees them: hand-overs come in and are decided by its own rules ([`receive`]),
//! passed on to where they belong ([`relay`]), or asked about ([`word`]). Persons are named under keys that two systems
//! share ([`aliases`]); what is agreed stands in [`settings`].

mod aliases;
mod deciding;
mod receive;
mod relay;
mod settings;
mod store;
mod word;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;

pub(super) use self::aliases::Aliases;
use self::settings::Agreed;
pub(super) use self::settings::Border;
pub(super) use self::store::{forget, measures_of};
use super::problem::Problem;
use crate::domain::webhook::{
    Headers, ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER, VerifyingKey,
};

/// The longest body that is read: five hundred exposures need half of it.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// Mounts what this part answers.
pub(super) fn routes(to: &mut web::ServiceConfig) {
    let limit = || web::PayloadConfig::new(BODY_BYTES_MAX);
    to.service(web::resource("/v1/hand-overs").app_data(limit()).route(web::post().to(receive::receive)))
        .service(web::resource("/v1/words").app_data(limit()).route(web::post().to(word::tell)))
        .route("/v1/national/{visitor}", web::get().to(word::show));
}

fn refuse(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

/// One answer for everything about who asks that is not right, so that nobody learns which agreements there are.
fn unknown() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "a system with which there is an agreement must sign the request (Standard Webhooks)",
    )
}

/// The id of a message that `key` has signed just now.
fn authenticate(
    request: &HttpRequest,
    body: &[u8],
    key: &VerifyingKey,
    now: DateTime<Utc>,
) -> Result<String, Problem> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let id = header(ID_HEADER).filter(|id| (1..=100).contains(&id.len())).ok_or_else(unknown)?;
    let timestamp: u32 = header(TIMESTAMP_HEADER).and_then(|text| text.parse().ok()).ok_or_else(unknown)?;
    let signatures = header(SIGNATURE_HEADER).ok_or_else(unknown)?;
    let headers = Headers { id, timestamp: timestamp.into(), signatures };
    key.verify(&headers, body, now).map_err(|_why| unknown())?;
    Ok(id.to_owned())
}

/// The agreement is known and in force.
fn in_force(agreed: &Agreed, now: DateTime<Utc>) -> Result<(), Problem> {
    let ended = || Problem::new(StatusCode::FORBIDDEN, "the agreement is not in force");
    if agreed.agreement.in_force(now) { Ok(()) } else { Err(ended()) }
}

/// An answer that is signed as the question was, under the same id.
fn signed<T: Serialize>(answer: &T, id: &str, key: &SigningKey, now: DateTime<Utc>) -> HttpResponse {
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let signature = key.sign(id, now.timestamp(), &body);
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((ID_HEADER, id))
        .insert_header((TIMESTAMP_HEADER, now.timestamp()))
        .insert_header((SIGNATURE_HEADER, signature))
        .insert_header(("Cache-Control", "no-store"))
        .body(body)
}

/// JSON of a known form. The text of an error repeats values, so only its place is told.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => {
                refuse(format!("a field is missing, unknown or of another form: see {place}"))
            }
            _ => Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: see {place}")),
        }
    })
}
