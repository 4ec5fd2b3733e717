//! Runs: asked for, previewed, and proposed by an investigator.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::permitted as permitted_case;
use super::error::ApiError;
use super::permissions::{Investigate, SeeRuns};
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write};
use crate::app::waiting::{Ends, Waiting};
use crate::domain::release::Held;
use crate::store::progress::{self, Stage};
use crate::store::runs::{self, RunRow, RunState};
use crate::store::{audit, cases, releasing, reviews};

/// What is to be computed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRun {
    /// Rule pack and version, such as `baseline@1`.
    pub rule_pack: String,
    /// What for; 3 to 500 characters.
    pub purpose: String,
    /// Whether it is computed to be looked at, and can never be proposed.
    #[serde(default)]
    pub dry: bool,
    /// Whether it is computed at once, though scans wait to be drained; then the run says how many.
    #[serde(default)]
    pub incomplete_ok: bool,
}

/// How far the computation of a run is.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunProgress {
    /// What it is at.
    pub stage: Stage,
    /// How many places and times are to be searched at this stage.
    pub searches: i64,
    /// How many have been.
    pub searched: i64,
    /// How many visitors were met so far.
    pub people: i64,
    /// When this was noted.
    pub noted_at: DateTime<Utc>,
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
    /// Counts: stays of the trail, places, exposures, contacts by class, colour and place, and with other minutes.
    pub summary: Option<serde_json::Value>,
    /// SHA-256 of the result: the same input gives the same.
    pub digest: Option<String>,
    /// Why it could not be computed.
    pub failure: Option<String>,
    /// When it was proposed.
    pub proposed_at: Option<DateTime<Utc>>,
    /// When it was let go.
    pub released_at: Option<DateTime<Utc>>,
    /// Whether it is computed to be looked at, and can never be proposed.
    pub dry: bool,
    /// What waited to be drained when it was computed; absent where nothing did.
    pub incomplete: Option<serde_json::Value>,
    /// The case as the run saw it: kind, dates, a digest of the trail.
    pub case_seen: Option<serde_json::Value>,
    /// The ends of the log and of the inbox up to which it saw all scans, by shard.
    pub log_ends: Option<serde_json::Value>,
    /// The run that it follows up.
    pub base_run: Option<Uuid>,
    /// How its contacts differ from those of that run: added, removed, changed, same.
    pub difference: Option<serde_json::Value>,
    /// Since when scans are known that it did not see; a run that follows it up is queued then.
    pub stale_at: Option<DateTime<Utc>>,
    /// The newest run that follows it up.
    pub followed_by: Option<Uuid>,
    /// While it is queued: what it waits for.
    pub waiting: Option<Waiting>,
    /// While it is computed, when that takes long: how far it is.
    pub progress: Option<RunProgress>,
    /// While it is proposed: what it lacks before it goes out.
    pub held_by: Vec<Held>,
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
    staff: Staff<SeeRuns>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let row = permitted(&web, &staff.0, *id).await?;
    Ok(HttpResponse::Ok().json(show_whole(&web, &row).await?))
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
    let purpose = text("purpose", &form.purpose, 3, 500)?;
    let row = RunRow {
        dry: form.dry,
        incomplete_ok: form.incomplete_ok,
        ..RunRow::queued(case_id, (pack_id.to_owned(), version), purpose, actor.person()?, web.now())
    };
    runs::insert(conn, &row).await?;
    let detail = serde_json::json!({
        "case": case_id, "pack": form.rule_pack, "purpose": row.purpose, "dry": row.dry
    });
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
    let run = runs::hold(conn, id).await?.ok_or(ApiError::NotFound("run"))?;
    if run.dry {
        return Err(ApiError::Conflict("a dry run is never proposed; ask for a run that is not dry"));
    }
    let escalated = reviews::escalations(conn, id).await?;
    if escalated.iter().any(|place| place.author == actor.id) {
        return Err(ApiError::Forbidden("whoever escalates a place proposes nothing of that run"));
    }
    if reviews::altered_in(conn, id).await? > 0 {
        return Err(ApiError::Conflict(
            "contacts of this run were changed without a review; compute it again",
        ));
    }
    let unequal = reviews::unequal_in(conn, id).await?;
    if unequal > 0 {
        return Err(ApiError::invalid("reviews", not_equal(unequal)));
    }
    if !runs::propose(conn, id, actor.person()?, web.now()).await? {
        return Err(ApiError::Conflict("only a computed run can be proposed, and only once"));
    }
    note(web, conn, actor, "run.proposed", id, serde_json::json!({})).await?;
    runs::find(conn, id).await?.ok_or(ApiError::NotFound("run"))
}

