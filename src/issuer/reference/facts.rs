//! What this platform learns of people, for the service: tests, check-ins, discharges. A fact ends or weakens; it colours
//! nobody. Laboratories and hospitals hand theirs in here.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::Platform;
use super::api::Trusted;
use super::identity::Identity;
use super::problem::Problem;
use crate::domain::numbered::Numbered;
use crate::domain::visitor::Visitor;

/// How many facts one request holds at the most, here and towards the service.
pub(super) const FACTS_MAX: usize = 500;

/// The longest body of a list of facts.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;

/// The oldest fact that is taken: the service keeps no stay for longer either.
const AGE_MAX: TimeDelta = TimeDelta::days(28);

/// How far the clock of whoever hands in a fact may be ahead.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// What was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum FactKind {
    NegativeTest = 0,
    PositiveTest = 1,
    HealthyCheckIn = 2,
    SymptomaticCheckIn = 3,
    Discharge = 4,
}

impl FactKind {
    /// What people say of themselves.
    pub(super) const CHECK_INS: [Self; 2] = [Self::HealthyCheckIn, Self::SymptomaticCheckIn];

    /// The word of the contract with the service.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NegativeTest => "negative_test",
            Self::PositiveTest => "positive_test",
            Self::HealthyCheckIn => "healthy_check_in",
            Self::SymptomaticCheckIn => "symptomatic_check_in",
            Self::Discharge => "discharge",
        }
    }
}

impl Numbered for FactKind {
    const ALL: &'static [Self] = &[
        Self::NegativeTest,
        Self::PositiveTest,
        Self::HealthyCheckIn,
        Self::SymptomaticCheckIn,
        Self::Discharge,
    ];

    fn number(self) -> i16 {
        self as i16
    }
}

/// One fact about one visitor.
pub(super) struct Fact {
    pub(super) id: Uuid,
    pub(super) visitor: Visitor,
    pub(super) kind: FactKind,
    pub(super) at: DateTime<Utc>,
}

impl Fact {
    /// What somebody says of themselves now.
    pub(super) fn check_in(visitor: Visitor, is_well: bool, at: DateTime<Utc>) -> Self {
        let kind = if is_well { FactKind::HealthyCheckIn } else { FactKind::SymptomaticCheckIn };
        Self { id: Uuid::now_v7(), visitor, kind, at }
    }
}

/// `POST /v1/tests`: results of a laboratory.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tests {
    tests: Vec<TestResult>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestResult {
    id: Uuid,
    kind: u8,
    number: String,
    result: Verdict,
    at: DateTime<Utc>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Negative,
    Positive,
}

/// `POST /v1/discharges`: who was discharged, or released from isolation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Discharges {
    discharges: Vec<Discharge>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Discharge {
    id: Uuid,
    kind: u8,
    number: String,
    at: DateTime<Utc>,
}

/// Takes results of tests. The identities are turned into pseudonyms at once and forgotten.
pub(super) async fn tests(
    _trusted: Trusted,
    body: Result<web::Json<Tests>, actix_web::Error>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let form = "the body must be {\"tests\": [{\"id\", \"kind\", \"number\", \"result\", \"at\"}, …]} with the \
                result `negative` or `positive`";
    let tests = body.map_err(|error| Problem::of(&error, form))?.into_inner().tests;
    let fact = |test: TestResult| {
        let kind = match test.result {
            Verdict::Negative => FactKind::NegativeTest,
            Verdict::Positive => FactKind::PositiveTest,
        };
        (test.id, Identity::typed(test.kind, &test.number), kind, test.at)
    };
    take(&platform, "test", tests.into_iter().map(fact)).await
}

/// Takes a list of discharges, in the same way.
pub(super) async fn discharges(
    _trusted: Trusted,
    body: Result<web::Json<Discharges>, actix_web::Error>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let form = "the body must be {\"discharges\": [{\"id\", \"kind\", \"number\", \"at\"}, …]}";
    let list = body.map_err(|error| Problem::of(&error, form))?.into_inner().discharges;
    let fact = |one: Discharge| (one.id, Identity::typed(one.kind, &one.number), FactKind::Discharge, one.at);
    take(&platform, "discharge", list.into_iter().map(fact)).await
}

type Claimed = (Uuid, Result<Identity, super::identity::InvalidIdentity>, FactKind, DateTime<Utc>);

/// Keeps all or none of them, and wakes whoever sends them on.
async fn take(
    platform: &Platform,
    name: &str,
    claimed: impl ExactSizeIterator<Item = Claimed>,
) -> Result<HttpResponse, Problem> {
    let refuse = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    if !(1..=FACTS_MAX).contains(&claimed.len()) {
        return Err(refuse(format!("one request holds 1 to {FACTS_MAX} of them")));
    }
    let now = platform.clock.now();
    let facts: Vec<Fact> = (1..)
        .zip(claimed)
        .map(|(nth, (id, identity, kind, at))| {
            let identity = identity.map_err(|why| refuse(format!("{name} {nth}: {why}")))?;
            if !is_of_now(at, now) {
                return Err(refuse(format!("{name} {nth}: `at` must lie within the last 28 days")));
            }
            Ok(Fact { id, visitor: platform.visitor(&identity), kind, at })
        })
        .collect::<Result<_, Problem>>()?;
    let new = platform.store.record(&facts, now).await?;
    platform.told.notify_one();
    tracing::info!(count = new, "facts arrived");
    Ok(HttpResponse::Ok().json(json!({ "accepted": new, "known": facts.len() - new })))
}

/// Whether a fact is neither from the future nor too old to matter.
pub(super) fn is_of_now(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at <= now + SKEW && at >= now - AGE_MAX
}
