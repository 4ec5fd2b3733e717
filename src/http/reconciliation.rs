//! Comparing what an issuing system holds with what it should: what it asks, what it found, and what came of it.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::Staff;
use super::error::ApiError;
use super::feed::sign;
use super::permissions::{Administer, HoldLetters};
use super::runs::Nothing;
use super::signed::Signed;
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::numbered::Numbered;
use crate::domain::reconcile::{
    After, Bucket, Buckets, Difference, Drift, Entries, Findings, RECONCILIATION, differing, page,
};
use crate::domain::visitor::Visitor;
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::letters::IssuerRow;
use crate::store::reconciliations::{self as rows, ReconciliationRow};
use crate::store::{StoreError, audit, feed, letters, reconcile};

/// How many results are shown.
const RESULTS_MAX: i64 = 50;

/// How many drifts of one result are shown.
const DRIFTS_MAX: i64 = 100;

/// How many differences a system may tell at once; the rest it finds again the next time.
const FOUND_MAX: usize = 10_000;

/// How far the instant that is asked about may lie from now.
const AT_TOLERANCE: TimeDelta = TimeDelta::hours(1);

/// Mounts the routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(compare).service(list_reconciliations).service(ask_reconciliation).service(replay);
}

/// What an issuing system that takes its letters itself asks or tells; exactly one of `buckets`, `bucket` and `found`,
/// where `found` comes with `buckets`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Always `placecode.reconciliation.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The instant for which both sides say what they hold, at most an hour from now.
    pub at: DateTime<Utc>,
    /// The buckets of who asks: it is answered with those of the service.
    #[serde(default)]
    pub buckets: Option<Vec<Bucket>>,
    /// A bucket: it is answered with what the service says should be in it.
    #[serde(default)]
    pub bucket: Option<u8>,
    /// Of these only what comes after this entry.
    #[serde(default)]
    pub after: Option<After>,
    /// What the system has found to differ, up to 10,000: letters will say how these assignments stand.
    #[serde(default)]
    pub found: Option<Vec<Difference>>,
}

/// Compares. The answers carry the id of the request, and are signed as letters are.
#[utoipa::path(request_body = Question, responses((status = 200, description = "`Buckets`, `Entries` or `Noted`", body = Buckets), (status = "default", body = super::error::Problem)), tag = "letters", security(("issuer" = [])))]
#[post("/issuers/{issuer}/reconciliation")]
pub(crate) async fn compare(web: Data<Web>, signed: Signed<Question>) -> Result<HttpResponse, ApiError> {
    let Signed { issuer, id, body } = signed;
    if body.kind != RECONCILIATION {
        return Err(ApiError::invalid("type", format!("must be `{RECONCILIATION}`")));
    }
    if (web.now() - body.at).abs() > AT_TOLERANCE {
        return Err(ApiError::invalid("at", "must be within an hour from now"));
    }
    let mut conn = web.app.store.conn().await?;
    if !feed::pulling(&mut conn).await?.contains(&issuer.id) {
        return Err(ApiError::Conflict("the service asks this issuing system; its delivery is not `pull`"));
    }
    if decisions::switch(&mut conn, EMERGENCY_STOP).await? {
        return Err(ApiError::Conflict("all outgoing letters are stopped"));
    }
    match (body.buckets, body.bucket, body.found) {
        (Some(theirs), None, None) => {
            let buckets = reconcile::our_buckets(&mut conn, &issuer.id, body.at).await?;
            let differing = differing(&buckets, &theirs).into_iter().collect();
            sign(&web, &issuer, &id, &Buckets { at: body.at, buckets, differing })
        }
        (None, Some(bucket), None) => {
            let after = body.after.map(|after| key(&after)).transpose()?;
            let work = async |conn: &mut AsyncPgConnection| {
                entries(&web, conn, &issuer, (bucket, body.at), after).await
            };
            sign(&web, &issuer, &id, &transaction(&mut conn, work).await?)
        }
        (Some(buckets), None, Some(found)) if found.len() <= FOUND_MAX => {
            let findings = Findings { at: body.at, buckets, found };
            let work = async |conn: &mut AsyncPgConnection| keep(&web, conn, &issuer, &findings).await;
            sign(&web, &issuer, &id, &transaction(&mut conn, work).await?)
        }
        (Some(_), None, Some(_)) => {
            Err(ApiError::invalid("found", format!("must hold at most {FOUND_MAX} differences")))
        }
        _ => Err(ApiError::invalid("body", "must hold `buckets`, or `bucket`, or `buckets` and `found`")),
    }
}

