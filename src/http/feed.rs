//! Letters for issuing systems that cannot be called: they come, say how far they have come, and take more.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::error::ApiError;
use super::signed::Signed;
use super::web::Web;
use super::write::transaction;
use crate::domain::assignment::AssignmentState;
use crate::domain::webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::feed::{self, Cursor, PlacedLetter};
use crate::store::letters::IssuerRow;
use crate::store::{assignments, audit, outbox};

/// The only type of request.
const FEED: &str = "placecode.feed.v1";

/// How many letters one answer holds at the most.
const LETTERS_MAX: i64 = 1000;

/// How many bytes of letters one answer holds at the most; one letter is always given.
const BYTES_MAX: usize = 1024 * 1024;

/// Mounts the routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(pull);
}

/// How far an issuing system has come, and how much it takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pull {
    /// Always `placecode.feed.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// It has everything up to this position; 0 at the beginning. Later the `next` of an answer.
    pub after: i64,
    /// How many letters it takes, 1 to 1000.
    pub limit: i64,
}

/// The next letters, signed as letters are that the service sends; `webhook-id` is that of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pulled {
    /// In the order in which they are to be applied.
    #[schema(value_type = Vec<Object>)]
    pub letters: Vec<serde_json::Value>,
    /// What to ask after next, once these letters are kept.
    pub next: i64,
    /// Whether there are more.
    pub more: bool,
    /// Whether all outgoing letters are stopped.
    pub stopped: bool,
}

/// Takes letters. Everything up to `after` counts as delivered from now on; what comes after it is given again and again.
#[utoipa::path(request_body = Pull, responses((status = 200, body = Pulled), (status = "default", body = super::error::Problem)), tag = "letters", security(("issuer" = [])))]
#[post("/issuers/{issuer}/feed")]
pub(crate) async fn pull(web: Data<Web>, signed: Signed<Pull>) -> Result<HttpResponse, ApiError> {
    let Signed { issuer, id, body } = signed;
    if body.kind != FEED {
        return Err(ApiError::invalid("type", format!("must be `{FEED}`")));
    }
    if body.after < 0 {
        return Err(ApiError::invalid("after", "must not be negative"));
    }
    if !(1..=LETTERS_MAX).contains(&body.limit) {
        return Err(ApiError::invalid("limit", format!("must be 1 to {LETTERS_MAX}")));
    }
    let mut conn = web.app.store.conn().await?;
    let work = async |conn: &mut AsyncPgConnection| take(&web, conn, &issuer, &body).await;
    let pulled = transaction(&mut conn, work).await?;
    sign(&web, &issuer, &id, &pulled)
}

async fn take(
    web: &Web,
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    asked: &Pull,
) -> Result<Pulled, ApiError> {
    let now = web.now();
    if !feed::pulling(conn).await?.contains(&issuer.id) {
        return Err(ApiError::Conflict(
            "letters are sent to this issuing system; its delivery is not `pull`",
        ));
    }
    let known = feed::hold(conn, &issuer.id, now).await?;
    if asked.after > known.handed_out {
        let right = format!("must not be beyond {}, which was the last that was given", known.handed_out);
        return Err(ApiError::invalid("after", right));
    }
    let stopped = decisions::switch(conn, EMERGENCY_STOP).await?;
    let mut pulled = Pulled { letters: Vec::new(), next: asked.after, more: false, stopped };
    if !stopped {
        // One more than asked for tells whether there are more.
        let placed = feed::page(conn, &issuer.id, asked.after, asked.limit + 1).await?;
        fill(&mut pulled, placed, asked.limit)?;
    }
    let cursor = Cursor { handed_out: pulled.next, taken: asked.after };
    feed::note(conn, &issuer.id, cursor).await?;
    if asked.after > known.taken {
        deliver(conn, issuer, (known.taken, asked.after), now).await?;
    }
    Ok(pulled)
}

/// Puts as many letters into the answer as it may hold.
fn fill(pulled: &mut Pulled, placed: Vec<PlacedLetter>, limit: i64) -> Result<(), ApiError> {
    let mut bytes = 0;
    for PlacedLetter { position, sequence, mut body } in placed {
        let letter = body.as_object_mut().ok_or(crate::store::StoreError::Corrupt("letters"))?;
        letter.insert("sequence".to_owned(), sequence.into());
        bytes += body.to_string().len();
        let full = i64::try_from(pulled.letters.len()).is_ok_and(|count| count >= limit);
        if full || (bytes > BYTES_MAX && !pulled.letters.is_empty()) {
            pulled.more = true;
            break;
        }
        pulled.letters.push(body);
        pulled.next = position;
    }
    Ok(())
}

/// What an issuing system says that it has is delivered.
async fn deliver(
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    (from, until): (i64, i64),
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), ApiError> {
    let actor = format!("issuer:{}", issuer.id);
    let taken = feed::settle(conn, &issuer.id, from, until, now).await?;
    let shown: Vec<Uuid> = taken.iter().filter(|one| one.assigns).map(|one| one.assignment_id).collect();
    outbox::hold_assignments(conn, &shown).await?;
    assignments::advance(conn, &shown, AssignmentState::Delivered, &actor, &issuer.id, now).await?;
    let detail = serde_json::json!({ "after": from, "until": until, "count": taken.len() });
    let subject = format!("issuer {}", issuer.id);
    let act = audit::Act { actor: &actor, action: "letters.taken", subject, detail };
    Ok(audit::append(conn, act, now).await?)
}

/// An answer that only this service can have given to this question.
pub(super) fn sign<T: Serialize>(
    web: &Web,
    issuer: &IssuerRow,
    id: &str,
    answer: &T,
) -> Result<HttpResponse, ApiError> {
    let key = web.app.issuer_keys.get(&issuer.id);
    let key = key.ok_or(ApiError::Conflict("the service has no key to sign answers to this system with"))?;
    let body = serde_json::to_vec(answer).map_err(|error| ApiError::Internal(error.into()))?;
    let timestamp = web.now().timestamp();
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((SIGNATURE_HEADER, key.sign(id, timestamp, &body)))
        .insert_header((ID_HEADER, id))
        .insert_header((TIMESTAMP_HEADER, timestamp))
        .body(body))
}
