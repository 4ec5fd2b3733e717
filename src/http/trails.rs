//! The trail of a case: what the scans tell, completed by what an investigator finds out.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{Purpose, look, permitted};
use super::error::ApiError;
use super::permissions::Investigate;
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::case::EARLIEST_SECS;
use crate::domain::numbered::Numbered;
use crate::domain::span::Span;
use crate::store::audit;
use crate::store::cases::{self, AddedStay, CaseRow, TrailRow};

/// A stay of a case's trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailStay {
    /// Id.
    pub id: Uuid,
    /// Name of the venue.
    pub venue: String,
    /// Name of the point.
    pub point: String,
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Where it is known from.
    pub source: Source,
    /// What it rests on.
    pub reason: String,
}

/// Where a stay of a trail is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Source {
    /// The person's own scan.
    Scan = 0,
    /// What the person or others told.
    Interview = 1,
    /// A camera.
    Camera = 2,
    /// A payment.
    Payment = 3,
    /// A ticket.
    Ticket = 4,
}

impl Numbered for Source {
    const ALL: &'static [Self] = &[Self::Scan, Self::Interview, Self::Camera, Self::Payment, Self::Ticket];

    fn number(self) -> i16 {
        self as i16
    }
}

/// The trail of a case. The look is written down.
#[utoipa::path(params(Purpose), responses((status = 200, body = [TrailStay]), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[get("/cases/{id}/trail")]
pub(crate) async fn see_trail(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    purpose: Query<Purpose>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(trail(&web, &staff.0, *id, &purpose.purpose).await?))
}

/// A stay that an investigator adds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrailStay {
    /// The point's place code.
    pub code: String,
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when, 48 hours later at the most.
    pub until: DateTime<Utc>,
    /// Where it is known from; not a scan.
    pub source: Source,
    /// What it rests on.
    pub reason: String,
}

/// Adds to a trail what scans do not tell.
#[utoipa::path(request_body = NewTrailStay, responses((status = 201, body = TrailStay), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[post("/cases/{id}/trail")]
pub(crate) async fn add_trail_stay(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<NewTrailStay>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let case = permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::created(add_stay(&web, conn, &actor, &case, form).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// The trail of a case, after the look was written down.
pub async fn trail(web: &Web, actor: &Actor, id: Uuid, purpose: &str) -> Result<Vec<TrailStay>, ApiError> {
    let case = permitted(web, actor, id).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| {
        look::<Investigate>(web, conn, actor, case.id, None, purpose).await?;
        cases::trail(conn, case.id).await?.iter().map(show_stay).collect()
    })
    .await
}

async fn add_stay(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    case: &CaseRow,
    form: NewTrailStay,
) -> Result<TrailStay, ApiError> {
    let now = web.now();
    let (_, facts) = super::scans::place(web, &form.code, web.now()).await?;
    let span = Span::new(form.from, form.until).map_err(|error| ApiError::invalid("until", error))?;
    if span.from().timestamp() < EARLIEST_SECS {
        return Err(ApiError::invalid("from", "lies before the year 2000"));
    }
    if span.secs() > 48 * 3600 || span.until() > now {
        return Err(ApiError::invalid(
            "until",
            "must lie within 48 hours after `from`, and not in the future",
        ));
    }
    if form.source == Source::Scan {
        return Err(ApiError::invalid("source", "scans come by themselves; name what else it is known from"));
    }
    let row = AddedStay {
        id: Uuid::now_v7(),
        case_id: case.id,
        point_id: facts.id.to_i64(),
        from_at: span.from(),
        until_at: span.until(),
        source: form.source.number(),
        reason: text("reason", &form.reason, 3, 500)?,
        added_by: Some(actor.person()?),
        added_at: now,
    };
    cases::add_to_trail(conn, &row).await?;
    let act = audit::Act {
        actor: &actor.name,
        action: "trail.added",
        subject: format!("case {}", case.id),
        detail: serde_json::json!({ "stay": row.id, "source": form.source, "reason": row.reason }),
    };
    audit::append(conn, act, now).await?;
    Ok(TrailStay {
        id: row.id,
        venue: facts.venue_name.clone(),
        point: facts.name.clone(),
        from: row.from_at,
        until: row.until_at,
        source: form.source,
        reason: row.reason,
    })
}

fn show_stay(row: &TrailRow) -> Result<TrailStay, ApiError> {
    let broken =
        || ApiError::Internal(anyhow::anyhow!("a row of `trail_stays` holds a value that cannot be"));
    Ok(TrailStay {
        id: row.id,
        venue: row.venue_name.clone(),
        point: row.point_name.clone(),
        from: row.from_at,
        until: row.until_at,
        source: Source::from_number(row.source).ok_or_else(broken)?,
        reason: row.reason.clone(),
    })
}
