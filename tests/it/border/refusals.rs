//! What a receiving side refuses, and that it changes nothing.

use chrono::TimeDelta;
use placecode::domain::webhook::SigningKey;
use serde_json::{Value, json};

use super::bilateral::hubei;
use super::stage::{FIELDS, Side, Story, agreement, alias, secret};

/// A hand-over as Henan would send it.
fn document(story: &Story) -> Value {
    let at = story.app.now() - TimeDelta::hours(3);
    json!({
        "type": "placecode.hand-over.v1", "id": "01890a5d-ac96-774b-bcce-b302099a8057", "agreement": "henan-hubei",
        "route": "bilateral", "to": "420000", "alias_key": "henan-hubei", "alias": alias(2).to_hex(),
        "infectious_kind": "confirmed", "legal_basis": "传染病防治法", "sent_at": story.app.now(), "withdrawn": false,
        "sender": { "division": "410100", "authority": "郑州市疾病预防控制中心" },
        "exposures": [{
            "relation": "same_point", "minutes": 90, "date": "2026-03-16", "granularity": "room", "presence": "verified",
            "slot": { "from": at, "until": at + TimeDelta::minutes(90) },
            "infectious_day": { "since": "onset", "days": 0 },
        }],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forged_ended_or_not_agreed_is_refused_and_changes_nothing() {
    let story = Story::begin("henan-hubei").await;
    let without_place = agreement("no-place", "bilateral", "420000", &secret("second"))
        .replace(&json!(FIELDS).to_string(), r#"["relation", "minutes"]"#);
    let ended = agreement("ended", "bilateral", "420000", &secret("second"))
        .replace("2026-04-15T00:00:00Z", "2026-03-10T00:00:00Z");
    let hubei = Side::start(&story.app, "second", &(hubei() + &without_place + &ended));
    hubei.meets(2).await;
    let (key, now) = (SigningKey::parse(&secret("second")).unwrap(), story.app.now());
    let good = document(&story);
    let send = async |key: &SigningKey, body: &Value, at| {
        hubei.told(key, "/v1/hand-overs", &body.to_string(), at).await
    };
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(field).unwrap() = value;
        body
    };
    let stranger = SigningKey::parse(&secret("third")).unwrap();
    assert_eq!(send(&stranger, &good, now).await.0, 401);
    assert_eq!(send(&key, &good, now - TimeDelta::minutes(6)).await.0, 401);
    assert_eq!(send(&key, &with("/agreement", json!("nobody")), now).await.0, 401);
    let mut over = with("/agreement", json!("ended"));
    over["alias_key"] = json!("ended");
    let (status, problem) = send(&key, &over, now).await;
    assert_eq!((status, &problem["detail"]), (403, &json!("the agreement is not in force")));
    let mut more = with("/agreement", json!("no-place"));
    more["alias_key"] = json!("no-place");
    let (status, problem) = send(&key, &more, now).await;
    assert_eq!((status, &problem["detail"]), (422, &json!("an exposure holds a field that is not agreed")));
    let mut coloured = good.clone();
    coloured["exposures"][0]["colour"] = json!("red");
    for (body, what) in [
        (with("/route", json!("national")), "route"),
        (with("/to", json!("430000")), "to"),
        (with("/sender/division", json!("330100")), "sender"),
        (with("/alias", json!([alias(2).to_hex(), alias(3).to_hex()])), "alias"),
        (with("/exposures/0/minutes", json!(91)), "minutes"),
        (with("/exposures", json!([])), "exposures"),
        (coloured, "colour"),
    ] {
        let (status, problem) = send(&key, &body, now).await;
        assert_eq!(status, 422, "{what}: {problem}");
        assert!(!problem.to_string().contains(&alias(2).to_hex()), "{problem}");
    }
    assert_eq!(hubei.told(&key, "/v1/hand-overs", "{", now).await.0, 400);
    assert_eq!(hubei.database.number("select count(*) from border_hand_overs").await, 0);
    assert_eq!(hubei.shows(2).await["colour"], "green");

    // The same one, right.
    let (status, receipt) = send(&key, &good, now).await;
    assert_eq!((status, &receipt["decided"]), (200, &json!("measure")), "{receipt}");
    assert_eq!(hubei.shows(2).await["colour"], "yellow");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_comes_first_keeps_the_hand_over_out() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "second", &hubei());
    hubei.meets(2).await;
    let (key, now) = (SigningKey::parse(&secret("second")).unwrap(), story.app.now());
    let good = document(&story);
    let mut back = good.clone();
    back["withdrawn"] = json!(true);
    back["exposures"] = json!([]);
    back.as_object_mut().unwrap().remove("infectious_kind");
    for (body, status) in [(&back, 200), (&good, 200), (&back, 200)] {
        let (got, receipt) = hubei.told(&key, "/v1/hand-overs", &body.to_string(), now).await;
        assert_eq!((got, &receipt["decided"]), (status, &json!("taken_back")));
    }
    assert_eq!(hubei.shows(2).await["colour"], "green");
}
