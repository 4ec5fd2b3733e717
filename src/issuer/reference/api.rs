//! What trusted programs may ask: colours, counts and identity assertions. All need the bearer token.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Platform;
use super::identity::Identity;
use super::problem::Problem;
use super::scheme::{shown, strongest};
use crate::domain::letter::Letter;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::scheme::Scheme;
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;

/// How many identities one call may name.
const IDENTITIES_MAX: usize = 1000;

/// The longest body of a call for assertions.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;

/// Proof that the caller has the bearer token: a handler that names it cannot be reached without.
pub(super) struct Trusted;

impl FromRequest for Trusted {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        let platform = request.app_data::<web::Data<Platform>>();
        let trusted = given.zip(platform).is_some_and(|(given, platform)| platform.keys.trusts(given.trim()));
        let refusal = || Problem::new(StatusCode::UNAUTHORIZED, "the bearer token of the key file is needed");
        ready(if trusted { Ok(Self) } else { Err(refusal()) })
    }
}

/// `GET /v1/colours/{visitor}`: what a visitor's code shows, and why.
pub(super) async fn colour(
    _trusted: Trusted,
    visitor: web::Path<String>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let visitor = Visitor::from_hex(&visitor).ok_or_else(|| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "a visitor is 32 hexadecimal digits in lower case")
    })?;
    let now = platform.clock.now();
    let code = platform.store.code(visitor, now).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({
        "colour": code.colour,
        "shown": strongest(platform.scheme, code.open.iter().map(|one| &one.letter)),
        "sequence": code.sequence,
        "as_of": now,
        "assignments": code.open.iter().map(|one| assignment(platform.scheme, &one.letter)).collect::<Vec<_>>(),
    })))
}

fn assignment(scheme: Scheme, letter: &Letter) -> Value {
    json!({
        "id": letter.assignment,
        "class": letter.class,
        "colour": letter.colour,
        "shown": shown(scheme, letter),
        "rule_pack": letter.rule_pack,
        "rule": letter.rule,
        "division": letter.division,
        "authority": letter.authority,
        "legal_basis": letter.legal_basis,
        "exposures": letter.exposures,
        "last_exposure_at": letter.last_exposure_at,
        "expires_at": letter.expires_at,
        "review_at": letter.review_at,
        "appeal_url": letter.appeal_url,
    })
}

/// `GET /v1/summary`: how many show what. Numbers only.
pub(super) async fn summary(
    _trusted: Trusted,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let now = platform.clock.now();
    let counts = platform.store.counts(now).await?;
    let (waiting, refused) = platform.store.facts_counted().await?;
    let colours: serde_json::Map<_, _> =
        Colour::ALL.iter().map(|colour| (word(colour), json!(counts.of_colour(*colour)))).collect();
    let classes: serde_json::Map<_, _> =
        Class::ALL.iter().map(|class| (word(class), json!(counts.of_class(*class)))).collect();
    Ok(HttpResponse::Ok().json(json!({
        "as_of": now,
        "visitors": colours,
        "open_assignments": classes,
        "letters": { "applied": counts.letters_applied, "stale": counts.letters_stale },
        "facts": { "waiting": waiting, "refused": refused },
    })))
}

/// The word that stands for a value in JSON.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Somebody whom a trusted front-end has verified.
#[derive(Deserialize)]
pub(super) struct Verified {
    kind: u8,
    number: String,
    /// Where that person lives: a division code. What happens elsewhere is then handed over to the system there.
    division: Option<String>,
}

/// One identity, or many.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Asked {
    Many { identities: Vec<Verified> },
    One(Verified),
}

/// `POST /v1/assertions`: an identity assertion for each identity that a trusted front-end has verified.
pub(super) async fn assertions(
    _trusted: Trusted,
    asked: Result<web::Json<Asked>, actix_web::Error>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let form = "the body must be {\"kind\", \"number\"} and, where it is known, \"division\", or {\"identities\": [{…}, …]}";
    let refuse = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let mut seen = Vec::new();
    let mut assertion = |verified: &Verified| -> Result<String, String> {
        let identity = Identity::parse(verified.kind, &verified.number).map_err(|error| error.to_string())?;
        let division = verified.division.as_deref().map(str::parse::<Division>).transpose();
        let division = division.map_err(|error| format!("`division`: {error}"))?;
        let (visitor, aliases) = (platform.visitor(&identity), platform.aliases_of(&identity));
        seen.push((visitor, aliases.clone()));
        // No colours here: what a gate of a trusted front-end shows, it asks for itself.
        Ok(platform.vouch(visitor, None, aliases, division.as_ref()))
    };
    let answer = match asked.map_err(|error| Problem::of(&error, form))?.into_inner() {
        Asked::One(verified) => {
            let assertion = assertion(&verified).map_err(&refuse)?;
            json!({ "assertion": assertion })
        }
        Asked::Many { identities } if identities.len() > IDENTITIES_MAX => {
            return Err(refuse(format!("one call names at most {IDENTITIES_MAX} identities")));
        }
        Asked::Many { identities } => {
            let each = (1..).zip(&identities).map(|(at, verified)| {
                assertion(verified).map_err(|error| refuse(format!("identity {at}: {error}")))
            });
            json!({ "assertions": each.collect::<Result<Vec<_>, _>>()? })
        }
    };
    platform.know(&seen).await;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}
