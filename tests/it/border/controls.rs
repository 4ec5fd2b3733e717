//! "Already under control at X": the story of Lin Yu, in quarantine in one city and coloured by another.

use chrono::TimeDelta;
use placecode::domain::letter::{ENVELOPE, Envelope, Letter, LetterKind};
use placecode::domain::rule_pack::{Class, Colour, EndConditions};
use placecode::domain::scheme::Scheme;
use placecode::domain::webhook::SigningKey;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bilateral::hubei;
use super::stage::{Side, Story, alias, lives};
use super::wire::Wire;

fn control(id: u128, who: &Value, until: chrono::DateTime<chrono::Utc>) -> Value {
    let mut body = json!({ "type": "placecode.control.v1", "id": Uuid::from_u128(id), "division": "440300", "until": until });
    for (name, value) in who.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn lin_yu_in_quarantine_at_shenzhen_gets_no_second_colour() {
    let story = Story::begin("henan-hubei").await;
    let shenzhen = story.app.platform("third", "440300", &json!({})).await;
    let until = story.app.now() + TimeDelta::days(9);
    // One is named as we know them, the other as both sides do.
    let named = json!({ "visitor": story.app.visitor(4).to_hex() });
    let aliased = json!({ "alias_key": "henan-hubei", "alias": alias(3).to_hex() });
    for (id, who) in [(1, &named), (2, &aliased)] {
        let told = shenzhen.asks(&story.app, "/v1/issuers/third/controls", &control(id, who, until)).await;
        assert_eq!(told.expect(200)["in_force"], true);
    }
    let colours = story.app.number("select count(*) from assignments").await;
    assert_eq!(colours, 0, "a control makes no assignment");
    story.release().await;
    let reason = "already under control at 440300 until 2026-03-25 12:00";
    for number in [3, 4] {
        assert_eq!(story.end_of(number).await, json!({ "state": 4, "reason": reason }));
        assert_eq!(story.app.colour(number).await["colour"], "green");
    }
    assert_eq!(story.app.colour(2).await["colour"], "red", "nobody else is spared");
    assert_eq!(story.app.number("select count(*) from letters").await, 1);
    let entry = "select count(*) from audit_entries where action = 'control.told' and actor = 'issuer third'";
    assert_eq!(story.app.number(entry).await, 2);
    let named =
        format!("select count(*) from audit_entries where detail like '%{}%'", story.app.visitor(4).to_hex());
    assert_eq!(story.app.number(&named).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_that_is_over_or_was_ended_keeps_nothing_away() {
    let story = Story::begin("henan-hubei").await;
    let shenzhen = story.app.platform("third", "440300", &json!({})).await;
    let tell = async |id, who: &Value, until| {
        shenzhen.asks(&story.app, "/v1/issuers/third/controls", &control(id, who, until)).await
    };
    let four = json!({ "visitor": story.app.visitor(4).to_hex() });
    let two = json!({ "visitor": story.app.visitor(2).to_hex() });
    let now = story.app.now();
    tell(1, &four, now + TimeDelta::minutes(5)).await.expect(200);
    tell(2, &two, now + TimeDelta::days(9)).await.expect(200);
    tell(2, &two, now).await.expect(200);
    assert_eq!(
        tell(2, &four, now + TimeDelta::days(9)).await.problem(409),
        "this id stands for another control"
    );
    story.app.pass(6);
    story.release().await;
    for number in [2, 4] {
        assert_eq!(story.app.colour(number).await["colour"], "red");
    }
    story.app.pass(24 * 60);
    story.app.settle().await;
    assert_eq!(story.app.number("select count(*) from controls").await, 0, "what is over is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_is_told_of_one_person_by_who_may_and_within_bounds() {
    let story = Story::begin("henan-hubei").await;
    let shenzhen = story.app.platform("third", "440300", &json!({})).await;
    let hex = story.app.visitor(4).to_hex();
    let good = control(1, &json!({ "visitor": hex }), story.app.now() + TimeDelta::days(1));
    let path = "/v1/issuers/third/controls";
    story.app.client(None).post(path, &good).await.problem(401);
    story.app.as_issuer(path, &good).await.problem(401);
    let bad = [
        ("visitor", json!([hex])),
        ("visitor", json!("4")),
        ("visitor", Value::Null),
        ("alias", json!(hex)),
        ("alias_key", json!("henan-hubei")),
        ("division", json!("410100")),
        ("division", json!("44")),
        ("until", json!(story.app.now() + TimeDelta::days(62))),
        ("type", json!("placecode.facts.v1")),
        ("colour", json!("red")),
    ];
    for (field, value) in bad {
        let mut body = good.clone();
        body[field] = value.clone();
        assert!(shenzhen.asks(&story.app, path, &body).await.problem(422).len() > 10, "{field} {value}");
    }
    assert_eq!(story.app.number("select count(*) from controls").await, 0);
}

/// A letter of Hubei's own service, by which somebody is yellow there.
async fn own_letter(
    story: &Story,
    hubei: &Side,
    number: u32,
    colour: Colour,
    until: chrono::DateTime<chrono::Utc>,
) {
    let letter = Letter {
        id: Uuid::now_v7(),
        sequence: 1,
        kind: LetterKind::Assigned,
        assignment: Uuid::now_v7(),
        visitor: hubei.visitor(number).to_hex(),
        class: Class::Close,
        rule: None,
        colour,
        shown: Scheme::Three.shown(Class::Close, colour, None),
        rule_pack: "hubei-2020@1".to_owned(),
        division: "420100".to_owned(),
        authority: "武汉市疾病预防控制中心".to_owned(),
        legal_basis: "传染病防治法".to_owned(),
        exposures: Vec::new(),
        last_exposure_at: story.app.now() - TimeDelta::days(1),
        expires_at: until,
        review_at: None,
        end: EndConditions::default(),
        appeal_url: "https://appeal.example.cn/".to_owned(),
    };
    let envelope = Envelope { kind: ENVELOPE.to_owned(), timestamp: story.app.now(), letters: vec![letter] };
    let key = SigningKey::parse(hubei.keys.letters_secret_text()).unwrap();
    let body = serde_json::to_string(&envelope).unwrap();
    let (status, answer) = hubei.told(&key, "/v1/letters", &body, story.app.now()).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_under_an_own_measure_gets_no_second_one_by_a_hand_over() {
    let story = Story::begin("henan-hubei").await;
    story.app.pass(1);
    lives(&story.app, 4, "420106", "henan-hubei").await;
    let hubei = Side::start(&story.app, "second", &hubei());
    let wire = Wire::to(hubei.address);
    story.agree("henan-hubei", &story.agreed(&wire.url("/v1/hand-overs"), "bilateral", "420000")).await;
    for number in [2, 4] {
        hubei.meets(number).await;
    }
    // Person 2 is in quarantine there already; person 4's measure is over.
    own_letter(&story, &hubei, 2, Colour::Red, story.app.now() + TimeDelta::days(5)).await;
    own_letter(&story, &hubei, 4, Colour::Yellow, story.app.now() + TimeDelta::minutes(1)).await;
    story.app.pass(2);
    story.release().await;
    let receipt = &story.hand_over(2).await["receipt"];
    assert_eq!(receipt["decided"], "already_controlled");
    assert_eq!(receipt["note"], "already under control at 420000 until 2026-03-21 12:01");
    assert_eq!(hubei.shows(2).await["assignments"].as_array().unwrap().len(), 1);
    assert_eq!(story.hand_over(4).await["receipt"]["decided"], "measure");
    super::stage::assert_no_colour(&wire.carried());
    // Taking back a hand-over that led to nothing leaves the own measure alone.
    story.withdraw().await;
    assert_eq!(hubei.shows(2).await["colour"], "red");
    assert_eq!(hubei.shows(4).await["colour"], "green");
}
