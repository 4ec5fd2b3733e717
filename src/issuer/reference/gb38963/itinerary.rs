//! 用户行程申报: where somebody says that they travel. Kept sealed, for themselves; it never comes near a colour.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::{Asked, Caller};
use super::person::Person;
use super::refusal::{Refusal, ReturnCode};
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;
use crate::issuer::reference::Platform;
use crate::issuer::reference::sealed;
use crate::issuer::reference::store::Journeys;

/// How long a declaration is kept.
const KEPT: TimeDelta = TimeDelta::days(28);

/// How many journeys are declared at once.
const JOURNEYS_MAX: usize = 20;

/// What the seal says that it is.
const WHAT: &str = "journeys";

/// Journeys to declare, or a declaration to take back.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Itinerary {
    #[serde(default)]
    person: Option<Person>,
    #[serde(default)]
    journeys: Vec<Journey>,
    /// The id of a declaration that is taken back.
    #[serde(default)]
    withdraw: Option<Uuid>,
}

/// One journey: from one division to another, at a time, with what vehicle.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Journey {
    from_division: String,
    to_division: String,
    departed_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vehicle: Option<String>,
}

/// `POST /gb38963/v1/itinerary`.
pub(super) async fn itinerary(asked: Asked<Itinerary>, platform: web::Data<Platform>) -> HttpResponse {
    let done = keep(asked.caller, asked.data, &platform).await;
    asked.to.answer(done)
}

async fn keep(caller: Caller, data: Itinerary, platform: &Platform) -> Result<Value, Refusal> {
    let refuse = |why| Err(Refusal::new(ReturnCode::Field, why));
    if data.journeys.is_empty() == data.withdraw.is_none() {
        return refuse("either `journeys` or `withdraw` is needed");
    }
    if data.journeys.len() > JOURNEYS_MAX || !data.journeys.iter().all(fits) {
        return refuse(
            "`journeys` must be up to 20, each with two divisions (GB/T 2260) and a vehicle of 1 to 40 characters",
        );
    }
    let visitor = caller.person(data.person, platform)?;
    if let Some(id) = data.withdraw {
        if platform.store.drop_journeys(visitor, id).await? {
            return Ok(json!({ "itineraryId": id, "withdrawn": true }));
        }
        return Err(Refusal::new(ReturnCode::Unknown, "this person has declared nothing under this id"));
    }
    let now = platform.clock.now();
    let plain = serde_json::to_vec(&data.journeys).unwrap_or_default();
    let sealed = sealed::seal(platform.keys.visitor_key(), visitor, WHAT, plain, rand::random());
    let sealed =
        sealed.ok_or_else(|| Refusal::new(ReturnCode::Away, "it could not be sealed; ask again later"))?;
    let row = Journeys {
        id: Uuid::now_v7(),
        visitor: visitor.to_uuid(),
        declared_at: now,
        expires_at: now + KEPT,
        sealed,
    };
    if !platform.store.keep_journeys(&row).await? {
        return Err(Refusal::new(ReturnCode::Share, "this person has declared as many journeys as are kept"));
    }
    Ok(json!({ "itineraryId": row.id, "declaredAt": now, "keptUntil": row.expires_at }))
}

fn fits(journey: &Journey) -> bool {
    let is_division = |text: &str| text.parse::<Division>().is_ok();
    let vehicle = journey.vehicle.as_deref();
    is_division(&journey.from_division)
        && is_division(&journey.to_division)
        && vehicle.is_none_or(|text| (1..=40).contains(&text.chars().count()))
}

/// What somebody has declared and is still kept.
pub(super) async fn own(visitor: Visitor, platform: &Platform) -> Result<Value, Refusal> {
    let rows = platform.store.journeys_of(visitor, platform.clock.now()).await?;
    let opened = rows.into_iter().filter_map(|row| {
        let plain = sealed::open(platform.keys.visitor_key(), visitor, WHAT, &row.sealed)?;
        let journeys: Vec<Journey> = serde_json::from_slice(&plain).ok()?;
        Some(json!({
            "itineraryId": row.id,
            "declaredAt": row.declared_at,
            "keptUntil": row.expires_at,
            "journeys": journeys,
        }))
    });
    Ok(opened.collect())
}