fn key(after: &After) -> Result<(Uuid, Uuid), ApiError> {
    let visitor = Visitor::from_hex(&after.visitor);
    let visitor =
        visitor.ok_or_else(|| ApiError::invalid("after", "`visitor` must be 32 hexadecimal digits"))?;
    Ok((visitor.to_uuid(), after.assignment))
}

/// What the service says should be in a bucket. What is on its way is left out.
async fn entries(
    web: &Web,
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    (bucket, at): (u8, DateTime<Utc>),
    after: Option<(Uuid, Uuid)>,
) -> Result<Entries, ApiError> {
    let held = reconcile::holdings(conn, &issuer.id, (bucket, bucket), at).await?;
    let page = page(held.iter().filter(|one| !one.waiting).map(|one| one.held).collect(), after);
    let detail = serde_json::json!({ "bucket": bucket, "count": page.entries.len() });
    note(web, conn, issuer, "reconciliation.entries", detail).await?;
    Ok(page)
}

/// That what a system has found is noted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Noted {
    /// Whether it is; not, when what it told before is still being mended.
    pub noted: bool,
}

async fn keep(
    web: &Web,
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    findings: &Findings,
) -> Result<Noted, ApiError> {
    let actor = format!("issuer:{}", issuer.id);
    let value = serde_json::to_value(findings).map_err(|error| ApiError::Internal(error.into()))?;
    let noted = rows::ask(conn, Uuid::now_v7(), &issuer.id, &actor, Some(value), web.now()).await?;
    let detail = serde_json::json!({ "count": findings.found.len(), "noted": noted });
    note(web, conn, issuer, "reconciliation.found", detail).await?;
    Ok(Noted { noted })
}

async fn note(
    web: &Web,
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<(), ApiError> {
    let actor = format!("issuer:{}", issuer.id);
    let subject = format!("issuer {}", issuer.id);
    let act = audit::Act { actor: &actor, action, subject, detail };
    Ok(audit::append(conn, act, web.now()).await?)
}

/// One comparison with an issuing system.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reconciliation {
    /// Id.
    pub id: Uuid,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// `waiting`, `under_way`, `done` or `failed`.
    pub state: &'static str,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error: Option<String>,
    /// How many assignments the system should hold.
    pub ours: i64,
    /// How many it holds.
    pub theirs: i64,
    /// Digest of what it should hold.
    pub digest_ours: String,
    /// Digest of what it holds.
    pub digest_theirs: String,
    /// How many of the 256 buckets differ.
    pub buckets: i32,
    /// How many assignments do not stand alike.
    pub drift: i64,
    /// For how many of them a letter was written.
    pub mended: i64,
    /// How many no letter can mend: somebody must look.
    pub reported: i64,
    /// How many came back after an earlier comparison had mended them: somebody must look.
    pub returned: i64,
    /// Open assignments that the system was never told of; a replay tells it.
    pub untold: i64,
    /// Which assignments do not stand alike, the worrying ones first, up to 100.
    pub drifts: Vec<DriftShown>,
}

