//! Who somebody is stands in no log line, no error, no key: only where a pseudonym belongs.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use placecode::domain::access::Role;
use redis::AsyncCommands;
use reqwest::Method;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

use crate::support::client::Client;
use crate::support::people::Place;
use crate::support::{Replica, TestApp};

const PASSWORD: &str = "correct horse battery staple";

/// What this crate has logged since the first test of this file began, at the finest level.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Buffer;

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        log().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn log() -> MutexGuard<'static, Vec<u8>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One subscriber for the process: the tests that run beside these are listened to as well.
pub(crate) fn listen() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("placecode=trace"));
        builder.with_ansi(false).with_writer(|| Buffer).try_init().unwrap();
    });
}

/// Everything that must not be told, with a name for the message.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn found_in(&self, text: &str) -> Vec<&'static str> {
        let lower = text.to_lowercase();
        let tells = |secret: &&(&'static str, String)| lower.contains(&secret.1.to_lowercase());
        self.0.iter().filter(tells).map(|(name, _)| *name).collect()
    }
}

/// Who is in the story, and what has been told about them.
struct Story<'a> {
    app: &'a TestApp,
    secrets: Vec<(&'static str, String)>,
    errors: Vec<String>,
    teahouse: Place,
    admin: Client,
    investigator: Client,
    case: String,
    run: String,
}

/// Goes through the flow with all its failures, and returns what may not be told and every error body.
async fn flow(app: &TestApp) -> (Secrets, Vec<String>) {
    let mut story = begin(app).await;
    fail_at_the_door(&mut story).await;
    fail_inside(&mut story).await;
    (Secrets(story.secrets), story.errors)
}

async fn begin(app: &TestApp) -> Story<'_> {
    let mut secrets = Vec::new();
    for number in 1..6 {
        secrets.push(("a visitor", app.visitor(number).to_hex()));
        secrets.push(("a visitor as a UUID", app.visitor(number).to_uuid().to_string()));
        secrets.push(("an assertion", app.assertion(number, app.now())));
        secrets.push(("an identity number", format!("person-{number}")));
        secrets.push(("a visitor token", app.person(number).await.token.unwrap()));
    }
    let teahouse = app.venue("老茶馆", "teahouse").await;
    secrets.push(("a place code", teahouse.code.clone()));
    secrets.push(("a client's address", "127.0.0.1:".to_owned()));
    secrets.push(("a password", PASSWORD.to_owned()));
    let admin = app.staff(Role::Administrator, "410000").await;
    admin.post("/v1/staff", &account()).await.expect(201);
    let signed_in = json!({ "login": "li.wei", "password": PASSWORD });
    let signed_in = app.client(None).post("/v1/sessions", &signed_in).await.expect(201);
    let investigator = app.client(signed_in["token"].as_str());
    let machine = json!({ "name": "闸机", "roles": ["scan_source"], "division": "410000", "days": 7 });
    let machine = admin.post("/v1/machines", &machine).await.expect(201);
    for token in [&signed_in["token"], &machine["token"]] {
        secrets.push(("a token of staff", token.as_str().unwrap().to_owned()));
    }
    let elder = app.person(4).await;
    let card = elder.post("/v1/visitor-cards", &json!({})).await.expect(201)["card"].clone();
    let shown = elder.post("/v1/visitor-codes", &json!({})).await.expect(201)["text"].clone();
    let gate = app.client(machine["token"].as_str());
    for text in [card.as_str().unwrap(), shown.as_str().unwrap()] {
        secrets.push(("what somebody is scanned by", text.to_owned()));
        secrets.push(("what somebody is scanned by, without hyphens", text.replace('-', "")));
        let wrong = format!("{text}0");
        let row = |text: &str| json!({ "id": Uuid::now_v7(), "code": teahouse.code, "shown": text, "occurred_at": app.now() });
        let rows = json!({ "scans": [row(text), row(&wrong)] });
        let answer = gate.post("/v1/scans/batch", &rows).await.expect(200);
        assert_eq!((&answer["accepted"], answer["refused"].to_string().contains(text)), (&json!(1), false));
    }
    let manager = app.staff(Role::Inspector, "410000").await;
    let invitation = json!({ "role": "door_staff" });
    let path = format!("/v1/venues/{}/invitations", teahouse.venue);
    let invitation = manager.post(&path, &invitation).await.expect(201);
    let link = invitation["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(app.browser().get(&format!("/join/{link}")).await.status, 200);
    secrets.push(("an invitation", link));
    for (number, ago) in [(1, 180), (2, 170), (3, 90)] {
        app.scan(number, &teahouse, ago).await;
    }
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    let contacts = format!("/v1/runs/{run}/contacts");
    investigator.get(&format!("{contacts}?purpose=review")).await.expect(200);
    let evidence = format!("{contacts}/{}/evidence?purpose=review", app.visitor(2).to_hex());
    investigator.get(&evidence).await.expect(200);
    let exclusion = json!({ "visitor": app.visitor(3).to_hex(), "reason": "隔壁包间" });
    investigator.post(&format!("/v1/runs/{run}/exclusions"), &exclusion).await.expect(200);
    app.release(&investigator, &run).await;
    Story { app, secrets, errors: Vec::new(), teahouse, admin, investigator, case, run }
}

