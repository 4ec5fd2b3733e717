//! The queue of appeals as officers see it: counts and rows, persons only after a look, decisions by who had no hand in it.

use actix_web::http::header;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::appeals::{AppealFile, reason_of, show_files};
use super::auth::{Actor, Staff};
use super::cases::{Looked, Purpose, look_at};
use super::error::ApiError;
use super::own_stays::attached;
use super::permissions::{DecideAppeals, SeeAppeals};
use super::venue_forms::text;
use super::web::{Web, next_page};
use super::write::{Reply, Write, transaction};
use crate::domain::appeal::{AppealReason, FileKind, Verdict};
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Class;
use crate::domain::visitor::Visitor;
use crate::store::appeals::{self, AppealRow, QueuedRow};
use crate::store::assignments::AssignmentRow;
use crate::store::{StoreError, access, assignments, audit};

/// How many appeals one page of the queue holds.
pub const PAGE: i64 = 50;

/// Mounts these routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(see_queue).service(see_appeal).service(see_file).service(decide_appeal);
}

/// How the queue of a division stands, and a page of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Queue {
    /// How many appeals wait.
    pub open: i64,
    /// How many of them are overdue.
    pub overdue: i64,
    /// When the first of them is due.
    pub first_due_at: Option<DateTime<Utc>>,
    /// Those that wait, by their deadline: the overdue ones come first.
    pub appeals: Vec<Queued>,
}

/// An appeal that waits, without the person and the words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Queued {
    /// Id.
    pub id: Uuid,
    /// Against which assignment.
    pub assignment: Uuid,
    /// The run that it rests on.
    pub run: Uuid,
    /// The case behind it. Where the case itself, or a stay of it, is wrong, correcting that withdraws all that hung on it.
    pub case: Uuid,
    /// Whose decision it was.
    pub division: String,
    /// 1, or 2 where a first was refused.
    pub instance: i16,
    /// Why the visitor appeals.
    pub reason: AppealReason,
    /// The class of the assignment, as it was decided.
    pub exposed: Class,
    /// When it came.
    pub submitted_at: DateTime<Utc>,
    /// When it is to be decided.
    pub due_at: DateTime<Utc>,
    /// Whether that has passed.
    pub overdue: bool,
    /// How many files it has.
    pub files: i64,
    /// Whether the caller had a hand in what it is about, and so may not decide it.
    pub own_hand: bool,
}

/// Which page of the queue.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct QueueList {
    /// The id of the last appeal of the page before.
    pub after: Option<Uuid>,
}

/// The appeals that wait in the caller's division, those due first before the others; `Link` names the next page.
#[utoipa::path(params(QueueList), responses((status = 200, body = Queue), (status = "default", body = super::error::Problem)), tag = "appeals", security(("staff" = [])))]
#[get("/appeals")]
pub(crate) async fn see_queue(
    web: Data<Web>,
    staff: Staff<SeeAppeals>,
    list: Query<QueueList>,
) -> Result<HttpResponse, ApiError> {
    let queue = queue(&web, &staff.0, list.after).await?;
    let mut response = HttpResponse::Ok();
    let is_full = i64::try_from(queue.appeals.len()).is_ok_and(|count| count >= PAGE);
    if let Some(last) = queue.appeals.last().filter(|_| is_full) {
        response.insert_header(next_page("/v1/appeals", &[("after", Some(last.id.to_string()))]));
    }
    Ok(response.json(queue))
}

/// How the queue stands, and a page of it, for the API and the page.
pub async fn queue(web: &Web, actor: &Actor, after: Option<Uuid>) -> Result<Queue, ApiError> {
    let now = web.now();
    let mut conn = web.app.store.conn().await?;
    let counts = appeals::counts(&mut conn, &actor.division, now).await?;
    let rows = appeals::queue(&mut conn, &actor.division, actor.id, after, PAGE).await?;
    let appeals = rows.into_iter().map(|row| show_queued(row, now)).collect::<Result<_, _>>()?;
    Ok(Queue { open: counts.open, overdue: counts.overdue, first_due_at: counts.first_due_at, appeals })
}

