//! Counts of venues that name nobody, and posters that inspectors look at.

use chrono::{DateTime, TimeDelta, Utc};
use placecode::domain::access::Role;
use placecode::pipeline::measure;
use placecode::pipeline::run::Step;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::{Place, far};

/// Scans a day at a point for some weeks, `ago` days back, as the drain counts them.
async fn history(app: &TestApp, point: i64, days: std::ops::Range<i64>, scans: u32, contradicted: u32) {
    for day in days {
        let hour = (app.now() - TimeDelta::days(day) - TimeDelta::hours(1)).format("%Y-%m-%dT%H:00:00Z");
        let sql = format!(
            "insert into point_hours values ({point}, '{hour}', {scans}, {contradicted}) on conflict do nothing"
        );
        assert_eq!(app.sql(&sql).await, Ok(1));
    }
}

async fn judge(app: &TestApp) {
    while measure::step(&app.app).await.unwrap() != placecode::pipeline::Outcome::Idle {}
}

async fn manager_of(app: &TestApp, venue: &str) -> Client {
    let (id, manager) = app.member(&[Role::VenueManager], "410000").await;
    let sql = format!("insert into staff_venues values ('{id}', '{venue}')");
    assert_eq!(app.sql(&sql).await, Ok(1));
    manager
}

