//! What the national platform says of somebody, asked by the system of the division where that person lives. The word is
//! a meaning, not a colour: each side paints it itself.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::settings::Ask;
use super::{authenticate, in_force, read, refuse, signed, unknown};
use crate::domain::visitor::Visitor;
use crate::issuer::client::peer::{Keys, Told};
use crate::issuer::reference::Platform;
use crate::issuer::reference::api::Trusted;
use crate::issuer::reference::problem::Problem;

/// The only type of question.
const QUESTION: &str = "placecode.word-question.v1";

/// The only type of answer.
const WORD: &str = "placecode.word.v1";

/// Which person is meant.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(rename = "type")]
    document: String,
    agreement: String,
    alias_key: String,
    alias: String,
}

/// What is said of a person.
#[derive(Serialize, Deserialize)]
struct Word {
    #[serde(rename = "type")]
    document: String,
    says: Says,
    until: Option<DateTime<Utc>>,
    authority: String,
}

/// The meanings that a hand-over can lead to. The national code knows two more, cases and temperatures at the door,
/// of which no place code tells.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Says {
    /// Nothing is known of the person.
    NothingKnown,
    /// The person was exposed, and is under a measure.
    Exposed,
}

impl Says {
    /// How the national code paints it, where it is shown.
    fn painted(self) -> &'static str {
        match self {
            Self::NothingKnown => "green",
            Self::Exposed => "orange",
        }
    }
}

/// `POST /v1/words`: what this system says of somebody, to a system with which there is an agreement.
pub(super) async fn tell(
    request: HttpRequest,
    body: Result<web::Bytes, actix_web::Error>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let body = body.map_err(|error| Problem::of(&error, "the body is too long, or cannot be read"))?;
    let now = platform.clock.now();
    let question: Question = read(&body)?;
    let agreed = platform.border.agreed.get(&question.agreement).ok_or_else(unknown)?;
    let message = authenticate(&request, &body, &agreed.peer, now)?;
    in_force(agreed, now)?;
    if question.document != QUESTION || question.alias_key != agreed.agreement.alias_key {
        return Err(refuse(format!("`type` must be `{QUESTION}`, and `alias_key` the one of the agreement")));
    }
    let own = platform.border.own.as_ref().ok_or_else(|| refuse("this system decides about nobody"))?;
    let alias = Visitor::from_hex(&question.alias);
    let alias = alias.ok_or_else(|| refuse("`alias` must be 32 hexadecimal digits in lower case"))?;
    let until = platform.store.measure_of(&question.alias_key, alias, now).await?;
    let says = if until.is_some() { Says::Exposed } else { Says::NothingKnown };
    let word = Word { document: WORD.to_owned(), says, until, authority: own.authority.clone() };
    Ok(signed(&word, &message, &agreed.key, now))
}

/// `GET /v1/national/{visitor}`: what the national platform says of a visitor here, painted as the national code is.
pub(super) async fn show(
    _trusted: Trusted,
    visitor: web::Path<String>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let visitor = Visitor::from_hex(&visitor)
        .ok_or_else(|| refuse("a visitor is 32 hexadecimal digits in lower case"))?;
    let national = platform.border.national.as_ref();
    let national = national.ok_or_else(|| refuse("this system asks no national platform"))?;
    let known = platform.store.aliases(visitor).await?;
    let alias = known.get(&national.alias_key);
    let alias = alias.ok_or_else(|| refuse("the visitor must sign in once before others can be asked"))?;
    let word = ask(&platform, national, alias).await?;
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(json!({
        "shown": word.says.painted(),
        "says": word.says,
        "until": word.until,
        "authority": word.authority,
    })))
}

async fn ask(platform: &Platform, national: &Ask, alias: &str) -> Result<Word, Problem> {
    let question = Question {
        document: QUESTION.to_owned(),
        agreement: national.agreement.clone(),
        alias_key: national.alias_key.clone(),
        alias: alias.to_owned(),
    };
    let away = |detail: &str| {
        Problem::new(actix_web::http::StatusCode::BAD_GATEWAY, format!("the national platform: {detail}"))
    };
    let body = serde_json::to_vec(&question).map_err(|_why| away("no question"))?;
    let keys = Keys { own: &national.key, peer: &national.peer };
    let id = Uuid::now_v7().to_string();
    match platform.border.client.tell(&national.url, keys, &id, body, platform.clock.now()).await {
        Told::Answered(answer) => {
            serde_json::from_slice(&answer).map_err(|_why| away("the answer has another form"))
        }
        Told::Refused(detail) | Told::Later(detail) => Err(away(&detail)),
    }
}
