//! A standing as JSON: for trusted programs, and for whoever asks about their own.

use serde_json::{Value, json};

use super::api::word;
use super::language::Language;
use super::scheme::{once_shown, shown, strongest};
use super::standing::Ending;
use super::store::{Code, Told};
use super::words;
use crate::domain::letter::Letter;
use crate::domain::scheme::Scheme;

/// What a code shows and on what grounds, in the form of GB/T 38963's answers here.
pub(super) fn standing(scheme: Scheme, code: &Code) -> Value {
    let open = code.open.iter().map(|one| ground(scheme, &one.letter, &one.steps));
    let past = code.past.iter().map(|one| {
        let mut ground = ground(scheme, &one.letter, &one.steps);
        if let Some(ground) = ground.as_object_mut() {
            ground.remove("places");
            ground.insert("ended".to_owned(), json!(ending(one.ending)));
            ground.insert("endedAt".to_owned(), json!(one.ended_at));
        }
        ground
    });
    json!({
        "colour": code.colour,
        "shown": strongest(scheme, code.open.iter().map(|one| &one.letter)),
        "assignments": open.collect::<Vec<_>>(),
        "past": past.collect::<Vec<_>>(),
    })
}

fn ground(scheme: Scheme, letter: &Letter, steps: &[Told]) -> Value {
    let both = |chinese: &str, english: &str| json!({ "zh": chinese, "en": english });
    let (zh, en) = (Language::Chinese, Language::English);
    let befores = std::iter::once(None).chain(steps.iter().map(Some));
    let history = befores.zip(steps).map(|(before, told)| {
        json!({
            "kind": word(&told.kind),
            "shown": once_shown(scheme, letter, told.colour),
            "at": told.at,
            "words": both(
                &words::step(zh, scheme, letter, before, told),
                &words::step(en, scheme, letter, before, told),
            ),
        })
    });
    json!({
        "assignmentId": letter.assignment,
        "class": letter.class,
        "reason": both(zh.class(letter.class), en.class(letter.class)),
        "colour": letter.colour,
        "shown": shown(scheme, letter),
        "places": letter.exposures,
        "rulePack": letter.rule_pack,
        "rule": letter.rule,
        "division": letter.division,
        "authority": letter.authority,
        "legalBasis": letter.legal_basis,
        "end": {
            "conditions": letter.end,
            "words": { "zh": words::ends(zh, &letter.end), "en": words::ends(en, &letter.end) },
            "at": letter.expires_at,
        },
        "reviewAt": letter.review_at,
        "appealUrl": letter.appeal_url,
        "history": history.collect::<Vec<_>>(),
    })
}

fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Open => "open",
        Ending::Expired => "expired",
        Ending::Ended => "ended",
        Ending::Withdrawn => "withdrawn",
    }
}

/// The grounds that somebody can appeal against, open ones first.
pub(super) fn appeals(code: &Code) -> Value {
    let letters = code.open.iter().map(|one| &one.letter).chain(code.past.iter().map(|one| &one.letter));
    let appeal =
        |letter: &Letter| json!({ "assignmentId": letter.assignment, "appealUrl": letter.appeal_url });
    letters.map(appeal).collect()
}
