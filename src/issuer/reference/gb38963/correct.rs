//! 用户健康信息纠错: somebody objects to what their code says. It is always against one assignment, never against "the
//! current risk": whoever is coloured is shown the way to appeal, whatever they ask.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::{Asked, Caller};
use super::person::Person;
use super::refusal::{Refusal, ReturnCode};
use crate::domain::visitor::Visitor;
use crate::issuer::reference::Platform;
use crate::issuer::reference::sealed;
use crate::issuer::reference::store::{Correction, Kept};
use crate::issuer::reference::telling::appeals;

/// The longest text, in characters.
const TEXT_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Objection {
    #[serde(default)]
    person: Option<Person>,
    /// Against which; without it, the answer lists those that there are.
    #[serde(default)]
    assignment_id: Option<Uuid>,
    /// What is wrong, in the person's words.
    #[serde(default)]
    text: Option<String>,
}

/// `POST /gb38963/v1/correct`.
pub(super) async fn correct(asked: Asked<Objection>, platform: web::Data<Platform>) -> HttpResponse {
    let done = object(asked.caller, asked.data, &platform).await;
    asked.to.answer(done)
}

async fn object(caller: Caller, data: Objection, platform: &Platform) -> Result<Value, Refusal> {
    let text = data.text.as_deref().map(str::trim).unwrap_or_default();
    if text.chars().count() > TEXT_MAX {
        return Err(Refusal::new(ReturnCode::Field, "`text` must be no longer than 1000 characters"));
    }
    let visitor = caller.person(data.person, platform)?;
    let code = platform.store.code(visitor, platform.clock.now()).await?;
    let Some(assignment) = data.assignment_id else {
        return Ok(json!({ "correctionId": Value::Null, "appeals": appeals(&code) }));
    };
    let mut letters = code.open.iter().map(|one| &one.letter).chain(code.past.iter().map(|one| &one.letter));
    let link = letters.find(|letter| letter.assignment == assignment).map(|letter| &letter.appeal_url);
    let row = sealed_row(visitor, assignment, text, platform)?;
    let kept = match platform.store.keep_correction(&row).await? {
        Kept::Yes => Some(row.id),
        // A ground that no assignment of the service gives, such as a measure of this platform's own: whoever is coloured
        // by it is shown the way to appeal all the same.
        Kept::Unknown if link.is_some() => None,
        Kept::Unknown => {
            let why = "nothing of this id is known about this person; ask without `assignmentId` for what there is to \
                       appeal against";
            return Err(Refusal::new(ReturnCode::Unknown, why));
        }
        Kept::Enough => {
            let why = "this was objected to often enough here; use the link to the appeal";
            return Err(Refusal::new(ReturnCode::Share, why));
        }
    };
    Ok(json!({
        "correctionId": kept,
        "assignmentId": assignment,
        "appealUrl": link,
        "askedAt": row.asked_at,
        "appeals": appeals(&code),
    }))
}

fn sealed_row(
    visitor: Visitor,
    assignment_id: Uuid,
    text: &str,
    platform: &Platform,
) -> Result<Correction, Refusal> {
    let plain = text.as_bytes().to_vec();
    let sealed = sealed::seal(platform.keys.visitor_key(), visitor, "correction", plain, rand::random());
    let sealed =
        sealed.ok_or_else(|| Refusal::new(ReturnCode::Away, "it could not be sealed; ask again later"))?;
    let (id, asked_at) = (Uuid::now_v7(), platform.clock.now());
    Ok(Correction { id, visitor: visitor.to_uuid(), assignment_id, asked_at, sealed })
}
