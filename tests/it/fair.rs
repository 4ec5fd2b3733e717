//! Fair use: every limit is reached, told, and holds for nobody else; and what happens when nothing can be counted.

pub mod away;
mod load;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use placecode::config::Config;
use placecode::domain::access::Role;
use redis::AsyncCommands;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::support::client::{Answer, Client};
use crate::support::{Replica, TestApp};

const HEADER: &str = "x-forwarded-for";
const HERE: &str = "203.0.113.7";
const ELSEWHERE: &str = "203.0.113.8";
const NETWORK: &str = "2001:db8:1:2::9";

fn by_header(config: &mut Config) {
    config.client_address_header = Some("X-Forwarded-For".into());
}

/// A question that may be asked three times, and what it is answered with until then.
struct Asked<'a> {
    client: &'a Client,
    method: Method,
    path: String,
    body: Option<Value>,
    answer: u16,
}

impl Asked<'_> {
    async fn from(&self, address: &str) -> Answer {
        let body = self.body.as_ref().map(Value::to_string);
        self.client.send(self.method.clone(), &self.path, body, &[(HEADER, address)]).await
    }
}

/// The answer says that it was too much, and when to come back.
#[track_caller]
fn too_many(answer: &Answer, retry_after: &str) {
    assert_eq!((answer.status, &answer.headers["retry-after"]), (429, &retry_after.parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_known_yet_is_counted_by_address() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let replica = Replica::start(&app, |config| {
        by_header(config);
        let fair = &mut config.fair;
        (fair.tokens_per_address, fair.receipts_per_address, fair.code_pages_per_address) = (3, 3, 3);
        (fair.sign_ins_per_address, fair.scans_per_address) = (3, 3);
    })
    .await;
    let nobody = app.client(None).at(replica.address);
    let person = app.person(1).await.at(replica.address);
    let assertion = json!({ "assertion": app.assertion(2, app.now()) });
    let login = json!({ "login": "li.wei", "password": "correct horse battery staple" });
    let asked = |client, method, path: &str, body, answer| Asked {
        client,
        method,
        path: path.to_owned(),
        body,
        answer,
    };
    let questions = [
        asked(&nobody, Method::POST, "/v1/visitor-tokens", Some(assertion), 201),
        asked(&nobody, Method::POST, "/v1/receipts/verify", Some(json!({ "receipt": "x" })), 200),
        asked(&nobody, Method::POST, "/v1/sessions", Some(login), 401),
        asked(&nobody, Method::GET, &format!("/{}", teahouse.code), None, 200),
        asked(&person, Method::POST, "/v1/scans", Some(json!({ "code": teahouse.code })), 201),
    ];
    app.clock.advance(TimeDelta::seconds(15));
    for question in &questions {
        for _ in 0..3 {
            let answer = question.from(HERE).await;
            assert_eq!(answer.status, question.answer, "{}: {}", question.path, answer.text);
        }
        let refused = question.from(&format!("{ELSEWHERE}, {HERE}")).await;
        too_many(&refused, "45");
        let is_page = question.method == Method::GET;
        let kind = if is_page { "text/html; charset=utf-8" } else { "application/problem+json" };
        assert_eq!(refused.headers["content-type"], kind, "{}", question.path);
        for other in [ELSEWHERE, NETWORK] {
            assert_eq!(question.from(other).await.status, question.answer, "{}", question.path);
        }
        // Of IPv6 the network counts. Without a name, this machine may be a proxy for a whole city.
        for _ in 0..2 {
            assert_eq!(question.from("2001:db8:1:2::a").await.status, question.answer, "{}", question.path);
        }
        too_many(&question.from("2001:db8:1:2:ffff::").await, "45");
        assert_eq!(question.from("nonsense").await.status, question.answer, "{}", question.path);
    }
    app.clock.advance(TimeDelta::seconds(45));
    for question in &questions {
        assert_eq!(question.from(HERE).await.status, question.answer, "{}", question.path);
    }
    nothing_in_redis_tells_who(&app).await;
}

/// No key of a limit holds an address or a pseudonym, nor a hash of one that anybody can make; and all end.
async fn nothing_in_redis_tells_who(app: &TestApp) {
    let mut secrets: BTreeSet<String> = BTreeSet::new();
    for address in [HERE, ELSEWHERE] {
        let octets: std::net::Ipv4Addr = address.parse().unwrap();
        secrets.extend([address.to_owned(), hex(&octets.octets()), hex(&Sha256::digest(octets.octets()))]);
    }
    for number in 0..4 {
        let visitor = app.visitor(number);
        let plain = Sha256::digest(visitor.to_uuid().as_bytes());
        secrets.extend([visitor.to_hex(), visitor.to_uuid().to_string(), hex(&plain)]);
    }
    // Also the beginnings that a short hash would have.
    let short: Vec<String> = secrets.iter().filter_map(|text| Some(text.get(..16)?.to_owned())).collect();
    secrets.extend(short);
    let mut conn = app.app.intake.conn().await.unwrap();
    let keys: Vec<String> = conn.keys(format!("{}:*", app.config.redis_prefix)).await.unwrap();
    let limits: Vec<&String> = keys.iter().filter(|key| key.contains(":limit:")).collect();
    assert!(limits.len() > 4, "{keys:?}");
    for key in limits {
        assert!(!secrets.iter().any(|secret| key.contains(secret)), "{key}");
        let left_secs: i64 = conn.ttl(key).await.unwrap();
        assert!((1..=7200).contains(&left_secs), "{key} is kept for {left_secs} s");
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_a_device_a_channel_and_a_member_of_staff_have_limits_of_their_own() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let replica = Replica::start(&app, |config| {
        let fair = &mut config.fair;
        (fair.scans_per_visitor, fair.scans_per_device, fair.reads_per_staff) = (3, 3, 3);
    })
    .await;
    let scan = json!({ "code": teahouse.code });
    let (one, two) = (app.person(1).await.at(replica.address), app.person(2).await.at(replica.address));
    for _ in 0..3 {
        one.post("/v1/scans", &scan).await.expect(201);
    }
    let refused = one.post("/v1/scans", &scan).await;
    too_many(&refused, "60");
    refused.problem(429);
    two.post("/v1/scans", &scan).await.expect(201);

    // A batch counts its rows, and is taken whole or not at all.
    let row = |number| json!({ "id": Uuid::now_v7(), "code": teahouse.code, "assertion": app.assertion(number, app.now()), "occurred_at": app.now() });
    let rows = |count: u32| json!({ "scans": (0..count).map(row).collect::<Vec<_>>() });
    let source = app.staff(Role::ScanSource, "410000").await.at(replica.address);
    let batch = "/v1/scans/batch";
    assert_eq!(source.post(batch, &rows(2)).await.expect(200)["accepted"], 2);
    too_many(&source.post(batch, &rows(2)).await, "60");
    assert_eq!(source.post(batch, &rows(1)).await.expect(200)["accepted"], 1);
    too_many(&source.post(batch, &rows(1)).await, "60");
    let other = app.staff(Role::ScanSource, "410000").await.at(replica.address);
    assert_eq!(other.post(batch, &rows(3)).await.expect(200)["accepted"], 3);

    let (inspector, colleague) =
        (app.staff(Role::Inspector, "410000").await, app.staff(Role::Inspector, "410000").await);
    let path = format!("/v1/venues/{}", teahouse.venue);
    for _ in 0..3 {
        inspector.at(replica.address).get(&path).await.expect(200);
    }
    too_many(&inspector.at(replica.address).get(&path).await, "60");
    colleague.at(replica.address).get(&path).await.expect(200);

    let of_channel = Replica::start(&app, |config| config.fair.scans_per_channel = 3).await;
    for number in 10..13 {
        app.person(number).await.at(of_channel.address).post("/v1/scans", &scan).await.expect(201);
    }
    let late = app.person(13).await.at(of_channel.address);
    too_many(&late.post("/v1/scans", &scan).await, "60");
    too_many(&source.at(of_channel.address).post(batch, &rows(1)).await, "60");
    app.pass(1);
    app.person(13).await.at(of_channel.address).post("/v1/scans", &scan).await.expect(201);
    nothing_in_redis_tells_who(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_a_limit() {
    const LIMIT: u32 = 48;
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let few = |config: &mut Config| config.fair.scans_per_visitor = LIMIT;
    let (first, second) = (Replica::start(&app, few).await, Replica::start(&app, few).await);
    let person = app.person(1).await;
    let scan = json!({ "code": teahouse.code });
    for _ in 0..LIMIT - 4 {
        person.at(first.address).post("/v1/scans", &scan).await.expect(201);
    }
    // By its own count alone the second would take as many again; a pause lets it hear of the first.
    let mut taken = 0;
    while person.at(second.address).post("/v1/scans", &scan).await.status != 429 {
        taken += 1;
        assert!(taken < LIMIT / 2, "the second never heard of the first");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(taken > LIMIT / 8, "what is below the share is taken without asking");
    // And the first hears of the second.
    crate::support::until("the first refuses as well", async || {
        person.at(first.address).post("/v1/scans", &scan).await.status == 429
    })
    .await;
    app.person(2).await.at(second.address).post("/v1/scans", &scan).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_scans_are_counted_in_the_process_and_all_else_is_refused() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let lonely = Replica::start(&app, |config| {
        by_header(config);
        config.redis_url = "redis+unix:///nowhere/redis.sock".into();
        config.fair.scans_per_visitor = 3;
    })
    .await;
    let person = app.person(1).await.at(lonely.address);
    // The time is looked at after the limit, and before the scan is kept.
    let tomorrow = json!({ "code": teahouse.code, "occurred_at": app.now() + TimeDelta::days(1) });
    let somebody = app.person(9).await.at(lonely.address);
    crate::support::until("the register was heard from Postgres", async || {
        matches!(somebody.post("/v1/scans", &tomorrow).await.status, 422 | 429)
    })
    .await;
    for _ in 0..3 {
        assert!(person.post("/v1/scans", &tomorrow).await.problem(422).starts_with("occurred_at"));
    }
    too_many(&person.post("/v1/scans", &tomorrow).await, "60");

    let nobody = app.client(None).at(lonely.address);
    let inspector = app.staff(Role::Inspector, "410000").await.at(lonely.address);
    let password = "correct horse battery staple";
    let applicant =
        json!({ "login": "zhang", "password": password, "display_name": "张", "division": "410105" });
    let questions = [
        (&nobody, "/v1/visitor-tokens", Some(json!({ "assertion": app.assertion(2, app.now()) }))),
        (&nobody, "/v1/receipts/verify", Some(json!({ "receipt": "x" }))),
        (&nobody, "/v1/sessions", Some(json!({ "login": "li.wei", "password": password }))),
        (&nobody, "/v1/applicants", Some(applicant)),
        (&inspector, "/v1/venues", None),
    ];
    for (client, path, body) in questions {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let body = body.map(|body| body.to_string());
        let answer = client.send(method, path, body, &[(HEADER, HERE)]).await;
        answer.problem(503);
        assert_eq!(answer.headers["retry-after"], "1", "{path}");
    }
    // Who has no app scans by the page behind the code.
    let page = nobody.send(Method::GET, &format!("/{}", teahouse.code), None, &[(HEADER, HERE)]).await;
    assert_eq!(page.status, 200);
    // Scans are kept by Postgres alone, so the service is ready for them.
    let ready = nobody.get("/readyz").await.expect(200);
    assert_eq!(ready, json!({ "postgres": true, "redis": false }));
    let nothing = Replica::start(&app, |config| {
        config.redis_url = "redis+unix:///nowhere/redis.sock".into();
        config.database_url += "_gone";
    })
    .await;
    let ready = app.client(None).at(nothing.address).get("/readyz").await.expect(503);
    assert_eq!(ready, json!({ "postgres": false, "redis": false }));
}
