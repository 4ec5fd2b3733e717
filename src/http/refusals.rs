//! What staff and machines tried and were refused, written down under their name.
//!
//! Only who is known is written down: an act of nobody names nobody, and anybody could fill the log with it.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};

use super::auth::Actor;
use super::error::ApiError;
use super::web::Web;
use super::write::transaction;
use crate::intake::limits::Limit;
use crate::store::audit;

/// How many refusals of one actor are written down in a minute; more say nothing new.
const PER_MINUTE: u32 = 600;

/// Notes who asks, for when the answer is a refusal.
pub fn asked_by(request: &HttpRequest, actor: &Actor) {
    request.extensions_mut().insert(actor.clone());
}

/// Around every request: a refusal of somebody who is known is appended to the audit log. The answer stays what it
/// is when that fails, since nothing was done.
pub async fn note(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let response = next.call(request).await?;
    let status = response.status();
    if !status.is_client_error() {
        return Ok(response);
    }
    let request = response.request();
    let Some(action) = action_of(request, status, response.response().error()) else { return Ok(response) };
    let asked = request.extensions().get::<Actor>().cloned();
    if let (Some(actor), Some(web)) = (asked, request.app_data::<Data<Web>>().cloned())
        && let Err(error) = write(&web, &actor, action, request, status).await
    {
        tracing::error!(error = error.to_string(), "a refusal was not written down");
    }
    Ok(response)
}

/// What the refusal is called; `None` where it was noted already, or is a mere mistake.
fn action_of(request: &HttpRequest, status: StatusCode, error: Option<&Error>) -> Option<&'static str> {
    if matches!(error.and_then(|error| error.as_error::<ApiError>()), Some(ApiError::Refused(_))) {
        return None;
    }
    let releases = request.match_pattern().is_some_and(|route| route.ends_with("/runs/{id}/release"));
    match status {
        _ if releases => Some("release.refused"),
        StatusCode::FORBIDDEN => Some("access.refused"),
        _ => None,
    }
}

async fn write(
    web: &Web,
    actor: &Actor,
    action: &'static str,
    request: &HttpRequest,
    status: StatusCode,
) -> Result<(), ApiError> {
    // What cannot be counted is written down all the same.
    let counted = web.within(Limit::of_a_minute("refused", PER_MINUTE), actor.id.as_bytes()).await;
    if matches!(counted, Err(ApiError::TooMany(_))) {
        return Ok(());
    }
    let now = web.now();
    let mut conn = web.app.store.conn().await?;
    let act = audit::Act {
        actor: &actor.name,
        action,
        subject: subject_of(request),
        detail: serde_json::json!({ "status": status.as_u16(), "division": actor.division.as_str() }),
    };
    transaction(&mut conn, async |conn| Ok(audit::append(conn, act, now).await?)).await
}

/// Method and route, with the ids of things but not of people: an address may hold a visitor.
fn subject_of(request: &HttpRequest) -> String {
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let id = request.match_info().get("id").filter(|_| route.contains("/{id}"));
    let id = id.and_then(|id| id.parse::<uuid::Uuid>().ok());
    let route = id.map_or_else(|| route.clone(), |id| route.replace("{id}", &id.to_string()));
    format!("{} {route}", request.method())
}
