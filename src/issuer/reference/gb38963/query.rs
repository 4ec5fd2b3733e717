//! 用户健康信息查询: what one's own code shows, and why.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asked, Caller};
use super::itinerary;
use super::person::Person;
use super::refusal::Refusal;
use crate::issuer::reference::Platform;
use crate::issuer::reference::telling::standing;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Query {
    #[serde(default)]
    person: Option<Person>,
}

/// `POST /gb38963/v1/query`.
pub(super) async fn query(asked: Asked<Query>, platform: web::Data<Platform>) -> HttpResponse {
    let done = tell(asked.caller, asked.data, &platform).await;
    asked.to.answer(done)
}

async fn tell(caller: Caller, data: Query, platform: &Platform) -> Result<Value, Refusal> {
    let is_own = matches!(caller, Caller::Own(_));
    let visitor = caller.person(data.person, platform)?;
    let now = platform.clock.now();
    let code = platform.store.code(visitor, now).await?;
    let mut told = standing(platform.scheme, &code);
    if let Some(told) = told.as_object_mut() {
        told.insert("asOf".to_owned(), json!(now));
        if is_own {
            // Journeys are for who declared them, and for nobody who asks in their name.
            told.insert("itineraries".to_owned(), itinerary::own(visitor, platform).await?);
        }
    }
    Ok(told)
}
