//! What several cases have in common: where they met, what gathers more of them than chance, who may have been first.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::{Place, far, new_case};

/// Reports somebody as a case that fell ill some hours ago.
async fn ill(app: &TestApp, investigator: &Client, number: u32, hours_ago: i64) -> String {
    let mut report = new_case(&app.visitor(number).to_hex(), app.now());
    report["onset_at"] = json!(app.now() - TimeDelta::hours(hours_ago));
    let case = investigator.post("/v1/cases", &report).await.expect(201);
    case["id"].as_str().unwrap().to_owned()
}

async fn scans_elsewhere(app: &TestApp, place: &Place, minutes_ago: i64, scans: u32) {
    let hour = (app.now() - TimeDelta::minutes(minutes_ago)).format("%Y-%m-%dT%H:00:00Z");
    let sql = format!("insert into point_hours values ({}, '{hour}', {scans}, 0)", place.point);
    assert_eq!(app.sql(&sql).await, Ok(1));
}

async fn looks(app: &TestApp) -> (i64, i64) {
    let seen = "select count(*) from audit_entries where action = 'persons.seen'";
    (app.number("select count(*) from looks").await, app.number(seen).await)
}

/// Persons 1 and 2 were at the teahouse together, person 3 ten hours later; all three are cases. Person 9 was with the
/// first two and is none. In that hour 500 people scanned at the library.
struct Story {
    app: TestApp,
    teahouse: Place,
    investigator: Client,
    cases: [String; 3],
}

