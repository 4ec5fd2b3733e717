//! Place codes on a running service: what a screen's code proves, when codes end, and keys that turn.

mod forged;
mod screens;

use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use placecode::domain::access::Role;
use placecode::domain::rotating_code::{RotatingCode, Step};
use placecode::domain::venue::PointId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::browser::hidden_fields;
use crate::support::client::{Answer, Client};
use crate::support::people::{Place, far, near};
use crate::support::{Replica, TestApp, until};

/// What a screen at a place shows at `at`.
fn shown(app: &TestApp, place: &Place, at: DateTime<Utc>) -> String {
    let point = PointId::from_i64(place.point).unwrap();
    RotatingCode { point, step: Step::of(at) }.sign(&app.app.keys).unwrap().to_string()
}

/// A scan of a code by somebody who was there at `at`.
async fn scan(app: &TestApp, number: u32, code: &str, at: DateTime<Utc>, cell: Option<String>) -> Answer {
    let body = json!({ "id": Uuid::now_v7(), "code": code, "occurred_at": at, "phone_cell": cell });
    app.person(number).await.post("/v1/scans", &body).await
}

/// Asks with a time that is refused after the code was found good: so nothing is stored.
async fn ask(visitor: &Client, code: &str, app: &TestApp) -> String {
    let scan = json!({ "code": code, "occurred_at": app.now() + TimeDelta::days(1) });
    visitor.post("/v1/scans", &scan).await.problem(422)
}