fn show_queued(row: QueuedRow, now: DateTime<Utc>) -> Result<Queued, StoreError> {
    Ok(Queued {
        id: row.id,
        assignment: row.assignment_id,
        run: row.run_id,
        case: row.case_id,
        division: row.division,
        instance: row.instance,
        reason: reason_of(row.reason)?,
        exposed: Class::from_number(row.class).ok_or(StoreError::Corrupt("assignments"))?,
        submitted_at: row.submitted_at,
        due_at: row.due_at,
        overdue: row.due_at < now,
        files: row.files,
        own_hand: row.own_hand,
    })
}

/// An appeal with the person and the words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Appeal {
    /// Id.
    pub id: Uuid,
    /// Against which assignment.
    pub assignment: Uuid,
    /// The run that it rests on, where the evidence is.
    pub run: Uuid,
    /// The case behind it.
    pub case: Uuid,
    /// Whose: 32 hexadecimal digits.
    pub visitor: String,
    /// 1 or 2.
    pub instance: i16,
    /// Why the visitor appeals.
    pub reason: AppealReason,
    /// What the visitor says.
    pub text: String,
    /// The evidence.
    pub files: Vec<AppealFile>,
    /// When it came.
    pub submitted_at: DateTime<Utc>,
    /// When it is to be decided.
    pub due_at: DateTime<Utc>,
    /// When it was.
    pub decided_at: Option<DateTime<Utc>>,
    /// How.
    pub verdict: Option<Verdict>,
    /// Why.
    pub decision_reason: Option<String>,
    /// Why a first appeal was refused, where this is the second.
    pub refused_before: Option<String>,
    /// Whether the caller had a hand in what it is about, and so may not decide it.
    pub own_hand: bool,
}

/// An appeal with the person, the words and the list of its evidence. The look is written down.
#[utoipa::path(params(Purpose), responses((status = 200, body = Appeal), (status = "default", body = super::error::Problem)), tag = "appeals", security(("staff" = [])))]
#[get("/appeals/{id}")]
pub(crate) async fn see_appeal(
    web: Data<Web>,
    staff: Staff<SeeAppeals>,
    id: Path<Uuid>,
    purpose: Query<Purpose>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(appeal(&web, &staff.0, *id, &purpose.purpose).await?))
}

/// An appeal, after the look was written down.
pub async fn appeal(web: &Web, actor: &Actor, id: Uuid, purpose: &str) -> Result<Appeal, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let (row, against) = permitted(web, &mut conn, actor, id).await?;
    let (files, all, own_hand) = transaction(&mut conn, async |conn| {
        look_at::<SeeAppeals>(web, conn, actor, looked(&against), purpose).await?;
        let files = appeals::files(conn, id).await?;
        let all = appeals::against(conn, row.assignment_id).await?;
        Ok((files, all, appeals::had_a_hand(conn, row.assignment_id, actor.id).await?))
    })
    .await?;
    let first = all.into_iter().find(|other| other.instance < row.instance);
    Ok(Appeal {
        id: row.id,
        assignment: row.assignment_id,
        run: against.run_id,
        case: against.case_id,
        visitor: Visitor::from_uuid(row.visitor).to_hex(),
        instance: row.instance,
        reason: reason_of(row.reason)?,
        verdict: row.verdict()?,
        text: row.text,
        files: show_files(files)?,
        submitted_at: row.submitted_at,
        due_at: row.due_at,
        decided_at: row.decided_at,
        decision_reason: row.decision_reason,
        refused_before: first.and_then(|first| first.decision_reason),
        own_hand,
    })
}

fn looked(against: &AssignmentRow) -> Looked {
    let visitor = Some(Visitor::from_uuid(against.visitor));
    Looked { case: against.case_id, run: Some(against.run_id), visitor, kind: LookKind::Appeal }
}

/// The appeal and what it is about, when it belongs to the caller's division.
async fn permitted(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
) -> Result<(AppealRow, AssignmentRow), ApiError> {
    let row = appeals::find(conn, id).await?.ok_or(ApiError::NotFound("appeal"))?;
    let against = assignments::by_ids(conn, &[row.assignment_id]).await?.pop();
    actor.within(web, &access::division(&row.division)?, &format!("appeal {id}")).await?;
    Ok((row, against.ok_or(ApiError::NotFound("assignment"))?))
}

