//! Every way in of a scan, from the request to the rows: who hands in, what it proves, and that a retry is none.

mod handed;
mod visitors;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use placecode::domain::access::Role;
use placecode::domain::assertion::{AUDIENCE, DeviceClaims, IdentityClaims, sign};
use placecode::http::scan_batches::Batch;
use placecode::http::scans::OwnScan;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::Place;

/// A teahouse with somebody at its door.
struct House {
    app: TestApp,
    teahouse: Place,
    door_id: Uuid,
    door: Client,
}

async fn house() -> House {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let (door_id, door) = app.member(&[Role::DoorStaff], "410105").await;
    let sql = "insert into staff_venues (staff_id, venue_id, role) values";
    assert_eq!(app.sql(&format!("{sql} ('{door_id}', '{}', 8)", teahouse.venue)).await, Ok(1));
    House { app, teahouse, door_id, door }
}

impl House {
    fn ago(&self, minutes: i64) -> DateTime<Utc> {
        self.app.now() - TimeDelta::minutes(minutes)
    }

    /// A row of the teahouse with a channel's word for its own time, and with some fields changed.
    fn row(&self, number: u32, at: DateTime<Utc>, change: &Value) -> Value {
        let assertion = self.app.assertion(number, at);
        self.row_of(&json!({ "assertion": assertion }), at, change)
    }

    /// A row that names its visitor by a code or a card.
    fn shown(&self, text: &str, at: DateTime<Utc>) -> Value {
        self.row_of(&json!({ "shown": text }), at, &json!({}))
    }

    fn row_of(&self, named: &Value, at: DateTime<Utc>, change: &Value) -> Value {
        let mut row = json!({ "id": Uuid::now_v7(), "code": self.teahouse.code, "occurred_at": at });
        for fields in [named, change] {
            let fields = fields.as_object().unwrap().clone();
            row.as_object_mut().unwrap().extend(fields);
        }
        row
    }

    /// Hands rows in at the door, twice, since a retry must be none; gives the second answer.
    async fn hand_in(&self, rows: &[Value]) -> Value {
        hand_in(&self.door, rows).await
    }

    /// What Postgres has, the oldest first.
    async fn scans(&self) -> Vec<[i64; 3]> {
        let rows =
            self.app.rows("select direction, method, presence from scans order by occurred_at, id").await;
        let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
        rows.iter().map(|row| ["direction", "method", "presence"].map(|name| number(row, name))).collect()
    }

    /// The stays of somebody as they see them, the oldest first: venue, minutes ago, minutes, how it ended.
    async fn stays(&self, number: u32) -> Vec<(String, i64, i64, String)> {
        let stays = self.app.person(number).await.get("/v1/me/stays").await.expect(200);
        let text = |stay: &Value, name: &str| stay[name].as_str().unwrap().to_owned();
        let time = |stay: &Value, name: &str| text(stay, name).parse::<DateTime<Utc>>().unwrap();
        let told = |stay: &Value| {
            let (from, until) = (time(stay, "from"), time(stay, "until"));
            let ago = (self.app.now() - from).num_minutes();
            (text(stay, "venue"), ago, (until - from).num_minutes(), text(stay, "ended_by"))
        };
        stays.as_array().unwrap().iter().rev().map(told).collect()
    }
}

async fn hand_in(client: &Client, rows: &[Value]) -> Value {
    let batch = json!({ "scans": rows });
    let first = client.post("/v1/scans/batch", &batch).await.expect(200);
    let again = client.post("/v1/scans/batch", &batch).await.expect(200);
    assert_eq!(first, again);
    again
}

/// The reasons by index.
fn refused(answer: &Value) -> Vec<(u64, String)> {
    let told = |row: &Value| (row["index"].as_u64().unwrap(), row["reason"].as_str().unwrap().to_owned());
    answer["refused"].as_array().unwrap().iter().map(told).collect()
}

/// Checks which rows were refused and what their reasons speak of.
#[track_caller]
fn assert_refused(answer: &Value, expected: &[(u64, &str)]) {
    let refused = refused(answer);
    let same = |((index, reason), (at, about)): (&(u64, String), &(u64, &str))| {
        index == at && reason.contains(about)
    };
    assert!(refused.len() == expected.len() && refused.iter().zip(expected).all(same), "{refused:#?}");
}

/// The channel's word with a colour that it saw at `colour_at`.
fn coloured(app: &TestApp, number: u32, colour: &str, colour_at: DateTime<Utc>) -> String {
    let now = app.now().timestamp();
    let claims = IdentityClaims {
        sub: app.visitor(number).to_hex(),
        aud: AUDIENCE.into(),
        iat: now,
        exp: now + 300,
        colour: Some(colour.into()),
        colour_at: Some(colour_at.timestamp()),
        division: None,
        aliases: std::collections::BTreeMap::new(),
    };
    sign(&claims, app.issuer_keys.channel(), app.issuer_keys.channel_key())
}

/// A sentinel at the teahouse.
struct Device {
    id: Uuid,
    key: Arc<SigningKey>,
}

impl Device {
    async fn at(house: &House) -> Self {
        let key = SigningKey::from_bytes(&[5; 32]);
        let admin = house.app.staff(Role::Administrator, "410000").await;
        let public_key = data_encoding::HEXLOWER.encode(key.verifying_key().as_bytes());
        let new = json!({ "name": "哨兵", "code": house.teahouse.code, "public_key": public_key });
        let made = admin.post("/v1/devices", &new).await.expect(201);
        Self { id: made["id"].as_str().unwrap().parse().unwrap(), key: Arc::new(key) }
    }

    async fn send(&self, app: &TestApp, rows: &[Value]) -> Answer {
        let body = json!({ "scans": rows }).to_string();
        let now = app.now().timestamp();
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&body));
        let claims =
            DeviceClaims { sub: self.id, aud: AUDIENCE.into(), iat: now, exp: now + 60, body: digest };
        let assertion = sign(&claims, &self.id.to_string(), &self.key);
        let headers = [("device-assertion", assertion.as_str())];
        app.client(None).send(Method::POST, "/v1/scans/batch", Some(body), &headers).await
    }
}

/// The blocks of docs/scanning.md that are marked with `kind`.
fn examples(kind: &str) -> Vec<&'static str> {
    let text = include_str!("../../docs/scanning.md");
    let mark = format!("```{kind}\n");
    text.split(&mark).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_examples_of_the_document_are_requests_that_can_be_read() {
    let mut paths = Vec::new();
    for example in examples("http") {
        let (head, body) = example.split_once("\n\n").unwrap();
        let path = head.lines().next().unwrap().strip_prefix("POST ").unwrap();
        let read = match path {
            "/v1/scans" => serde_json::from_str::<OwnScan>(body).map(|_| ()),
            "/v1/scans/batch" => serde_json::from_str::<Batch>(body).map(|_| ()),
            _ => serde_json::from_str::<serde_json::Map<String, Value>>(body).map(|_| ()),
        };
        assert!(read.is_ok(), "{example}: {read:?}");
        paths.push(path);
    }
    assert_eq!(
        paths,
        ["/v1/scans", "/v1/scans", "/v1/visitor-codes", "/v1/visitor-cards", "/v1/scans/batch"]
    );
}
