//! Cases: reported by an investigator, and taken back when the report was wrong.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::{Investigate, SeeCases};
use super::venue_forms::text;
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use super::{case_corrections, case_import, trails};
use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;
use crate::store::cases::{self, CaseFilter, CaseRow};
use crate::store::looks::{self, Look};
use crate::store::{access, audit};

/// How many cases one page of a list holds.
pub const PAGE: i64 = 50;

/// Mounts what is done with cases and their trails.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(report_case)
        .service(list_cases)
        .service(case_import::import_cases)
        .service(see_case)
        .service(case_corrections::correct_case)
        .service(case_corrections::see_case_changes)
        .configure(trails::routes)
        .service(withdraw_case);
}

/// A report of a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCase {
    /// The person's pseudonym as the health-code platform knows it: 32 hexadecimal digits.
    pub visitor: String,
    /// What kind of case.
    pub kind: CaseKind,
    /// First symptom; an asymptomatic case has none.
    pub onset_at: Option<DateTime<Utc>>,
    /// First positive sample.
    pub sampled_at: DateTime<Utc>,
    /// Isolation, once it has happened.
    pub isolated_at: Option<DateTime<Utc>>,
    /// The health authority that reports it.
    pub authority: String,
    /// Whose case it is: GB/T 2260 code.
    pub division: String,
    /// The number under which the authority knows it, up to 100 characters; it has each once.
    pub case_no: Option<String>,
}

/// A case as staff see it: without the person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Case {
    /// Id.
    pub id: Uuid,
    /// What kind of case.
    pub kind: CaseKind,
    /// First symptom.
    pub onset_at: Option<DateTime<Utc>>,
    /// First positive sample.
    pub sampled_at: DateTime<Utc>,
    /// Isolation.
    pub isolated_at: Option<DateTime<Utc>>,
    /// The health authority that reported it.
    pub authority: String,
    /// Whose case it is.
    pub division: String,
    /// The number under which the authority knows it.
    pub case_no: Option<String>,
    /// When it was reported.
    pub reported_at: DateTime<Utc>,
    /// When it was taken back.
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// Which cases, and which page of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CaseList {
    /// Only of this division (GB/T 2260) and all inside it; the caller's own when absent.
    pub division: Option<String>,
    /// `true`: only those taken back; `false`: only the others.
    pub withdrawn: Option<bool>,
    /// Only those reported at or after this.
    pub reported_since: Option<DateTime<Utc>>,
    /// The id of the last case of the page before.
    pub before: Option<Uuid>,
}

/// What a look at persons is for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// 3 to 500 characters; written down, and shown to the visitors whom it concerns.
    pub purpose: String,
}

/// Reports a case.
#[utoipa::path(request_body = NewCase, responses((status = 201, body = Case), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[post("/cases")]
pub(crate) async fn report_case(
    web: Data<Web>,
    staff: Staff<Investigate>,
    write: Write<NewCase>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::created(show(&report(&web, conn, &actor, form).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// A page of the cases of the caller's division, the newest first; `Link` names the next page.
#[utoipa::path(params(CaseList), responses((status = 200, body = [Case]), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[get("/cases")]
pub(crate) async fn list_cases(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    list: Query<CaseList>,
) -> Result<HttpResponse, ApiError> {
    let rows = page(&web, &staff.0, &list).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0)) {
        let query = [
            ("division", list.division.clone()),
            ("withdrawn", list.withdrawn.map(|withdrawn| withdrawn.to_string())),
            ("reported_since", list.reported_since.map(|since| since.to_rfc3339())),
            ("before", Some(last.id.to_string())),
        ];
        response.insert_header(next_page("/v1/cases", &query));
    }
    Ok(response.json(rows.iter().map(show).collect::<Result<Vec<_>, _>>()?))
}

/// A page of cases that the caller may see.
pub async fn page(web: &Web, actor: &Actor, list: &CaseList) -> Result<Vec<CaseRow>, ApiError> {
    let division = match list.division.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => text.parse().map_err(|error| ApiError::invalid("division", error))?,
        None => actor.division,
    };
    actor.within(web, &division, &format!("cases of {division}")).await?;
    let filter = CaseFilter { division, withdrawn: list.withdrawn, reported_since: list.reported_since };
    let mut conn = web.app.store.conn().await?;
    Ok(cases::page(&mut conn, &filter, list.before, PAGE).await?)
}

/// One case, without person and trail.
#[utoipa::path(responses((status = 200, body = Case), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[get("/cases/{id}")]
pub(crate) async fn see_case(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(show(&permitted(&web, &staff.0, *id).await?)?))
}

/// Why a case is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// 3 to 500 characters.
    pub reason: String,
}

