//! `POST /v1/letters`: what the service decided comes in.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{Datelike, TimeDelta};

use super::Platform;
use super::problem::Problem;
use super::signed::authenticate;
use super::store::Addressed;
use crate::domain::letter::{ENVELOPE, ENVELOPE_LETTERS_MAX, Envelope, Letter};
use crate::domain::visitor::Visitor;

/// The longest body that is read.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// An assignment ends at the latest so long after the last exposure: the longest that a rule pack may
/// say, and the rest of the day.
const LIFE_MAX: TimeDelta = TimeDelta::days(61);

/// Verifies an envelope and applies its letters: all of them or none.
pub(super) async fn receive(
    request: HttpRequest,
    body: Result<web::Bytes, actix_web::Error>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let body =
        body.map_err(|error| Problem::of(&error, "the body is longer than 1 MiB, or cannot be read"))?;
    let now = platform.clock.now();
    authenticate(&request, &body, &platform, now)?;
    let refuse = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let envelope = parse(&body)?;
    if envelope.kind != ENVELOPE {
        return Err(refuse(format!("the type of the envelope must be `{ENVELOPE}`")));
    }
    if !(1..=ENVELOPE_LETTERS_MAX).contains(&envelope.letters.len()) {
        return Err(refuse(format!("an envelope holds 1 to {ENVELOPE_LETTERS_MAX} letters")));
    }
    let addressed = addressed(envelope.letters).map_err(|(at, why)| refuse(format!("letter {at}: {why}")))?;
    let applied = platform.store.apply(&addressed, now).await?;
    tracing::info!(count = applied.len(), "letters arrived");
    Ok(HttpResponse::Ok().json(applied))
}

/// Two kinds of refusal: what is no JSON at all (400), and JSON that is no envelope (422).
fn parse(body: &[u8]) -> Result<Envelope, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        // Only the place of the error: its text repeats values, which may be a visitor.
        let place = format!("line {}, column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("the body is not an envelope of letters: see {place}"),
            ),
            _ => Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: see {place}")),
        }
    })
}

/// Each letter with the visitor that it names, or the place of the first that is wrong, counted from 1, and why.
pub(super) fn addressed(letters: Vec<Letter>) -> Result<Vec<Addressed>, (usize, &'static str)> {
    let addressed = |(at, letter): (usize, Letter)| {
        let visitor = check(&letter).map_err(|why| (at, why))?;
        Ok(Addressed { visitor, letter })
    };
    (1..).zip(letters).map(addressed).collect()
}

fn check(letter: &Letter) -> Result<Visitor, &'static str> {
    let visitor = Visitor::from_hex(&letter.visitor).ok_or("`visitor` must be 32 hexadecimal digits")?;
    if letter.sequence < 0 {
        return Err("`sequence` must not be negative");
    }
    // Only these years: the calendar of a letter goes further than that of the database.
    let meetings = letter.exposures.iter().flat_map(|meeting| [meeting.from, meeting.until]);
    let mut times = meetings.chain([letter.last_exposure_at]).chain(letter.review_at);
    if !times.all(|time| (2000..3000).contains(&time.year())) {
        return Err("no time may lie outside the years 2000 to 2999");
    }
    let ends = letter.last_exposure_at..=letter.last_exposure_at + LIFE_MAX;
    if !ends.contains(&letter.expires_at) {
        return Err("`expires_at` must lie within 61 days after `last_exposure_at`");
    }
    if letter.exposures.iter().any(|meeting| meeting.until < meeting.from) {
        return Err("an exposure must not end before it begins");
    }
    // Postgres keeps no such character, and no name has one.
    let texts =
        [&letter.rule_pack, &letter.division, &letter.authority, &letter.legal_basis, &letter.appeal_url];
    let places = letter.exposures.iter().map(|meeting| &meeting.place);
    if texts.into_iter().chain(places).chain(&letter.rule).any(|text| text.contains('\0')) {
        return Err("no text may hold the character U+0000");
    }
    Ok(visitor)
}
