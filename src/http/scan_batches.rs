//! Scans that others hand in for visitors: digital sentinels, staff at the door, machines.
//!
//! Every row carries a channel's assertion of the identity, valid when the scan occurred. So nobody,
//! whatever the role, can write a scan for a person whom no channel has just verified.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, post, web};
use chrono::{DateTime, Utc};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Actor;
use super::error::ApiError;
use super::limits::handed_in;
use super::scans::{DEVICE_HEADER, NewScan, accept, header, place};
use super::web::Web;
use super::write::json;
use crate::domain::access::Role;
use crate::domain::assertion::{signer_of, verify_device, verify_identity};
use crate::domain::place_code::PlaceCode;
use crate::domain::point::PointFacts;
use crate::domain::rotating_code::ScannedCode;
use crate::domain::scan::{Direction, Method, Presence};
use crate::domain::venue::PointId;
use crate::intake::log::Accepted;

/// How many rows one batch may have.
pub const ROWS_MAX: usize = 1000;

/// The largest batch, in bytes.
pub const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Scans of several visitors.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The rows, 1,000 at most.
    pub scans: Vec<HandedScan>,
}

/// One scan that was handed in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedScan {
    /// Made by the client, so that a retry is the same scan.
    pub id: Uuid,
    /// The place code; a device may leave it out, since it stands at one point.
    pub code: Option<String>,
    /// A channel's assertion of the visitor's identity, valid at `occurred_at`.
    pub assertion: String,
    /// When the visitor was there.
    pub occurred_at: DateTime<Utc>,
    /// Entry when absent.
    pub direction: Option<Direction>,
    /// In a vehicle, the number of the stop on its line.
    pub stop: Option<i16>,
    /// The same for all who came together.
    pub party: Option<Uuid>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAnswer {
    /// How many rows were accepted.
    pub accepted: usize,
    /// The rows that were not, by their index.
    pub refused: Vec<RefusedRow>,
}

/// A row that was not accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedRow {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Takes scans from a device, from staff or from a machine. A bad row is reported by its index and the
/// rest stands. The answer means that the accepted ones will not be lost.
#[utoipa::path(request_body = Batch, responses((status = 200, body = BatchAnswer), (status = "default", body = super::error::Problem)), tag = "scans", security(("staff" = []), ("device" = [])))]
#[post("/scans/batch")]
pub(crate) async fn hand_in(
    web: Data<Web>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let bytes = super::write::body(&mut payload.into_inner(), BATCH_BYTES_MAX).await?;
    let source = source(&web, &request, &bytes).await?;
    let batch: Batch = json(&bytes)?;
    if batch.scans.len() > ROWS_MAX {
        return Err(ApiError::invalid("scans", format!("a batch has at most {ROWS_MAX} rows")));
    }
    handed_in(&web, &request, batch.scans.iter().map(|row| row.assertion.as_str()))?;
    let signers: Vec<String> = batch.scans.iter().filter_map(|row| signer_of(&row.assertion).ok()).collect();
    let channels = web.channels(&signers).await?;
    let received_at = web.now();
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for (index, row) in batch.scans.iter().enumerate() {
        match read(&web, &source, &channels.keys, row, received_at).await {
            Ok(row) => accepted.push(row),
            Err(error @ (ApiError::Busy | ApiError::Internal(_))) => return Err(error),
            Err(error) => refused.push(RefusedRow { index, reason: error.to_string() }),
        }
    }
    let count = accepted.len();
    if count > 0 {
        web.appender.append(accepted).await?;
    }
    Ok(HttpResponse::Ok().json(BatchAnswer { accepted: count, refused }))
}

/// Who hands in.
enum Source {
    Device(PointId),
    Staff { actor: Box<Actor>, venues: Vec<Uuid> },
}

async fn source(web: &Data<Web>, request: &HttpRequest, bytes: &Bytes) -> Result<Source, ApiError> {
    if let Some(assertion) = header(request, DEVICE_HEADER) {
        return device(web, assertion, bytes).await;
    }
    let (actor, venues) = web.handing_in(request).await?;
    Ok(Source::Staff { actor: Box::new(actor), venues })
}

