//! 健康码制码请求 and 健康码验码请求: a code is made for a person, and a scanner asks whether what it saw is one.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::{Asked, Caller};
use super::person::Person;
use super::refusal::{Refusal, ReturnCode};
use crate::domain::visitor::Visitor;
use crate::issuer::reference::Platform;
use crate::issuer::reference::applications::Interface;
use crate::issuer::reference::scheme::strongest;
use crate::issuer::reference::shown_code::{InvalidCode, LIFE, ShownCode};
use crate::issuer::reference::store::StoreError;

/// Whose code is to be made: one's own, a named person's, or that of a call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Make {
    #[serde(default)]
    person: Option<Person>,
    #[serde(default)]
    call_id: Option<Uuid>,
}

/// What a scanner has seen.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Verify {
    code: String,
}

/// `POST /gb38963/v1/make`.
pub(super) async fn make(asked: Asked<Make>, platform: web::Data<Platform>) -> HttpResponse {
    let done = make_for(asked.caller, asked.data, &platform).await;
    asked.to.answer(done)
}

/// `POST /gb38963/v1/verify`.
pub(super) async fn verify(asked: Asked<Verify>, platform: web::Data<Platform>) -> HttpResponse {
    let done = judge(&asked.caller, &asked.data.code, &platform).await;
    asked.to.answer(done)
}

async fn make_for(caller: Caller, data: Make, platform: &Platform) -> Result<Value, Refusal> {
    let visitor = match (&caller, data.call_id) {
        (Caller::Application(_), Some(id)) if data.person.is_none() => {
            let application = caller.application(Interface::Make)?;
            let called = platform.store.use_call(id, &application.id, platform.clock.now()).await?;
            let none = "there is no such call of this application, it is older than five minutes, or its code was made";
            called.ok_or_else(|| Refusal::new(ReturnCode::NoCall, none))?
        }
        (Caller::Application(_), _) => {
            let why = "an application names the `callId` that it was granted, and no `person`";
            return Err(Refusal::new(ReturnCode::NoCall, why));
        }
        (Caller::Own(_) | Caller::Front, Some(_)) => {
            return Err(Refusal::new(ReturnCode::Field, "`callId` is for applications"));
        }
        (Caller::Own(_) | Caller::Front, None) => caller.person(data.person, platform)?,
    };
    let (text, code) = make_code(visitor, platform).await?;
    Ok(json!({
        "code": text,
        "shown": code.shown,
        "expiresAt": code.expires_at,
        "validSecs": LIFE.num_seconds(),
    }))
}

/// A code of what is shown now.
pub(in crate::issuer::reference) async fn make_code(
    visitor: Visitor,
    platform: &Platform,
) -> Result<(String, ShownCode), StoreError> {
    let now = platform.clock.now();
    let standing = platform.store.code(visitor, now).await?;
    let shown = strongest(platform.scheme, standing.open.iter().map(|one| &one.letter));
    let code = ShownCode { visitor, shown, expires_at: now + LIFE, nonce: rand::random() };
    Ok((code.sign(platform.keys.channel_key(), platform.keys.session_key()), code))
}

/// A code is good once. The answer tells the colour of this moment, which a letter may have changed since it was made.
async fn judge(caller: &Caller, text: &str, platform: &Platform) -> Result<Value, Refusal> {
    if !matches!(caller, Caller::Front) {
        caller.application(Interface::Verify)?;
    }
    let now = platform.clock.now();
    let code = ShownCode::open(text, platform.keys.channel_key(), platform.keys.session_key(), now);
    let code = code.map_err(|why| match why {
        InvalidCode::Form => Refusal::new(ReturnCode::NoCode, "this is no health code"),
        InvalidCode::Forged => {
            Refusal::new(ReturnCode::Forged, "the code is forged: this platform has not signed it")
        }
        InvalidCode::Expired => Refusal::new(
            ReturnCode::Expired,
            "the code is genuine and its time is over: have a new one shown",
        ),
    })?;
    if !platform.store.see_code(&code.nonce, code.expires_at).await? {
        let why = "the code is genuine and was scanned before: have a new one shown";
        return Err(Refusal::new(ReturnCode::Seen, why));
    }
    let standing = platform.store.code(code.visitor, now).await?;
    Ok(json!({
        "genuine": true,
        "colour": standing.colour,
        "shown": strongest(platform.scheme, standing.open.iter().map(|one| &one.letter)),
        "shownInCode": code.shown,
        "asOf": now,
        "expiresAt": code.expires_at,
    }))
}
