//! The trail of a case: what the scans tell, completed by what an investigator finds out.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{look, permitted};
use super::error::ApiError;
use super::permissions::Investigate;
use super::trail_edits::{self, Act, keep};
use super::trail_forms::{Ground, span};
pub use super::trail_forms::{NewTrailStay, Source};
use super::web::{Web, next_page};
use super::write::{Reply, Write, transaction};
use crate::domain::numbered::Numbered;
use crate::domain::position::cell_from_i64;
use crate::store::cases::{self, CaseRow};
use crate::store::trails::{self, AddedStay, TrailChangeRow, TrailRow};

/// How many acts one page of a trail's history holds.
const CHANGES_PAGE: i64 = 100;

/// How many stays investigators may add to one trail: a hundred days of ten each.
const ADDED_MAX: i64 = 1000;

/// Mounts what is done with trails.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(see_trail)
        .service(add_trail_stay)
        .service(see_trail_changes)
        .service(trail_edits::edit_trail_stay)
        .service(trail_edits::remove_trail_stay)
        .service(trail_edits::put_trail_stay_back);
}

/// A stay of a case's trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailStay {
    /// Id.
    pub id: Uuid,
    /// Name of the venue; the address where no venue is known.
    pub venue: String,
    /// Name of the point; empty where it is not known.
    pub point: String,
    /// Id of the venue, where it is known.
    pub venue_id: Option<Uuid>,
    /// Id of the point, where it is known.
    pub point_id: Option<i64>,
    /// The H3 cell.
    pub cell: String,
    /// Row in a vehicle.
    pub row: Option<i16>,
    /// Seat in that row.
    pub seat: Option<String>,
    /// Since when: the investigator's word, where there is one.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Since when by the scans.
    pub scanned_from: Option<DateTime<Utc>>,
    /// Until when by the scans.
    pub scanned_until: Option<DateTime<Utc>>,
    /// Where it is known from in the first place.
    pub source: Source,
    /// What it rests on.
    pub reason: String,
    /// When an investigator last said that it is so.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When an investigator last changed it.
    pub edited_at: Option<DateTime<Utc>>,
    /// Since when it does not count.
    pub removed_at: Option<DateTime<Utc>>,
}

/// How a trail is looked at.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TrailLook {
    /// 3 to 500 characters; written down, and shown to the visitor.
    pub purpose: String,
    /// Whether to show what was removed, too.
    #[serde(default)]
    pub removed: bool,
}

/// The trail of a case. The look is written down.
#[utoipa::path(params(TrailLook), responses((status = 200, body = [TrailStay]), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[get("/cases/{id}/trail")]
pub(crate) async fn see_trail(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    query: Query<TrailLook>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(trail(&web, &staff.0, *id, &query).await?))
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
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::created(add_stay(&web, conn, &actor, *id, form).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// Which page of a trail's history.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ChangesLook {
    /// 3 to 500 characters; written down, and shown to the visitor.
    pub purpose: String,
    /// The number of the last act of the page before.
    pub before: Option<i32>,
}

/// One act of an investigator on a trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailChange {
    /// Counts the acts on the trail.
    pub seq: i32,
    /// On which stay.
    pub stay: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// The login of who did it.
    pub by: String,
    /// What was done.
    pub act: Act,
    /// What it rests on.
    pub source: Source,
    /// Why.
    pub reason: String,
    /// What the stay said before; none where it was not there.
    #[schema(value_type = Option<Object>)]
    pub was: Option<serde_json::Value>,
    /// What it says since.
    #[schema(value_type = Object)]
    pub became: serde_json::Value,
}

