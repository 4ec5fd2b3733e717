//! Every query that shows or computes on somebody's stays is told to that person.

use std::collections::BTreeSet;

use placecode::domain::access::Role;
use placecode::http::routes::API;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;

/// The kinds of the looks that somebody is told of.
async fn told(person: &Client) -> Vec<String> {
    let looks = person.get("/v1/me/looks").await.expect(200);
    looks.as_array().unwrap().iter().map(|look| look["kind"].as_str().unwrap().to_owned()).collect()
}

/// The paths of which a query is named `purpose`: each is a look at somebody.
fn that_ask_for_a_purpose() -> impl Iterator<Item = &'static str> {
    let document = serde_json::to_value(placecode::http::routes::document()).unwrap();
    let asks = move |path: &str| {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().cloned().unwrap_or_default();
        parameters.iter().any(|parameter| parameter["name"] == "purpose")
    };
    API.iter().filter(move |route| route.0.as_str() == "GET" && asks(route.1)).map(|route| route.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_endpoint_that_needs_a_purpose_leaves_a_look() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.scan(3, &teahouse, 165).await;
    app.settle().await;
    let chief = app.member(&[Role::Investigator, Role::ChiefOfficer], "410100").await.1;
    let case = app.case(&chief, 1).await;
    let run = app.run(&chief, &case).await["id"].as_str().unwrap().to_owned();
    let other = app.run(&chief, &case).await["id"].as_str().unwrap().to_owned();
    let investigator = app.staff(Role::Investigator, "410100").await;
    app.release(&investigator, &run).await;
    let (of_case, contact, bystander) = (app.person(1).await, app.person(2).await, app.person(3).await);
    let assignment =
        contact.get("/v1/me/assignments").await.expect(200)[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/me/assignments/{assignment}/appeals");
    let appeal = contact.post(&path, &json!({ "reason": "not_there" })).await.expect(201);
    let appeal = appeal["id"].as_str().unwrap().to_owned();
    let visitor = app.visitor(2).to_hex();

    let mut walked = BTreeSet::new();
    for path in that_ask_for_a_purpose() {
        let id = match path.split('/').nth(2).unwrap() {
            "cases" => &case,
            "runs" => &run,
            "appeals" => &appeal,
            "assignments" => &assignment,
            _ => "",
        };
        let address = path.replace("{id}", id).replace("{visitor}", &visitor).replace("{other}", &other);
        let address =
            address.replace("{file}", if path.contains("evidence/") { &appeal } else { "contacts.csv" });
        let before = (told(&of_case).await.len(), told(&contact).await.len());
        let answer = chief.get(&format!("{address}?purpose=核对名单")).await;
        assert!(matches!(answer.status, 200 | 404), "{path}: {} {}", answer.status, answer.text);
        let after = (told(&of_case).await.len(), told(&contact).await.len());
        assert!(after.0 > before.0, "{path}: the person of the case is told");
        let only_the_case = path.starts_with("/v1/cases/") || path == "/v1/backward";
        assert_eq!(
            after.1 > before.1,
            !only_the_case,
            "{path}: the contact is told of what concerns the contact"
        );
        walked.insert(path);
    }
    assert!(walked.len() >= 11, "{walked:?}");
    let kinds: BTreeSet<String> = told(&of_case).await.into_iter().collect();
    for kind in [
        "trail",
        "contacts",
        "evidence",
        "why",
        "report",
        "comparison",
        "coverage",
        "backward",
        "appeal",
        "taken_back",
    ] {
        assert!(kinds.contains(kind), "{kind} of {kinds:?}");
    }
    // A look at one contact is no look at another.
    let others: BTreeSet<String> = told(&bystander).await.into_iter().collect();
    for kind in ["evidence", "why", "appeal"] {
        assert!(!others.contains(kind), "{kind} of {others:?}");
    }
    let looks = contact.get("/v1/me/looks").await.expect(200);
    for look in looks.as_array().unwrap() {
        assert_eq!((&look["division"], &look["purpose"]), (&json!("410100"), &json!("核对名单")), "{look}");
        assert_eq!(look["authority"], "郑州市疾病预防控制中心");
        assert!(look["role"].is_string() && look["at"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_are_read_page_by_page() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let many = format!(
        "insert into looks (id, case_id, role, purpose, at, kind)
         select gen_random_uuid(), '{case}', 3, 'purpose ' || n, now() + n / 2 * interval '1 second', 0
         from generate_series(1, 205) n"
    );
    assert_eq!(app.sql(&many).await, Ok(205));
    let person = app.person(1).await;
    let (mut path, mut seen) = ("/v1/me/looks".to_owned(), BTreeSet::new());
    loop {
        let answer = person.get(&path).await;
        let page: Value = answer.expect(200);
        seen.extend(page.as_array().unwrap().iter().map(|look| look["purpose"].as_str().unwrap().to_owned()));
        let Some(next) = answer.headers.get("link") else { break };
        path = next.to_str().unwrap().trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen.len(), 205);
    let page = app.phone(1).await.get("/me/looks").await.text;
    assert!(page.contains("/me/looks?before="), "{page}");
}