/// A piece of evidence, as a file to be kept and never to be shown in place. The look is written down.
#[utoipa::path(params(Purpose), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "default", body = super::error::Problem)), tag = "appeals", security(("staff" = [])))]
#[get("/appeals/{id}/evidence/{file}")]
pub(crate) async fn see_file(
    web: Data<Web>,
    staff: Staff<SeeAppeals>,
    path: Path<(Uuid, String)>,
    purpose: Query<Purpose>,
) -> Result<HttpResponse, ApiError> {
    let (id, file) = path.into_inner();
    evidence(&web, &staff.0, id, &file, &purpose.purpose).await
}

/// A piece of evidence, after the look was written down, for the API and the page.
pub async fn evidence(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    file: &str,
    purpose: &str,
) -> Result<HttpResponse, ApiError> {
    let file_id: Uuid = file.parse().map_err(|_no_id| ApiError::NotFound("file"))?;
    let mut conn = web.app.store.conn().await?;
    let (_, against) = permitted(web, &mut conn, actor, id).await?;
    let file = transaction(&mut conn, async |conn| {
        look_at::<SeeAppeals>(web, conn, actor, looked(&against), purpose).await?;
        Ok(appeals::file(conn, id, file_id).await?)
    })
    .await?;
    let file = file.ok_or(ApiError::NotFound("file"))?;
    let kind = FileKind::from_number(file.kind).ok_or(StoreError::Corrupt("appeal_evidence"))?;
    let mut response = attached(&format!("evidence-{}.{}", file_id.simple(), kind.ending()));
    response
        .insert_header((header::CONTENT_TYPE, kind.media_type()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"));
    Ok(response.body(file.body))
}

/// What an officer decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// The assignment is withdrawn.
    Granted,
    /// It stands.
    Refused,
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What.
    pub decision: Decided,
    /// Why, 3 to 500 characters; the visitor reads it.
    pub reason: String,
}

/// A decision that was taken down.
#[derive(Debug, Serialize, ToSchema)]
pub struct Taken {
    /// The appeal.
    pub appeal: Uuid,
    /// What was decided.
    pub decision: Decided,
}

/// Decides an appeal. Nobody decides who asked for, proposed, reviewed or let go what it is about, or who refused the first
/// appeal. What is granted the pipeline withdraws, with a letter.
#[utoipa::path(request_body = Decision, responses((status = 202, body = Taken), (status = "default", body = super::error::Problem)), tag = "appeals", security(("staff" = [])))]
#[post("/appeals/{id}/decision")]
pub(crate) async fn decide_appeal(
    web: Data<Web>,
    staff: Staff<DecideAppeals>,
    id: Path<Uuid>,
    write: Write<Decision>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::accepted(decide(&web, conn, &actor, *id, &form).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// Decides an appeal, for the API and the page.
pub async fn decide(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    form: &Decision,
) -> Result<Taken, ApiError> {
    let now = web.now();
    let reason = text("reason", &form.reason, 3, 500)?;
    let officer = actor.person()?;
    let (row, _) = permitted(web, conn, actor, id).await?;
    if row.decided_at.is_some() {
        return Err(ApiError::Conflict("this appeal was decided already"));
    }
    if appeals::had_a_hand(conn, row.assignment_id, officer).await? {
        actor.refused(web, &format!("appeal {id}")).await?;
        return Err(ApiError::Refused(
            "you had a hand in what this appeal is about; somebody else decides it",
        ));
    }
    let verdict = match form.decision {
        Decided::Granted => Verdict::Granted,
        Decided::Refused => Verdict::Refused,
    };
    if !appeals::decide(conn, id, verdict, officer, &reason, now).await? {
        return Err(ApiError::Conflict("this appeal was decided already"));
    }
    let act = audit::Act {
        actor: &actor.name,
        action: "appeal.decided",
        subject: format!("appeal {id}"),
        detail: serde_json::json!({ "assignment": row.assignment_id, "decision": form.decision, "reason": reason }),
    };
    audit::append(conn, act, now).await?;
    Ok(Taken { appeal: id, decision: form.decision })
}
