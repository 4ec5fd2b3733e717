//! Letters: once, in any order, and only from the service.

use chrono::{DateTime, TimeDelta};
use placecode::domain::letter::LetterKind;
use placecode::domain::rule_pack::Colour;
use placecode::domain::visitor::Visitor;
use placecode::domain::webhook::{Headers, Secret, SigningKey};
use placecode::issuer::answer::Outcome::{self, Applied, Repeated, Stale};
use placecode::issuer::client::Sent;
use placecode::issuer::reference::IssuerKeys;
use serde_json::{Value, json};
use uuid::Uuid;

use super::platform::{Platform, usual_keys};
use crate::support::servers::drop_databases;

fn somebody() -> Visitor {
    Visitor::from_uuid(Uuid::now_v7())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_counts_once_however_often_it_arrives() {
    let platform = Platform::start().await;
    let (visitor, assignment) = (somebody(), Uuid::now_v7());
    let letter = platform.letter(visitor, 1, LetterKind::Assigned, assignment);
    assert_eq!(platform.deliver(&[letter.clone(), letter.clone()]).await, [Applied, Repeated]);
    assert_eq!(platform.deliver(std::slice::from_ref(&letter)).await, [Repeated]);
    let code = platform.code(visitor).await;
    assert_eq!((&code["colour"], &code["sequence"]), (&json!("yellow"), &json!(1)));
    assert_eq!(code["assignments"].as_array().unwrap().len(), 1);
    assert_eq!(code["assignments"][0]["exposures"][0]["place"], "星河商场 · 东门");
    let ended = platform.letter(visitor, 2, LetterKind::Withdrawn, assignment);
    assert_eq!(platform.deliver(&[ended, letter]).await, [Applied, Repeated]);
    assert_eq!(platform.code(visitor).await["colour"], "green");
    let summary = platform.read("v1/summary").await;
    assert_eq!(summary["letters"], json!({ "applied": 2, "stale": 0 }));
    assert_eq!(summary["visitors"], json!({ "green": 1, "yellow": 0, "red": 0 }));
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_letter_in_many_requests_at_once_counts_once() {
    let platform = Platform::start().await;
    let people: Vec<Visitor> = (0..20).map(|_| somebody()).collect();
    let one = |visitor: &Visitor| platform.letter(*visitor, 1, LetterKind::Assigned, Uuid::now_v7());
    let letters: Vec<_> = people.iter().map(one).collect();
    let mut turned = letters.clone();
    turned.reverse();
    let sendings = (0..12).map(|at| platform.deliver(if at % 2 == 0 { &letters } else { &turned }));
    let results: Vec<Outcome> = futures_util::future::join_all(sendings).await.concat();
    assert_eq!(results.iter().filter(|result| **result == Applied).count(), 20);
    assert_eq!(results.iter().filter(|result| **result == Repeated).count(), 220);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strongest_open_colour_shows_until_its_last_day() {
    let platform = Platform::start().await;
    let visitor = somebody();
    let yellow = platform.letter(visitor, 1, LetterKind::Assigned, Uuid::now_v7());
    let mut red = platform.letter(visitor, 2, LetterKind::Assigned, Uuid::now_v7());
    red.colour = Colour::Red;
    red.expires_at = platform.clock.now() + TimeDelta::days(1);
    assert_eq!(platform.deliver(&[yellow, red]).await, [Applied, Applied]);
    let code = platform.code(visitor).await;
    assert_eq!(code["colour"], "red");
    assert_eq!(code["assignments"].as_array().unwrap().len(), 2);
    platform.clock.advance(TimeDelta::days(1));
    assert_eq!(platform.code(visitor).await["colour"], "yellow");
    platform.clock.advance(TimeDelta::days(5));
    let code = platform.code(visitor).await;
    assert_eq!((&code["colour"], &code["assignments"]), (&json!("green"), &json!([])));
    assert_eq!(platform.code(somebody()).await["colour"], "green");
    // What ended a month ago is gone.
    assert_eq!(platform.read("v1/summary").await["visitors"]["green"], 1);
    platform.clock.advance(TimeDelta::days(31));
    platform.stop_when_empty().await;
}

/// The small generator of the shuffles: the same orders in every run.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

/// Some letters about three assignments of one visitor, as the service writes them.
fn story(platform: &Platform, visitor: Visitor, state: &mut u64) -> Vec<placecode::domain::letter::Letter> {
    let assignments = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
    let mut letters = Vec::new();
    for sequence in 1..=6 {
        let kind = match next(state) % 9 {
            0 => LetterKind::Withdrawn,
            1 => LetterKind::Expired,
            2 => LetterKind::Ended,
            3 | 4 => LetterKind::Downgraded,
            5 => LetterKind::Extended,
            _ => LetterKind::Assigned,
        };
        let mut letter = platform.letter(visitor, sequence, kind, assignments[next(state) % 3]);
        letter.colour = if next(state).is_multiple_of(2) { Colour::Red } else { Colour::Yellow };
        letter.expires_at += TimeDelta::days(sequence);
        letters.push(letter);
    }
    letters
}

fn shown(code: &Value) -> (Value, Vec<(Value, Value)>) {
    let open = code["assignments"].as_array().unwrap();
    let said = |one: &Value| json!([one["colour"], one["expires_at"]]);
    let mut open: Vec<_> = open.iter().map(|one| (one["id"].clone(), said(one))).collect();
    open.sort_by_key(|(id, _)| id.to_string());
    (code["colour"].clone(), open)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_whatever_order_letters_arrive_the_colour_is_the_same() {
    let platform = Platform::start().await;
    let mut state = 7;
    for _ in 0..40 {
        let (straight, mixed) = (somebody(), somebody());
        let letters = story(&platform, straight, &mut state);
        platform.deliver(&letters).await;
        let mut copy: Vec<_> = letters
            .into_iter()
            .map(|mut letter| {
                letter.visitor = mixed.to_hex();
                letter.id = Uuid::now_v7();
                letter
            })
            .collect();
        // Each letter twice, in disorder, and cut into envelopes anywhere.
        copy.extend(copy.clone());
        for at in (1..copy.len()).rev() {
            copy.swap(at, next(&mut state) % (at + 1));
        }
        while !copy.is_empty() {
            let rest = copy.split_off((1 + next(&mut state) % 4).min(copy.len()));
            platform.deliver(&copy).await;
            copy = rest;
        }
        assert_eq!(shown(&platform.code(mixed).await), shown(&platform.code(straight).await));
        assert_eq!(kept(&platform, mixed).await, kept(&platform, straight).await);
        assert_eq!(platform.code(mixed).await["sequence"], 6);
    }
}

/// The rows of the assignments, without what tells arrivals apart: whom, by what letters' ids, and when.
async fn kept(platform: &Platform, visitor: Visitor) -> Vec<Value> {
    let sql =
        "select id, sequence, ending, class, colour, expires_at, letter - '{id,visitor}'::text[] as letter
        from assignments where visitor = '$' order by id";
    platform.rows(&sql.replace('$', &visitor.to_uuid().to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_stays_withdrawn() {
    let platform = Platform::start().await;
    let (visitor, assignment) = (somebody(), Uuid::now_v7());
    let letter = |sequence, kind| platform.letter(visitor, sequence, kind, assignment);
    assert_eq!(platform.deliver(&[letter(2, LetterKind::Withdrawn)]).await, [Applied]);
    assert_eq!(platform.deliver(&[letter(1, LetterKind::Assigned)]).await, [Stale]);
    assert_eq!(platform.deliver(&[letter(3, LetterKind::Assigned)]).await, [Stale]);
    assert_eq!(platform.code(visitor).await["colour"], "green");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_becomes_longer_and_weaker_and_never_darker_again() {
    let platform = Platform::start().await;
    let (visitor, assignment) = (somebody(), Uuid::now_v7());
    let letter = |sequence, kind, colour, days| {
        let mut letter = platform.letter(visitor, sequence, kind, assignment);
        letter.colour = colour;
        letter.expires_at += TimeDelta::days(days);
        letter
    };
    let assigned = letter(1, LetterKind::Assigned, Colour::Red, 0);
    let longer = letter(2, LetterKind::Extended, Colour::Red, 3);
    let weaker = letter(3, LetterKind::Downgraded, Colour::Yellow, 3);
    assert_eq!(platform.deliver(&[weaker]).await, [Applied]);
    assert_eq!(platform.deliver(&[longer, assigned]).await, [Stale, Stale]);
    let code = platform.code(visitor).await;
    assert_eq!((&code["colour"], &code["assignments"][0]["colour"]), (&json!("yellow"), &json!("yellow")));
    // An older word with a weaker colour counts for the colour alone.
    let green = letter(2, LetterKind::Downgraded, Colour::Green, 9);
    assert_eq!(platform.deliver(&[green]).await, [Applied]);
    let code = platform.code(visitor).await;
    assert_eq!(code["colour"], "green");
    assert_eq!(code["assignments"][0]["expires_at"], "2026-03-19T04:00:00Z");
    let ended = letter(4, LetterKind::Ended, Colour::Green, 3);
    let again = letter(5, LetterKind::Extended, Colour::Red, 9);
    assert_eq!(platform.deliver(&[again, ended]).await, [Applied, Applied]);
    assert_eq!(platform.code(visitor).await["assignments"], json!([]));
}

/// The service signs with an Ed25519 key of its own, and changes it: for a while two keys are believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_a_public_key_is_believed_and_may_change_it() {
    let [old, new] = [[21; 32], [22; 32]].map(|seed| SigningKey::format_ed25519(&seed));
    let [old, new] = [old, new].map(|text| SigningKey::parse(&text).unwrap());
    let public = |key: &SigningKey| key.verifying_key().public_text().unwrap();
    let shared = usual_keys();
    let entry = format!("letters_secret = \"{}\"", shared.letters_secret_text());
    let both = format!(
        "signing_key = \"{}\"\nletters_secret = [\"{}\", \"{}\"]",
        SigningKey::format_ed25519(&[23; 32]),
        public(&old),
        public(&new)
    );
    let keys = IssuerKeys::parse(&shared.to_toml().replace(&entry, &both)).unwrap();
    let platform = Platform::start_as(keys, |_config| {}).await;
    let letter = || [platform.letter(somebody(), 1, LetterKind::Assigned, Uuid::now_v7())];
    for key in [&old, &new] {
        assert!(matches!(platform.send(key, &letter()).await, Sent::Delivered(_)));
    }
    let secret = SigningKey::parse(shared.letters_secret_text()).unwrap();
    assert!(matches!(platform.send(&secret, &letter()).await, Sent::Refused { status: 401, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_says_whether_to_bury_or_to_try_again() {
    let platform = Platform::start().await;
    let mut letter = platform.letter(somebody(), 1, LetterKind::Assigned, Uuid::now_v7());
    let other = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let forged = platform.send(&other, std::slice::from_ref(&letter)).await;
    assert!(matches!(&forged, Sent::Refused { status: 401, detail } if detail.contains("no signature")));
    letter.visitor = "0123456789abcdef0123456789ABCDEF".to_owned();
    let refused = platform.send(&platform.letters_key(), &[letter.clone()]).await;
    assert!(matches!(&refused, Sent::Refused { status: 422, detail } if detail.contains("letter 1")));
    // Nobody listens there.
    let url = "http://127.0.0.1:9/v1/letters".parse().unwrap();
    let envelope = placecode::domain::letter::Envelope {
        kind: "placecode.letters.v1".to_owned(),
        timestamp: platform.clock.now(),
        letters: vec![letter],
    };
    let good = [platform.letter(somebody(), 1, LetterKind::Assigned, Uuid::now_v7())];
    let secret = &platform.letters_key();
    let later = platform.client.send(&url, secret, &envelope, Uuid::now_v7(), platform.clock.now()).await;
    assert_eq!(later, Sent::Later { detail: "no connection".to_owned() });
    // The database is gone: what comes is neither lost nor refused.
    drop_databases(&platform.database);
    let later = platform.send(secret, &good).await;
    assert!(matches!(&later, Sent::Later { detail } if detail.contains("503")), "{later:?}");
    assert_eq!(platform.http.get(platform.at("readyz")).send().await.unwrap().status(), 503);
    assert_eq!(platform.http.get(platform.at("livez")).send().await.unwrap().status(), 200);
}

/// Whoever receives letters may verify them with the published library.
#[test]
fn the_published_library_of_standard_webhooks_agrees() {
    let text = Secret::format(&[9; 32]);
    let theirs = standardwebhooks::Webhook::new(&text).unwrap();
    let ours = SigningKey::parse(&text).unwrap();
    let body = br#"{"type":"placecode.letters.v1","letters":[]}"#;
    let signature = ours.sign("msg_1", 1_614_265_330, body);
    assert_eq!(theirs.sign("msg_1", 1_614_265_330, body).unwrap(), signature);
    let now = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
    let verified = |signatures: &str| {
        let headers = Headers { id: "msg_1", timestamp: now.timestamp(), signatures };
        ours.verifying_key().verify(&headers, body, now)
    };
    assert_eq!(verified(&signature), Ok(()));
    let other = theirs.sign("msg_1", 1_614_265_330, b"{}").unwrap();
    assert!(verified(&other).is_err());
}
