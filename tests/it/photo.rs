//! Photos of place codes that go round: nobody who was elsewhere is coloured, and an inspector ends the photo.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::{Place, far};

/// What each of the 28 days before had in the hour that is running: scans, of which so many without any proof.
async fn usual(app: &TestApp, place: &Place, scans: u32, unproven: u32) {
    let hour = app.now().format("%Y-%m-%dT%H:00:00Z");
    let sql = format!(
        "insert into point_hours select {}, '{hour}'::timestamptz - d * interval '24 hours', {scans}, 0, {unproven}
         from generate_series(1, 28) d",
        place.point
    );
    assert_eq!(app.sql(&sql).await, Ok(28));
}

/// Several visitors' own scans, now, with what their phones tell.
async fn crowd(app: &TestApp, place: &Place, numbers: std::ops::Range<u32>, cell: Option<&str>) {
    for number in numbers {
        app.scan_from(number, place, 0, cell.map(str::to_owned)).await;
    }
    app.settle().await;
}

async fn alarms(inspector: &Client, state: &str) -> Vec<Value> {
    let list = inspector.get(&format!("/v1/alarms?state={state}")).await.expect(200);
    list.as_array().unwrap().clone()
}

fn path(alarm: &Value) -> String {
    format!("/v1/alarms/{}", alarm["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_goes_round_is_noticed_and_ended() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    usual(&app, &teahouse, 9, 4).await;
    crowd(&app, &teahouse, 1..30, None).await;
    let inspector = app.staff(Role::Inspector, "410100").await;
    assert!(alarms(&inspector, "open").await.is_empty(), "29 are too few");
    crowd(&app, &teahouse, 30..36, None).await;
    let open = alarms(&inspector, "open").await;
    assert_eq!(open.len(), 1);
    let alarm = &open[0];
    assert_eq!((&alarm["point_id"], &alarm["sign"]), (&json!(teahouse.point), &json!("unproven")));
    assert_eq!(alarm["counted"], json!({ "scans": 35, "contradicted": 0, "unproven": 35 }));
    assert_eq!(alarm["usual"], json!({ "scans": 9.0, "contradicted": 0.0, "unproven": 4.0 }));
    assert_eq!(alarm["proposal"], "rotate");
    // More of them are the same alarm, with higher counts.
    crowd(&app, &teahouse, 36..38, None).await;
    let grown = alarms(&inspector, "open").await;
    assert_eq!((&grown[0]["id"], &grown[0]["counted"]["unproven"]), (&alarm["id"], &json!(37)));

    let rotated = inspector.post(&path(alarm), &json!({ "act": "rotate" })).await.expect(200);
    assert_eq!(rotated["state"], "rotated");
    let photo = json!({ "code": teahouse.code });
    crate::support::until("the photo is refused", async || {
        let answer = app.person(40).await.post("/v1/scans", &photo).await;
        answer.status == 422 && answer.problem(422).contains("replaced")
    })
    .await;
    let yesterday = json!({ "code": teahouse.code, "occurred_at": app.now() - TimeDelta::hours(20) });
    assert!(app.person(40).await.post("/v1/scans", &yesterday).await.problem(422).contains("replaced"));
    let venue = inspector.get(&format!("/v1/venues/{}", teahouse.venue)).await.expect(200);
    let code = venue["points"][0]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    app.person(41).await.post("/v1/scans", &json!({ "code": code })).await.expect(201);

    app.settle().await;
    assert!(alarms(&inspector, "open").await.is_empty());
    assert_eq!(alarms(&inspector, "rotated").await.len(), 1);
    for (action, by) in [
        ("alarm.raised", "pipeline"),
        ("alarm.closed", "staff:inspector-"),
        ("code.rotated", "staff:inspector-"),
    ] {
        let sql =
            format!("select count(*) from audit_entries where action = '{action}' and actor like '{by}%'");
        assert_eq!(app.number(&sql).await, 1, "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_point_with_its_usual_number_raises_none() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    usual(&app, &teahouse, 35, 35).await;
    crowd(&app, &teahouse, 1..41, None).await;
    assert_eq!(app.number("select sum(unproven) from point_hours where hour >= '2026-03-16'").await, 40);
    assert_eq!(app.number("select count(*) from point_alarms").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_alarm_comes_back_only_when_it_is_much_worse() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    crowd(&app, &teahouse, 1..11, Some(&far())).await;
    let inspector = app.staff(Role::Inspector, "410105").await;
    let open = alarms(&inspector, "open").await;
    assert_eq!((&open[0]["sign"], &open[0]["usual"]), (&json!("elsewhere"), &Value::Null));
    assert!(
        inspector
            .post(&path(&open[0]), &json!({ "act": "dismiss" }))
            .await
            .problem(422)
            .starts_with("reason")
    );
    inspector.post(&path(&open[0]), &json!({ "act": "burn", "reason": "x" })).await.problem(422);
    let dismissal = json!({ "act": "dismiss", "reason": "旅行团用境外漫游" });
    let closed = inspector.post(&path(&open[0]), &dismissal).await.expect(200);
    assert_eq!((&closed["state"], &closed["reason"]), (&json!("dismissed"), &dismissal["reason"]));
    inspector.post(&path(&open[0]), &dismissal).await.problem(409);
    // The code stands.
    app.scan(11, &teahouse, 0).await;
    crowd(&app, &teahouse, 12..21, Some(&far())).await;
    assert!(alarms(&inspector, "open").await.is_empty());
    app.pass(59);
    app.settle().await;
    assert!(alarms(&inspector, "open").await.is_empty());
    crowd(&app, &teahouse, 21..22, Some(&far())).await;
    assert_eq!(alarms(&inspector, "open").await.len(), 1);
    assert_eq!(app.number("select count(*) from point_alarms").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_of_another_division_neither_sees_nor_closes_an_alarm() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    crowd(&app, &teahouse, 1..11, Some(&far())).await;
    let own = app.staff(Role::Inspector, "410105").await;
    let alarm = alarms(&own, "open").await.remove(0);
    let stranger = app.staff(Role::Inspector, "420000").await;
    assert!(alarms(&stranger, "open").await.is_empty());
    for form in [json!({ "act": "rotate" }), json!({ "act": "dismiss", "reason": "没有" })] {
        stranger.post(&path(&alarm), &form).await.problem(403);
    }
    own.post("/v1/alarms/00000000-0000-0000-0000-000000000000", &json!({ "act": "rotate" }))
        .await
        .problem(404);
    assert_eq!(alarms(&own, "open").await.len(), 1);
    app.scan(11, &teahouse, 0).await;
    assert!(!app.desk(&stranger).get("/inspect").await.text.contains("疑似照片外传"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inspectors_page_shows_what_was_counted_and_ends_the_photo() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let inspector = app.staff(Role::Inspector, "410100").await;
    let desk = app.desk(&inspector);
    assert!(!desk.get("/inspect").await.text.contains("疑似照片外传"));
    crowd(&app, &teahouse, 1..13, Some(&far())).await;
    let page = desk.get("/inspect").await;
    for part in ["疑似照片外传", "老茶馆", "<td>12</td>", "立即更换场所码"] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert!(desk.get(&format!("/manage/venues/{}", teahouse.venue)).await.text.contains("疑似照片外传"));
    let action = format!("/inspect/alarms/{}", alarms(&inspector, "open").await[0]["id"].as_str().unwrap());
    assert_eq!(desk.fill("/inspect", &action, &[("act", "rotate")]).await.leads_to(), "/inspect");
    assert!(!desk.get("/inspect").await.text.contains("疑似照片外传"));
    crate::support::until("the photo is refused", async || {
        app.person(40).await.post("/v1/scans", &json!({ "code": teahouse.code })).await.status == 422
    })
    .await;
}

/// Of those who scanned the code of the teahouse while person 1 was there, persons 2 and 3 were there too, one with a
/// phone that says so. The others have the photo.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_coloured_for_a_forwarded_photo() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let home = app.place_in_shijiazhuang("河边茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 175).await;
    app.scan_from(3, &teahouse, 175, None).await;
    // The phone says that it is in Shijiazhuang.
    app.scan_from(4, &teahouse, 170, Some(far())).await;
    // In Shijiazhuang minutes before, whose phone says nothing.
    app.scan_from(5, &home, 178, None).await;
    app.scan_from(5, &teahouse, 170, None).await;
    // In Shijiazhuang minutes after, and the phone said so there.
    app.scan_from(6, &teahouse, 170, None).await;
    app.scan_from(6, &home, 160, Some(far())).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    let run = run["id"].as_str().unwrap();
    let contacts = investigator.get(&format!("/v1/runs/{run}/contacts?purpose=review")).await.expect(200);
    let found: BTreeSet<String> =
        contacts.as_array().unwrap().iter().map(|one| one["visitor"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, BTreeSet::from([2, 3].map(|number| app.visitor(number).to_hex())));
    app.release(&investigator, run).await;
    assert_eq!(app.number("select count(*) from assignments").await, 2);
    for number in 2..=6 {
        let colour = app.colour(number).await["colour"].clone();
        assert_eq!(colour == "green", number > 3, "person {number}: {colour}");
    }
    // What they did where they were is untouched.
    let stays = app.person(5).await.get("/v1/me/stays").await.expect(200);
    let told = |stay: &Value| (stay["venue"].clone(), stay["presence"].clone(), stay["ended_by"].clone());
    let told: Vec<_> = stays.as_array().unwrap().iter().map(told).collect();
    let told_of = |venue: &str, presence: &str| (json!(venue), json!(presence), json!("assumed"));
    assert_eq!(told, [told_of("老茶馆", "contradicted"), told_of("河边茶馆", "unproven")], "{stays}");
    // The scans themselves are kept as they were judged at the door.
    assert_eq!(app.number("select count(*) from scans where presence = 0").await, 1);
}
