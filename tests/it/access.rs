//! Who may call what: the table of routes, asked in every role.

use std::collections::BTreeSet;

use placecode::domain::access::Role;
use placecode::domain::numbered::Numbered;
use placecode::http::routes::{API, Access, document};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::{new_case, new_venue};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Nobody,
    Ended,
    Visitor,
    Staff(Role),
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_admits_exactly_whom_the_table_names() {
    let app = TestApp::start().await;
    let mut callers = vec![
        (Who::Nobody, app.client(None)),
        (Who::Nobody, app.client(Some("no-such-token"))),
        (Who::Ended, ended_session(&app).await),
        (Who::Ended, closed_account(&app).await),
        (Who::Ended, ended_machine(&app).await),
        (Who::Visitor, app.person(1).await),
    ];
    for role in Role::ALL {
        callers.push((Who::Staff(*role), app.staff(*role, "410000").await));
        callers.push((Who::Staff(*role), machine(&app, *role, 1).await));
    }
    for (method, path, access) in API {
        for (who, client) in &callers {
            // Signing out is the one call that ends the caller's own token.
            let signs_out = *method == actix_web::http::Method::DELETE && *path == "/v1/sessions";
            let client = match who {
                Who::Staff(role) if signs_out => &app.staff(*role, "410000").await,
                _ => client,
            };
            let answer = call(client, method.as_str(), path).await;
            let expected = expected(*access, *who);
            let refused = matches!(answer.status, 401 | 403).then_some(answer.status);
            assert_eq!(refused, expected, "{method} {path} by {who:?}: {}", answer.text);
            if refused.is_some() {
                answer.problem(answer.status);
            }
        }
    }
}

/// The status of a refusal, or `None` for who is admitted.
fn expected(access: Access, who: Who) -> Option<u16> {
    match (access, who) {
        (Access::Public, _) | (Access::Visitor, Who::Visitor) => None,
        (Access::Visitor | Access::Issuer, _) | (_, Who::Nobody | Who::Ended | Who::Visitor) => Some(401),
        (Access::DeviceOr(roles) | Access::Roles(roles), Who::Staff(role)) => {
            (!roles.contains(&role)).then_some(403)
        }
    }
}

async fn call(client: &Client, method: &str, path: &str) -> crate::support::client::Answer {
    let number = path.starts_with("/v1/points");
    let id = if number { "77".to_owned() } else { Uuid::now_v7().to_string() };
    let path = path
        .replace("{id}", &id)
        .replace("{visitor}", &"0".repeat(32))
        .replace("{other}", &id)
        .replace("{issuer}", "nobody");
    let path = path
        .replace("{member}", &id)
        .replace("{invitation}", &id)
        .replace("{stay}", &id)
        .replace("{scan}", &id)
        .replace("{file}", "contacts.csv");
    let needs_purpose = method == "GET"
        && [
            "/trail",
            "/trail/changes",
            "/contacts",
            "/evidence",
            "/why",
            "/reviews",
            "contacts.csv",
            "/taken-back",
        ]
        .iter()
        .any(|end| path.ends_with(end))
        || method == "GET" && path.starts_with("/v1/assignments/") && !path.ends_with("/overdue")
        || method == "GET" && path.starts_with("/v1/appeals/");
    let path = if needs_purpose { format!("{path}?purpose=review") } else { path };
    let body = matches!(method, "POST" | "PUT").then(|| "{}".to_owned());
    client.send(Method::from_bytes(method.as_bytes()).unwrap(), &path, body, &[]).await
}

async fn ended_session(app: &TestApp) -> Client {
    let (id, client) = app.member(Role::ALL, "100000").await;
    let sql = format!("update sessions set expires_at = '2026-03-16T04:00:00Z' where staff_id = '{id}'");
    assert_eq!(app.sql(&sql).await, Ok(1));
    client
}

async fn closed_account(app: &TestApp) -> Client {
    let (id, client) = app.member(Role::ALL, "100000").await;
    let admin = app.staff(Role::Administrator, "100000").await;
    let closed = admin.send(Method::DELETE, &format!("/v1/staff/{id}"), None, &[]).await;
    assert_eq!(closed.status, 204);
    client
}

async fn machine(app: &TestApp, role: Role, days: i64) -> Client {
    let admin = app.staff(Role::Administrator, "100000").await;
    let new = json!({ "name": "闸机", "roles": [role], "division": "410000", "days": days });
    let made = admin.post("/v1/machines", &new).await.expect(201);
    app.client(made["token"].as_str())
}

async fn ended_machine(app: &TestApp) -> Client {
    let client = machine(app, Role::ScanSource, 400).await;
    assert_eq!(app.sql("update machine_tokens set expires_at = '2026-03-16T04:00:00Z'").await, Ok(1));
    client
}