fn account() -> Value {
    json!({
        "login": "li.wei",
        "display_name": "李伟",
        "password": PASSWORD,
        "roles": ["investigator"],
        "division": "410100",
    })
}

/// Failures of who asks and of what is asked.
async fn fail_at_the_door(story: &mut Story<'_>) {
    let app = story.app;
    let (nobody, person, run) = (app.client(None), app.person(2).await, &story.run);
    let wrong_password = json!({ "login": "li.wei", "password": format!("{PASSWORD}!") });
    let forged = json!({ "assertion": format!("{}x", app.assertion(2, app.now())) });
    let stranger = format!("/v1/runs/{run}/contacts/{}/evidence?purpose=review", app.visitor(5).to_hex());
    let late = json!({ "visitor": app.visitor(3).to_hex(), "reason": "隔壁包间" });
    let answers = [
        story.admin.post("/v1/staff", &account()).await,
        nobody.post("/v1/sessions", &wrong_password).await,
        nobody.get("/v1/me/stays").await,
        nobody.send(Method::DELETE, "/v1/sessions", None, &[]).await,
        nobody.post("/v1/visitor-tokens", &forged).await,
        person.get("/v1/cases").await,
        person.post("/v1/scans", &json!({ "code": format!("{}0", story.teahouse.code) })).await,
        person.get(&format!("/v1/{}", story.teahouse.code)).await,
        story.investigator.get(&stranger).await,
        // A refusal stands in the audit log, with the route and without the visitor whom it names.
        story.admin.get(&stranger).await,
        story.investigator.post(&format!("/v1/runs/{run}/exclusions"), &late).await,
    ];
    for answer in answers {
        assert!(answer.status >= 400);
        story.errors.push(answer.text);
    }
}

