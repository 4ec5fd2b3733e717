//! What visitors do themselves: their own scans, for a party, the code on the phone, the card in the pocket.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::domain::minute_word::word;
use placecode::domain::venue::PointId;
use placecode::domain::visitor_card::VisitorCard;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{assert_refused, coloured, examples, hand_in, house};
use crate::support::people::near;

#[tokio::test(flavor = "multi_thread")]
async fn somebody_comes_leaves_and_passes_by() {
    let house = house().await;
    let shop = house.app.venue("书店", "shop").await;
    let person = house.app.person(1).await;
    for (place, ago, direction) in
        [(&house.teahouse, 60, "entry"), (&house.teahouse, 30, "exit"), (&shop, 20, "passing")]
    {
        let scan = json!({ "id": Uuid::now_v7(), "code": place.code, "occurred_at": house.ago(ago), "direction": direction });
        for _ in 0..2 {
            let receipt = person.post("/v1/scans", &scan).await.expect(201);
            assert_eq!((&receipt["late"], &receipt["companions"]), (&json!(true), &json!([])), "{receipt}");
        }
        house.app.settle().await;
    }
    assert_eq!(house.scans().await, [[0, 0, 1], [1, 0, 1], [2, 0, 1]]);
    let expected = [("老茶馆".into(), 60, 30, "left".into()), ("书店".into(), 20, 2, "assumed".into())];
    assert_eq!(house.stays(1).await, expected);
    // Nobody takes back an own scan, the visitor included.
    let void = json!({ "code": shop.code, "direction": "void" });
    assert!(person.post("/v1/scans", &void).await.problem(422).starts_with("direction"));
    let void = json!({ "code": shop.code, "corrects": Uuid::now_v7() });
    assert!(person.post("/v1/scans", &void).await.problem(422).starts_with("body"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_tells_the_word_of_the_minute_at_its_point() {
    let house = house().await;
    let person = house.app.person(1).await;
    let point = PointId::from_i64(house.teahouse.point).unwrap();
    let key = house.app.app.keys.token();
    let mut words = BTreeSet::new();
    for _ in 0..3 {
        let receipt = person.post("/v1/scans", &json!({ "code": house.teahouse.code })).await.expect(201);
        assert_eq!(receipt["word"], word(key, point, house.app.now()).to_string());
        let names = |answer: &Value| answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let told: Value = serde_json::from_str(examples("json")[0]).unwrap();
        assert_eq!(names(&receipt), names(&told), "docs/scanning.md");
        words.insert(receipt["word"].as_str().unwrap().to_owned());
        house.app.pass(1);
    }
    assert!(words.len() > 1, "three minutes have one word: {words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_is_taken_whole_and_once_or_not_at_all() {
    let house = house().await;
    let app = &house.app;
    let lead = app.person(1).await;
    let word_for = |number| app.assertion(number, app.now());
    let scan = |companions: Value| json!({ "id": Uuid::now_v7(), "code": house.teahouse.code, "occurred_at": app.now(), "phone_cell": near(), "companions": companions });
    for (companions, about) in [
        (json!([word_for(2), word_for(2)]), "each person once"),
        (json!([word_for(2), word_for(1)]), "each person once"),
        (json!([word_for(2), "x.y.z"]), "companions"),
        (json!([word_for(2), app.assertion(3, house.ago(20))]), "expired"),
        (json!((2..12).map(word_for).collect::<Vec<_>>()), "at most 9"),
    ] {
        let refused = lead.post("/v1/scans", &scan(companions)).await.problem(422);
        assert!(refused.starts_with("companions") && refused.contains(about), "{refused}");
    }
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 0, "all or nothing");

    let mut party = scan(json!([word_for(2), word_for(3)]));
    let ids = |receipt: &Value| -> BTreeSet<String> {
        receipt["companions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = lead.post("/v1/scans", &party).await.expect(201);
    party["companions"] = json!([word_for(3), word_for(2)]);
    let again = lead.post("/v1/scans", &party).await.expect(201);
    assert_eq!((ids(&first).len(), ids(&first)), (2, ids(&again)));
    app.settle().await;
    assert_eq!(house.scans().await, [[0, 0, 2]; 3], "as near as the phone of the one who scanned");
    assert_eq!(app.number("select count(distinct party) from scans where party is not null").await, 1);
    for number in 1..=3 {
        assert_eq!(house.stays(number).await.len(), 1);
    }
    // Whoever names no id gets one, and so do the others.
    let simple = json!({ "code": house.teahouse.code, "companions": [word_for(4)] });
    assert_eq!(ids(&app.person(5).await.post("/v1/scans", &simple).await.expect(201)).len(), 1);
    app.settle().await;
    assert_eq!(app.number("select count(distinct party) from scans").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_scan_the_code_that_a_visitor_shows() {
    let house = house().await;
    let app = &house.app;
    let person = app.person(1).await;
    let shown = person.post("/v1/visitor-codes", &json!({})).await.expect(201);
    assert_eq!(shown["expires_at"], json!(app.now() + TimeDelta::minutes(5)));
    let text = shown["text"].as_str().unwrap();
    let now = app.now();
    let answer = house.hand_in(&[house.shown(text, now)]).await;
    assert_eq!(answer, json!({ "accepted": 1, "refused": [] }));
    app.pass(30);
    let forged = format!("{}{}", if text.starts_with('A') { 'B' } else { 'A' }, &text[1..]);
    let both = house.row(1, now, &json!({ "shown": text }));
    let mut neither = house.shown(text, now);
    neither.as_object_mut().unwrap().remove("shown");
    let rows = [
        house.shown(text, now + TimeDelta::minutes(4)),
        house.shown(text, now + TimeDelta::minutes(5)),
        house.shown(text, now - TimeDelta::minutes(2)),
        house.shown(&forged, now),
        house.shown(person.token(), now),
        house.shown(&"A".repeat(300), now),
        both,
        neither,
    ];
    let answer = house.hand_in(&rows).await;
    let not_good = "not genuine, or was not good at";
    let exactly = "exactly one of";
    assert_refused(
        &answer,
        &[
            (1, not_good),
            (2, not_good),
            (3, not_good),
            (4, not_good),
            (5, not_good),
            (6, exactly),
            (7, exactly),
        ],
    );
    app.settle().await;
    assert_eq!(house.scans().await, [[0, 1, 3]; 2], "staff saw the visitor, whenever they tell");
    assert_eq!(house.stays(1).await.len(), 1);
    // A code signs nobody in.
    app.client(Some(text)).get("/v1/me/stays").await.problem(401);
    // A browser sends its cookie along with the forms of other sites.
    let cookie = format!("visitor={}", person.token());
    for (method, path) in [
        (Method::POST, "/v1/visitor-codes"),
        (Method::POST, "/v1/visitor-cards"),
        (Method::DELETE, "/v1/visitor-cards"),
    ] {
        app.client(None).send(method, path, Some("{}".into()), &[("cookie", &cookie)]).await.problem(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_typed_at_the_door_and_a_slip_is_told_from_an_unknown_card() {
    let house = house().await;
    let app = &house.app;
    let elder = app.person(1).await;
    let issue = async || elder.post("/v1/visitor-cards", &json!({})).await;
    let made = issue().await.expect(201);
    assert_eq!(made["expires_at"], json!(app.now() + TimeDelta::days(180)));
    let card = made["card"].as_str().unwrap();
    let second = issue().await.expect(201)["card"].as_str().unwrap().to_owned();
    issue().await.expect(201);
    assert!(issue().await.problem(409).contains("three cards"));

    let mut slip: Vec<char> = card.chars().collect();
    slip[6] = if slip[6] == 'K' { 'M' } else { 'K' };
    let slip: String = slip.into_iter().collect();
    let stranger = VisitorCard::new([9; 9]).typed();
    let typed = card.replace('-', " ").to_lowercase();
    let now = app.now();
    let rows = [
        house.shown(&typed, now),
        house.shown(&slip, now),
        house.shown(&stranger, now),
        house.shown(&card[..18], now),
        house.shown(&second, now - TimeDelta::minutes(5)),
    ];
    let answer = house.hand_in(&rows).await;
    assert_refused(&answer, &[(1, "does not check"), (2, "not known"), (3, "16 symbols"), (4, "not known")]);
    app.settle().await;
    assert_eq!(house.scans().await, [[0, 1, 3]]);
    assert_eq!(house.stays(1).await.len(), 1);

    app.pass(60);
    let ended = elder.send(Method::DELETE, "/v1/visitor-cards", None, &[]).await;
    assert_eq!(ended.status, 204, "{}", ended.text);
    let rows =
        [house.shown(card, app.now()), house.shown(&second, app.now()), house.shown(card, house.ago(10))];
    assert_refused(&house.hand_in(&rows).await, &[(0, "has ended"), (1, "has ended")]);
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 2, "it was good ten minutes ago");
    let newest = issue().await.expect(201)["card"].as_str().unwrap().to_owned();
    assert_eq!(app.number("select count(*) from visitor_cards").await, 4);

    // What ended is kept as long as rows about it may come, and then forgotten.
    app.pass(73 * 60);
    app.settle().await;
    assert_eq!(app.number("select count(*) from visitor_cards").await, 1);
    app.pass(180 * 24 * 60 - 73 * 60);
    let source = app.staff(Role::ScanSource, "410000").await;
    let rows = [house.shown(&newest, house.ago(1)), house.shown(&newest, app.now())];
    assert_refused(&hand_in(&source, &rows).await, &[(1, "has ended")]);
    app.pass(73 * 60);
    app.settle().await;
    assert_eq!(app.number("select count(*) from visitor_cards").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colour_is_shown_when_the_channel_told_it_within_the_hour() {
    let house = house().await;
    let app = &house.app;
    let body = json!({ "assertion": coloured(app, 1, "yellow", house.ago(10)) });
    let token = app.client(None).post("/v1/visitor-tokens", &body).await.expect(201);
    let person = app.client(token["token"].as_str());
    let scan = |at| json!({ "id": Uuid::now_v7(), "code": house.teahouse.code, "occurred_at": at });
    let known = json!({ "colour": "yellow", "as_of": house.ago(10) });
    let colour = async |at| person.post("/v1/scans", &scan(at)).await.expect(201)["colour"].clone();
    assert_eq!(colour(app.now()).await, known);
    assert_eq!(colour(house.ago(30)).await, Value::Null, "it says nothing of the time before");
    app.pass(50);
    assert_eq!(colour(app.now()).await, known);
    app.pass(1);
    assert_eq!(colour(app.now()).await, Value::Null, "it is too old");
    let none = app.person(2).await.post("/v1/scans", &scan(app.now())).await.expect(201);
    assert_eq!(none["colour"], Value::Null);
    // No scan asks for a colour, and none is kept.
    app.settle().await;
    let columns = "select count(*) from information_schema.columns where table_name in ('scans', 'stays', 'visitor_cards') and column_name like '%colour%'";
    assert_eq!(app.number(columns).await, 0);
}
