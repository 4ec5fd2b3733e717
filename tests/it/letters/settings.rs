//! How each issuing system wants its letters, and who may say so.

use placecode::domain::access::Role;
use placecode::domain::webhook::{Secret, SigningKey};
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{DELIVERED, Office, WAITING, people, secret};
use crate::support::TestApp;

fn form(changes: &Value) -> Value {
    let mut form = json!({ "name": "省平台", "url": "http://127.0.0.1:9/v1/letters", "division": "410000" });
    form.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    form
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_kept_and_listed_with_how_the_system_stands() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let admin = office.app.staff(Role::Administrator, "100000").await;
    let wrong = [
        ("scheme", json!("five")),
        ("batch_max", json!(0)),
        ("batch_max", json!(201)),
        ("pace_per_min", json!(0)),
        ("pace_per_min", json!(1_000_001)),
        ("delivery", json!("pigeon")),
        ("public_key", json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ("url", json!("ftp://code.example.cn/")),
    ];
    for (name, value) in wrong {
        let said = admin.put("/v1/issuers/other", &form(&json!({ name: value }))).await.problem(422);
        assert!(said.contains(name) || said.starts_with("body"), "{name}: {said}");
    }
    assert_eq!(office.app.number("select count(*) from issuers where id = 'other'").await, 0);
    let listed = async || {
        let all = admin.get("/v1/issuers?after=health-code").await.expect(200);
        assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
        all[0].clone()
    };
    admin.put("/v1/issuers/other", &form(&json!({}))).await.expect(200);
    let own = listed().await;
    let usual = ["scheme", "batch_max", "pace_per_min", "delivery"].map(|name| own[name].clone());
    assert_eq!(usual, [json!("three"), json!(200), Value::Null, json!("push")]);
    let set = json!({ "scheme": "four", "batch_max": 10, "pace_per_min": 600, "delivery": "pull" });
    admin.put("/v1/issuers/other", &form(&set)).await.expect(200);
    office.write("other", &people(2)).await;
    let own = listed().await;
    let shown = ["scheme", "batch_max", "pace_per_min", "delivery", "waiting", "circuit"];
    let shown = shown.map(|name| own[name].clone());
    assert_eq!(shown, [json!("four"), json!(10), json!(600), json!("pull"), json!(2), Value::Null]);
    // Whoever asks by itself is never called.
    assert_eq!(office.dispatch().await, 0);
    assert_eq!(office.count("other", WAITING).await, 2);
    let detail = "select count(*) from audit_entries where action = 'issuer.put' and detail like '%\"pace_per_min\":600%'";
    assert_eq!(office.app.number(detail).await, 1);
    office.app.staff(Role::ChiefOfficer, "410000").await.get("/v1/issuers").await.problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_out_of_use_gets_nothing_and_what_waited_later() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let receiver = Receiver::start();
    office.enter("other", &receiver, json!({})).await;
    let admin = office.app.staff(Role::Administrator, "100000").await;
    office.write("other", &people(2)).await;
    admin.post("/v1/issuers/other/disabling", &json!({})).await.expect(200);
    assert_eq!(office.dispatch().await, 0);
    assert!(admin.get("/v1/issuers?after=health-code").await.expect(200)[0]["disabled_at"].is_string());
    // New settings do not take it into use again.
    office.enter("other", &receiver, json!({ "batch_max": 1 })).await;
    assert_eq!(office.dispatch().await, 0);
    admin.post("/v1/issuers/other/enabling", &json!({})).await.expect(200);
    assert_eq!(office.dispatch().await, 2);
    assert_eq!(office.count("other", DELIVERED).await, 2);
    admin.post("/v1/issuers/nobody/disabling", &json!({})).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_system_is_told_the_colour_in_its_own_words() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "100000").await;
    admin
        .put("/v1/issuers/national", &form(&json!({ "division": "100000", "scheme": "four" })))
        .await
        .expect(200);
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    app.release(&investigator, run["id"].as_str().unwrap()).await;
    let sql =
        "select issuer_id, body ->> 'colour' as colour, body ->> 'shown' as shown, body ->> 'class' as class
               from letters order by issuer_id";
    let told = app.rows(sql).await;
    let close =
        |issuer, shown| json!({ "issuer_id": issuer, "colour": "red", "shown": shown, "class": "close" });
    assert_eq!(told, [close("health-code", "red"), close("national", "orange")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_can_fetch_what_letters_are_verified_with_and_no_secret() {
    let (old, new) = (SigningKey::format_ed25519(&[7; 32]), SigningKey::format_ed25519(&[8; 32]));
    let shared = Secret::format(&[9; 32]);
    let lines = [
        ("rotating", format!("[\"{new}\", \"{old}\", \"{shared}\"]")),
        ("secretive", format!("\"{shared}\"")),
    ];
    let lines: Vec<(&str, &str)> = lines.iter().map(|(id, line)| (*id, line.as_str())).collect();
    let office = Office::open(&lines, |_| {}).await;
    let secrets = office.dispatcher.config.issuer_secrets_file.clone();
    let replica =
        crate::support::Replica::start(&office.app, |config| config.issuer_secrets_file = secrets).await;
    let answer = office.app.client(None).at(replica.address).get("/v1/letters/keys").await;
    let public = |text: &str| SigningKey::parse(text).unwrap().verifying_key().public_text().unwrap();
    assert_eq!(
        answer.expect(200),
        json!([{ "issuer": "rotating", "public_keys": [public(&new), public(&old)] }])
    );
    assert_eq!(office.app.client(None).get("/v1/letters/keys").await.expect(200), json!([]));
}
