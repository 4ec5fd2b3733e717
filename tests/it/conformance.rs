//! The trial of a rule pack over HTTP, and the published suite put to the service by the runner.

use std::path::Path;
use std::process::Command;

use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::servers;

/// What the runner says, with its exit code.
fn run(args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
    command.args(["conformance", "run"]).args(args).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.env_remove("PLACECODE_TOKEN").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn trial(app: &TestApp) -> Value {
    let at = |minutes| app.now() - chrono::TimeDelta::minutes(minutes);
    json!({
        "rule_pack": "baseline@1",
        "now": app.now(),
        "case": { "kind": "asymptomatic", "sampled_at": at(600) },
        "places": [{ "id": "tea" }],
        "trail": [{ "place": "tea", "from": at(120), "until": at(0) }],
        "stays": [
            { "who": "a", "place": "tea", "from": at(90), "until": at(0) },
            { "who": "b", "place": "tea", "from": at(240), "until": at(120) },
        ],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_passes_the_published_suite_over_http() {
    let app = TestApp::start().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let url = format!("http://{}", app.address);
    let token = investigator.token().to_owned();
    let (code, said) =
        tokio::task::spawn_blocking(move || run(&["--url", &url, "--token", &token])).await.unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(said.lines().any(|line| line.starts_with("all ")), "{said}");
    // Nobody may be asked without the right.
    let url = format!("http://{}", app.address);
    let (code, said) = tokio::task::spawn_blocking(move || run(&["--url", &url])).await.unwrap();
    assert_eq!(code, 1);
    assert!(said.contains("401"), "{said}");
}

#[test]
fn the_runner_tells_what_differs_and_fails() {
    let folder = servers::folder().join("conformance");
    std::fs::create_dir_all(&folder).unwrap();
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/baseline.json");
    let mut group: Value = serde_json::from_str(&std::fs::read_to_string(suite).unwrap()).unwrap();
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/baseline-1.toml");
    group["pack"] = json!(pack);
    group["cases"].as_array_mut().unwrap().truncate(2);
    let file = folder.join("changed.json");
    let put = |change: fn(&mut Value)| {
        let mut changed = group.clone();
        change(&mut changed);
        std::fs::write(&file, changed.to_string()).unwrap();
        run(&[file.to_str().unwrap()])
    };
    assert_eq!(put(|_| {}).0, 0);
    let (code, said) = put(|group| group["cases"][0]["expect"][0]["together_secs"] = json!(1));
    assert_eq!(code, 1);
    assert!(said.contains("changed.json: an hour in one room"), "{said}");
    assert!(said.contains("`together_secs` is 3600, expected 1"), "{said}");
    let (code, said) = put(|group| group["cases"][0]["expect"] = json!([]));
    assert!(code == 1 && said.contains("expected nobody"), "{said}");
    let (code, said) = put(|group| group["cases"][0]["surprise"] = json!([]));
    assert!(code == 1 && said.contains("surprise"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_trial_is_told_by_its_path() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "410000").await;
    let path = "/v1/rule-packs/trial";
    admin.post(path, &trial(&app)).await.expect(200);
    let wrong = [
        (
            "stays",
            json!([{ "who": "a", "place": "tea", "from": app.now(), "until": "2026-01-01T00:00:00Z" }]),
            "stays[0].until",
        ),
        ("stays", json!([{ "who": "a", "place": "inn", "from": app.now() }]), "stays[0].place"),
        ("stays", json!([{ "visitor": "a", "place": "tea", "from": app.now() }]), "stays[0].who"),
        ("now", json!("soon"), "now"),
        ("places", json!([{ "id": "tea", "lat_deg": 91, "lng_deg": 0 }]), "places[0].lat_deg"),
        ("colour", json!("red"), "colour"),
        ("rule_pack", json!("baseline@99"), "rule_pack"),
        ("rule_pack", json!("baseline"), "rule_pack"),
        ("rule_pack", json!(null), "pack"),
        ("pack", json!("id = 7"), "pack"),
    ];
    for (field, value, told) in wrong {
        let mut body = trial(&app);
        body[field] = value;
        let detail = admin.post(path, &body).await.problem(422);
        assert!(detail.contains(told), "{field}: {detail}");
    }
    let mut bad_pack = trial(&app);
    bad_pack.as_object_mut().unwrap().remove("rule_pack");
    bad_pack["pack"] = json!(include_str!("../../policies/baseline-1.toml").replace("days = 10", "days = 0"));
    assert!(admin.post(path, &bad_pack).await.problem(422).contains("days"));
    let mut large = trial(&app);
    large["stays"] = Value::Array(vec![large["stays"][0].clone(); 5001]);
    assert!(admin.post(path, &large).await.problem(422).contains("5000 are the most"));
    large["stays"][0]["who"] = json!("a".repeat(1024 * 1024));
    admin.post(path, &large).await.problem(413);
    app.client(None).post(path, &trial(&app)).await.problem(401);
    app.staff(Role::Auditor, "410000").await.post(path, &trial(&app)).await.problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_stores_nothing_and_names_nobody() {
    let app = TestApp::start().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let rows = async || {
        let tables = [
            "cases",
            "runs",
            "trail_stays",
            "exposures",
            "contacts",
            "assignments",
            "stays",
            "scans",
            "rule_packs",
            "letters",
            "idempotency_keys",
            "audit_entries",
        ];
        let mut counts = Vec::new();
        for table in tables {
            counts.push((table, app.number(&format!("select count(*) from {table}")).await));
        }
        counts
    };
    let before = rows().await;
    let answer = investigator.post("/v1/rule-packs/trial", &trial(&app)).await.expect(200);
    let contacts = answer["contacts"].as_array().unwrap();
    assert_eq!(contacts.len(), 1, "{answer}");
    assert_eq!((&contacts[0]["who"], &contacts[0]["class"]), (&json!("a"), &json!("close")));
    app.settle().await;
    assert_eq!(rows().await, before);
    // A pseudonym as a label is only a label: the real stays of that visitor are not looked at.
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(7, &teahouse, 60).await;
    app.settle().await;
    let mut body = trial(&app);
    let who = app.visitor(7).to_hex();
    body["stays"] = json!([{ "who": who, "place": "tea", "from": app.now() - chrono::TimeDelta::days(1), "until": app.now() - chrono::TimeDelta::hours(20) }]);
    let answer = investigator.post("/v1/rule-packs/trial", &body).await.expect(200);
    assert_eq!(answer["contacts"], json!([]));
}
