//! How complete the list of a run can be: a lower bound, and how low.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{Looked, look_at};
use super::error::ApiError;
use super::permissions::SeeCases;
use super::runs::permitted;
use super::web::Web;
use super::write::transaction;
use crate::domain::coverage::{PlaceCoverage, StaysMix, Whole};
use crate::domain::looking::LookKind;
use crate::store::coverage;

/// Mounts what stands here.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(see_coverage);
}

/// Whether the places are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// What the places of the case are looked at for, 3 to 500 characters; without it only the whole is told.
    pub purpose: Option<String>,
}

/// The coverage of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunCoverage {
    /// The run.
    pub run: Uuid,
    /// Over all places of the case.
    pub coverage: Whole,
    /// The stays that the contacts rest on.
    pub stays: StaysMix,
    /// By the stays of the case, in the order of time; only for a purpose.
    pub places: Option<Vec<PlaceCoverage>>,
}

/// How complete the list of a computed run can be. For a purpose it tells the places of the case, and the look is
/// written down; without one it names no place and no person.
#[utoipa::path(params(Places), responses((status = 200, body = RunCoverage), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/coverage")]
pub(crate) async fn see_coverage(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    id: Path<Uuid>,
    places: Query<Places>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(of_run(&web, &staff.0, *id, places.purpose.as_deref()).await?))
}

/// The coverage of a run, with its places after the look was written down.
pub async fn of_run(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    purpose: Option<&str>,
) -> Result<RunCoverage, ApiError> {
    let run = permitted(web, actor, id).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| {
        if let Some(purpose) = purpose {
            let kind = LookKind::Coverage;
            let looked = Looked { case: run.case_id, run: Some(run.id), visitor: None, kind };
            look_at::<SeeCases>(web, conn, actor, looked, purpose).await?;
        }
        let found = coverage::of_run(conn, &run).await?;
        let found = found.ok_or(ApiError::Conflict("the run is not computed"))?;
        let stays = coverage::mix(conn, run.id).await?;
        let places = purpose.map(|_written_down| found.places);
        Ok(RunCoverage { run: run.id, coverage: found.whole, stays, places })
    })
    .await
}
