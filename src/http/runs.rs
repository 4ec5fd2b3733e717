//! Runs: previewed, proposed by an investigator, let go by two officers.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{look, permitted as permitted_case};
use super::error::ApiError;
use super::permissions::{Investigate, Release, SeeCases};
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::access::Role;
use crate::domain::exposure::Relation;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::scan::Presence;
use crate::domain::visitor::Visitor;
use crate::store::audit;
use crate::store::decisions::{self, ReleaseRow};
use crate::store::runs::{self, ContactRow, RunRow, RunState};

/// How many contacts one page of a list holds.
pub const PAGE: i64 = 200;

/// What is to be computed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRun {
    /// Rule pack and version, such as `baseline@1`.
    pub rule_pack: String,
    /// What for; 3 to 500 characters.
    pub purpose: String,
}

/// A run as staff see it: counts, no persons.
#[derive(Debug, Serialize, ToSchema)]
pub struct Run {
    /// Id.
    pub id: Uuid,
    /// Of which case.
    pub case: Uuid,
    /// By which rules.
    pub rule_pack: String,
    /// Where it stands.
    pub state: RunState,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When the case was infectious.
    pub infectious_from: Option<DateTime<Utc>>,
    /// Until when.
    pub infectious_until: Option<DateTime<Utc>>,
    /// When it was computed.
    pub computed_at: Option<DateTime<Utc>>,
    /// Counts: stays of the trail, places, exposures, contacts by class and colour.
    pub summary: Option<serde_json::Value>,
    /// SHA-256 of the result: the same input gives the same.
    pub digest: Option<String>,
    /// Why it could not be computed.
    pub failure: Option<String>,
    /// When it was proposed.
    pub proposed_at: Option<DateTime<Utc>>,
    /// When it was let go.
    pub released_at: Option<DateTime<Utc>>,
}

/// Asks for a run. The pipeline computes it; nobody's colour changes by it.
#[utoipa::path(request_body = NewRun, responses((status = 202, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/cases/{id}/runs")]
pub(crate) async fn request_run(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<NewRun>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted_case(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::accepted(show(&request(&web, conn, &actor, *id, form).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// One run: its state and counts.
#[utoipa::path(responses((status = 200, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}")]
pub(crate) async fn see_run(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(show(&permitted(&web, &staff.0, *id).await?)?))
}

/// Which contacts are asked for, and what for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ContactList {
    /// 3 to 500 characters; written down, and shown to the visitors whom it concerns.
    pub purpose: String,
    /// How many contacts to pass over.
    #[serde(default)]
    pub offset: i64,
}

/// A contact, with the evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contact {
    /// The pseudonym: 32 hexadecimal digits.
    pub visitor: String,
    /// The strongest class that is met.
    pub class: Class,
    /// The proposed colour.
    pub colour: Colour,
    /// Seconds together with the case.
    pub together_secs: i64,
    /// How many meetings.
    pub meetings: i32,
    /// When the first began.
    pub first_at: DateTime<Utc>,
    /// When the last ended.
    pub last_at: DateTime<Utc>,
    /// Why the contact is left out.
    pub exclusion_reason: Option<String>,
}

/// A page of a run's contacts in the order of triage. The look is written down.
#[utoipa::path(params(ContactList), responses((status = 200, body = [Contact]), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/contacts")]
pub(crate) async fn see_contacts(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    id: Path<Uuid>,
    list: Query<ContactList>,
) -> Result<HttpResponse, ApiError> {
    let found = contacts(&web, &staff.0, *id, &list.purpose, list.offset).await?;
    let mut response = HttpResponse::Ok();
    if found.len() == usize::try_from(PAGE).unwrap_or(0) {
        let next = list.offset + PAGE;
        response.insert_header(("Link", format!("</v1/runs/{id}/contacts?offset={next}>; rel=\"next\"")));
    }
    Ok(response.json(found))
}

/// Why somebody is a contact.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// The case's stay.
    pub trail_stay: Uuid,
    /// The contact's stay.
    pub stay: Uuid,
    /// Name of the venue.
    pub venue: String,
    /// Name of the point.
    pub point: String,
    /// How near.
    pub relation: Relation,
    /// Since when both were there.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// What proves the contact's presence.
    pub presence: Presence,
    /// Whether it met the rule of the class.
    pub counted: bool,
}

/// Every exposure of one contact. The look is written down.
#[utoipa::path(params(super::cases::Purpose), responses((status = 200, body = [Evidence]), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/contacts/{visitor}/evidence")]
pub(crate) async fn see_evidence(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    path: Path<(Uuid, String)>,
    purpose: Query<super::cases::Purpose>,
) -> Result<HttpResponse, ApiError> {
    let (id, visitor) = path.into_inner();
    Ok(HttpResponse::Ok().json(evidence(&web, &staff.0, id, &visitor, &purpose.purpose).await?))
}

