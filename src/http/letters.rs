//! The outbox as operators see it: how it stands, what was given up, and the switch that stops it.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post, put};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::admin::word;
use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::{Administer, HoldLetters};
use super::runs::Nothing;
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use crate::domain::circuit::Passage;
use crate::store::circuits::{self, CircuitRow};
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::outbox::{self, BuriedLetter};
use crate::store::{audit, letters};

/// How many buried letters one page lists.
const PAGE: i64 = 100;

/// How the outbox stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Outbox {
    /// Whether all outgoing letters are stopped.
    pub stopped: bool,
    /// Counts by issuing system.
    pub letters: Vec<OutboxCount>,
    /// Whether each issuing system answers.
    pub circuits: Vec<CircuitState>,
}

/// Whether an issuing system answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct CircuitState {
    /// Which one.
    pub issuer: String,
    /// `closed`: letters go out. `open`: nothing is sent before `probe_at`. `half_open`: one envelope may try.
    pub state: &'static str,
    /// Envelopes that failed in a row.
    pub failures: i32,
    /// Since when it is not closed.
    pub opened_at: Option<DateTime<Utc>>,
    /// When one envelope may try.
    pub probe_at: Option<DateTime<Utc>>,
    /// What went wrong the last time, which may be long ago.
    pub last_error: Option<String>,
}

impl CircuitState {
    /// How a circuit is now.
    pub fn of(row: &CircuitRow, now: DateTime<Utc>) -> Self {
        Self {
            issuer: row.issuer_id.clone(),
            state: match row.circuit().passage(now) {
                Passage::All => "closed",
                Passage::Probe => "half_open",
                Passage::Nothing => "open",
            },
            failures: row.failures,
            opened_at: row.opened_at,
            probe_at: row.probe_at,
            last_error: row.last_error.clone(),
        }
    }
}

/// A letter that was given up. It names no visitor.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetter {
    /// Id.
    pub id: Uuid,
    /// To whom.
    pub issuer: String,
    /// About which assignment.
    pub assignment: Uuid,
    /// Its number among the letters about one visitor.
    pub sequence: i64,
    /// What it says; absent where it cannot be read.
    pub kind: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// What went wrong the last time.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was given up.
    pub buried_at: DateTime<Utc>,
}

/// Which of the letters that were given up.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeadPage {
    /// To this issuing system only.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The last id of the page before.
    #[serde(default)]
    pub after: Uuid,
}

/// What the letters to one issuing system are verified with.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterKeys {
    /// The issuing system.
    pub issuer: String,
    /// `whpk_…`, the newest first. A letter is signed with all of them while they change.
    pub public_keys: Vec<String>,
}

/// Mounts what is here.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(see_outbox)
        .service(stop_letters)
        .service(see_keys)
        .service(see_dead)
        .service(send_one_again)
        .service(send_again);
}

/// The public keys that letters are signed with. Systems that share a secret with the service are not listed.
#[utoipa::path(responses((status = 200, body = Vec<LetterKeys>), (status = "default", body = super::error::Problem)), tag = "letters")]
#[get("/letters/keys")]
pub(crate) async fn see_keys(web: Data<Web>) -> HttpResponse {
    let keys = web.app.issuer_keys.iter().map(|(issuer, key)| LetterKeys {
        issuer: issuer.clone(),
        public_keys: key.verifying_key().public_texts(),
    });
    HttpResponse::Ok().json(keys.filter(|keys| !keys.public_keys.is_empty()).collect::<Vec<_>>())
}

/// The letters that were given up, 100 a page, the oldest first.
#[utoipa::path(params(DeadPage), responses((status = 200, body = Vec<DeadLetter>), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[get("/letters/dead")]
pub(crate) async fn see_dead(
    web: Data<Web>,
    _staff: Staff<HoldLetters>,
    page: Query<DeadPage>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let (dead, next) = dead(&mut conn, &page).await?;
    let mut answer = HttpResponse::Ok();
    if let Some(after) = next {
        let query = [("issuer", page.issuer.clone()), ("after", Some(after.to_string()))];
        answer.insert_header(next_page("/v1/letters/dead", &query));
    }
    Ok(answer.json(dead))
}

/// Sends one letter again that was given up. Should the issuing system know newer ones, it changes nothing there.
#[utoipa::path(request_body = Nothing, responses((status = 202, body = Outbox), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[post("/letters/dead/{id}/again")]
pub(crate) async fn send_one_again(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<Uuid>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        dig_up_one(&web, conn, &actor, *id).await?;
        Ok(Reply::accepted(outbox(&web, conn).await?))
    };
    write.once(&web, &actor.name, work).await
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
    Ok(HttpResponse::Ok().json(outbox(&web, &mut conn).await?))
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
        Ok(Reply::ok(outbox(&web, conn).await?))
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
        dig_up_all(&web, conn, &actor, &issuer).await?;
        Ok(Reply::accepted(outbox(&web, conn).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// A page of the letters that were given up, and the last id when there may be more; for the API and the page.
pub async fn dead(
    conn: &mut AsyncPgConnection,
    page: &DeadPage,
) -> Result<(Vec<DeadLetter>, Option<Uuid>), ApiError> {
    let issuer = page.issuer.as_deref().map(word).transpose()?;
    let rows = outbox::buried(conn, issuer.as_deref(), page.after, PAGE).await?;
    let next = rows.last().filter(|_| i64::try_from(rows.len()) == Ok(PAGE)).map(|row| row.id);
    let shown = |row: BuriedLetter| DeadLetter {
        id: row.id,
        issuer: row.issuer_id,
        assignment: row.assignment_id,
        sequence: row.sequence,
        kind: row.kind,
        attempts: row.attempts,
        last_error: row.last_error,
        created_at: row.created_at,
        buried_at: row.buried_at,
    };
    Ok((rows.into_iter().map(shown).collect(), next))
}

/// Sends one letter again that was given up, for the API and the page.
pub async fn dig_up_one(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
) -> Result<(), ApiError> {
    let issuer = outbox::dig_up_one(conn, id, web.now()).await?;
    let issuer = issuer.ok_or(ApiError::NotFound("letter that was given up"))?;
    note_again(web, conn, actor, &issuer, serde_json::json!({ "count": 1, "letter": id })).await
}

/// Sends all letters to one issuing system again that were given up, for the API and the page.
pub async fn dig_up_all(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    issuer: &str,
) -> Result<(), ApiError> {
    if !letters::issuers(conn).await?.iter().any(|row| row.id == issuer) {
        return Err(ApiError::NotFound("issuing system"));
    }
    let count = outbox::dig_up(conn, issuer, web.now()).await?;
    note_again(web, conn, actor, issuer, serde_json::json!({ "count": count })).await
}

async fn note_again(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    issuer: &str,
    detail: serde_json::Value,
) -> Result<(), ApiError> {
    let subject = format!("issuer {issuer}");
    let act = audit::Act { actor: &actor.name, action: "letters.sent_again", subject, detail };
    Ok(audit::append(conn, act, web.now()).await?)
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
pub async fn outbox(web: &Web, conn: &mut AsyncPgConnection) -> Result<Outbox, ApiError> {
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
    let circuits = circuits::all(conn).await?;
    Ok(Outbox {
        stopped,
        letters: letters::counts(conn).await?.into_iter().map(shown).collect(),
        circuits: circuits.iter().map(|row| CircuitState::of(row, web.now())).collect(),
    })
}
