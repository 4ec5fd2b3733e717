//! Reports of a run: lists, letters, the chain, the public trajectory, and files for other systems.

pub mod body;
mod document;
mod letter_page;
pub mod plan;
mod rows;

use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use self::plan::{Options, Plan};
use super::auth::{Actor, Staff};
use super::cases::{Looked, look_at, permitted as permitted_case};
use super::error::ApiError;
use super::permissions::SeeCases;
use super::runs::{note, permitted};
use super::venue_forms::text;
use super::web::Web;
use super::write::transaction;
use crate::domain::looking::LookKind;
use crate::domain::report::kind::{Kind, NoReport, Report};
use crate::domain::report::trajectory::Language;

/// What a report is for, and what it needs to be told.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
pub struct ReportQuery {
    /// 3 to 500 characters; written down, and shown to the visitors whom it concerns. No report without it.
    pub purpose: String,
    /// `trajectory`: the number that the case is published under; no id of this service.
    pub number: Option<String>,
    /// `trajectory`: in which language; Chinese when absent.
    #[param(inline)]
    pub language: Option<Language>,
    /// `triage` (1,000 when absent, 10,000 at the most) and `chain` (500, 5,000): how many contacts.
    pub limit: Option<usize>,
    /// `letters`: only those of this division (GB/T 2260).
    pub division: Option<String>,
    /// `letters`: whom the receiver may ask; 200 characters at the most.
    pub contact: Option<String>,
    /// `sormas-*`: the disease by SORMAS's word; `CORONAVIRUS` when absent.
    pub disease: Option<String>,
    /// `sormas-*`: dates with the day first, as the importing user's language has them; the month when absent.
    pub day_first: Option<bool>,
}

/// A report of a run as a file: `{file}` is a kind and a format, such as `contacts.csv`. The look is written down.
#[utoipa::path(params(("id" = Uuid, Path), ("file" = String, Path, description = "kind and format, such as `contacts.csv` or `venues.geojson`"), ReportQuery), responses((status = 200, body = String, content_type = "application/octet-stream"), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/reports/{file}")]
pub(crate) async fn see_report(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    path: Path<(Uuid, String)>,
    query: Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let (id, file) = path.into_inner();
    let report = file.parse().map_err(|error| match error {
        NoReport::Name => ApiError::NotFound("report"),
        NoReport::Format { .. } => ApiError::invalid("file", error),
    })?;
    let plan = made(&web, &staff.0, id, report, &query).await?;
    let name = format!("{}-{}", plan.run.id, report.file_name());
    let file = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name)],
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, report.format.media_type())).insert_header(file);
    Ok(response.streaming(body::of(plan).await?))
}

/// What a report is for, checked.
pub fn purpose_of(query: &ReportQuery) -> Result<String, ApiError> {
    text("purpose", &query.purpose, 3, 500)
}

/// What is to be written, after the look was written down.
async fn made(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    report: Report,
    query: &ReportQuery,
) -> Result<Plan, ApiError> {
    let purpose = purpose_of(query)?;
    let options = Options::read(report.kind, query)?;
    if report.kind == Kind::Trajectory {
        // It is made to be published, and a person publishes it.
        actor.person()?;
    }
    let run = permitted(web, actor, id).await?;
    let case = permitted_case(web, actor, run.case_id).await?;
    let plan = Plan::load(&web.app, report, options, (run, case), actor.division).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| {
        let (case, run) = (plan.case.id, Some(plan.run.id));
        let looked = Looked { case, run, visitor: None, kind: LookKind::Report };
        look_at::<SeeCases>(web, conn, actor, looked, &purpose).await?;
        let detail = serde_json::json!({ "file": report.file_name() });
        note(web, conn, actor, "report.made", plan.run.id, detail).await
    })
    .await?;
    Ok(plan)
}

/// Mounts the reports.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(see_report);
}