#[test]
fn the_table_of_routes_is_the_api_document() {
    let document = serde_json::to_value(document()).unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let known = ["get", "post", "put", "delete", "patch", "head", "options", "trace"];
        let methods = methods.as_object().unwrap().keys().filter(|name| known.contains(&name.as_str()));
        described.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    let table: BTreeSet<_> =
        API.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
    assert_eq!(table, described);
    assert_eq!(table.len(), API.len(), "a route stands twice in the table");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_jurisdiction_is_refused_and_written_down() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let here = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&here, 1).await;
    let run = app.run(&here, &case).await["id"].as_str().unwrap().to_owned();

    let elsewhere = app.staff(Role::Investigator, "420100").await;
    let officer = app.staff(Role::ReleasingOfficer, "420000").await;
    let inspector = app.staff(Role::Inspector, "420000").await;
    let venue = format!("/v1/venues/{}", teahouse.venue);
    let point = format!("/v1/points/{}/code", teahouse.point);
    let word = json!({ "legal_basis": "第三十九条" });
    let refused = [
        elsewhere.get(&format!("/v1/cases/{case}")).await,
        elsewhere.get(&format!("/v1/cases/{case}/trail?purpose=review")).await,
        elsewhere.post(&format!("/v1/cases/{case}/withdrawal"), &json!({ "reason": "误报" })).await,
        elsewhere.get(&format!("/v1/runs/{run}")).await,
        elsewhere.get(&format!("/v1/runs/{run}/contacts?purpose=review")).await,
        elsewhere.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await,
        officer.post(&format!("/v1/runs/{run}/release"), &word).await,
        inspector.get(&venue).await,
        inspector.post(&format!("{venue}/review"), &json!({ "state": "closed", "reason": "停业" })).await,
        inspector.post(&point, &json!({ "revoke": true })).await,
    ];
    for answer in &refused {
        answer.problem(403);
    }
    let entries = "select count(*) from audit_entries where action = 'access.refused'";
    assert_eq!(app.number(entries).await, i64::try_from(refused.len()).unwrap());
    assert_eq!(app.number("select count(*) from looks").await, 0);
    let other = new_case(&app.visitor(2).to_hex(), app.now());
    elsewhere.post("/v1/cases", &other).await.problem(403);
    assert_eq!(app.number("select count(*) from cases").await, 1);
    assert!(elsewhere.get("/v1/cases").await.expect(200).as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_sees_only_the_own_venues() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let own = manager.post("/v1/venues", &new_venue("书店", "shop")).await.expect(201);
    manager.get(&format!("/v1/venues/{}", own["id"].as_str().unwrap())).await.expect(200);
    manager.get(&format!("/v1/venues/{}", teahouse.venue)).await.problem(403);
    manager
        .post(&format!("/v1/venues/{}/points", teahouse.venue), &json!({ "name": "后门" }))
        .await
        .problem(403);
    manager.post(&format!("/v1/points/{}/code", teahouse.point), &json!({})).await.problem(403);
    let listed = manager.get("/v1/venues").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"], own["id"]);
    assert_eq!(app.number("select count(*) from audit_entries where action = 'access.refused'").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_write_again_is_answered_again_and_done_once() {
    let app = TestApp::start().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let body = new_case(&app.visitor(1).to_hex(), app.now()).to_string();
    let keyed = |client: &Client, key: &'static str, body: String| {
        let client = client.clone();
        async move { client.send(Method::POST, "/v1/cases", Some(body), &[("idempotency-key", key)]).await }
    };
    let first = keyed(&investigator, "a", body.clone()).await;
    let again = keyed(&investigator, "a", body.clone()).await;
    assert_eq!((first.expect(201), first.status), (again.expect(201), again.status));
    assert_eq!(app.number("select count(*) from cases").await, 1);

    let other = new_case(&app.visitor(2).to_hex(), app.now()).to_string();
    assert!(keyed(&investigator, "a", other.clone()).await.problem(422).contains("another request"));
    assert_eq!(app.number("select count(*) from cases").await, 1);

    // The key belongs to who sent it.
    let colleague = app.staff(Role::Investigator, "410100").await;
    assert_ne!(keyed(&colleague, "a", body).await.expect(201), first.expect(201));

    // Two at once: one is done, the other is told the same or that it is there.
    let (one, two) =
        tokio::join!(keyed(&investigator, "b", other.clone()), keyed(&investigator, "b", other.clone()));
    let statuses = [one.status, two.status];
    assert!(statuses.contains(&201) && statuses.iter().all(|s| matches!(s, 201 | 409)), "{statuses:?}");
    assert_eq!(app.number("select count(*) from cases").await, 3);
    let kept = keyed(&investigator, "b", other).await.expect(201);
    let done = if one.status == 201 { one } else { two };
    assert_eq!(kept, done.expect(201));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_token_is_never_kept_and_so_never_given_twice() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "410000").await;
    let new = json!({ "name": "闸机", "roles": ["scan_source"], "division": "410000", "days": 7 });
    let keyed = [("idempotency-key", "a")];
    let answer = admin.send(Method::POST, "/v1/machines", Some(new.to_string()), &keyed).await;
    assert!(answer.problem(422).contains("never kept"));
    assert_eq!(app.number("select count(*) from machine_tokens").await, 0);
    let token = admin.post("/v1/machines", &new).await.expect(201)["token"].as_str().unwrap().to_owned();
    let kept = app.rows("select body from idempotency_keys").await;
    assert!(kept.iter().all(|row| !row.to_string().contains(&token)));
}
