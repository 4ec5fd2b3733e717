//! A process that is started with other settings or keys stands in the log, once, and without any value of theirs.

use std::process::{Child, Command, Stdio};

use placecode::domain::keyring::Keyring;
use serde_json::{Value, json};

use crate::support::{TestApp, until};

struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Starts the service as a process of its own on the same data.
fn serve(app: &TestApp, flags: &[&str]) -> Serve {
    let config = &app.config;
    let secrets = config.issuer_secrets_file.as_ref().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
    command.args(["serve", "--bind", "127.0.0.1:0"]).args(flags);
    command.env_clear().env("DATABASE_URL", &config.database_url).env("REDIS_URL", &config.redis_url);
    command.env("KEYS_FILE", &config.keys_file).env("ISSUER_SECRETS_FILE", secrets);
    Serve(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

async fn told(app: &TestApp) -> Vec<(String, Value)> {
    let sql = "select action, actor, detail from audit_entries where action in ('settings.changed', 'keys.changed') order by seq";
    let rows = app.rows(sql).await;
    assert!(rows.iter().all(|row| row["actor"] == "process:serve"));
    let detail = |row: &Value| serde_json::from_str(row["detail"].as_str().unwrap()).unwrap();
    rows.iter().map(|row| (row["action"].as_str().unwrap().to_owned(), detail(row))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cap_and_another_key_are_told_and_a_replica_tells_nothing() {
    let app = TestApp::start().await;
    let at_once = [serve(&app, &[]), serve(&app, &[])];
    until("the first process is told", async || told(&app).await.len() == 2).await;
    let at_first = told(&app).await;
    assert_eq!((at_first[0].0.as_str(), at_first[1].0.as_str()), ("keys.changed", "settings.changed"));
    assert_eq!(at_first[1].1["release_cap"], json!({ "how": "set", "value": "500" }));
    assert_eq!(at_first[1].1["database_url"], json!({ "how": "set", "value": null }));
    assert!(at_first[0].1["token"]["fingerprint"].as_str().unwrap().len() == 16);
    assert!(at_first[0].1.as_object().unwrap().contains_key("issuer.health-code"));

    let seen = "select count(*) from settings_seen";
    let names = app.number(seen).await;
    drop(at_once);
    assert_eq!(told(&app).await.len(), 2);
    let higher = serve(&app, &["--release-cap", "100000"]);
    until("the higher cap is told", async || told(&app).await.len() > 2).await;
    drop(higher);
    let later = told(&app).await;
    let change = json!({ "release_cap": { "how": "changed", "value": "100000" } });
    assert_eq!(later[2..], [("settings.changed".to_owned(), change)]);

    let ring = Keyring::parse(&std::fs::read_to_string(&app.config.keys_file).unwrap()).unwrap();
    std::fs::write(&app.config.keys_file, ring.rotated([9; 32]).unwrap().to_toml()).unwrap();
    let before = told(&app).await.len();
    let turned = serve(&app, &["--release-cap", "100000"]);
    until("the new key is told", async || told(&app).await.len() > before).await;
    drop(turned);
    let (action, detail) =
        told(&app).await.into_iter().find(|(_, detail)| detail["place_code.1"].is_object()).unwrap();
    assert_eq!((action.as_str(), &detail["place_code.1"]["how"]), ("keys.changed", &json!("set")));
    assert_eq!(detail["current_slot"]["how"], "changed");
    assert_eq!(app.number(seen).await, names + 1);

    // No value, no key, no address.
    let keys = std::fs::read_to_string(&app.config.keys_file).unwrap();
    let secrets = std::fs::read_to_string(app.config.issuer_secrets_file.as_ref().unwrap()).unwrap();
    let text: String = app.rows("select * from audit_entries").await.iter().map(Value::to_string).collect();
    let secret = |line: &str| line.split('"').nth(1).map(str::to_owned);
    for secret in keys.lines().chain(secrets.lines()).filter_map(secret) {
        assert!(!text.contains(&secret), "a secret stands in the log");
    }
    assert!(!text.contains(&app.config.database_url) && !text.contains(&app.database));
}
