//! 健康码调用申请: another system asks to show the code of a person that it has before it.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asked, Caller};
use super::person::Person;
use super::refusal::{Refusal, ReturnCode};
use crate::issuer::reference::Platform;
use crate::issuer::reference::applications::Interface;
use crate::issuer::reference::store;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Call {
    person: Person,
    /// What for; the person reads it.
    purpose: String,
}

/// `POST /gb38963/v1/call`.
pub(super) async fn call(asked: Asked<Call>, platform: web::Data<Platform>) -> HttpResponse {
    let done = grant(asked.caller, asked.data, &platform).await;
    asked.to.answer(done)
}

async fn grant(caller: Caller, data: Call, platform: &Platform) -> Result<Value, Refusal> {
    let application = caller.application(Interface::Call)?;
    let purpose = data.purpose.trim();
    if !(2..=100).contains(&purpose.chars().count()) || purpose.chars().any(char::is_control) {
        return Err(Refusal::new(
            ReturnCode::Field,
            "`purpose` must be 2 to 100 characters: the person reads it",
        ));
    }
    let visitor = data.person.visitor(platform)?;
    let call = store::Call {
        application: &application.id,
        visitor,
        purpose,
        per_day: application.calls_per_day.into(),
    };
    match platform.store.call(&call, platform.clock.now()).await? {
        Some((id, until)) => Ok(json!({ "callId": id, "until": until })),
        None => Err(Refusal::new(
            ReturnCode::Share,
            "the application has had its calls of this day, or those about this person",
        )),
    }
}
