//! What people, laboratories and hospitals tell: kept before they are answered, sent until the service has it.

use chrono::TimeDelta;
use placecode::domain::visitor::{IdentityKind, Visitor};
use placecode::domain::webhook::SigningKey;
use serde_json::{Value, json};
use uuid::Uuid;

use super::platform::Platform;
use super::receiver::both;

const NUMBER: &str = "11010519491231002X";

/// Facts that the platform hands in for others, and what it answers.
async fn hand_in(platform: &Platform, path: &str, body: &Value) -> (u16, Value) {
    let request = platform.http.post(platform.at(path)).bearer_auth(platform.keys.api_token());
    let answer = request.json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn test_of(platform: &Platform, nth: usize) -> Value {
    let (id, at) = (Uuid::now_v7(), platform.clock.now() - TimeDelta::hours(2));
    json!({ "id": id, "kind": 99, "number": format!("PERSON-{nth}"), "result": "negative", "at": at })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_in_reaches_the_service_signed_and_once() {
    let (platform, receiver) = both().await;
    let cookie = platform.session(NUMBER).await;
    let answer = platform.form("me/check-in", &cookie, &[("health", "well")]).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/me".parse().unwrap()));
    assert_eq!(platform.form("me/check-in", &cookie, &[("health", "")]).await.status(), 422);
    let foreign = platform.http.post(platform.at("me/check-in")).header("origin", "https://evil.example");
    let foreign = foreign.header("cookie", &cookie).body("health=symptoms").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    assert_eq!(platform.server().tell().await.unwrap(), 1);
    assert_eq!(platform.server().tell().await.unwrap(), 0);
    {
        let state = receiver.state();
        assert_eq!((state.facts.len(), state.requests), (1, 1));
        let fact = state.facts.values().next().unwrap();
        assert_eq!(fact["visitor"], platform.visitor(NUMBER).to_hex());
        assert_eq!((&fact["kind"], &fact["at"]), (&json!("healthy_check_in"), &json!(platform.clock.now())));
    }
    let (_, page) = platform.page("me", &cookie).await;
    assert!(page.contains("上次打卡：2026年3月10日 12:00"), "{page}");
    // Nobody floods the service: ten within a day.
    for _ in 0..9 {
        assert_eq!(platform.form("me/check-in", &cookie, &[("health", "symptoms")]).await.status(), 303);
    }
    assert_eq!(platform.form("me/check-in", &cookie, &[("health", "well")]).await.status(), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_answered_is_sent_again_later_and_known_by_its_id() {
    let (mut platform, receiver) = both().await;
    let tests = json!({ "tests": [test_of(&platform, 1), test_of(&platform, 2)] });
    assert_eq!(hand_in(&platform, "v1/tests", &tests).await, (200, json!({ "accepted": 2, "known": 0 })));
    assert_eq!(hand_in(&platform, "v1/tests", &tests).await, (200, json!({ "accepted": 0, "known": 2 })));
    // The service keeps them, and its answer is lost.
    receiver.state().breaks = Some(500);
    assert_eq!(platform.server().tell().await.unwrap(), 0);
    assert_eq!(platform.server().tell().await.unwrap(), 0);
    assert_eq!(receiver.state().requests, 1, "not before its pause is over");
    assert_eq!(platform.read("v1/summary").await["facts"], json!({ "waiting": 2, "refused": 0 }));
    // A fault of the platform loses nothing.
    platform.restart().await;
    receiver.state().breaks = None;
    platform.clock.advance(TimeDelta::seconds(4));
    assert_eq!(platform.server().tell().await.unwrap(), 2);
    assert_eq!(receiver.state().facts.len(), 2);
    assert_eq!(receiver.state().requests, 2);
    assert_eq!(platform.read("v1/summary").await["facts"], json!({ "waiting": 0, "refused": 0 }));
    let expected = Visitor::of(platform.keys.visitor_key().bytes(), IdentityKind::Other, "PERSON-1").to_hex();
    assert!(receiver.state().facts.values().any(|fact| fact["visitor"] == expected));
    // Nobody is there at all.
    let discharge = json!({ "id": Uuid::now_v7(), "kind": 10, "number": NUMBER, "at": platform.clock.now() });
    let (status, _) = hand_in(&platform, "v1/discharges", &json!({ "discharges": [discharge] })).await;
    assert_eq!(status, 200);
    receiver.stop().await;
    assert_eq!(platform.server().tell().await.unwrap(), 0);
    assert_eq!(platform.read("v1/summary").await["facts"]["waiting"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fact_that_is_refused_for_ever_keeps_back_no_other() {
    let (platform, receiver) = both().await;
    let tests: Vec<Value> = (0..37).map(|nth| test_of(&platform, nth)).collect();
    receiver.state().refuses = Some(serde_json::from_value(tests[20]["id"].clone()).unwrap());
    assert_eq!(hand_in(&platform, "v1/tests", &json!({ "tests": tests })).await.0, 200);
    assert_eq!(platform.server().tell().await.unwrap(), 36);
    assert_eq!(receiver.state().facts.len(), 36);
    assert_eq!(platform.read("v1/summary").await["facts"], json!({ "waiting": 0, "refused": 1 }));
    platform.clock.advance(TimeDelta::days(1));
    assert_eq!(platform.server().tell().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_believe_the_platform_gets_nothing_and_loses_nothing() {
    let (platform, receiver) = both().await;
    let other = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    receiver.state().believes = other.verifying_key();
    let tests = json!({ "tests": [test_of(&platform, 1)] });
    assert_eq!(hand_in(&platform, "v1/tests", &tests).await.0, 200);
    assert_eq!(platform.server().tell().await.unwrap(), 0);
    receiver.state().believes = platform.letters_key().verifying_key();
    platform.clock.advance(TimeDelta::minutes(1));
    assert_eq!(platform.server().tell().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_with_one_bad_entry_is_refused_as_a_whole() {
    let platform = Platform::start().await;
    let good = test_of(&platform, 1);
    let with = |name: &str, value: Value| {
        let mut bad = test_of(&platform, 2);
        bad[name] = value;
        json!({ "tests": [good, bad] })
    };
    let late = platform.clock.now() + TimeDelta::hours(1);
    let early = platform.clock.now() - TimeDelta::days(29);
    for (name, value) in
        [("kind", json!(11)), ("number", json!("secret@x")), ("at", json!(late)), ("at", json!(early))]
    {
        let (status, problem) = hand_in(&platform, "v1/tests", &with(name, value)).await;
        assert!(status == 422 && problem["detail"].as_str().unwrap().starts_with("test 2: "), "{problem}");
        assert!(!problem.to_string().contains("secret"));
    }
    for body in [with("result", json!("unknown")), with("id", json!("7")), with("extra", json!(1)), json!([])]
    {
        assert_eq!(hand_in(&platform, "v1/tests", &body).await.0, 400, "{body}");
    }
    assert_eq!(hand_in(&platform, "v1/tests", &json!({ "tests": [] })).await.0, 422);
    let many: Vec<Value> = (0..501).map(|nth| test_of(&platform, nth)).collect();
    assert_eq!(hand_in(&platform, "v1/tests", &json!({ "tests": many })).await.0, 422);
    let answer = platform.http.post(platform.at("v1/tests")).json(&json!({ "tests": [good] })).send().await;
    assert_eq!(answer.unwrap().status(), 401);
    assert_eq!(platform.read("v1/summary").await["facts"]["waiting"], 0);
}