/// Failures of Postgres, of Redis, of the issuing system.
async fn fail_inside(story: &mut Story<'_>) {
    let app = story.app;
    let person = app.person(2).await;
    let no_postgres = Replica::start(app, |config| config.database_url += "_gone").await;
    let contacts = format!("/v1/runs/{}/contacts?purpose=review", story.run);
    let answer = story.investigator.at(no_postgres.address).get(&contacts).await;
    answer.problem(503);
    story.errors.push(answer.text);
    let nowhere = "redis+unix:///nowhere/redis.sock";
    let no_redis = Replica::start(app, |config| config.redis_url = nowhere.into()).await;
    let scan = json!({ "id": Uuid::now_v7(), "code": story.teahouse.code, "occurred_at": app.now() });
    person.at(no_redis.address).post("/v1/scans", &scan).await.expect(201);
    let neither = Replica::start(app, |config| {
        config.redis_url = nowhere.into();
        config.database_url += "_gone";
    })
    .await;
    let answer = person.at(neither.address).post("/v1/scans", &scan).await;
    answer.problem(503);
    story.errors.push(answer.text);
    let url = format!("http://{}/v1/colours/{}", app.issuer_address, app.visitor(2).to_hex());
    let issuer = json!({ "name": "健康码", "url": url, "division": "410000" });
    story.admin.put("/v1/issuers/health-code", &issuer).await.expect(200);
    let withdrawal = json!({ "reason": "实验室误报" });
    let path = format!("/v1/cases/{}/withdrawal", story.case);
    story.investigator.post(&path, &withdrawal).await.expect(202);
    app.settle().await;
    let failed = "select count(*) from letters where state <> 1 and last_error is not null";
    assert!(app.number(failed).await > 0, "the letters did not fail");
    story.errors.push(story.admin.get("/v1/letters").await.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_logs_nor_errors_tell_who_was_where() {
    listen();
    let app = TestApp::start().await;
    let (secrets, errors) = flow(&app).await;
    let text = String::from_utf8(log().clone()).unwrap();
    for heard in
        ["route=\"/v1/scans\"", "route=\"/v1/runs/{id}/contacts\"", "intake refused", "letters", "status=503"]
    {
        assert!(text.contains(heard), "the log was not heard: no {heard}");
    }
    // Where a server listens is no client's address.
    for line in text.lines().filter(|line| !line.contains(" bind=")) {
        let told = secrets.found_in(line);
        assert!(told.is_empty(), "a log line tells {told:?}: {line}");
    }
    assert!(errors.len() > 12);
    for error in &errors {
        let told = secrets.found_in(error);
        assert!(told.is_empty(), "an error tells {told:?}: {error}");
    }
}

/// Columns that hold a pseudonym because they must.
const PSEUDONYMS: &[(&str, &str)] = &[
    ("scans", "visitor"),
    ("stays", "visitor"),
    ("cases", "visitor"),
    ("exposures", "visitor"),
    ("contacts", "visitor"),
    ("assignments", "visitor"),
    ("letters", "visitor"),
    ("visitor_cards", "visitor"),
    ("residences", "visitor"),
    ("stay_changes", "visitor"),
    // Whom a look was at, so that it is told to that person.
    ("looks", "visitor"),
    ("appeals", "visitor"),
    ("stay_corrections", "visitor"),
    ("reviews", "visitor"),
    ("health_facts", "visitor"),
    ("facts_waiting", "visitor"),
    ("aliases", "visitor"),
    ("controls", "visitor"),
    // Scans that came while Redis was away, until they are drained.
    ("inbox", "entry"),
    // What goes to the issuing system, which made the pseudonym.
    ("letters", "body"),
];

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_keys_hold_pseudonyms_only_where_they_belong() {
    let app = TestApp::start().await;
    let (Secrets(mut secrets), _) = flow(&app).await;
    // An address of an issuing system may be anything; this one names a visitor to provoke its logs.
    assert_eq!(app.sql("update issuers set url = 'https://code.example.cn/'").await, Ok(1));
    secrets.retain(|(name, _)| *name != "a client's address");
    let secrets = Secrets(secrets);
    let mut found = 0;
    for table in app.tables().await {
        for row in app.rows(&format!("select * from {table}")).await {
            for (column, value) in row.as_object().unwrap() {
                let told = secrets.found_in(&value.to_string());
                let allowed = PSEUDONYMS.contains(&(table.as_str(), column.as_str()));
                let pseudonym =
                    told.iter().all(|name| name.starts_with("a visitor") && *name != "a visitor token");
                assert!(
                    told.is_empty() || (allowed && pseudonym),
                    "{table}.{column} holds {told:?}: {value}"
                );
                found += usize::from(!told.is_empty());
            }
        }
    }
    assert!(found > PSEUDONYMS.len(), "the flow left too little to look at");

    let mut conn = app.app.intake.conn().await.unwrap();
    let keys: Vec<String> = conn.keys(format!("{}:*", app.config.redis_prefix)).await.unwrap();
    assert!(keys.iter().any(|key| key.contains(":limit:")) && keys.iter().any(|key| key.contains(":open:")));
    for key in keys {
        let told = secrets.found_in(&key);
        assert!(told.is_empty(), "the key {key} tells {told:?}");
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut conn).await.unwrap();
        if kind == "string" {
            let value: Vec<u8> = conn.get(&key).await.unwrap();
            let told = secrets.found_in(&String::from_utf8_lossy(&value));
            assert!(told.is_empty(), "the value of {key} tells {told:?}");
        }
    }
    let refused =
        "select count(*) from audit_entries where action = 'access.refused' and subject like '%{visitor}%'";
    assert_eq!(app.number(refused).await, 1, "the log was asked about no visitor");
    let kept: Vec<Value> = app.rows("select password_hash from staff where login = 'li.wei'").await;
    assert!(kept[0]["password_hash"].as_str().unwrap().starts_with("$argon2id$"));
}
