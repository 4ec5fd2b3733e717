//! Facts of health from issuing systems: they weaken colours and end them, and begin none.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use chrono::{DateTime, Days, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::error::ApiError;
use super::signed::Signed;
use super::web::Web;
use super::write::transaction;
use crate::domain::ending::{Fact, FactKind};
use crate::domain::visitor::Visitor;
use crate::domain::webhook::TOLERANCE;
use crate::store::audit;
use crate::store::health_facts::{self, Told};

/// The only type of such a request.
pub const FACTS: &str = "placecode.facts.v1";

/// How many facts one request may hold.
pub const FACTS_MAX: usize = 500;

/// How many facts are kept of one visitor: a month of several a day.
const OF_ONE_MAX: i64 = 500;

/// Mounts what issuing systems tell.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(tell_facts);
}

/// What an issuing system tells.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFacts {
    /// Always `placecode.facts.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// 1 to 500 facts.
    pub facts: Vec<NewFact>,
}

/// One fact about one visitor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFact {
    /// The system's own number of the fact: the same one again is known.
    pub id: Uuid,
    /// Of whom: 32 hexadecimal digits.
    pub visitor: String,
    /// What.
    pub kind: FactKind,
    /// When the sample was taken, the declaration made, or the word given.
    pub at: DateTime<Utc>,
}

/// What became of the facts.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct FactsTaken {
    /// How many are new.
    pub accepted: usize,
    /// How many were told before.
    pub known: usize,
}

/// Takes facts from the system that signs them, all or none. They count for assignments of the division that the system
/// answers for, by the end conditions under which each was decided; they never begin a colour nor make one stronger.
#[utoipa::path(params(("issuer" = String, Path)), request_body = NewFacts, responses((status = 200, body = FactsTaken), (status = "default", body = super::error::Problem)), tag = "issuers", security(("issuer" = [])))]
#[post("/issuers/{issuer}/facts")]
pub(crate) async fn tell_facts(web: Data<Web>, signed: Signed<NewFacts>) -> Result<HttpResponse, ApiError> {
    let told = read(&web, &signed.body)?;
    let mut conn = web.app.store.conn().await?;
    let taken = transaction(&mut conn, async |conn| take(&web, conn, &signed.issuer.id, &told).await).await?;
    Ok(HttpResponse::Ok().json(taken))
}

fn read(web: &Web, body: &NewFacts) -> Result<Vec<Told>, ApiError> {
    if body.kind != FACTS {
        return Err(ApiError::invalid("type", format!("must be `{FACTS}`")));
    }
    if !(1..=FACTS_MAX).contains(&body.facts.len()) {
        return Err(ApiError::invalid("facts", format!("must be 1 to {FACTS_MAX}")));
    }
    let now = web.now();
    let latest = now + TOLERANCE;
    let earliest = now - Days::new(web.app.config.retention_days.into());
    let mut told = BTreeMap::new();
    for (at, fact) in body.facts.iter().enumerate() {
        let wrong = |what: &str| ApiError::invalid("facts", format!("number {}: {what}", at + 1));
        let visitor = Visitor::from_hex(&fact.visitor)
            .ok_or_else(|| wrong("`visitor` must be 32 hexadecimal digits in lower case"))?;
        if fact.at > latest {
            return Err(wrong("`at` lies in the future"));
        }
        if fact.at < earliest {
            return Err(wrong("`at` lies before the days that are kept"));
        }
        // Postgres keeps microseconds, and what is told again must be the same.
        let moment =
            DateTime::from_timestamp_micros(fact.at.timestamp_micros()).ok_or_else(|| wrong("`at`"))?;
        let one =
            Told { fact: Fact { id: fact.id, kind: fact.kind, at: moment }, visitor: visitor.to_uuid() };
        if told.insert(fact.id, one).is_some_and(|other| other != one) {
            return Err(wrong("`id` stands twice, for different facts"));
        }
    }
    Ok(told.into_values().collect())
}

async fn take(
    web: &Web,
    conn: &mut AsyncPgConnection,
    issuer: &str,
    told: &[Told],
) -> Result<FactsTaken, ApiError> {
    let now = web.now();
    let ids: Vec<Uuid> = told.iter().map(|one| one.fact.id).collect();
    let before = health_facts::told(conn, issuer, &ids).await?;
    if let Some(other) = told.iter().find(|one| before.get(&one.fact.id).is_some_and(|known| known != *one)) {
        let reason = format!("{} was told before, as another fact", other.fact.id);
        return Err(ApiError::invalid("facts", reason));
    }
    let accepted = health_facts::keep(conn, issuer, told, now).await?;
    let visitors: BTreeSet<Uuid> = told.iter().map(|one| one.visitor).collect();
    let visitors: Vec<Uuid> = visitors.into_iter().collect();
    if accepted > 0 && health_facts::most_of(conn, &visitors).await? > OF_ONE_MAX {
        return Err(ApiError::invalid("facts", format!("are more than {OF_ONE_MAX} of one visitor")));
    }
    let known = told.len() - accepted;
    if accepted > 0 {
        let act = audit::Act {
            actor: issuer,
            action: "facts.taken",
            subject: format!("issuer {issuer}"),
            detail: serde_json::json!({ "accepted": accepted, "known": known }),
        };
        audit::append(conn, act, now).await?;
    }
    Ok(FactsTaken { accepted, known })
}
