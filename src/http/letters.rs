//! The outbox as operators see it, and the switch that stops it.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post, put};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::{Administer, HoldLetters};
use super::runs::Nothing;
use super::web::Web;
use super::write::{Reply, Write};
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::{audit, letters};

/// How the outbox stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Outbox {
    /// Whether all outgoing letters are stopped.
    pub stopped: bool,
    /// Counts by issuing system.
    pub letters: Vec<OutboxCount>,
}

/// How many letters to one issuing system are in one state.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutboxCount {
    /// To whom.
    pub issuer: String,
    /// `waiting`, `delivered` or `buried`.
    pub state: &'static str,
    /// How many.
    pub count: i64,
    /// What went wrong with one of them.
    pub last_error: Option<String>,
}

/// Whether all letters are to stop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// `true` stops all outgoing letters at once.
    pub stopped: bool,
}

/// How the outbox stands.
#[utoipa::path(responses((status = 200, body = Outbox), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[get("/letters")]
pub(crate) async fn see_outbox(web: Data<Web>, _staff: Staff<HoldLetters>) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    Ok(HttpResponse::Ok().json(outbox(&mut conn).await?))
}

/// Stops all outgoing letters, or lets them go again.
#[utoipa::path(request_body = Stop, responses((status = 200, body = Outbox), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[put("/letters/stop")]
pub(crate) async fn stop_letters(
    web: Data<Web>,
    staff: Staff<HoldLetters>,
    write: Write<Stop>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form: Stop| {
        set_stopped(&web, conn, &actor, form.stopped).await?;
        Ok(Reply::ok(outbox(conn).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// Sends the buried letters of one issuing system again.
#[utoipa::path(request_body = Nothing, responses((status = 202, body = Outbox), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[post("/letters/{issuer}/again")]
pub(crate) async fn send_again(
    web: Data<Web>,
    staff: Staff<Administer>,
    issuer: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        let now = web.now();
        if !letters::issuers(conn).await?.iter().any(|row| row.id == *issuer) {
            return Err(ApiError::NotFound("issuing system"));
        }
        let count = letters::dig_up(conn, &issuer, now).await?;
        let detail = serde_json::json!({ "count": count });
        let subject = format!("issuer {issuer}");
        let act = audit::Act { actor: &actor.name, action: "letters.sent_again", subject, detail };
        audit::append(conn, act, now).await?;
        Ok(Reply::accepted(outbox(conn).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// Stops all outgoing letters, or lets them go again, for the API and the page.
pub async fn set_stopped(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    stopped: bool,
) -> Result<(), ApiError> {
    let now = web.now();
    decisions::set_switch(conn, EMERGENCY_STOP, stopped, &actor.name, now).await?;
    let action = if stopped { "letters.stopped" } else { "letters.resumed" };
    let detail = serde_json::json!({});
    let act = audit::Act { actor: &actor.name, action, subject: EMERGENCY_STOP.to_owned(), detail };
    Ok(audit::append(conn, act, now).await?)
}

/// How the outbox stands, for the API and the page.
pub async fn outbox(conn: &mut AsyncPgConnection) -> Result<Outbox, ApiError> {
    let stopped = decisions::switch(conn, EMERGENCY_STOP).await?;
    let shown = |row: letters::OutboxCount| OutboxCount {
        issuer: row.issuer_id,
        state: match row.state {
            0 => "waiting",
            1 => "delivered",
            _ => "buried",
        },
        count: row.count,
        last_error: row.last_error,
    };
    Ok(Outbox { stopped, letters: letters::counts(conn).await?.into_iter().map(shown).collect() })
}
