//! Scans that others hand in for visitors: digital sentinels, staff at the door, machines.
//!
//! Every row carries what only the visitor can have given: a channel's assertion, a code that was shown
//! or a card, good when the scan occurred. So nobody, whatever the role, can write a scan from a mere list
//! of people.

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
use super::identities::Identities;
use super::limits::handed_in;
use super::scans::{DEVICE_HEADER, NewScan, ScanReceipt, accept, header, place, receipt};
use super::web::Web;
use super::write::json;
use crate::domain::access::Role;
use crate::domain::assertion::{Identified, signer_of, verify_device};
use crate::domain::known_colour::KnownColour;
use crate::domain::place_code::PlaceCode;
use crate::domain::point::PointFacts;
use crate::domain::rotating_code::ScannedCode;
use crate::domain::scan::{Direction, Method, Presence};
use crate::domain::venue::PointId;
use crate::intake::log::Accepted;
use crate::store::access;

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
    /// A channel's assertion of the visitor's identity, valid at `occurred_at`. Either this or `shown`.
    pub assertion: Option<String>,
    /// The code that the visitor showed, or the visitor's card, good at `occurred_at`.
    pub shown: Option<String>,
    /// When the visitor was there.
    pub occurred_at: DateTime<Utc>,
    /// Entry when absent. A void takes back the scan that `corrects` names.
    pub direction: Option<Direction>,
    /// The id of a scan that was handed in in the same way; point, visitor and `occurred_at` are those of
    /// that scan.
    pub corrects: Option<Uuid>,
    /// Typed in from a paper list, which proves less than being seen at the door.
    #[serde(default)]
    pub paper: bool,
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
    handed_in(&web, &request, &batch.scans)?;
    let identities = Identities::of(&web, &batch.scans).await?;
    let received_at = web.now();
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for (index, row) in batch.scans.iter().enumerate() {
        match read(&web, &source, &identities, row, received_at).await {
            Ok(row) => accepted.push(row.accepted),
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

/// Takes one row from a member of staff, with the checks of a batch, and answers its receipt.
pub async fn take_handed(web: &Web, actor: &Actor, row: HandedScan) -> Result<ScanReceipt, ApiError> {
    let source = staff_source(web, actor.clone()).await?;
    let identities = Identities::of(web, std::slice::from_ref(&row)).await?;
    let Row { accepted, facts, colour } = read(web, &source, &identities, &row, web.now()).await?;
    let scan = accepted.scan.clone();
    web.appender.append(vec![accepted]).await?;
    Ok(receipt(web, &scan, &facts, colour))
}

/// Who hands in.
enum Source {
    Device(PointId),
    Staff { actor: Box<Actor>, venues: Vec<Uuid> },
}

/// A row that is as it should be.
struct Row {
    accepted: Accepted,
    facts: Arc<PointFacts>,
    colour: Option<KnownColour>,
}

async fn source(web: &Data<Web>, request: &HttpRequest, bytes: &Bytes) -> Result<Source, ApiError> {
    if let Some(assertion) = header(request, DEVICE_HEADER) {
        return device(web, assertion, bytes).await;
    }
    let (actor, venues) = web.handing_in(request).await?;
    Ok(Source::Staff { actor: Box::new(actor), venues })
}

async fn staff_source(web: &Web, actor: Actor) -> Result<Source, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let venues = access::venues_of(&mut conn, actor.id).await?;
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
    identities: &Identities,
    row: &HandedScan,
    received_at: DateTime<Utc>,
) -> Result<Row, ApiError> {
    if (row.direction == Some(Direction::Void)) != row.corrects.is_some() {
        return Err(ApiError::invalid(
            "corrects",
            "names the scan that a void takes back; nothing else has one",
        ));
    }
    // The code first: a MAC costs a microsecond, a signature tens of them.
    let (code, facts) = where_at(web, source, row, received_at).await?;
    let in_force = code.check(&facts, row.occurred_at, received_at);
    let in_force = in_force.map_err(|error| ApiError::invalid("code", error))?;
    let (method, presence) = match source {
        Source::Device(_) if row.paper => {
            return Err(ApiError::invalid("paper", "a device types in no paper list"));
        }
        Source::Device(_) => (Method::Sentinel, Presence::Verified),
        Source::Staff { actor, venues } => by_staff(actor, venues, &facts, row.paper)?,
    };
    let Identified { visitor, colour, residence: _ } = identities.identify(web, row)?;
    let new = NewScan {
        id: row.id,
        visitor,
        occurred_at: row.occurred_at,
        direction: row.direction.unwrap_or(Direction::Entry),
        stop: row.stop,
        method,
        presence,
        party: row.party,
        corrects: row.corrects,
    };
    let accepted = accept(web, &facts, in_force, new, received_at)?;
    Ok(Row { accepted, facts, colour })
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

/// Staff at the door have seen the visitor; a paper list or a machine's proves nothing of the kind.
fn by_staff(
    actor: &Actor,
    venues: &[Uuid],
    facts: &PointFacts,
    paper: bool,
) -> Result<(Method, Presence), ApiError> {
    let works_there =
        (actor.is(Role::VenueManager) || actor.is(Role::DoorStaff)) && venues.contains(&facts.venue);
    let is_source =
        actor.is(Role::ScanSource) && facts.division.parse().is_ok_and(|of| actor.division.covers(&of));
    if works_there && !paper {
        Ok((Method::Staff, Presence::Verified))
    } else if works_there || is_source {
        Ok((Method::List, Presence::Unproven))
    } else {
        Err(ApiError::Forbidden("this venue is not yours"))
    }
}