async fn device(web: &Web, assertion: &str, bytes: &Bytes) -> Result<Source, ApiError> {
    const REFUSED: ApiError =
        ApiError::Unauthenticated("the device's assertion is not good for this request");
    let id: Uuid = signer_of(assertion).ok().and_then(|id| id.parse().ok()).ok_or(REFUSED)?;
    let row = web.device(id).await?.ok_or(REFUSED)?;
    let key = <[u8; 32]>::try_from(row.public_key.as_slice()).ok();
    let key = key.and_then(|key| VerifyingKey::from_bytes(&key).ok()).ok_or(REFUSED)?;
    let claims = verify_device(assertion, &key, web.now()).map_err(|_why| REFUSED)?;
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
    if claims.sub != id || claims.body != digest {
        return Err(REFUSED);
    }
    PointId::from_i64(row.point_id).map(Source::Device).ok_or(REFUSED)
}

async fn read(
    web: &Web,
    source: &Source,
    channels: &HashMap<String, VerifyingKey>,
    row: &HandedScan,
    received_at: DateTime<Utc>,
) -> Result<Accepted, ApiError> {
    if row.direction == Some(Direction::Void) {
        return Err(ApiError::invalid("direction", "must be entry, exit or passing"));
    }
    // The code first: a MAC costs a microsecond, a signature tens of them.
    let (code, facts) = where_at(web, source, row, received_at).await?;
    let in_force = code.check(&facts, row.occurred_at, received_at);
    let in_force = in_force.map_err(|error| ApiError::invalid("code", error))?;
    let invalid = |error: crate::domain::assertion::InvalidAssertion| ApiError::invalid("assertion", error);
    let signer = signer_of(&row.assertion).map_err(invalid)?;
    let key =
        channels.get(&signer).ok_or_else(|| ApiError::invalid("assertion", "the channel is not known"))?;
    let visitor = verify_identity(&row.assertion, key, row.occurred_at).map_err(invalid)?;
    let (method, presence) = match source {
        Source::Device(_) => (Method::Sentinel, Presence::Verified),
        Source::Staff { actor, venues } => by_staff(actor, venues, &facts)?,
    };
    let new = NewScan {
        id: row.id,
        visitor,
        occurred_at: row.occurred_at,
        direction: row.direction.unwrap_or(Direction::Entry),
        stop: row.stop,
        method,
        presence,
        party: row.party,
    };
    accept(web, &facts, in_force, new, received_at)
}

/// The point of a row, and the code that names it; a device that names none has the newest of its own.
async fn where_at(
    web: &Web,
    source: &Source,
    row: &HandedScan,
    received_at: DateTime<Utc>,
) -> Result<(ScannedCode, Arc<PointFacts>), ApiError> {
    match (source, &row.code) {
        (Source::Device(own), None) => {
            let facts = web.point(*own).await?;
            let code = PlaceCode { point: facts.id, generation: facts.generation };
            Ok((ScannedCode::Printed(code), facts))
        }
        (Source::Device(own), Some(text)) => {
            let (code, facts) = place(web, text, received_at).await?;
            let here = facts.id == *own;
            if here {
                Ok((code, facts))
            } else {
                Err(ApiError::invalid("code", "the device stands elsewhere"))
            }
        }
        (Source::Staff { .. }, Some(text)) => place(web, text, received_at).await,
        (Source::Staff { .. }, None) => {
            Err(ApiError::invalid("code", "is needed; only a device may leave it out"))
        }
    }
}

/// Staff at the door have seen the visitor; a machine's list proves nothing of the kind.
fn by_staff(actor: &Actor, venues: &[Uuid], facts: &PointFacts) -> Result<(Method, Presence), ApiError> {
    let works_there = actor.is(Role::VenueManager) || actor.is(Role::DoorStaff);
    if works_there && venues.contains(&facts.venue) {
        Ok((Method::Staff, Presence::Verified))
    } else if actor.is(Role::ScanSource) && facts.division.parse().is_ok_and(|of| actor.division.covers(&of))
    {
        Ok((Method::List, Presence::Unproven))
    } else {
        Err(ApiError::Forbidden("this venue is not yours"))
    }
}
