//! Place-wide escalation: everybody whom a run found at one place is moved to a stronger class, nobody by name.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::Escalate;
use super::reviews::{hold_for_review, pack_of};
use super::runs::{note, permitted};
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write};
use crate::domain::numbered::Numbered;
use crate::domain::review::named;
use crate::domain::rule_pack::Colour;
use crate::store::reviews::{self, EscalationRow};

/// Mounts what is done with whole places.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(escalate_place);
}

/// A place, and what becomes of everybody who was exposed there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEscalation {
    /// Everybody at this venue; or `point`.
    pub venue: Option<Uuid>,
    /// Everybody at this point of a venue; or `venue`.
    pub point: Option<i64>,
    /// What becomes of them, as the run's rule pack names it.
    pub to: String,
    /// Who has consented, such as a provincial health commission; 1 to 200 characters.
    pub authority: String,
    /// Why; 3 to 500 characters.
    pub reason: String,
}

/// What an escalation did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Escalation {
    /// Its id.
    pub id: Uuid,
    /// Of which run.
    pub run: Uuid,
    /// How many people it moved: all who were exposed there, are not left out and had a weaker colour.
    pub moved: usize,
}

/// Moves everybody of a computed run who was exposed at one venue or point to a stronger class of its pack. The run
/// takes a chief's word then.
#[utoipa::path(request_body = NewEscalation, responses((status = 201, body = Escalation), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/escalations")]
pub(crate) async fn escalate_place(
    web: Data<Web>,
    staff: Staff<Escalate>,
    id: Path<Uuid>,
    write: Write<NewEscalation>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: NewEscalation| {
        Ok(Reply::created(escalate(&web, conn, &actor, *id, &form).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// Escalates a place for a run.
pub async fn escalate(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    form: &NewEscalation,
) -> Result<Escalation, ApiError> {
    if form.venue.is_some() == form.point.is_some() {
        return Err(ApiError::invalid("venue", "give either a venue or a point"));
    }
    let run = hold_for_review(conn, id).await?;
    let pack = pack_of(conn, &run).await?;
    let to = named(&pack, &form.to).map_err(|error| ApiError::invalid("to", error))?;
    if to.colour == Colour::Green {
        return Err(ApiError::invalid("to", "must have a colour that is stronger than green"));
    }
    let row = EscalationRow {
        id: Uuid::now_v7(),
        run_id: run.id,
        venue_id: form.venue,
        point_id: form.point,
        to_class: to.class.number(),
        to_rule: to.rule.clone(),
        to_colour: to.colour.number(),
        authority: text("authority", &form.authority, 1, 200)?,
        reason: text("reason", &form.reason, 3, 500)?,
        author: actor.person()?,
        at: web.now(),
    };
    if !reviews::is_place(conn, row.venue_id, row.point_id).await? {
        return Err(ApiError::NotFound("place"));
    }
    let moved = reviews::escalate(conn, &row).await?;
    if moved == 0 {
        return Err(ApiError::Conflict("nobody of that run was exposed there with a weaker colour"));
    }
    let detail = serde_json::json!({
        "venue": row.venue_id, "point": row.point_id, "to": to.name(), "authority": row.authority,
        "reason": row.reason, "moved": moved,
    });
    note(web, conn, actor, "run.escalated", run.id, detail).await?;
    Ok(Escalation { id: row.id, run: run.id, moved })
}