fn secs(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_code_proves_presence_and_an_older_one_counts_for_its_own_time() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let begun = app.now();
    let code = shown(&app, &place, begun);
    let presence = |answer: Answer| answer.expect(201)["presence"].as_str().unwrap().to_owned();
    assert_eq!(presence(scan(&app, 1, &code, begun, None).await), "verified");
    assert_eq!(presence(scan(&app, 2, &code, begun, Some(near())).await), "verified");
    assert_eq!(presence(scan(&app, 3, &code, begun, Some(far())).await), "contradicted", "a relayed picture");
    app.clock.advance(secs(59));
    assert_eq!(presence(scan(&app, 4, &code, app.now(), None).await), "verified", "the step before");
    let dawdler = scan(&app, 5, &code, begun - secs(600), None).await;
    assert_eq!(presence(dawdler), "unproven", "a live code proves nothing of ten minutes ago");
    app.clock.advance(secs(1));
    let refused = scan(&app, 6, &code, app.now(), None).await.problem(422);
    assert!(refused.contains("this code has changed; scan the screen again"), "{refused}");
    // A picture that was sent around, and a phone that had no network: the code answers for its own time.
    app.pass(120);
    assert_eq!(presence(scan(&app, 7, &code, begun + secs(20), None).await), "unproven");
    assert_eq!(presence(scan(&app, 8, &code, begun + secs(20), Some(near())).await), "plausible");
    assert_eq!(presence(scan(&app, 9, &code, begun + secs(20), Some(far())).await), "contradicted");
    for at in [begun + secs(60), begun - secs(31), app.now()] {
        assert!(scan(&app, 10, &code, at, None).await.problem(422).contains("changed"), "{at}");
    }
    app.pass(72 * 60);
    assert!(scan(&app, 11, &code, app.now(), None).await.problem(422).contains("72 hours"));
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 8);
    assert_eq!(app.number("select count(*) from scans where presence = 3").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_handed_in_carry_rotating_codes_as_well() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let begun = app.now();
    let code = shown(&app, &place, begun);
    app.pass(90);
    let row = |at: DateTime<Utc>, code: &str| json!({ "id": Uuid::now_v7(), "code": code, "assertion": app.assertion(1, at), "occurred_at": at });
    let rows = [
        row(begun + secs(10), &code),
        row(app.now(), &code),
        row(app.now(), &shown(&app, &place, app.now())),
    ];
    let source = app.staff(Role::ScanSource, "410000").await;
    let answer = source.post("/v1/scans/batch", &json!({ "scans": rows })).await.expect(200);
    assert_eq!((&answer["accepted"], &answer["refused"][0]["index"]), (&json!(2), &json!(1)));
    assert!(answer["refused"][0]["reason"].as_str().unwrap().contains("changed"), "{answer}");
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans where presence = 1").await, 2, "a list was not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_opened_in_time_has_three_minutes_and_is_nobody_elses() {
    let app = TestApp::start().await;
    let place = app.venue("星河餐厅", "restaurant").await;
    let code = shown(&app, &place, app.now());
    let path = format!("/{code}");
    let opened = async |number| {
        let phone = app.phone(number).await;
        let page = phone.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        (phone, hidden_fields(&page.text, &path))
    };
    let (mine, my_fields) = opened(1).await;
    let (other, other_fields) = opened(2).await;
    let proof = |fields: &[(String, String)]| {
        fields.iter().find(|(name, _)| name == "opened").map(|(_, value)| value.clone()).unwrap()
    };
    assert_ne!(proof(&my_fields), proof(&other_fields));
    let press = async |phone: &crate::support::browser::Browser, fields: &[(String, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        phone.send_form(&path, &fields).await
    };
    app.clock.advance(secs(170));
    assert_eq!(app.phone(3).await.get(&path).await.status, 410, "too late to open it");
    // With the proof of somebody else, and with none.
    let stolen = |value: Option<String>| {
        let mut fields = other_fields.clone();
        fields.retain(|(name, _)| name != "opened");
        fields.extend(value.map(|value| ("opened".to_owned(), value)));
        fields
    };
    for fields in [stolen(Some(proof(&my_fields))), stolen(None), stolen(Some("AAAA".into()))] {
        let refused = press(&other, &fields).await;
        assert_eq!(refused.status, 410);
        assert!(refused.text.contains("再扫一次屏幕"), "{}", refused.text);
    }
    for _ in 0..2 {
        let done = press(&mine, &my_fields).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert!(done.text.contains("登记成功") && done.text.contains("现场核验"), "{}", done.text);
    }
    app.clock.advance(secs(10));
    assert_eq!(press(&other, &other_fields).await.status, 410, "after three minutes");
    app.settle().await;
    assert_eq!(app.rows("select presence from scans").await, [json!({ "presence": 3 })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_ends_at_the_set_time_and_answers_again_when_that_is_lifted() {
    let app = TestApp::start().await;
    let place = app.venue("庙会", "other").await;
    let visitor = app.person(1).await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let path = format!("/v1/points/{}/code", place.point);
    let end = app.now() + TimeDelta::hours(2);
    let point = inspector.post(&path, &json!({ "expires_at": end })).await.expect(200);
    assert_eq!((&point["expires_at"], &point["generation"]), (&json!(end), &json!(1)));
    app.pass(119);
    assert!(ask(&visitor, &place.code, &app).await.contains("future"));
    app.pass(1);
    // The end is part of what is known: no news is needed, and nothing may be waited for.
    assert!(ask(&visitor, &place.code, &app).await.contains("has ended"));
    assert!(ask(&visitor, &shown(&app, &place, app.now()), &app).await.contains("has ended"));
    assert_eq!(app.phone(1).await.get(&format!("/{}", place.code)).await.status, 410);
    let lifted = inspector.post(&path, &json!({ "expires_at": null })).await.expect(200);
    assert_eq!(lifted["expires_at"], Value::Null);
    assert!(ask(&visitor, &place.code, &app).await.contains("future"));
    for (wrong, about) in [
        (json!({ "expires_at": app.now() }), "future"),
        (json!({ "expires_at": app.now() + TimeDelta::days(401) }), "400 days"),
        (json!({ "expires_at": null, "revoke": true }), "revoke"),
        (json!({ "expires_at": "soon" }), "body"),
    ] {
        assert!(inspector.post(&path, &wrong).await.problem(422).contains(about), "{wrong}");
    }
    let turned = inspector.post(&path, &json!({})).await.expect(200);
    assert_eq!(turned["previous_until"], json!(app.now() + TimeDelta::hours(72)));
    inspector.post(&path, &json!({ "revoke": true })).await.expect(200);
    let first = inspector.post(&path, &json!({ "revoke": true })).await.expect(200);
    assert!(first["revoked_at"].is_string(), "to revoke twice is to revoke");
    inspector.post(&path, &json!({})).await.problem(409);
    inspector.post(&path, &json!({ "expires_at": null })).await.problem(409);
    let noted = app.rows("select action from audit_entries where action like 'code.%' order by seq").await;
    let noted: Vec<&str> = noted.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(noted, ["code.end_set", "code.end_set", "code.rotated", "code.revoked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_turn_and_posters_of_a_key_end_only_when_it_is_retired() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let file = app.config.keys_file.to_str().unwrap();
    let keys = |args: &[&str]| {
        let said = Command::new(env!("CARGO_BIN_EXE_placecode")).arg("keys").args(args).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    };
    keys(&["rotate", file]);
    let turned = Replica::start(&app, |_| {}).await;
    let inspector = app.staff(Role::Inspector, "410000").await.at(turned.address);
    let venue = inspector.get(&format!("/v1/venues/{}", place.venue)).await.expect(200);
    let new = venue["points"][0]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_ne!(new, place.code);
    let visitor = app.person(1).await.at(turned.address);
    for code in [&place.code, &new] {
        until("a replica with both keys knows it", async || {
            ask(&visitor, code, &app).await.contains("future")
        })
        .await;
    }
    let refused = ask(&app.person(1).await, &new, &app).await;
    assert!(refused.contains("does not check"), "a replica that was not started anew: {refused}");
    keys(&["retire", file, "0"]);
    let retired = Replica::start(&app, |_| {}).await;
    let visitor = app.person(1).await.at(retired.address);
    until("the new key's code answers", async || ask(&visitor, &new, &app).await.contains("future")).await;
    assert!(ask(&visitor, &place.code, &app).await.contains("does not check"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_rotates_the_codes_of_a_venue_or_a_whole_division() {
    let app = TestApp::start().await;
    let [teahouse, shop] = [app.venue("老茶馆", "teahouse").await, app.venue("书店", "shop").await];
    let servers = [
        ("--database-url", app.config.database_url.as_str()),
        ("--redis-url", &app.config.redis_url),
        ("--keys-file", app.config.keys_file.to_str().unwrap()),
    ];
    let rotate = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
        command.args(["codes", "rotate"]).args(servers.map(|(flag, value)| [flag, value]).concat());
        let said = command.args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (said.status.code().unwrap(), text(&said.stdout) + &text(&said.stderr))
    };
    let (code, said) = rotate(&["--venue", &teahouse.venue]);
    assert!(code == 1 && said.contains("1 points would get a new generation"), "{code}: {said}");
    assert_eq!(app.number("select count(*) from points where generation > 1").await, 0);
    let (code, said) = rotate(&["--venue", &teahouse.venue, "--yes"]);
    assert!(code == 0 && said.contains("1 points have a new generation"), "{code}: {said}");
    assert_eq!(rotate(&["--division", "410100", "--grace-hours", "0", "--yes"]).0, 0);
    let inspector = app.staff(Role::Inspector, "410000").await;
    inspector.post(&format!("/v1/points/{}/code", shop.point), &json!({ "revoke": true })).await.expect(200);
    let (code, said) = rotate(&["--point", &shop.point.to_string(), "--yes"]);
    assert!(code == 1 && said.contains("no point"), "what is revoked stays so: {code}: {said}");
    assert_eq!(app.sql("update points set generation = 255 where revoked_at is null").await, Ok(1));
    let (code, said) = rotate(&["--all", "--yes"]);
    assert!(
        code == 0 && said.contains("0 points have a new generation; 1 have used all 255"),
        "{code}: {said}"
    );
    let noted = app
        .rows("select subject, detail from audit_entries where action = 'codes.rotated' order by seq")
        .await;
    let subjects: Vec<&str> = noted.iter().map(|row| row["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, [&format!("venue {}", teahouse.venue), "division 410100", "all points"]);
    assert!(noted[1]["detail"].as_str().unwrap().contains("\"points\":2"), "{noted:?}");
}