/// An assignment that did not stand alike on both sides.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftShown {
    /// Which.
    pub assignment: Uuid,
    /// In what way.
    pub drift: Drift,
    /// Whether a letter was written that says how it stands.
    pub mended: bool,
    /// Whether an earlier comparison had mended it already.
    pub returned: bool,
}

/// The last comparisons with an issuing system, the newest first.
#[utoipa::path(responses((status = 200, body = Vec<Reconciliation>), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[get("/issuers/{id}/reconciliations")]
pub(crate) async fn list_reconciliations(
    web: Data<Web>,
    _staff: Staff<HoldLetters>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    known(&mut conn, &id).await?;
    let mut shown = Vec::new();
    for row in rows::list(&mut conn, &id, RESULTS_MAX).await? {
        shown.push(show(&mut conn, row).await?);
    }
    Ok(HttpResponse::Ok().json(shown))
}

/// Asks for a comparison now; the pipeline makes it.
#[utoipa::path(request_body = Nothing, responses((status = 202, body = Reconciliation), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[post("/issuers/{id}/reconciliations")]
pub(crate) async fn ask_reconciliation(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        known(conn, &id).await?;
        if feed::pulling(conn).await?.contains(&*id) {
            return Err(ApiError::Conflict("this issuing system asks by itself; it cannot be called"));
        }
        if !rows::ask(conn, Uuid::now_v7(), &id, &actor.name, None, web.now()).await? {
            return Err(ApiError::Conflict("a reconciliation waits or is under way"));
        }
        let row = rows::list(conn, &id, 1).await?.pop().ok_or(StoreError::Corrupt("reconciliations"))?;
        let row = show(conn, row).await?;
        actor.note(&web, conn, "reconciliation.asked", format!("issuer {id}")).await?;
        Ok(Reply::accepted(row))
    };
    write.once(&web, &actor.name, work).await
}

/// That an issuing system is being filled.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replay {
    /// The system.
    pub issuer: String,
}

/// Fills a new issuing system: letters tell it how all assignments of its division stand that it was not told of.
#[utoipa::path(request_body = Nothing, responses((status = 202, body = Replay), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[post("/issuers/{id}/replay")]
pub(crate) async fn replay(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        known(conn, &id).await?;
        if !feed::ask_replay(conn, Uuid::now_v7(), &id, &actor.name, web.now()).await? {
            return Err(ApiError::Conflict("this issuing system is being filled already"));
        }
        actor.note(&web, conn, "issuer.replay_asked", format!("issuer {id}")).await?;
        Ok(Reply::accepted(Replay { issuer: id.clone() }))
    };
    write.once(&web, &actor.name, work).await
}

async fn known(conn: &mut AsyncPgConnection, id: &str) -> Result<IssuerRow, ApiError> {
    letters::issuer(conn, id).await?.ok_or(ApiError::NotFound("issuing system"))
}

async fn show(conn: &mut AsyncPgConnection, row: ReconciliationRow) -> Result<Reconciliation, ApiError> {
    let mut drifts = Vec::new();
    for drift in rows::drifts(conn, row.id, DRIFTS_MAX).await? {
        let kind = Drift::from_number(drift.kind).ok_or(StoreError::Corrupt("drifts"))?;
        let rows::DriftRow { assignment_id: assignment, mended, returned, .. } = drift;
        drifts.push(DriftShown { assignment, drift: kind, mended, returned });
    }
    Ok(Reconciliation {
        id: row.id,
        asked_by: row.asked_by,
        asked_at: row.asked_at,
        state: match row.state {
            0 => "waiting",
            1 => "under_way",
            2 => "done",
            _ => "failed",
        },
        ended_at: row.ended_at,
        error: row.error,
        ours: row.ours,
        theirs: row.theirs,
        digest_ours: row.digest_ours,
        digest_theirs: row.digest_theirs,
        buckets: row.buckets,
        drift: row.drift,
        mended: row.mended,
        reported: row.reported,
        returned: row.returned,
        untold: row.untold,
        drifts,
    })
}