/// Leaves a contact out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The contact: 32 hexadecimal digits.
    pub visitor: String,
    /// Why; 3 to 500 characters.
    pub reason: String,
}

/// Leaves a contact out of a computed run, with reason and author.
#[utoipa::path(request_body = Exclusion, responses((status = 200, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/exclusions")]
pub(crate) async fn exclude_contact(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<Exclusion>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let run = permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: Exclusion| {
        exclude(&web, conn, &actor, &run, &form).await?;
        Ok(Reply::ok(show(&run)?))
    };
    write.once(&web, &actor.name, work).await
}

/// Nothing but the act itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Proposes a computed run: its contacts become assignments that two officers may let go.
#[utoipa::path(request_body = Nothing, responses((status = 202, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/proposal")]
pub(crate) async fn propose_run(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        Ok(Reply::accepted(show(&propose(&web, conn, &actor, *id).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// An officer's word.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// On what legal basis; 3 to 500 characters.
    pub legal_basis: String,
}

/// Gives an officer's word for a proposed run. With the second one, of another officer, it goes out.
#[utoipa::path(request_body = Word, responses((status = 202, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/release")]
pub(crate) async fn release_run(
    web: Data<Web>,
    staff: Staff<Release>,
    id: Path<Uuid>,
    write: Write<Word>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: Word| {
        Ok(Reply::accepted(show(&release(&web, conn, &actor, *id, &form.legal_basis).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// The run, when its case belongs to the caller's division.
pub async fn permitted(web: &Web, actor: &Actor, id: Uuid) -> Result<RunRow, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let run = runs::find(&mut conn, id).await?.ok_or(ApiError::NotFound("run"))?;
    drop(conn);
    permitted_case(web, actor, run.case_id).await?;
    Ok(run)
}

/// Enters a run.
pub async fn request(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    case_id: Uuid,
    form: NewRun,
) -> Result<RunRow, ApiError> {
    let unknown =
        || ApiError::invalid("rule_pack", "is not loaded; give name and version, such as `baseline@1`");
    let (pack_id, version) = form.rule_pack.split_once('@').ok_or_else(unknown)?;
    let version = version.parse().map_err(|_no_number| unknown())?;
    runs::pack_body(conn, pack_id, version).await?.ok_or_else(unknown)?;
    let row = RunRow {
        id: Uuid::now_v7(),
        case_id,
        pack_id: pack_id.to_owned(),
        pack_version: version,
        state: RunState::Queued.number(),
        purpose: text("purpose", &form.purpose, 3, 500)?,
        requested_by: actor.person()?,
        requested_at: web.now(),
        log_ends: None,
        infectious_from: None,
        infectious_until: None,
        computed_at: None,
        result_digest: None,
        summary: None,
        failure: None,
        proposed_by: None,
        proposed_at: None,
        released_at: None,
    };
    runs::insert(conn, &row).await?;
    let detail = serde_json::json!({ "case": case_id, "pack": form.rule_pack, "purpose": row.purpose });
    note(web, conn, actor, "run.requested", row.id, detail).await?;
    Ok(row)
}

/// Proposes a computed run.
pub async fn propose(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
) -> Result<RunRow, ApiError> {
    if !runs::propose(conn, id, actor.person()?, web.now()).await? {
        return Err(ApiError::Conflict("only a computed run can be proposed, and only once"));
    }
    note(web, conn, actor, "run.proposed", id, serde_json::json!({})).await?;
    runs::find(conn, id).await?.ok_or(ApiError::NotFound("run"))
}

/// Gives an officer's word.
pub async fn release(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    legal_basis: &str,
) -> Result<RunRow, ApiError> {
    let run = runs::find(conn, id).await?.ok_or(ApiError::NotFound("run"))?;
    if run.state()? != RunState::Proposed {
        return Err(ApiError::Conflict("only a proposed run can be released"));
    }
    if run.proposed_by == Some(actor.person()?) {
        return Err(ApiError::Forbidden("whoever proposed a run cannot release it"));
    }
    let word = ReleaseRow {
        run_id: id,
        officer_id: actor.person()?,
        legal_basis: text("legal_basis", legal_basis, 3, 500)?,
        chief: actor.is(Role::ChiefOfficer),
        at: web.now(),
    };
    if !decisions::insert_release(conn, &word).await? {
        return Err(ApiError::Conflict("you have given your word already; it takes another officer's"));
    }
    let detail = serde_json::json!({ "legal_basis": word.legal_basis, "chief": word.chief });
    note(web, conn, actor, "run.word_given", id, detail).await?;
    Ok(run)
}

/// A page of a run's contacts, after the look was written down.
pub async fn contacts(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    purpose: &str,
    offset: i64,
) -> Result<Vec<Contact>, ApiError> {
    if !(0..=10_000_000).contains(&offset) {
        return Err(ApiError::invalid("offset", "must lie between 0 and 10,000,000"));
    }
    let run = permitted(web, actor, id).await?;
    let mut conn = web.app.store.conn().await?;
    let rows = transaction(&mut conn, async |conn| {
        look::<SeeCases>(web, conn, actor, run.case_id, Some(run.id), purpose).await?;
        Ok(runs::contact_page(conn, run.id, offset, PAGE).await?)
    })
    .await?;
    rows.iter().map(show_contact).collect()
}

/// Every exposure of one contact, after the look was written down.
pub async fn evidence(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    visitor: &str,
    purpose: &str,
) -> Result<Vec<Evidence>, ApiError> {
    let visitor = visitor_of(visitor)?;
    let run = permitted(web, actor, id).await?;
    let mut conn = web.app.store.conn().await?;
    let rows = transaction(&mut conn, async |conn| {
        look::<SeeCases>(web, conn, actor, run.case_id, Some(run.id), purpose).await?;
        Ok(runs::evidence(conn, run.id, visitor.to_uuid()).await?)
    })
    .await?;
    if rows.is_empty() {
        return Err(ApiError::NotFound("contact"));
    }
    rows.iter().map(show_evidence).collect()
}

/// Leaves a contact out of a computed run.
pub async fn exclude(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    run: &RunRow,
    form: &Exclusion,
) -> Result<(), ApiError> {
    let visitor = visitor_of(&form.visitor)?;
    let reason = text("reason", &form.reason, 3, 500)?;
    if run.state()? != RunState::Computed {
        return Err(ApiError::Conflict("contacts can be left out only before the run is proposed"));
    }
    let now = web.now();
    if !runs::exclude(conn, run.id, visitor.to_uuid(), actor.person()?, &reason, now).await? {
        return Err(ApiError::NotFound("contact"));
    }
    note(web, conn, actor, "contact.excluded", run.id, serde_json::json!({ "reason": reason })).await
}

/// A run as staff see it.
pub fn show(row: &RunRow) -> Result<Run, ApiError> {
    Ok(Run {
        id: row.id,
        case: row.case_id,
        rule_pack: format!("{}@{}", row.pack_id, row.pack_version),
        state: row.state()?,
        requested_at: row.requested_at,
        infectious_from: row.infectious_from,
        infectious_until: row.infectious_until,
        computed_at: row.computed_at,
        summary: row.summary.clone(),
        digest: row.result_digest.as_deref().map(crate::domain::audit::hex),
        failure: row.failure.clone(),
        proposed_at: row.proposed_at,
        released_at: row.released_at,
    })
}

fn show_contact(row: &ContactRow) -> Result<Contact, ApiError> {
    Ok(Contact {
        visitor: Visitor::from_uuid(row.visitor).to_hex(),
        class: Class::from_number(row.class).ok_or_else(broken)?,
        colour: Colour::from_number(row.colour).ok_or_else(broken)?,
        together_secs: row.together_secs,
        meetings: row.meetings,
        first_at: row.first_at,
        last_at: row.last_at,
        exclusion_reason: row.exclusion_reason.clone(),
    })
}

fn show_evidence(row: &runs::EvidenceRow) -> Result<Evidence, ApiError> {
    Ok(Evidence {
        trail_stay: row.trail_stay_id,
        stay: row.stay_id,
        venue: row.venue_name.clone(),
        point: row.point_name.clone(),
        relation: Relation::from_number(row.relation).ok_or_else(broken)?,
        from: row.from_at,
        until: row.until_at,
        presence: Presence::from_number(row.presence).ok_or_else(broken)?,
        counted: row.counted,
    })
}

fn broken() -> ApiError {
    ApiError::Internal(anyhow::anyhow!("a row of a run's result holds a value that cannot be"))
}

fn visitor_of(hex: &str) -> Result<Visitor, ApiError> {
    Visitor::from_hex(hex)
        .ok_or_else(|| ApiError::invalid("visitor", "must be 32 hexadecimal digits in lower case"))
}

async fn note(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    action: &'static str,
    run: Uuid,
    detail: serde_json::Value,
) -> Result<(), ApiError> {
    let act = audit::Act { actor: &actor.name, action, subject: format!("run {run}"), detail };
    Ok(audit::append(conn, act, web.now()).await?)
}