async fn story() -> Story {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    app.scan(1, &teahouse, 3600).await;
    app.scan(9, &teahouse, 3595).await;
    app.scan(2, &teahouse, 3590).await;
    app.scan(3, &teahouse, 3000).await;
    app.scan(2, &library, 100).await;
    app.settle().await;
    scans_elsewhere(&app, &library, 3600, 500).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let cases = [
        ill(&app, &investigator, 1, 40).await,
        ill(&app, &investigator, 2, 6).await,
        ill(&app, &investigator, 3, 5).await,
    ];
    Story { app, teahouse, investigator, cases }
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_are_told_where_they_met_how_surprising_that_is_and_who_may_have_been_first() {
    let Story { app, teahouse, investigator, cases } = story().await;
    let answer = investigator.get("/v1/backward?purpose=review").await;
    let found = answer.expect(200);
    let ids: Vec<&Value> = found["cases"].as_array().unwrap().iter().map(|case| &case["case"]).collect();
    assert_eq!(ids, [&json!(cases[0]), &json!(cases[1]), &json!(cases[2])]);

    let places = found["places"].as_array().unwrap();
    assert_eq!(places.len(), 1, "{places:?}");
    assert_eq!(
        (&places[0]["place"]["venue_name"], &places[0]["place"]["point"]),
        (&json!("老茶馆"), &json!(teahouse.point))
    );
    assert_eq!(places[0]["cases"], json!(cases));
    let pairs = ["together_pairs", "near_pairs", "apart_pairs"].map(|name| places[0][name].as_i64().unwrap());
    assert_eq!(pairs, [1, 0, 2]);
    // Teahouses last 150 minutes, and the second came ten minutes after the first.
    assert_eq!(places[0]["together_mins"], 140);
    let wide = investigator.get("/v1/backward?purpose=review&window_mins=720").await.expect(200);
    assert_eq!((&wide["places"][0]["near_pairs"], &wide["places"][0]["apart_pairs"]), (&json!(2), &json!(0)));

    let clusters = found["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 1, "{clusters:?}");
    assert_eq!(clusters[0]["cases"], json!([cases[0], cases[1]]));
    // Three scans of 503; two points and two venues could have been found.
    assert_eq!(
        (&clusters[0]["scans"], &clusters[0]["all_scans"], &found["tested"]),
        (&json!(3), &json!(503), &json!(4))
    );
    let number = |name: &str| clusters[0][name].as_f64().unwrap();
    let share: f64 = 3.0 / 503.0;
    assert!((number("expected") - 2.0 * share).abs() < 1e-12);
    assert!((number("chance") - share * share).abs() < 1e-12);
    assert!((number("chance_among_all") - 4.0 * share * share).abs() < 1e-12);

    let second = &found["cases"][1];
    assert_eq!(second["sources"].as_array().unwrap().len(), 1, "{second}");
    let source = &second["sources"][0];
    assert_eq!(
        (&source["case"], &source["days_earlier"], &source["together_mins"]),
        (&json!(cases[0]), &json!(1), &json!(140))
    );
    assert!(source["reason"]["zh"].as_str().unwrap().contains("老茶馆"));
    assert_eq!(second["source_clusters"], json!([0]));
    assert_eq!(found["cases"][0]["sources"], json!([]));

    // Nobody is named, and least of all who is no case.
    for person in [1, 2, 3, 9] {
        assert!(!answer.text.contains(&app.visitor(person).to_hex()), "person {person}");
    }
    assert_eq!(looks(&app).await, (6, 6), "each of three cases, twice");
    for (person, count) in [(1, 2), (2, 2), (3, 2), (9, 0)] {
        let seen = app.person(person).await.get("/v1/me/looks").await.expect(200);
        assert_eq!(seen.as_array().unwrap().len(), count, "person {person}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interview_tells_is_a_place_and_never_a_cluster_and_a_photo_is_nothing() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 3600).await;
    app.scan_from(3, &teahouse, 3600, Some(far())).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let (one, two) = (ill(&app, &investigator, 1, 40).await, ill(&app, &investigator, 2, 6).await);
    ill(&app, &investigator, 3, 5).await;
    let at = |minutes| app.now() - TimeDelta::minutes(minutes);
    let told = json!({ "code": teahouse.code, "from": at(3600), "until": at(3540), "source": "interview", "reason": "本人陈述" });
    investigator.post(&format!("/v1/cases/{two}/trail"), &told).await.expect(201);
    // A run pulls the trail; what it says is not counted beside the scans that it comes from.
    app.run(&investigator, &one).await;
    let found = investigator.get("/v1/backward?purpose=review").await.expect(200);
    assert_eq!(found["places"].as_array().unwrap().len(), 1);
    assert_eq!(found["places"][0]["cases"], json!([one, two]));
    assert_eq!(found["places"][0]["together_mins"], 60);
    assert_eq!(found["clusters"], json!([]));
    let stays: Vec<i64> = (0..3).map(|case| found["cases"][case]["stays"].as_i64().unwrap()).collect();
    assert_eq!(stays, [1, 1, 0], "a photo of the code is no stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_without_a_purpose_nor_beyond_the_own_division() {
    let Story { app, investigator, cases, .. } = story().await;
    for (query, about) in [
        ("", "purpose"),
        ("?purpose=ab", "purpose"),
        ("?purpose=review&division=4101", "division"),
        ("?purpose=review&window_mins=1441", "window_mins"),
        ("?purpose=review&slot_hours=0", "slot_hours"),
        ("?purpose=review&slot_hours=25", "slot_hours"),
        ("?purpose=review&lookback_days=29", "lookback_days"),
        ("?purpose=review&since=2026-03-16T04:00:00Z&until=2026-03-16T04:00:00Z", "until"),
        ("?purpose=review&since=yesterday", "query"),
        ("?purpose=review&visitor=1", "query"),
    ] {
        let answer = investigator.get(&format!("/v1/backward{query}")).await;
        let said = answer.problem(422);
        assert!(said.starts_with(about), "{query}: {said}");
        assert!(!answer.text.contains(&cases[0]));
    }
    investigator.get("/v1/backward?purpose=review&division=420100").await.problem(403);
    let elsewhere = app.staff(Role::Investigator, "410200").await;
    assert_eq!(elsewhere.get("/v1/backward?purpose=review").await.expect(200)["cases"], json!([]));
    assert_eq!(looks(&app).await, (0, 0));
    // Before any of them began there is nothing, and nothing to write down.
    let before = "/v1/backward?purpose=review&until=2026-03-10T00:00:00Z";
    assert_eq!(investigator.get(before).await.expect(200)["cases"], json!([]));
    assert_eq!(looks(&app).await, (0, 0));
    let withdrawal = json!({ "reason": "实验室误报" });
    investigator.post(&format!("/v1/cases/{}/withdrawal", cases[0]), &withdrawal).await.expect(202);
    let found = investigator.get("/v1/backward?purpose=review").await;
    assert!(!found.text.contains(&cases[0]), "{}", found.text);
    assert_eq!(found.expect(200)["cases"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_asks_for_a_purpose_and_then_tells_the_same() {
    let Story { app, investigator, cases, .. } = story().await;
    let desk = app.desk(&investigator);
    let form = desk.get("/backward").await;
    assert!(form.status == 200 && !form.text.contains("老茶馆"), "{}", form.text);
    assert_eq!(desk.get("/backward?days=14&purpose=ab").await.status, 422);
    assert_eq!(looks(&app).await, (0, 0));
    let page = desk.get("/backward?days=14&purpose=review").await;
    assert!(
        page.status == 200 && page.text.contains("老茶馆") && page.text.contains(&cases[1]),
        "{}",
        page.text
    );
    for person in [1, 2, 3, 9] {
        assert!(!page.text.contains(&app.visitor(person).to_hex()), "person {person}");
    }
    assert_eq!(looks(&app).await, (3, 3));
}

/// The program on the servers of a test.
fn program(app: &TestApp, args: &[&str]) -> (i32, String, String) {
    let arguments = [
        ("DATABASE_URL", app.config.database_url.as_str()),
        ("REDIS_URL", app.config.redis_url.as_str()),
        ("KEYS_FILE", "/dev/null"),
    ];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_placecode"))
        .args(args)
        .env_clear()
        .envs(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_investigator_at_the_machine_is_told_the_same_and_written_down_too() {
    let Story { app, cases, .. } = story().await;
    let logins = app.rows("select login from staff where login like 'investigator-%'").await;
    let login = logins[0]["login"].as_str().unwrap();
    let span = ["--since", "2026-03-10 08:00", "--until", "2026-03-16 13:00", "--division", "410100"];
    let ask = |rest: &[&str]| program(&app, &[&["backward"], &span[..], rest].concat());
    for (wrong, why) in [
        (&["--purpose", "ab", "--by", login][..], "--purpose"),
        (&["--purpose", "review", "--by", "nobody"], "nobody"),
        (&["--purpose", "review", "--by", login, "--slot-hours", "99"], "slot_hours"),
    ] {
        let (code, out, err) = ask(wrong);
        assert!(code == 1 && out.is_empty() && err.contains(why), "{wrong:?}: {code} {out} {err}");
    }
    assert_eq!(looks(&app).await, (0, 0));
    let (code, out, err) = ask(&["--purpose", "review", "--by", login]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("老茶馆") && out.contains("among 4 places and slots"), "{out}");
    let (_, json, _) = ask(&["--purpose", "review", "--by", login, "--json"]);
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["cases"][1]["sources"][0]["case"], json!(cases[0]));
    assert_eq!(looks(&app).await, (6, 6));
    for person in [1, 2, 3, 9] {
        assert!(!json.contains(&app.visitor(person).to_hex()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_cases_than_can_be_looked_at_together_are_refused_before_anything_is_shown() {
    let app = TestApp::start().await;
    let (id, investigator) = app.member(&[Role::Investigator], "410100").await;
    let add = |count: u32| {
        format!(
            "insert into cases (id, visitor, kind, sampled_at, authority, division, reported_by, reported_at)
             select gen_random_uuid(), gen_random_uuid(), 2, '{0}', '市疾控', '410100', '{id}', '{0}' from generate_series(1, {count})",
            app.now() - TimeDelta::hours(1)
        )
    };
    assert_eq!(app.sql(&add(500)).await, Ok(500));
    let found = investigator.get("/v1/backward?purpose=review").await.expect(200);
    assert_eq!(found["cases"].as_array().unwrap().len(), 500);
    assert_eq!(looks(&app).await, (500, 500));
    assert_eq!(app.sql(&add(1)).await, Ok(1));
    let said = investigator.get("/v1/backward?purpose=review").await.problem(422);
    assert!(said.starts_with("since") && said.contains("500"), "{said}");
    assert_eq!(looks(&app).await, (500, 500));
}
