//! Law 9: everything has a bound and an end.

use chrono::Days;
use placecode::domain::access::Role;
use placecode::store::partitions;
use serde_json::json;
use uuid::Uuid;

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_that_lead_to_each_other() {
    let app = TestApp::start().await;
    let (id, investigator) = app.member(&[Role::Investigator], "410100").await;
    let many = format!(
        "insert into cases (id, visitor, kind, sampled_at, authority, division, reported_by, reported_at)
         select gen_random_uuid(), gen_random_uuid(), 2, now(), '市疾控', '410100', '{id}', now() from generate_series(1, 120)"
    );
    assert_eq!(app.sql(&many).await, Ok(120));
    let (mut path, mut pages, mut seen) =
        ("/v1/cases".to_owned(), Vec::new(), std::collections::BTreeSet::new());
    loop {
        let answer = investigator.get(&path).await;
        let page = answer.expect(200);
        pages.push(page.as_array().unwrap().len());
        seen.extend(page.as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap().to_owned()));
        let Some(link) = answer.headers.get("link") else { break };
        let link = link.to_str().unwrap();
        path =
            link.strip_prefix('<').and_then(|link| link.split_once(">; rel=\"next\"")).unwrap().0.to_owned();
    }
    assert_eq!((pages, seen.len()), (vec![50, 50, 20], 120));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_page_keeps_what_the_list_was_asked_for() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let copies = format!(
        "insert into venues (id, organisation_id, source_ref, name, category, division, address, lat_deg, lng_deg,
                cell, contact_name, contact_phone, capacity, state, state_reason, created_at)
         select gen_random_uuid(), organisation_id, null, name, category, division, address, lat_deg,
                lng_deg, cell, contact_name, contact_phone, capacity, n % 2, '', created_at
         from venues, generate_series(1, 120) n where id = '{}'",
        teahouse.venue
    );
    assert_eq!(app.sql(&copies).await, Ok(120));
    let inspector = app.staff(Role::Inspector, "410000").await;
    let answer = inspector.get("/v1/venues?state=submitted").await;
    assert_eq!(answer.expect(200).as_array().unwrap().len(), 50);
    let link = answer.headers["link"].to_str().unwrap();
    let next = inspector.get(link.trim_start_matches('<').split('>').next().unwrap()).await.expect(200);
    assert_eq!(next.as_array().unwrap().len(), 10);
    assert!(next.as_array().unwrap().iter().all(|venue| venue["state"] == "submitted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_pages_and_offsets_have_a_bound() {
    let app = TestApp::start().await;
    let auditor = app.staff(Role::Auditor, "410000").await;
    for query in ["limit=0", "limit=1001", "limit=-1", "after=-1", "limit=x"] {
        auditor.get(&format!("/v1/audit?{query}")).await.problem(422);
    }
    auditor.get("/v1/audit?limit=1000").await.expect(200);
    let source = app.staff(Role::ScanSource, "410000").await;
    let row = json!({ "id": Uuid::nil(), "assertion": "x", "occurred_at": app.now() });
    let rows = vec![row; 1001];
    assert!(source.post("/v1/scans/batch", &json!({ "scans": rows })).await.problem(422).contains("1000"));
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    for offset in ["-1", "10000001"] {
        let path = format!("/v1/runs/{run}/contacts?purpose=review&offset={offset}");
        assert!(investigator.get(&path).await.problem(422).contains("offset"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_who_scans_without_end_is_asked_to_wait() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let (one, two) = (app.person(1).await, app.person(2).await);
    let scan = json!({ "code": teahouse.code });
    for _ in 0..60 {
        one.post("/v1/scans", &scan).await.expect(201);
    }
    let answer = one.post("/v1/scans", &scan).await;
    answer.problem(429);
    assert_eq!(answer.headers["retry-after"], "60");
    two.post("/v1/scans", &scan).await.expect(201);
    app.pass(1);
    one.post("/v1/scans", &scan).await.expect(201);
}

/// Days pass one by one, as the pipeline sees them; it would not believe a clock that leaps.
async fn days_pass(app: &TestApp, days: u32) {
    for _ in 0..days {
        app.pass(24 * 60);
        app.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_beyond_retention_are_gone_and_a_report_proves_it() {
    let app = TestApp::start_with(&["--retention-days", "5"]).await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 30).await;
    app.settle().await;
    let there = ["scans", "stays"].map(|table| format!("select count(*) from {table}"));
    let dropped = "select count(*) from audit_entries where action = 'retention.dropped'";
    // The last moment of the fifth day after keeps them, the next does not.
    let noon = app.now().date_naive();
    days_pass(&app, 5).await;
    assert_eq!((app.number(&there[0]).await, app.number(&there[1]).await), (1, 1));
    let before = app.number(dropped).await;
    days_pass(&app, 1).await;
    assert_eq!((app.number(&there[0]).await, app.number(&there[1]).await), (0, 0));
    assert_eq!(app.number(dropped).await, before + 1);
    let names = format!(
        "{dropped} and detail like '%scans_{0}%' and detail like '%stays_{0}%'",
        noon.format("%Y%m%d")
    );
    assert_eq!(app.number(&names).await, 1);
    assert_eq!(app.person(1).await.get("/v1/me/stays").await.expect(200), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_was_imported_later_is_kept_from_its_import_on() {
    let app = TestApp::start_with(&["--retention-days", "5"]).await;
    let today = app.now().date_naive();
    let (imported, other) = (today - Days::new(100), today - Days::new(99));
    let mut conn = app.app.store.conn().await.unwrap();
    partitions::ensure(&mut conn, imported, other).await.unwrap();
    partitions::note_imported(&mut conn, &[imported], app.now()).await.unwrap();
    days_pass(&app, 1).await;
    let days = partitions::days(&mut conn, "scans").await.unwrap();
    assert!(days.contains(&imported) && !days.contains(&other), "{days:?}");
    days_pass(&app, 5).await;
    assert!(!partitions::days(&mut conn, "scans").await.unwrap().contains(&imported));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_kept_answers_end() {
    let app = TestApp::start().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let body = crate::support::people::new_case(&app.visitor(1).to_hex(), app.now()).to_string();
    let keyed = [("idempotency-key", "a")];
    investigator.send(reqwest::Method::POST, "/v1/cases", Some(body), &keyed).await.expect(201);
    assert_eq!(app.number("select count(*) from idempotency_keys").await, 1);
    assert!(app.number("select count(*) from sessions").await > 0);
    app.pass(61 * 24 * 60);
    app.settle().await;
    assert_eq!(app.number("select count(*) from idempotency_keys").await, 0);
    assert_eq!(app.number("select count(*) from sessions").await, 0);
    investigator.get("/v1/cases").await.problem(401);
}
