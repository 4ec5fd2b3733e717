//! What is wrong is refused with a reason, and changes nothing.

mod codes;
mod values;

use std::collections::BTreeMap;

use placecode::domain::access::Role;
use placecode::http::routes::{API, Access};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::Place;

/// Everything that an address of the API can name.
struct House {
    app: TestApp,
    teahouse: Place,
    case: String,
    run: String,
}

/// An alarm of the teahouse's point.
const ALARM: &str = "00000000-0000-4000-8000-000000000001";

async fn house() -> House {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    let alarm = format!(
        "insert into point_alarms (id, point_id, raised_at, hour, scans, contradicted, unproven, sign)
         values ('{ALARM}', {}, now(), now(), 20, 20, 0, 0)",
        teahouse.point
    );
    assert_eq!(app.sql(&alarm).await, Ok(1));
    House { app, teahouse, case, run }
}

impl House {
    /// A route's address with ids that are there.
    fn address(&self, path: &str) -> String {
        let id = match path.split('/').nth(2).unwrap_or_default() {
            "venues" => self.teahouse.venue.clone(),
            "points" => self.teahouse.point.to_string(),
            "cases" => self.case.clone(),
            "runs" => self.run.clone(),
            "channels" | "issuers" => "health-code".to_owned(),
            "agreements" => "henan-hubei".to_owned(),
            "alarms" => ALARM.to_owned(),
            _ => Uuid::nil().to_string(),
        };
        let visitor = self.app.visitor(2).to_hex();
        let path =
            path.replace("{id}", &id).replace("{visitor}", &visitor).replace("{issuer}", "health-code");
        let path = path.replace("{scan}", &Uuid::nil().to_string());
        path.replace("{stay}", &Uuid::nil().to_string()).replace("{file}", "contacts.csv")
    }

    async fn caller(&self, access: Access) -> Client {
        match access {
            Access::Public | Access::Issuer => self.app.client(None),
            Access::Visitor => self.app.person(9).await,
            Access::DeviceOr(roles) | Access::Roles(roles) => {
                self.app.staff(*roles.last().unwrap(), "410000").await
            }
        }
    }

    /// How many rows each table has; refusals may be written down.
    async fn rows(&self) -> BTreeMap<String, i64> {
        let mut counts = self.app.counts().await;
        let kept =
            "select count(*) from audit_entries where action not in ('access.refused', 'release.refused')";
        counts.insert("audit_entries".into(), self.app.number(kept).await);
        counts.retain(|table, _| !matches!(table.as_str(), "staff" | "sessions"));
        counts
    }
}

