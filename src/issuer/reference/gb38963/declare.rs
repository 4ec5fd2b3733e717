//! 用户健康信息申报: somebody says how they are.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asked, Caller};
use super::person::Person;
use super::refusal::{Refusal, ReturnCode};
use crate::issuer::reference::Platform;
use crate::issuer::reference::facts::Fact;

/// From this temperature on, in degrees Celsius, somebody has a fever: 37.3 in the rules of Heilongjiang (2020).
const FEVER: f64 = 37.3;

/// The health information of GB/T 38962 as far as its public excerpt names it. Temperature and symptoms decide whether the
/// check-in is a healthy one, and are dropped; where somebody was says nothing about how they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Declaration {
    #[serde(default)]
    person: Option<Person>,
    /// Symptoms, by code or name (WS 363.6); an empty list says that there are none.
    symptoms: Vec<String>,
    #[serde(default)]
    temperature: Option<f64>,
    /// Read for its form alone: a check-in colours nobody.
    #[serde(default, rename = "highRiskArea")]
    _high_risk_area: Option<bool>,
}

/// `POST /gb38963/v1/declare`.
pub(super) async fn declare(asked: Asked<Declaration>, platform: web::Data<Platform>) -> HttpResponse {
    let done = keep(asked.caller, asked.data, &platform).await;
    asked.to.answer(done)
}

async fn keep(caller: Caller, data: Declaration, platform: &Platform) -> Result<Value, Refusal> {
    let is_well = is_well(&data)?;
    let visitor = caller.person(data.person, platform)?;
    let now = platform.clock.now();
    let fact = Fact::check_in(visitor, is_well, now);
    if !platform.store.record_own(&fact, now).await? {
        return Err(Refusal::new(ReturnCode::Share, "this person has checked in often enough for a day"));
    }
    platform.told.notify_one();
    Ok(json!({ "declarationId": fact.id, "kind": fact.kind.word(), "declaredAt": now }))
}

/// Well is who names no symptom and has no fever; a temperature that nobody took says nothing.
fn is_well(data: &Declaration) -> Result<bool, Refusal> {
    let refuse = |why| Err(Refusal::new(ReturnCode::Field, why));
    let text = |text: &String| (1..=60).contains(&text.chars().count());
    if data.symptoms.len() > 20 || !data.symptoms.iter().all(text) {
        return refuse(
            "`symptoms` must be up to 20 texts of 1 to 60 characters; an empty list where there are none",
        );
    }
    if data.temperature.is_some_and(|celsius| !(34.0..=43.0).contains(&celsius)) {
        return refuse("`temperature` must lie between 34.0 and 43.0 degrees Celsius");
    }
    Ok(data.symptoms.is_empty() && data.temperature.is_none_or(|celsius| celsius < FEVER))
}
