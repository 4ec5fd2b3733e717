//! Scanning goes on while Postgres is away, with what was known of channels, devices and staff.

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use ed25519_dalek::SigningKey;
use placecode::domain::access::Role;
use placecode::domain::assertion::{AUDIENCE, DeviceClaims, sign};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::hex;
use crate::support::client::{Answer, Client};
use crate::support::{TestApp, servers, until};

/// Shuts the database of a test, connections and all, or opens it again.
pub async fn shut(app: &TestApp, is_shut: bool) {
    let mut conn = AsyncPgConnection::establish(&servers::database_url("postgres")).await.unwrap();
    let name = &app.database;
    conn.batch_execute(&format!("alter database {name} with allow_connections {}", !is_shut)).await.unwrap();
    if is_shut {
        let ends = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        conn.batch_execute(&ends).await.unwrap();
    }
}

/// A sentinel that hands in scans.
struct Sentinel {
    id: Uuid,
    key: SigningKey,
    client: Client,
}

impl Sentinel {
    async fn hand_in(&self, app: &TestApp, body: &Value) -> Answer {
        let (body, now) = (body.to_string(), app.now().timestamp());
        let body_hash = hex(&Sha256::digest(&body));
        let claims =
            DeviceClaims { sub: self.id, aud: AUDIENCE.into(), iat: now, exp: now + 60, body: body_hash };
        let assertion = sign(&claims, &self.id.to_string(), &self.key);
        let headers = [("device-assertion", assertion.as_str())];
        self.client.send(Method::POST, "/v1/scans/batch", Some(body), &headers).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_goes_on_while_postgres_is_away_and_ends_when_it_is_back() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let admin = app.staff(Role::Administrator, "410000").await;
    let add = async |seed: u8| {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = hex(key.verifying_key().as_bytes());
        let new = json!({ "name": "哨兵", "code": teahouse.code, "public_key": public });
        let id = admin.post("/v1/devices", &new).await.expect(201)["id"].as_str().unwrap().parse().unwrap();
        Sentinel { id, key, client: app.client(None) }
    };
    let (sentinel, unseen) = (add(5).await, add(6).await);
    let source = app.staff(Role::ScanSource, "410000").await;
    let stranger = app.staff(Role::ScanSource, "410000").await;
    let row = |number| json!({ "scans": [{ "id": Uuid::now_v7(), "code": teahouse.code, "assertion": app.assertion(number, app.now()), "occurred_at": app.now() }] });
    assert_eq!(sentinel.hand_in(&app, &row(1)).await.expect(200)["accepted"], 1);
    assert_eq!(source.post("/v1/scans/batch", &row(2)).await.expect(200)["accepted"], 1);

    shut(&app, true).await;
    until("Postgres is away", async || {
        app.client(None).get("/readyz").await.expect(200) == json!({ "postgres": false, "redis": true })
    })
    .await;
    // Somebody whom the channel has verified just now, who opens the page and scans.
    let person = app.person(3).await;
    person.post("/v1/scans", &json!({ "code": teahouse.code })).await.expect(201);
    let page = app.browser().get(&format!("/{}", teahouse.code)).await;
    assert!(page.status == 200 && page.text.contains("健康码"), "{}", page.text);
    assert_eq!(sentinel.hand_in(&app, &row(4)).await.expect(200)["accepted"], 1);
    assert_eq!(source.post("/v1/scans/batch", &row(5)).await.expect(200)["accepted"], 1);
    // Who was not seen before has to wait, and nobody is remembered for anything else.
    unseen.hand_in(&app, &row(6)).await.problem(503);
    stranger.post("/v1/scans/batch", &row(7)).await.problem(503);
    source.send(Method::DELETE, "/v1/sessions", None, &[]).await.problem(503);
    admin.get("/v1/staff").await.problem(503);
    let forged = json!({ "assertion": format!("{}x", app.assertion(8, app.now())) });
    app.client(None).post("/v1/visitor-tokens", &forged).await.problem(401);

    shut(&app, false).await;
    until("Postgres is back", async || admin.get("/v1/staff").await.status == 200).await;
    assert_eq!(unseen.hand_in(&app, &row(9)).await.expect(200)["accepted"], 1);
    assert_eq!(app.sql("update devices set disabled_at = now()").await, Ok(2));
    until("the device is out of use", async || sentinel.hand_in(&app, &row(10)).await.status == 401).await;
    assert_eq!(app.sql("update channels set disabled_at = now()").await, Ok(1));
    let assertion = json!({ "assertion": app.assertion(11, app.now()) });
    until("the channel is out of use", async || {
        app.client(None).post("/v1/visitor-tokens", &assertion).await.status == 401
    })
    .await;
    // A session that has ended is forgotten at once.
    assert!(app.sql("delete from sessions").await.is_ok());
    source.post("/v1/scans/batch", &row(12)).await.problem(401);
    shut(&app, true).await;
    source.post("/v1/scans/batch", &row(13)).await.problem(503);
    shut(&app, false).await;
}
