//! A visitor's appeals: against an own assignment by its id, with evidence, and how they stand.

use std::collections::BTreeMap;

use actix_web::dev::Payload;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{FromRequest, HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::Vouched;
use super::error::ApiError;
use super::own_assignments::next_instance;
use super::venue_forms::text;
use super::visitor_cards::by_bearer;
use super::web::Web;
use super::write::{Reply, Write, body, transaction};
use crate::domain::appeal::{
    AppealReason, Earlier, FILE_BYTES_MAX, FILES_MAX, FileKind, NoAppeal, TEXT_MAX, Verdict,
};
use crate::domain::numbered::Numbered;
use crate::domain::visitor::Visitor;
use crate::intake::limits::Limit;
use crate::store::appeals::{self, AppealRow, FileRow, NewFile};
use crate::store::{StoreError, audit, own};

/// How often one visitor appeals in a day: more than anybody has assignments.
const APPEALS: Limit = Limit { name: "appeal", count_max: 20, period_secs: 86_400 };

/// How many files one visitor hands in within a day.
const FILES: Limit = Limit { name: "appeal-file", count_max: 60, period_secs: 86_400 };

/// Mounts these routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(submit_appeal).service(own_appeal).service(attach_file);
}

/// An appeal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAppeal {
    /// Why.
    pub reason: AppealReason,
    /// What the visitor has to say, up to 2,000 characters; needed beside `other`.
    #[serde(default)]
    pub text: String,
}

/// One of the visitor's own appeals.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OwnAppeal {
    /// Its id.
    pub id: Uuid,
    /// Against which assignment.
    pub assignment: Uuid,
    /// 1, or 2 where a first was refused.
    pub instance: i16,
    /// Why.
    pub reason: AppealReason,
    /// What the visitor said; empty once it is forgotten.
    pub text: String,
    /// When it came.
    pub submitted_at: DateTime<Utc>,
    /// When it is to be decided.
    pub due_at: DateTime<Utc>,
    /// Whether that has passed without a decision.
    pub overdue: bool,
    /// The evidence that is kept.
    pub files: Vec<AppealFile>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// How.
    pub verdict: Option<Verdict>,
    /// Why.
    pub decision_reason: Option<String>,
}

/// A piece of evidence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppealFile {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub kind: FileKind,
    /// How large, in bytes.
    pub bytes: i32,
}

impl OwnAppeal {
    /// What a later appeal depends on.
    pub fn as_earlier(&self) -> Earlier {
        Earlier { decided: self.decided_at.zip(self.verdict) }
    }
}

/// Appeals against an own assignment that was let go. One may be open; after a refusal there is one more, which another
/// officer decides.
#[utoipa::path(request_body = NewAppeal, responses((status = 201, body = OwnAppeal), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[post("/me/assignments/{id}/appeals")]
pub(crate) async fn submit_appeal(
    web: Data<Web>,
    visitor: Vouched,
    id: Path<Uuid>,
    write: Write<NewAppeal>,
) -> Result<HttpResponse, ApiError> {
    let visitor = by_bearer(visitor)?.visitor;
    let principal = web.visitor_principal(visitor);
    let work = async |conn: &mut AsyncPgConnection, form| {
        let row = submit(&web, conn, visitor, (*id, Uuid::now_v7()), &form).await?;
        Ok(Reply::created(show(&web, row, Vec::new())?))
    };
    write.once(&web, &principal, work).await
}

/// One of the visitor's own appeals.
#[utoipa::path(responses((status = 200, body = OwnAppeal), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/appeals/{id}")]
pub(crate) async fn own_appeal(
    web: Data<Web>,
    visitor: Vouched,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let row = appeals::of_visitor(&mut conn, *id, visitor.token.visitor).await?;
    let row = row.ok_or(ApiError::NotFound("appeal"))?;
    let files = appeals::files(&mut conn, row.id).await?;
    Ok(HttpResponse::Ok().json(show(&web, row, files)?))
}

/// A body that is a file.
#[derive(Debug)]
pub(crate) struct FileBody(Result<Bytes, ApiError>);

impl FromRequest for FileBody {
    type Error = ApiError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(payload, FILE_BYTES_MAX);
        Box::pin(async move { Ok(Self(body.await)) })
    }
}

/// Adds a file to an own appeal that is open: a PNG, a JPEG or a PDF as the body, 1 MiB at the most, three files in all. What it
/// is says its content. The same file twice is one.
#[utoipa::path(request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, body = AppealFile), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[post("/me/appeals/{id}/evidence")]
pub(crate) async fn attach_file(
    web: Data<Web>,
    visitor: Vouched,
    id: Path<Uuid>,
    file: FileBody,
) -> Result<HttpResponse, ApiError> {
    let visitor = by_bearer(visitor)?.visitor;
    let bytes = file.0?;
    let mut conn = web.app.store.conn().await?;
    let added = transaction(&mut conn, async |conn| attach(&web, conn, visitor, *id, &bytes).await).await?;
    Ok(HttpResponse::Created().json(added))
}