async fn second_point(app: &TestApp, place: &Place) -> Place {
    let manager = manager_of(app, &place.venue).await;
    let path = format!("/v1/venues/{}/points", place.venue);
    let point = manager.post(&path, &json!({ "name": "后门" })).await.expect(201);
    let code = point["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let door = Place { venue: place.venue.clone(), point: point["id"].as_i64().unwrap(), code };
    app.answering(&door).await;
    door
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_sees_how_many_and_never_who() {
    let app = TestApp::start().await;
    let front = app.venue("老茶馆", "teahouse").await;
    let back = second_point(&app, &front).await;
    for number in 1..=6 {
        app.scan(number, &front, 1).await;
    }
    for number in 7..=8 {
        app.scan(number, &back, 1).await;
    }
    app.settle().await;
    let manager = manager_of(&app, &front.venue).await;
    let counts = manager.get(&format!("/v1/venues/{}/counts", front.venue)).await.expect(200);
    assert_eq!(counts["here_now"], json!({ "exact": 8 }));
    assert_eq!((&counts["capacity"], &counts["full"]), (&json!(80), &json!(false)));
    let of = |place: &Place| -> Value {
        let points = counts["points"].as_array().unwrap();
        points.iter().find(|point| point["point_id"] == place.point).unwrap().clone()
    };
    assert_eq!(
        (&of(&front)["visitors"], &of(&front)["scans"]),
        (&json!({ "exact": 6 }), &json!({ "exact": 6 }))
    );
    assert_eq!(of(&back)["visitors"], json!({ "below": 5 }));
    // Six and a hidden one: the true sum would tell the two.
    assert_eq!(counts["scans"], json!({ "at_least": 7 }));
    let hour = counts["hours"].as_array().unwrap().last().unwrap();
    assert!(
        counts["hours"].as_array().unwrap().iter().any(|count| *count == json!({ "at_least": 7 })),
        "{hour}"
    );
    for number in 1..=8 {
        assert!(!counts.to_string().contains(&app.visitor(number).to_hex()));
    }
    let page = app.desk(&manager).get(&format!("/manage/venues/{}", front.venue)).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("&lt;5") && page.text.contains("≥7"), "{}", page.text);
    let stranger = app.staff(Role::VenueManager, "410000").await;
    stranger.get(&format!("/v1/venues/{}/counts", front.venue)).await.problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_sent_again_is_counted_once() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let scan = json!({
        "id": uuid::Uuid::now_v7(), "code": place.code, "occurred_at": app.now(), "phone_cell": far(),
    });
    for _ in 0..3 {
        app.person(1).await.post("/v1/scans", &scan).await.expect(201);
        app.settle().await;
    }
    app.scan(2, &place, 0).await;
    app.settle().await;
    assert_eq!(app.number("select sum(scans) from point_hours").await, 2);
    assert_eq!(app.number("select sum(contradicted) from point_hours").await, 1);
    assert_eq!(app.number("select count(*) from scans").await, 2);
    // Counts outlive the scans of their day, but not for ever.
    // Day by day: no day is dropped by a clock that leaps.
    let pass_days = async |days| {
        for _ in 0..days {
            app.pass(24 * 60);
            Step::Expire.take(&app.app).await.unwrap();
        }
    };
    pass_days(91).await;
    assert_eq!(app.number("select count(*) from scans").await, 0);
    assert_eq!(app.number("select sum(scans) from point_hours").await, 2);
    pass_days(2).await;
    assert_eq!(app.number("select count(*) from point_hours").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_and_a_moved_poster_are_noticed_by_their_own_past() {
    let app = TestApp::start().await;
    let [station, shop, bar] = [
        app.venue("火车站", "railway_station").await,
        app.venue("小店", "shop").await,
        app.venue("酒吧", "bar").await,
    ];
    history(&app, station.point, 8..36, 40, 0).await;
    history(&app, shop.point, 1..36, 2, 0).await;
    history(&app, bar.point, 8..36, 5, 0).await;
    history(&app, bar.point, 1..8, 6, 4).await;
    judge(&app).await;
    let inspector = app.staff(Role::Inspector, "410100").await;
    let points = async |usage: &str| {
        let list = inspector.get(&format!("/v1/inspections/points?usage={usage}")).await.expect(200);
        list.as_array()
            .unwrap()
            .iter()
            .map(|point| point["venue"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(points("dead").await, ["火车站"]);
    assert_eq!(points("moved").await, ["酒吧"]);
    assert_eq!(points("in_use").await, ["小店"]);
    assert!(points("quiet").await.is_empty() && points("never_used").await.is_empty());
    let elsewhere = app.staff(Role::Inspector, "330000").await;
    let list = elsewhere.get("/v1/inspections/points?usage=dead").await.expect(200);
    assert_eq!(list, json!([]), "another city's posters are not theirs");
    let page = app.desk(&inspector).get("/inspect/points?usage=moved").await;
    assert!(page.text.contains("酒吧") && !page.text.contains("火车站"), "{}", page.text);
    // The next day it is judged anew.
    history(&app, station.point, 0..1, 300, 0).await;
    app.pass(24 * 60);
    judge(&app).await;
    assert_eq!(points("dead").await, [""; 0]);
    assert_eq!(points("in_use").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_sees_whose_a_poster_is_and_whether_it_hangs_there() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    history(&app, place.point, 1..36, 20, 0).await;
    judge(&app).await;
    let inspector = app.staff(Role::Inspector, "410100").await;
    let seen = |lat: f64| json!({ "code": place.code, "lat_deg": lat, "lng_deg": 113.6253 });
    let here = inspector.post("/v1/inspections/check", &seen(34.7469)).await.expect(200);
    assert_eq!((&here["venue"], &here["agreement"]), (&json!("老茶馆"), &json!("here")));
    assert_eq!((&here["distance_m"], &here["not_in_force"]), (&json!(33), &Value::Null));
    assert_eq!(here["usage"]["usage"], "in_use");
    assert_eq!(here["same_weekday"], json!([20, 20, 20, 20]));
    let gone = inspector.post("/v1/inspections/check", &seen(34.80)).await.expect(200);
    assert_eq!(gone["agreement"], "elsewhere");
    let unknown = inspector.post("/v1/inspections/check", &json!({ "code": place.code })).await.expect(200);
    assert_eq!((&unknown["agreement"], &unknown["distance_m"]), (&json!("unknown"), &Value::Null));
    let mut visit = seen(34.80);
    visit["finding"] = json!("elsewhere");
    visit["note"] = json!("贴在马路对面");
    let kept = inspector.post("/v1/inspections", &visit).await.expect(201);
    assert_eq!(kept["distance_m"], 5938);
    let again = inspector.post("/v1/inspections/check", &seen(34.7469)).await.expect(200);
    assert_eq!(again["visits"][0]["note"], "贴在马路对面");
    let logged = "select count(*) from audit_entries where action = 'poster.inspected'";
    assert_eq!(app.number(logged).await, 1);
    // The log keeps the distance and no position.
    assert_eq!(
        app.number(&format!("{logged} and detail like '%5938%' and detail not like '%34.8%'")).await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_inspector_sends_is_checked() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let inspector = app.staff(Role::Inspector, "410100").await;
    let visit = |change: Value| {
        let mut visit =
            json!({ "code": place.code, "lat_deg": 34.7, "lng_deg": 113.6, "finding": "in_order" });
        visit.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        visit
    };
    for (change, field) in [
        (json!({ "lat_deg": null }), "position"),
        (json!({ "lat_deg": 91 }), "position"),
        (json!({ "finding": "other" }), "note"),
        (json!({ "code": "2000000000000000000000" }), "code"),
        (json!({ "note": "x".repeat(501) }), "note"),
    ] {
        let problem = inspector.post("/v1/inspections", &visit(change.clone())).await.problem(422);
        assert!(problem.starts_with(field), "{change}: {problem}");
    }
    let elsewhere = app.staff(Role::Inspector, "330000").await;
    elsewhere.post("/v1/inspections", &visit(json!({}))).await.problem(403);
    assert_eq!(app.number("select count(*) from inspections").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_follows_a_poster_to_its_page() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let inspector = app.staff(Role::Inspector, "410100").await;
    let browser = app.desk(&inspector);
    let scanned = browser.get(&format!("/{}", place.code)).await;
    let link = format!("/inspect/poster?code={}", place.code);
    assert!(scanned.text.contains(&link), "{}", scanned.text);
    let asked = browser.get(&link).await;
    let policy = asked.headers["content-security-policy"].to_str().unwrap();
    assert!(
        asked.text.contains(&place.code)
            && policy.contains("script-src 'self'")
            && !policy.contains("unsafe")
    );
    let fields = [("lat_deg", "34.80"), ("lng_deg", "113.6253")];
    let page =
        browser.fill(&link, "/inspect/poster", &[("code", place.code.as_str()), fields[0], fields[1]]).await;
    assert!(
        page.text.contains("老茶馆") && page.text.contains("5938 m") && page.text.contains("不符"),
        "{}",
        page.text
    );
    let wrong =
        browser.fill(&link, "/inspect/poster", &[("code", place.code.as_str()), ("lat_deg", "north")]).await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text.contains("role=\"alert\"") && wrong.text.contains("north"),
        "what was typed is there again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_a_step_is_judged_at_once_and_all_are_in_the_end() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let more = format!(
        "insert into points (id, venue_id, name, granularity, cell, grid_cell, created_at)
         select n, venue_id, 'p' || n, granularity, cell, grid_cell, created_at
         from points, generate_series(1, 2500) n where id = {}",
        place.point
    );
    assert_eq!(app.sql(&more).await, Ok(2500));
    let judged = async || app.number("select count(*) from point_usage").await;
    measure::step(&app.app).await.unwrap();
    assert_eq!(judged().await, 2000);
    judge(&app).await;
    assert_eq!(judged().await, 2501);
    let day: DateTime<Utc> = app.now();
    assert_eq!(
        app.number(&format!("select count(*) from point_usage where judged_for = '{}'", day.format("%F")))
            .await,
        2501
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_replaces_and_ends_codes_on_the_page() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let browser = app.desk(&manager_of(&app, &place.venue).await);
    let page = format!("/manage/points/{}/code", place.point);
    let generation =
        async || app.number(&format!("select generation from points where id = {}", place.point)).await;
    let turned = browser.fill(&page, &page, &[("change", "rotate")]).await;
    assert_eq!((turned.leads_to(), generation().await), (page.as_str(), 2));
    assert!(browser.get(&page).await.text.contains("旧海报有效至"));
    let past = browser.fill(&page, &page, &[("change", "expire"), ("expires_at", "2020-01-01T00:00")]).await;
    assert_eq!(past.status, 422, "{}", past.text);
    let ended = browser.fill(&page, &page, &[("change", "expire"), ("expires_at", "2026-06-01T18:00")]).await;
    assert_eq!(ended.leads_to(), page);
    assert!(browser.get(&page).await.text.contains("2026年6月1日 18:00"));
    browser.fill(&page, &page, &[("change", "expire"), ("expires_at", "")]).await;
    assert_eq!(app.number("select count(*) from points where expires_at is not null").await, 0);
    let unsure = browser.fill(&page, &page, &[("change", "revoke")]).await;
    assert_eq!(unsure.status, 422);
    browser.fill(&page, &page, &[("change", "revoke"), ("sure", "yes")]).await;
    assert_eq!(app.number("select count(*) from points where revoked_at is not null").await, 1);
    let shown = browser.get(&page).await.text;
    assert!(shown.contains("已作废") && !shown.contains("name=\"change\""), "{shown}");
    let stranger = app.desk(&app.staff(Role::VenueManager, "410000").await);
    assert_eq!(stranger.get(&page).await.status, 403);
    // The poster's page still leads an inspector on, who sees why it does not answer.
    let inspector = app.desk(&app.staff(Role::Inspector, "410100").await);
    let link = format!("/inspect/poster?code={}", place.code);
    assert!(inspector.get(&format!("/{}", place.code)).await.text.contains(&link));
    let found = inspector.fill(&link, "/inspect/poster", &[("code", place.code.as_str())]).await;
    assert!(found.text.contains("编码无效"), "{}", found.text);
}