/// A page of what investigators did to a trail, the newest first; `Link` names the next page. The look is written down.
#[utoipa::path(params(ChangesLook), responses((status = 200, body = [TrailChange]), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[get("/cases/{id}/trail/changes")]
pub(crate) async fn see_trail_changes(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    query: Query<ChangesLook>,
) -> Result<HttpResponse, ApiError> {
    let case = permitted(&web, &staff.0, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let rows = transaction(&mut conn, async |conn| {
        look::<Investigate>(&web, conn, &staff.0, case.id, None, &query.purpose).await?;
        Ok(trails::changes(conn, case.id, query.before, CHANGES_PAGE).await?)
    })
    .await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = rows.last().filter(|_| rows.len() == usize::try_from(CHANGES_PAGE).unwrap_or(0)) {
        let next = [("purpose", Some(query.purpose.clone())), ("before", Some(last.seq.to_string()))];
        response.insert_header(next_page(&format!("/v1/cases/{id}/trail/changes"), &next));
    }
    Ok(response.json(rows.into_iter().map(show_change).collect::<Result<Vec<_>, _>>()?))
}

/// The trail of a case, after the look was written down.
pub async fn trail(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    query: &TrailLook,
) -> Result<Vec<TrailStay>, ApiError> {
    let case = permitted(web, actor, id).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| {
        look::<Investigate>(web, conn, actor, case.id, None, &query.purpose).await?;
        let rows = if query.removed {
            trails::whole_trail(conn, case.id).await?
        } else {
            trails::trail(conn, case.id).await?
        };
        rows.iter().map(show_stay).collect()
    })
    .await
}

/// Adds a stay to a trail.
pub async fn add_stay(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    case_id: Uuid,
    form: NewTrailStay,
) -> Result<TrailStay, ApiError> {
    let now = web.now();
    let place = form.place(web, conn).await?;
    let span = span(form.from, form.until, now)?;
    let ground = Ground::read(form.source, &form.reason)?;
    let case = open(conn, case_id).await?;
    if trails::count_added(conn, case.id).await? >= ADDED_MAX {
        return Err(ApiError::Conflict("a trail takes 1,000 added stays and no more"));
    }
    let row = AddedStay {
        id: Uuid::now_v7(),
        case_id: case.id,
        point_id: place.point_id,
        venue_id: place.venue_id,
        cell: place.cell,
        address: place.address,
        row_no: place.row_no,
        seat: place.seat,
        from_at: span.from(),
        until_at: span.until(),
        source: ground.source.number(),
        reason: ground.reason.clone(),
        added_by: Some(actor.person()?),
        added_at: now,
    };
    trails::add(conn, &row).await?;
    let added = trails::stay(conn, case.id, row.id).await?.ok_or(ApiError::NotFound("stay"))?;
    keep(web, conn, actor, case.id, None, &added, Act::Added, &ground).await?;
    show_stay(&added)
}

/// The case, held, when its trail may still be changed.
pub async fn open(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<CaseRow, ApiError> {
    let case = cases::hold(conn, case_id).await?.ok_or(ApiError::NotFound("case"))?;
    if case.withdrawn_at.is_some() {
        return Err(ApiError::Conflict("the case was withdrawn"));
    }
    Ok(case)
}

/// A stay as investigators see it.
pub fn show_stay(row: &TrailRow) -> Result<TrailStay, ApiError> {
    let broken =
        || ApiError::Internal(anyhow::anyhow!("a row of `trail_stays` holds a value that cannot be"));
    Ok(TrailStay {
        id: row.id,
        venue: row.venue_name.clone(),
        point: row.point_name.clone(),
        venue_id: row.venue_id,
        point_id: row.point_id,
        cell: cell_from_i64(row.cell).ok_or_else(broken)?.to_string(),
        row: row.row_no,
        seat: row.seat.clone(),
        from: row.from_at,
        until: row.until_at,
        scanned_from: row.scanned_from_at,
        scanned_until: row.scanned_until_at,
        source: Source::from_number(row.source).ok_or_else(broken)?,
        reason: row.reason.clone(),
        confirmed_at: row.confirmed_at,
        edited_at: row.edited_at,
        removed_at: row.removed_at,
    })
}

fn show_change(row: TrailChangeRow) -> Result<TrailChange, ApiError> {
    let broken =
        || ApiError::Internal(anyhow::anyhow!("a row of `trail_changes` holds a value that cannot be"));
    Ok(TrailChange {
        seq: row.seq,
        stay: row.trail_stay_id,
        at: row.changed_at,
        by: row.by,
        act: Act::from_number(row.act).ok_or_else(broken)?,
        source: Source::from_number(row.source).ok_or_else(broken)?,
        reason: row.reason,
        was: row.was,
        became: row.became,
    })
}