/// Enters an appeal against an own assignment; `ids` are those of the assignment and of the appeal.
pub async fn submit(
    web: &Web,
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    (assignment, id): (Uuid, Uuid),
    form: &NewAppeal,
) -> Result<AppealRow, ApiError> {
    let now = web.now();
    let least = if form.reason == AppealReason::Other { 3 } else { 0 };
    let words = text("text", &form.text, least, TEXT_MAX)?;
    web.within(APPEALS, visitor.to_uuid().as_bytes()).await?;
    let against =
        own::assignment(conn, visitor, assignment).await?.ok_or(ApiError::NotFound("assignment"))?;
    let events = own::events(conn, &[assignment]).await?;
    let earlier = appeals::against(conn, assignment).await?;
    let earlier = earlier.iter().map(earlier_of).collect::<Result<Vec<_>, _>>()?;
    let instance = next_instance(&against, &events, &earlier, now)?;
    let instance = instance.map_err(|no: NoAppeal| ApiError::Conflict(no.sentence()))?;
    let deadline = TimeDelta::from_std(web.app.config.appeal_deadline);
    let deadline = deadline.map_err(|error| ApiError::Internal(error.into()))?;
    let row = AppealRow {
        id,
        assignment_id: assignment,
        visitor: visitor.to_uuid(),
        division: against.division,
        instance,
        reason: form.reason.number(),
        text: words,
        submitted_at: now,
        due_at: now + deadline,
        decided_at: None,
        verdict: None,
        decided_by: None,
        decision_reason: None,
        carried_out_at: None,
    };
    appeals::insert(conn, &row).await?;
    let detail = serde_json::json!({ "assignment": assignment, "instance": instance, "reason": form.reason });
    note(conn, "appeal.submitted", id, detail, now).await?;
    Ok(row)
}

/// Adds a file to an own appeal, for the API and the page.
pub async fn attach(
    web: &Web,
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    id: Uuid,
    bytes: &[u8],
) -> Result<AppealFile, ApiError> {
    let now = web.now();
    web.within(FILES, visitor.to_uuid().as_bytes()).await?;
    let appeal = appeals::hold(conn, id, visitor).await?.ok_or(ApiError::NotFound("appeal"))?;
    let kind = FileKind::of(bytes).ok_or_else(|| {
        ApiError::invalid("file", "must be a PNG, a JPEG or a PDF, by its content and not by its name")
    })?;
    if appeal.decided_at.is_some() {
        return Err(ApiError::Conflict("the appeal is decided"));
    }
    let sha256 = Sha256::digest(bytes).to_vec();
    let there = appeals::same_file(conn, id, &sha256).await?;
    let size = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    if let Some(id) = there {
        return Ok(AppealFile { id, kind, bytes: size });
    }
    if appeals::files(conn, id).await?.len() >= FILES_MAX {
        return Err(ApiError::Conflict("an appeal takes three files"));
    }
    let detail =
        serde_json::json!({ "sha256": data_encoding::HEXLOWER.encode(&sha256), "bytes": bytes.len() });
    let file = NewFile {
        id: Uuid::now_v7(),
        appeal_id: id,
        kind: kind.number(),
        body: bytes.to_vec(),
        sha256,
        added_at: now,
    };
    appeals::attach(conn, &file).await?;
    note(conn, "appeal.evidence_added", id, detail, now).await?;
    Ok(AppealFile { id: file.id, kind, bytes: size })
}

async fn note(
    conn: &mut AsyncPgConnection,
    action: &'static str,
    appeal: Uuid,
    detail: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<(), ApiError> {
    let act = audit::Act { actor: "visitor", action, subject: format!("appeal {appeal}"), detail };
    Ok(audit::append(conn, act, now).await?)
}

fn earlier_of(row: &AppealRow) -> Result<Earlier, StoreError> {
    Ok(Earlier { decided: row.decided_at.zip(row.verdict()?) })
}

/// The appeals against some assignments, by assignment, each with what is kept of it.
pub(super) async fn shown_appeals(
    web: &Web,
    conn: &mut AsyncPgConnection,
    assignments: &[Uuid],
) -> Result<BTreeMap<Uuid, Vec<OwnAppeal>>, ApiError> {
    let mut shown: BTreeMap<Uuid, Vec<OwnAppeal>> = BTreeMap::new();
    for row in appeals::against_all(conn, assignments).await? {
        let files = appeals::files(conn, row.id).await?;
        shown.entry(row.assignment_id).or_default().push(show(web, row, files)?);
    }
    Ok(shown)
}

/// An appeal as its visitor sees it.
fn show(web: &Web, row: AppealRow, files: Vec<FileRow>) -> Result<OwnAppeal, ApiError> {
    Ok(OwnAppeal {
        id: row.id,
        assignment: row.assignment_id,
        instance: row.instance,
        reason: reason_of(row.reason)?,
        overdue: row.decided_at.is_none() && row.due_at < web.now(),
        verdict: row.verdict()?,
        text: row.text,
        submitted_at: row.submitted_at,
        due_at: row.due_at,
        files: show_files(files)?,
        decided_at: row.decided_at,
        decision_reason: row.decision_reason,
    })
}

/// The reason that a number stands for.
pub(super) fn reason_of(number: i16) -> Result<AppealReason, StoreError> {
    AppealReason::from_number(number).ok_or(StoreError::Corrupt("appeals"))
}

/// Pieces of evidence without their bytes.
pub(super) fn show_files(files: Vec<FileRow>) -> Result<Vec<AppealFile>, StoreError> {
    let shown = |file: FileRow| {
        let kind = FileKind::from_number(file.kind).ok_or(StoreError::Corrupt("appeal_evidence"))?;
        Ok(AppealFile { id: file.id, kind, bytes: file.bytes })
    };
    files.into_iter().map(shown).collect()
}