/// Why a run is not proposed whose reviews are not equal. It names nobody.
pub(super) fn not_equal(people: i64) -> String {
    format!(
        "{people} contacts shared a stay of the case with somebody who was promoted, demoted or left out, for about as \
         long and in the same class, and neither got the same nor have a review of their own with its reason"
    )
}

/// Cancels a run that is not computed yet: at once when it is queued, and at its next step when it is being computed.
pub async fn cancel(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
) -> Result<RunRow, ApiError> {
    const TOO_LATE: ApiError = ApiError::Conflict("only a run that is not computed yet can be cancelled");
    if runs::take_queued(conn, id).await?.is_some() {
        runs::set_state(conn, id, RunState::Queued, RunState::Cancelled).await?;
        progress::forget(conn, id).await?;
    } else {
        let queued = async |conn: &mut AsyncPgConnection| {
            let run = runs::find(conn, id).await?.ok_or(ApiError::NotFound("run"))?;
            if run.state()? == RunState::Queued { Ok(()) } else { Err(TOO_LATE) }
        };
        queued(conn).await?;
        // Waits for a computation that is just being kept, after which it is too late.
        progress::ask_to_cancel(conn, id, actor.person()?, web.now()).await?;
        queued(conn).await?;
    }
    note(web, conn, actor, "run.cancelled", id, serde_json::json!({})).await?;
    runs::find(conn, id).await?.ok_or(ApiError::NotFound("run"))
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
        dry: row.dry,
        incomplete: row.incomplete.clone(),
        case_seen: row.case_seen.clone(),
        log_ends: row.log_ends.clone(),
        base_run: row.base_run,
        difference: row.difference.clone(),
        stale_at: row.stale_at,
        followed_by: None,
        waiting: None,
        progress: None,
        held_by: Vec::new(),
    })
}

/// A run as staff see it, with what follows it up, what it waits for and how far it is.
pub async fn show_whole(web: &Web, row: &RunRow) -> Result<Run, ApiError> {
    let mut run = show(row)?;
    let mut conn = web.app.store.conn().await?;
    run.followed_by = runs::follow_up_of(&mut conn, row.id).await?;
    if run.state == RunState::Proposed {
        let case = cases::find(&mut conn, row.case_id).await?.ok_or(ApiError::NotFound("case"))?;
        let proposal = releasing::proposal(&mut conn, row, &case.division, web.now()).await?;
        run.held_by = proposal.held_by(&web.app.release_limits());
    }
    if run.state != RunState::Queued {
        return Ok(run);
    }
    let ends: Option<Ends> = row.log_ends.clone().and_then(|ends| serde_json::from_value(ends).ok());
    run.waiting = Some(web.app.waiting(&mut conn, ends.as_ref()).await?);
    if let Some(noted) = progress::find(&mut conn, row.id).await?
        && let Some(noted_at) = noted.noted_at
    {
        run.progress = Some(RunProgress {
            stage: noted.stage()?,
            searches: noted.searches,
            searched: noted.searched,
            people: noted.people,
            noted_at,
        });
    }
    Ok(run)
}

/// Writes down what was done to a run.
pub(super) async fn note(
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
