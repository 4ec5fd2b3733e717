//! What others hand in for visitors: staff, devices, paper lists, late rows, and what was handed in by mistake.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::domain::minute_word::word;
use placecode::domain::rule_pack::Colour;
use placecode::domain::scan::Presence;
use placecode::domain::venue::PointId;
use placecode::http::auth::Actor;
use placecode::http::error::ApiError;
use placecode::http::scan_batches::{HandedScan, take_handed};
use placecode::http::web::Web;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Device, House, assert_refused, coloured, hand_in, house};
use crate::support::{servers, until};

fn actor(house: &House) -> Actor {
    Actor {
        id: house.door_id,
        is_person: true,
        name: "staff:door".into(),
        display_name: "门岗".into(),
        roles: vec![Role::DoorStaff],
        division: "410105".parse().unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_of_staff_is_answered_with_its_receipt() {
    let house = house().await;
    let app = &house.app;
    let (web, actor) = (Web::new(app.app.clone()), actor(&house));
    let taken = async |row: Value| {
        take_handed(&web, &actor, serde_json::from_value::<HandedScan>(row).unwrap()).await
    };
    let body = json!({ "assertion": coloured(app, 1, "red", app.now()) });
    let token = app.client(None).post("/v1/visitor-tokens", &body).await.expect(201);
    let phone = app.client(token["token"].as_str());
    let shown = phone.post("/v1/visitor-codes", &json!({})).await.expect(201);
    let row = house.shown(shown["text"].as_str().unwrap(), app.now());
    for _ in 0..2 {
        let receipt = taken(row.clone()).await.unwrap();
        assert_eq!(
            (receipt.venue.as_str(), receipt.presence, receipt.late),
            ("老茶馆", Presence::Verified, false)
        );
        assert_eq!(receipt.colour.map(|known| known.colour), Some(Colour::Red));
        let point = PointId::from_i64(house.teahouse.point).unwrap();
        assert_eq!(receipt.word, word(app.app.keys.token(), point, app.now()).to_string());
    }
    let late = taken(house.row(2, house.ago(90), &json!({}))).await.unwrap();
    assert!(late.late && late.colour.is_none());
    let other = app.venue("书店", "shop").await;
    let elsewhere = taken(house.row(2, app.now(), &json!({ "code": other.code }))).await;
    assert!(matches!(elsewhere, Err(ApiError::Forbidden(_))), "{elsewhere:?}");
    let stale =
        taken(house.row_of(&json!({ "assertion": app.assertion(3, house.ago(60)) }), app.now(), &json!({})))
            .await;
    assert!(matches!(stale, Err(ApiError::Invalid { field: "assertion", .. })), "{stale:?}");
    app.settle().await;
    assert_eq!(house.scans().await, [[0, 1, 3]; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paper_list_proves_less_than_being_seen_at_the_door() {
    let house = house().await;
    let app = &house.app;
    let rows = [
        house.row(1, house.ago(50), &json!({})),
        house.row(2, house.ago(40), &json!({ "paper": true })),
        house.row(
            3,
            house.ago(30),
            &json!({ "direction": "passing", "paper": true, "party": Uuid::now_v7() }),
        ),
    ];
    assert_eq!(house.hand_in(&rows).await["accepted"], 3);
    let source = app.staff(Role::ScanSource, "410000").await;
    let rows =
        [house.row(4, house.ago(20), &json!({})), house.row(5, house.ago(10), &json!({ "paper": true }))];
    assert_eq!(hand_in(&source, &rows).await["accepted"], 2);
    app.settle().await;
    assert_eq!(house.scans().await, [[0, 1, 3], [0, 3, 1], [2, 3, 1], [0, 3, 1], [0, 3, 1]]);
    // A paper list of a venue that is not theirs is not theirs to type in.
    let other = app.venue("书店", "shop").await;
    let row = house.row(6, app.now(), &json!({ "code": other.code, "paper": true }));
    assert_refused(&house.hand_in(&[row]).await, &[(0, "not yours")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_may_be_three_days_late_and_bad_ones_are_told_by_index() {
    let house = house().await;
    let app = &house.app;
    let hours = |count| app.now() - TimeDelta::hours(count);
    let rows = [
        house.row(1, hours(71), &json!({})),
        house.row(2, hours(73), &json!({})),
        house.row(3, app.now(), &json!({})),
        house.row(4, app.now() + TimeDelta::minutes(11), &json!({})),
        house.row(5, app.now(), &json!({ "code": "2000EPYD2M3VZ8XYCTFKC" })),
        house.row(6, app.now(), &json!({ "code": null })),
        house.row(7, app.now() + TimeDelta::minutes(9), &json!({ "direction": "exit" })),
    ];
    let answer = house.hand_in(&rows).await;
    assert_eq!(answer["accepted"], 3);
    assert_refused(&answer, &[(1, "72 hours"), (3, "future"), (4, "no such point"), (5, "only a device")]);
    app.settle().await;
    assert_eq!(house.scans().await, [[0, 1, 3], [0, 1, 3], [1, 1, 3]]);
    let late = "select count(*) from scans where received_at - occurred_at > interval '10 minutes'";
    assert_eq!(app.number(late).await, 1, "both times are kept");
    assert_eq!(house.stays(1).await, [("老茶馆".into(), 71 * 60, 150, "assumed".into())]);
    let whole = json!({ "scans": [{ "id": Uuid::now_v7() }] });
    assert!(house.door.post("/v1/scans/batch", &whole).await.problem(422).starts_with("body"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_scans_within_two_minutes_are_one_stay_whoever_scanned() {
    let house = house().await;
    let app = &house.app;
    let own = json!({ "id": Uuid::now_v7(), "code": house.teahouse.code, "occurred_at": house.ago(30) });
    app.person(1).await.post("/v1/scans", &own).await.expect(201);
    let seconds_later = house.ago(30) + TimeDelta::seconds(100);
    assert_eq!(house.hand_in(&[house.row(1, seconds_later, &json!({}))]).await["accepted"], 1);
    // On leaving, and again because the button was pressed twice.
    let leaving = [(10, 0), (10, 100)].map(|(ago, secs)| {
        house.row(1, house.ago(ago) + TimeDelta::seconds(secs), &json!({ "direction": "exit" }))
    });
    assert_eq!(house.hand_in(&leaving).await["accepted"], 2);
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 4);
    assert_eq!(house.stays(1).await, [("老茶馆".into(), 30, 20, "left".into())]);
    let stays = app.person(1).await.get("/v1/me/stays").await.expect(200);
    assert_eq!(stays[0]["presence"], "verified", "the strongest of its scans");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_takes_back_what_the_same_kind_of_source_handed_in() {
    let house = house().await;
    let app = &house.app;
    let shop = app.venue("书店", "shop").await;
    app.scan(1, &shop, 90).await;
    let wrong = house.row(1, house.ago(60), &json!({}));
    house.hand_in(std::slice::from_ref(&wrong)).await;
    app.settle().await;
    let cut = [("书店".into(), 90, 30, "next_scan".into()), ("老茶馆".into(), 60, 150, "assumed".into())];
    assert_eq!(house.stays(1).await, cut);

    let void = |of: &Value, change: Value| {
        let mut void = house.row(1, house.ago(60), &json!({ "direction": "void", "corrects": of["id"] }));
        void.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        void
    };
    // Another kind of source, another moment, another person: nothing is taken back.
    let source = app.staff(Role::ScanSource, "410000").await;
    assert_eq!(hand_in(&source, &[void(&wrong, json!({}))]).await["accepted"], 1);
    let other_moment = json!({ "occurred_at": house.ago(61), "assertion": app.assertion(1, house.ago(61)) });
    let other_person = json!({ "assertion": app.assertion(2, house.ago(60)) });
    let device = Device::at(&house).await;
    assert_eq!(device.send(app, &[void(&wrong, json!({}))]).await.expect(200)["accepted"], 1);
    let rows = [
        void(&wrong, other_moment),
        void(&wrong, other_person),
        void(&wrong, json!({ "corrects": null })),
        void(&wrong, json!({ "direction": "entry" })),
    ];
    assert_refused(&house.hand_in(&rows).await, &[(2, "corrects"), (3, "corrects")]);
    app.settle().await;
    assert_eq!(house.stays(1).await, cut);
    assert_eq!(house.stays(2).await, []);

    let right = void(&wrong, json!({}));
    assert_eq!(house.hand_in(std::slice::from_ref(&right)).await["accepted"], 1);
    app.settle().await;
    let whole = [("书店".to_owned(), 90, 45, "assumed".to_owned())];
    assert_eq!(house.stays(1).await, whole);
    // Again, after it was stored: nothing changes, and both scans are kept.
    house.hand_in(&[right, wrong]).await;
    app.settle().await;
    assert_eq!(house.stays(1).await, whole);
    assert_eq!(app.number("select count(*) from scans where direction = 3").await, 5);
    assert_eq!(app.number("select count(*) from scans").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_hands_in_one_scan_or_many_also_while_postgres_is_away() {
    let house = house().await;
    let app = &house.app;
    let device = Device::at(&house).await;
    let row = |number, ago, change: &Value| {
        let mut row = house.row(number, house.ago(ago), change);
        row.as_object_mut().unwrap().remove("code");
        row
    };
    let card = async |number| {
        let made = app.person(number).await.post("/v1/visitor-cards", &json!({})).await.expect(201);
        made["card"].as_str().unwrap().to_owned()
    };
    let (known, unknown) = (card(8).await, card(9).await);
    let one = [row(1, 3, &json!({}))];
    let many = [row(2, 2, &json!({})), row(3, 1, &json!({ "paper": true })), house.shown(&known, app.now())];
    for _ in 0..2 {
        assert_eq!(device.send(app, &one).await.expect(200), json!({ "accepted": 1, "refused": [] }));
        assert_refused(&device.send(app, &many).await.expect(200), &[(1, "paper")]);
    }
    app.settle().await;
    assert_eq!(house.scans().await, [[0, 2, 3]; 3]);

    servers::close_database(&app.database);
    let again = [house.shown(&known, app.now()), row(4, 0, &json!({}))];
    assert_eq!(device.send(app, &again).await.expect(200)["accepted"], 2);
    let answer = device.send(app, &[house.shown(&unknown, app.now())]).await;
    answer.problem(503);
    assert_eq!(answer.headers["retry-after"], "1");
    // A card that was known is good for five minutes: what is ended meanwhile is not taken for longer.
    app.pass(6);
    device.send(app, &[house.shown(&known, app.now())]).await.problem(503);
    assert_eq!(device.send(app, &[row(5, 0, &json!({}))]).await.expect(200)["accepted"], 1);
    servers::open_database(&app.database);
    let taken = async || device.send(app, &[house.shown(&unknown, app.now())]).await.status == 200;
    until("Postgres is back", taken).await;
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans where method = 2").await, 7);
}
