//! `POST /v1/reconciliation`: what this system holds, by bucket and one by one, for the service to compare.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use uuid::Uuid;

use super::Platform;
use super::problem::Problem;
use super::schema::assignments;
use super::signed::authenticate;
use super::standing::Ending;
use super::store::{Store, StoreError};
use crate::domain::numbered::Numbered;
use crate::domain::reconcile::{
    After, Ask, Buckets, Held, Open, RECONCILIATION, buckets, differing, page, range_of,
};
use crate::domain::rule_pack::Colour;
use crate::domain::visitor::Visitor;
use crate::domain::webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// The longest question that is read, in bytes: 256 buckets need a tenth of it.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// How many buckets are read at a time.
const STRIDE: u8 = 16;

/// Mounts the route.
pub(super) fn routes(to: &mut web::ServiceConfig) {
    to.service(
        web::resource("/v1/reconciliation")
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .route(web::post().to(answer)),
    );
}

/// Answers the service alone, and signs the answer.
async fn answer(
    request: HttpRequest,
    body: Result<web::Bytes, actix_web::Error>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let body = body.map_err(|error| Problem::of(&error, "the body is too long, or cannot be read"))?;
    authenticate(&request, &body, &platform, platform.clock.now())?;
    let refuse = |detail: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let ask: Ask = serde_json::from_slice(&body)
        .map_err(|_other| refuse("the body is no question of a reconciliation"))?;
    if ask.kind != RECONCILIATION {
        return Err(refuse("the type must be `placecode.reconciliation.v1`"));
    }
    match (ask.buckets, ask.bucket) {
        (Some(theirs), None) => {
            let mut held = Vec::new();
            for from in (0..=u8::MAX).step_by(STRIDE.into()) {
                held.extend(platform.store.held(from, from + (STRIDE - 1), ask.at).await?);
            }
            let buckets = buckets(held);
            let differing = differing(&buckets, &theirs).into_iter().collect();
            signed(&request, &platform, &Buckets { at: ask.at, buckets, differing })
        }
        (None, Some(bucket)) => {
            let after = ask.after.map(|after| key(&after).ok_or_else(|| refuse("`after` names no entry")));
            let held = platform.store.held(bucket, bucket, ask.at).await?;
            signed(&request, &platform, &page(held, after.transpose()?))
        }
        _ => Err(refuse("either `buckets` or `bucket` must be given")),
    }
}

fn key(after: &After) -> Option<(Uuid, Uuid)> {
    Some((Visitor::from_hex(&after.visitor)?.to_uuid(), after.assignment))
}

/// The answer carries the id of the question, so that none can stand in for another.
fn signed<T: Serialize>(
    request: &HttpRequest,
    platform: &Platform,
    answer: &T,
) -> Result<HttpResponse, Problem> {
    let failed = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written");
    let body = serde_json::to_vec(answer).map_err(|_unwritable| failed())?;
    let id = request.headers().get(ID_HEADER).and_then(|value| value.to_str().ok()).ok_or_else(failed)?;
    let timestamp = platform.clock.now().timestamp();
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((SIGNATURE_HEADER, platform.keys.signing_key().sign(id, timestamp, &body)))
        .insert_header((ID_HEADER, id))
        .insert_header((TIMESTAMP_HEADER, timestamp))
        .body(body))
}

impl Store {
    /// What stands in the tables of the visitors of some buckets, and whose days are not over at `at`.
    async fn held(&self, from: u8, until: u8, at: DateTime<Utc>) -> Result<Vec<Held>, StoreError> {
        let (first, last) = range_of(from, until);
        let mut connection = self.connection().await?;
        let rows: Vec<(Uuid, Uuid, i64, i16, i16, DateTime<Utc>)> = assignments::table
            .filter(assignments::visitor.between(first, last))
            .filter(assignments::expires_at.gt(at))
            .order((assignments::visitor, assignments::id))
            .select((
                assignments::visitor,
                assignments::id,
                assignments::sequence,
                assignments::ending,
                assignments::colour,
                assignments::expires_at,
            ))
            .load(&mut connection)
            .await?;
        let held = |(visitor, assignment, sequence, ending, colour, expires_at)| {
            // A colour that no pack has is told as green, which the service never lets out: so it is found.
            let colour = Colour::from_number(colour).unwrap_or(Colour::Green);
            let open = (ending == Ending::Open.number()).then_some(Open { sequence, colour, expires_at });
            Held { visitor: Visitor::from_uuid(visitor), assignment, open }
        };
        Ok(rows.into_iter().map(held).collect())
    }
}