/// The refusal is a problem document whose detail says something.
#[track_caller]
fn check(answer: &Answer, status: u16, about: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text);
    let detail = answer.problem(status);
    assert!(detail.len() > 10 && detail.contains(about), "{what}: {detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_is_checked_for_form_size_and_fields() {
    let house = house().await;
    house.app.settle().await;
    let before = house.rows().await;
    let (mut bodies, small, large) = (0, 64 * 1024, 2 * 1024 * 1024);
    for (method, path, access) in API.iter().filter(|route| matches!(route.0.as_str(), "POST" | "PUT")) {
        // A list of cases is CSV; a trial names each fault by its path (tests/it/conformance.rs).
        // Evidence is a file (tests/it/appeals.rs); what a system must sign is refused before it is read
        // (tests/it/border/controls.rs).
        let is_file = *path == "/v1/me/appeals/{id}/evidence" || *access == Access::Issuer;
        if is_file || matches!(*path, "/v1/cases/import" | "/v1/rule-packs/trial") {
            continue;
        }
        bodies += 1;
        let client = house.caller(*access).await;
        let address = house.address(path);
        let max = if *path == "/v1/scans/batch" { large } else { small };
        // A body of nothing but an act, or of nothing but defaults, cannot lack anything.
        let may_be_empty = [
            "/proposal",
            "/cancellation",
            "/again",
            "/disabling",
            "/enabling",
            "/code",
            "/visitor-codes",
            "/visitor-cards",
            "/heads",
            "/reconciliations",
            "/replay",
        ]
        .iter()
        .any(|end| address.ends_with(end))
            || *path == "/v1/assignments/{id}";
        let oversized = format!("{{\"x\":\"{}\"}}", "a".repeat(max));
        let cases = [
            ("{", 400, "JSON"),
            ("", 400, "JSON"),
            ("\u{1}", 400, "JSON"),
            ("[]", 422, "body"),
            ("null", 422, "body"),
            ("\"text\"", 422, "body"),
            ("{\"no_such_field\":1}", 422, "no_such_field"),
            ("{\"text\":\"\\u0000\"}", 422, "U+0000"),
            ("{}", if may_be_empty { 0 } else { 422 }, "missing field"),
            (oversized.as_str(), 413, "larger"),
        ];
        for (body, status, about) in cases.into_iter().filter(|case| case.1 > 0) {
            let method = Method::from_bytes(method.as_str().as_bytes()).unwrap();
            let answer = client.send(method, &address, Some(body.to_owned()), &[]).await;
            let shown: String = body.chars().take(40).collect();
            check(&answer, status, about, &format!("{} {path} {shown}", answer.status));
        }
    }
    assert!(bodies > 20);
    house.app.settle().await;
    assert_eq!(house.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_ids_addresses_and_methods_are_told_apart() {
    let house = house().await;
    let before = house.rows().await;
    let review = json!({ "state": "closed", "reason": "停业" });
    for (method, path, access) in API.iter().filter(|route| route.1.contains("{id}")) {
        if matches!(*path, "/v1/channels/{id}" | "/v1/issuers/{id}" | "/v1/agreements/{id}") {
            continue;
        }
        let client = house.caller(*access).await;
        for id in [
            if path.starts_with("/v1/points") { "77".to_owned() } else { Uuid::now_v7().to_string() },
            "x".to_owned(),
            "%00".to_owned(),
            "-1".to_owned(),
        ] {
            let address = path.replace("{id}", &id).replace("{visitor}", &house.app.visitor(2).to_hex());
            let address =
                address.replace("{file}", "contacts.csv").replace("{stay}", &id).replace("{other}", &id);
            let asked = [
                "/trail",
                "/trail/changes",
                "/contacts",
                "/evidence",
                "/why",
                "/reviews",
                "contacts.csv",
                "/taken-back",
            ];
            let needs = asked.iter().any(|end| address.ends_with(end))
                || address.starts_with("/v1/appeals/")
                || *path == "/v1/assignments/{id}";
            let address =
                if needs && *method == "GET" { format!("{address}?purpose=review") } else { address };
            let body = matches!(method.as_str(), "POST").then(|| match path.rsplit('/').next() {
                Some("review") => review.to_string(),
                Some("appeals") => json!({ "reason": "not_there" }).to_string(),
                Some("decision") => json!({ "decision": "refused", "reason": "证据充分" }).to_string(),
                _ => "{}".to_owned(),
            });
            let answer = client
                .send(Method::from_bytes(method.as_str().as_bytes()).unwrap(), &address, body, &[])
                .await;
            check(&answer, 404, "no such", &format!("{method} {address}"));
        }
    }
    let administrator = house.app.staff(Role::Administrator, "410000").await;
    for word in ["X", "a", "%00", "a%2Fb"] {
        let channel = json!({ "name": "健康码", "public_key": "00".repeat(32), "page_url": "https://code.example.cn/" });
        check(&administrator.put(&format!("/v1/channels/{word}"), &channel).await, 422, "a-z", word);
    }
    check(
        &administrator.post("/v1/letters/%00/again", &json!({})).await,
        404,
        "no such",
        "letters to nobody",
    );
    for (path, allow) in
        [("/v1/scans", "POST"), ("/v1/letters/stop", "PUT"), ("/v1/venues", "POST, GET"), ("/livez", "GET")]
    {
        let answer = administrator.send(Method::PATCH, path, None, &[]).await;
        check(&answer, 405, "method", path);
        assert_eq!(answer.headers["allow"], allow, "{path}");
    }
    for path in ["/v1/nothing", "/v2/scans", "/v1/scans/", "/v1/cases/a/b/c", "/.env", "/v1/../etc/passwd"] {
        check(&administrator.get(path).await, 404, "no such address", path);
    }
    for path in ["/v1/cases?before=x", "/v1/cases?nothing=1", "/v1/venues?state=open", "/v1/venues?after=1"] {
        let client = house.app.staff(Role::Investigator, "410000").await;
        check(&client.get(path).await, 422, "query", path);
    }
    assert_eq!(house.rows().await, before);
}
