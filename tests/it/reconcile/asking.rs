//! When a comparison is made, who may ask for what, and how a system compares that cannot be called.

use placecode::domain::access::Role;
use placecode::domain::reconcile::{Entry, buckets};
use placecode::domain::webhook::SigningKey;
use serde_json::{Value, json};

use super::{Story, story};
use crate::support::TestApp;

const TYPE: &str = "placecode.reconciliation.v1";
const ASK: &str = "/v1/issuers/health-code/reconciliation";
const RESULTS: &str = "/v1/issuers/health-code/reconciliations";

#[tokio::test(flavor = "multi_thread")]
async fn each_system_is_compared_with_once_a_day() {
    let story = story().await;
    let count = "select count(*) from reconciliations";
    assert_eq!(story.app.number(count).await, 0);
    story.app.pass(24 * 60);
    story.app.settle().await;
    story.app.settle().await;
    assert_eq!(story.app.number(count).await, 1);
    Story::alike(&story.results().await[0]);
    assert_eq!(story.results().await[0]["asked_by"], "pipeline");
    story.app.pass(23 * 60);
    story.app.settle().await;
    assert_eq!(story.app.number(count).await, 1);
    story.app.pass(60);
    story.app.settle().await;
    assert_eq!(story.app.number(count).await, 2);
    let noted = "select count(*) from audit_entries where action = 'issuer.reconciled'";
    assert_eq!(story.app.number(noted).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_does_not_answer_is_asked_again_and_nothing_is_told_meanwhile() {
    let story = story().await;
    let elsewhere = "update issuers set url = 'http://127.0.0.1:1/v1/letters'";
    assert_eq!(story.app.sql(elsewhere).await, Ok(1));
    let failed = story.compare().await;
    assert_eq!(
        (&failed["state"], &failed["error"]),
        (&json!("failed"), &json!("the issuing system does not answer"))
    );
    assert_eq!(story.app.number("select count(*) from letters").await, 3);
    let back = format!("update issuers set url = 'http://{}/v1/letters'", story.app.issuer_address);
    assert_eq!(story.app.sql(&back).await, Ok(1));
    story.app.pass(61);
    story.app.settle().await;
    Story::alike(&story.results().await[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_somebody_else_gives_is_not_believed() {
    let story = story().await;
    // Another platform stands at the address: its answers are signed with another secret.
    let second = story.app.spawn_platform("second");
    let there = format!("update issuers set url = '{}'", second.letters_url());
    assert_eq!(story.app.sql(&there).await, Ok(1));
    let failed = story.compare().await;
    assert_eq!((&failed["state"], &failed["mended"]), (&json!("failed"), &json!(0)));
    // It refuses our signature; and where it takes it, we refuse its own.
    assert_eq!(failed["error"], "the issuing system answered with status 401");
    let public = SigningKey::parse(&SigningKey::format_ed25519(&[7; 32])).unwrap().verifying_key();
    let other = format!(
        "update issuers set url = 'http://{}/v1/letters', public_key = '{}'",
        story.app.issuer_address,
        public.public_text().unwrap()
    );
    assert_eq!(story.app.sql(&other).await, Ok(1));
    let failed = story.compare().await;
    assert_eq!(failed["error"], "the answer is not signed by the issuing system");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_tells_what_it_holds_to_the_service_alone() {
    let story = story().await;
    let app = &story.app;
    let url = format!("http://{}/v1/reconciliation", app.issuer_address);
    let ask = |body: Value, key: &SigningKey| {
        let (id, at, body) = ("msg_1", app.now().timestamp(), body.to_string());
        let signature = key.sign(id, at, body.as_bytes());
        crate::support::client::http()
            .post(&url)
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .body(body)
            .send()
    };
    let own = SigningKey::parse(app.issuer_keys.letters_secret_text()).unwrap();
    let other = SigningKey::parse(&format!("whsec_{}", "A".repeat(44))).unwrap();
    let good = json!({ "type": TYPE, "at": app.now(), "buckets": [] });
    assert_eq!(ask(good.clone(), &own).await.unwrap().status(), 200);
    assert_eq!(ask(good, &other).await.unwrap().status(), 401);
    for bad in [
        json!({}),
        json!({ "type": "x", "at": app.now(), "buckets": [] }),
        json!({ "type": TYPE, "at": app.now() }),
        json!({ "type": TYPE, "at": app.now(), "buckets": [], "bucket": 1 }),
        json!({ "type": TYPE, "at": app.now(), "bucket": 256 }),
        json!({ "type": TYPE, "at": app.now(), "bucket": 1, "after": { "visitor": "7", "assignment": app.issuer_keys.api_token() } }),
    ] {
        assert_eq!(ask(bad.clone(), &own).await.unwrap().status(), 422, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_ask_officers_see_and_the_stop_holds_it() {
    let story = story().await;
    let officer = story.app.staff(Role::ReleasingOfficer, "410100").await;
    officer.post(RESULTS, &json!({})).await.problem(403);
    officer.post("/v1/issuers/health-code/replay", &json!({})).await.problem(403);
    officer.get(RESULTS).await.expect(200);
    story.admin.get("/v1/issuers/nobody/reconciliations").await.problem(404);
    story.admin.post("/v1/issuers/nobody/reconciliations", &json!({})).await.problem(404);

    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    story.admin.post(RESULTS, &json!({})).await.expect(202);
    story.admin.post(RESULTS, &json!({})).await.problem(409);
    story.app.settle().await;
    assert_eq!(story.results().await[0]["state"], "waiting");
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    story.app.settle().await;
    Story::alike(&story.results().await[0]);
}

/// What the issuing system of every test would say of itself, and how it would compare.
async fn own_entries(app: &TestApp) -> Vec<Entry> {
    let rows = app
        .issuer_database()
        .rows("select replace(visitor::text, '-', '') as visitor, id as assignment, ending = 0 as open, sequence,
                      (array['green', 'yellow', 'red'])[colour + 1] as colour, expires_at from assignments")
        .await;
    rows.into_iter().map(|row| serde_json::from_value(row).unwrap()).collect()
}

fn question(app: &TestApp, more: &Value) -> Value {
    let mut body = json!({ "type": TYPE, "at": app.now() });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_cannot_be_called_compares_by_itself_and_is_told() {
    let story = story().await;
    let app = &story.app;
    assert_eq!(app.sql("update issuers set delivery = 1").await, Ok(1));
    story.admin.post(RESULTS, &json!({})).await.problem(409);
    let held = || async { buckets(own_entries(app).await.iter().filter_map(Entry::held).collect()) };
    let same = app.as_issuer(ASK, &question(app, &json!({ "buckets": held().await }))).await.expect(200);
    assert_eq!(
        (&same["differing"], same["buckets"].as_array().unwrap().len()),
        (&json!([]), held().await.len())
    );

    assert_eq!(story.theirs.sql("delete from assignments").await, 3);
    let differ = app.as_issuer(ASK, &question(app, &json!({ "buckets": [] }))).await.expect(200);
    let mut found = Vec::new();
    for bucket in differ["differing"].as_array().unwrap() {
        let page = app.as_issuer(ASK, &question(app, &json!({ "bucket": bucket }))).await.expect(200);
        assert_eq!(page["more"], false);
        for entry in page["entries"].as_array().unwrap() {
            found.push(json!({ "assignment": entry["assignment"], "drift": "missing" }));
        }
    }
    assert_eq!(found.len(), 3);
    // It may also say what is not so: it is told no more than how things stand.
    found.push(json!({ "assignment": uuid::Uuid::now_v7(), "drift": "unknown" }));
    let told = question(app, &json!({ "buckets": [], "found": found }));
    assert_eq!(app.as_issuer(ASK, &told).await.expect(200), json!({ "noted": true }));
    assert_eq!(app.as_issuer(ASK, &told).await.expect(200), json!({ "noted": false }));
    app.settle().await;
    let result = story.results().await[0].clone();
    assert_eq!(
        (&result["drift"], &result["mended"], &result["reported"]),
        (&json!(4), &json!(3), &json!(1)),
        "{result}"
    );
    assert_eq!(result["asked_by"], "issuer:health-code");
    // The letters wait in the feed, after those that it had.
    let page = json!({ "type": "placecode.feed.v1", "after": 0, "limit": 1000 });
    let page = app.as_issuer("/v1/issuers/health-code/feed", &page).await.expect(200);
    let letters = page["letters"].as_array().unwrap();
    assert_eq!(letters.len(), 6);
    assert!(letters[3..].iter().all(|letter| letter["kind"] == "assigned" && letter["sequence"] == 2));
    // What is on its way is not asked about.
    let same = app.as_issuer(ASK, &question(app, &json!({ "buckets": [] }))).await.expect(200);
    assert_eq!(same["buckets"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_system_asks_amiss_is_refused() {
    let story = story().await;
    let app = &story.app;
    let own = question(app, &json!({ "buckets": [] }));
    assert!(app.as_issuer(ASK, &own).await.problem(409).contains("not `pull`"));
    assert_eq!(app.sql("update issuers set delivery = 1").await, Ok(1));
    let difference = json!({ "assignment": uuid::Uuid::nil(), "drift": "missing" });
    let many = vec![difference.clone(); 10_001];
    for bad in [
        json!({}),
        json!({ "bucket": 1, "buckets": [] }),
        json!({ "found": [] }),
        json!({ "bucket": 1, "found": [difference] }),
        json!({ "bucket": 1, "after": { "visitor": "x", "assignment": uuid::Uuid::nil() } }),
        json!({ "buckets": [], "found": [{ "assignment": uuid::Uuid::nil(), "drift": "red" }] }),
        json!({ "buckets": [], "found": many }),
        json!({ "buckets": [], "at": app.now() - chrono::TimeDelta::hours(2) }),
        json!({ "buckets": [], "type": "placecode.reconciliation.v2" }),
    ] {
        app.as_issuer(ASK, &question(app, &bad)).await.problem(422);
    }
    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    app.as_issuer(ASK, &own).await.problem(409);
    assert_eq!(app.number("select count(*) from reconciliations").await, 0);
}
