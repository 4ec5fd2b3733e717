//! Corrections of cases: each is kept, and everything that followed from what was wrong is undone.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, put};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{Case, permitted, show};
use super::error::ApiError;
use super::permissions::{Investigate, SeeCases};
use super::trails::open;
use super::venue_forms::text;
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::numbered::Numbered;
use crate::store::audit;
use crate::store::cases::{self, CaseChangeRow, CaseRow, NewCaseChange};
use crate::store::undoings::{self, Asked};

/// How many corrections one page holds.
const PAGE: i64 = 100;

/// What a case really is. Person, division and number stay: a report of another person is withdrawn and made anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Correction {
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
    /// Why; 3 to 500 characters. It stands in the letters that take colours back.
    pub reason: String,
}

/// Corrects a case. Runs that have a result are taken back by the pipeline, with the assignments that hang on them; the
/// case stays open for a new one.
#[utoipa::path(request_body = Correction, responses((status = 202, body = Case), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[put("/cases/{id}")]
pub(crate) async fn correct_case(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<Correction>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::accepted(show(&correct(&web, conn, &actor, *id, form).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ChangeList {
    /// The number of the last correction of the page before.
    pub before: Option<i32>,
}

/// One correction of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseChange {
    /// Counts the corrections of the case.
    pub seq: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// The login of who made it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What the case said.
    #[schema(value_type = Object)]
    pub was: serde_json::Value,
    /// What it says since.
    #[schema(value_type = Object)]
    pub became: serde_json::Value,
}

/// A page of the corrections of a case, the newest first; `Link` names the next page.
#[utoipa::path(params(ChangeList), responses((status = 200, body = [CaseChange]), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[get("/cases/{id}/changes")]
pub(crate) async fn see_case_changes(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    id: Path<Uuid>,
    list: Query<ChangeList>,
) -> Result<HttpResponse, ApiError> {
    permitted(&web, &staff.0, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let rows = cases::changes(&mut conn, *id, list.before, PAGE).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0)) {
        let next = [("before", Some(last.seq.to_string()))];
        response.insert_header(next_page(&format!("/v1/cases/{id}/changes"), &next));
    }
    Ok(response.json(rows.into_iter().map(show_change).collect::<Vec<_>>()))
}

/// Corrects a case, keeps what it said, and has its runs undone.
pub async fn correct(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    form: Correction,
) -> Result<CaseRow, ApiError> {
    let now = web.now();
    let before = open(conn, id).await?;
    let reason = text("reason", &form.reason, 3, 500)?;
    let dates =
        CaseDates { onset_at: form.onset_at, sampled_at: form.sampled_at, isolated_at: form.isolated_at };
    dates.check(form.kind, now).map_err(|error| ApiError::invalid("dates", error))?;
    let after = CaseRow {
        kind: form.kind.number(),
        onset_at: dates.onset_at,
        sampled_at: dates.sampled_at,
        isolated_at: dates.isolated_at,
        authority: text("authority", &form.authority, 1, 200)?,
        ..before.clone()
    };
    let (was, became) = (version(&before)?, version(&after)?);
    if was == became {
        return Err(ApiError::Conflict("the case says this already"));
    }
    cases::correct(conn, &after).await?;
    let seq = cases::next_change(conn, id).await?;
    let changed_by = actor.person()?;
    let change =
        NewCaseChange { case_id: id, seq, changed_at: now, changed_by, reason: reason.clone(), was, became };
    cases::insert_change(conn, &change).await?;
    let asked = Asked { by: changed_by, reason: &reason, at: now };
    let runs = undoings::ask_for_case(conn, id, asked).await?;
    let act = audit::Act {
        actor: &actor.name,
        action: "case.corrected",
        subject: format!("case {id}"),
        detail: json!({ "was": change.was, "became": change.became, "reason": reason, "runs": runs }),
    };
    audit::append(conn, act, now).await?;
    Ok(after)
}

/// What a case says, as a version of it is kept.
fn version(row: &CaseRow) -> Result<serde_json::Value, ApiError> {
    Ok(json!({
        "kind": row.kind()?,
        "onset_at": row.onset_at,
        "sampled_at": row.sampled_at,
        "isolated_at": row.isolated_at,
        "authority": row.authority,
    }))
}

fn show_change(row: CaseChangeRow) -> CaseChange {
    CaseChange {
        seq: row.seq,
        at: row.changed_at,
        by: row.by,
        reason: row.reason,
        was: row.was,
        became: row.became,
    }
}