/// Takes a case back. The pipeline undoes everything that hung on it.
#[utoipa::path(request_body = Withdrawal, responses((status = 202, body = Case), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[post("/cases/{id}/withdrawal")]
pub(crate) async fn withdraw_case(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<Withdrawal>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: Withdrawal| {
        Ok(Reply::accepted(show(&withdraw(&web, conn, &actor, *id, &form.reason).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// The case, when it belongs to the caller's division.
pub async fn permitted(web: &Web, actor: &Actor, id: Uuid) -> Result<CaseRow, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let row = cases::find(&mut conn, id).await?.ok_or(ApiError::NotFound("case"))?;
    drop(conn);
    actor.within(web, &access::division(&row.division)?, &format!("case {id}")).await?;
    Ok(row)
}

/// Enters a case.
pub async fn report(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    form: NewCase,
) -> Result<CaseRow, ApiError> {
    let now = web.now();
    let visitor = Visitor::from_hex(&form.visitor)
        .ok_or_else(|| ApiError::invalid("visitor", "must be 32 hexadecimal digits in lower case"))?;
    let division: Division = form.division.parse().map_err(|error| ApiError::invalid("division", error))?;
    if !actor.division.covers(&division) {
        return Err(ApiError::Forbidden("this belongs to another jurisdiction"));
    }
    let dates =
        CaseDates { onset_at: form.onset_at, sampled_at: form.sampled_at, isolated_at: form.isolated_at };
    dates.check(form.kind, now).map_err(|error| ApiError::invalid("dates", error))?;
    let row = CaseRow {
        id: Uuid::now_v7(),
        visitor: visitor.to_uuid(),
        kind: form.kind.number(),
        onset_at: dates.onset_at,
        sampled_at: dates.sampled_at,
        isolated_at: dates.isolated_at,
        authority: text("authority", &form.authority, 1, 200)?,
        division: division.to_string(),
        reported_by: actor.person()?,
        reported_at: now,
        withdrawn_by: None,
        withdrawn_at: None,
        withdrawal_reason: None,
        case_no: form.case_no.as_deref().map(|number| text("case_no", number, 1, 100)).transpose()?,
    };
    cases::insert(conn, &row).await?;
    let act = audit::Act {
        actor: &actor.name,
        action: "case.reported",
        subject: format!("case {}", row.id),
        detail: serde_json::json!({ "kind": form.kind, "division": row.division, "authority": row.authority }),
    };
    audit::append(conn, act, now).await?;
    Ok(row)
}

/// Takes a case back.
pub async fn withdraw(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    reason: &str,
) -> Result<CaseRow, ApiError> {
    let now = web.now();
    let reason = text("reason", reason, 3, 500)?;
    if !cases::withdraw(conn, id, actor.person()?, &reason, now).await? {
        return Err(ApiError::Conflict("the case was withdrawn already"));
    }
    let act = audit::Act {
        actor: &actor.name,
        action: "case.withdrawn",
        subject: format!("case {id}"),
        detail: serde_json::json!({ "reason": reason }),
    };
    audit::append(conn, act, now).await?;
    cases::find(conn, id).await?.ok_or(ApiError::NotFound("case"))
}

/// What a look at persons shows.
#[derive(Debug, Clone, Copy)]
pub struct Looked {
    /// For which case.
    pub case: Uuid,
    /// The run whose contacts are seen.
    pub run: Option<Uuid>,
    /// The one who is seen, where it is one.
    pub visitor: Option<Visitor>,
    /// Of which kind it is.
    pub kind: LookKind,
}

/// Writes down who looks at persons and what for, before anything is shown: at the trail of a case, or at the contacts of
/// a run.
pub async fn look<P: crate::domain::access::Permission>(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    case_id: Uuid,
    run_id: Option<Uuid>,
    purpose: &str,
) -> Result<(), ApiError> {
    let kind = if run_id.is_some() { LookKind::Contacts } else { LookKind::Trail };
    let looked = Looked { case: case_id, run: run_id, visitor: None, kind };
    look_at::<P>(web, conn, actor, looked, purpose).await
}

/// The same for a look of another kind.
pub async fn look_at<P: crate::domain::access::Permission>(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    looked: Looked,
    purpose: &str,
) -> Result<(), ApiError> {
    let now = web.now();
    let purpose = text("purpose", purpose, 3, 500)?;
    let Looked { case, run, visitor, kind } = looked;
    let seen = Look {
        id: Uuid::now_v7(),
        case_id: case,
        run_id: run,
        role: actor.role_for::<P>().number(),
        purpose: purpose.clone(),
        at: now,
        kind: kind.number(),
        division: Some(actor.division.to_string()),
        visitor: visitor.map(Visitor::to_uuid),
    };
    looks::insert(conn, &seen).await?;
    let subject = run.map_or_else(|| format!("case {case}"), |run| format!("run {run}"));
    let detail = serde_json::json!({ "case": case, "purpose": purpose, "kind": kind });
    let act = audit::Act { actor: &actor.name, action: "persons.seen", subject, detail };
    Ok(audit::append(conn, act, now).await?)
}

/// A case as staff see it.
pub fn show(row: &CaseRow) -> Result<Case, ApiError> {
    Ok(Case {
        id: row.id,
        kind: row.kind()?,
        onset_at: row.onset_at,
        sampled_at: row.sampled_at,
        isolated_at: row.isolated_at,
        authority: row.authority.clone(),
        division: row.division.clone(),
        case_no: row.case_no.clone(),
        reported_at: row.reported_at,
        withdrawn_at: row.withdrawn_at,
    })
}
