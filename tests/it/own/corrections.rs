//! Own stays corrected: before a case is reported there it counts, afterwards it is kept aside, and nobody is told which.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::pipeline::run::Step;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Answer, Client};

async fn correct(person: &Client, stay: &Value, body: &Value) -> Answer {
    person.post(&format!("/v1/me/stays/{}/correction", stay["id"].as_str().unwrap()), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_that_was_taken_back_in_time_colours_nobody() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    app.scan(2, &library, 200).await;
    app.scan(2, &teahouse, 170).await;
    app.scan(2, &library, 160).await;
    app.settle().await;
    let person = app.person(2).await;
    let before = person.get("/v1/me/stays").await.expect(200);
    let taken = before[1].clone();
    assert_eq!(taken["venue"], "老茶馆");
    let answer = correct(&person, &taken, &json!({ "said": "not_there" })).await.expect(202);
    assert_eq!(answer["correction"]["said"], "not_there");
    correct(&person, &taken, &json!({ "said": "not_there" })).await.problem(409);
    let ends = "select until_at from stays order by from_at";
    let was = app.rows(ends).await;
    app.settle().await;
    assert_eq!(
        app.number("select count(*) from scans where direction = 3").await,
        1,
        "the scan itself is kept"
    );
    assert_eq!(app.number("select count(*) from scans").await, 4);
    let is = app.rows(ends).await;
    assert_eq!(is, [was[0].clone(), was[2].clone()], "no other stay has become longer");
    // The visitor sees what was there and what was said of it.
    let after = person.get("/v1/me/stays").await.expect(200);
    assert_eq!(after.as_array().unwrap().len(), 3);
    assert_eq!(after[1]["correction"]["said"], "not_there");
    assert_eq!((&after[1]["from"], &after[1]["until"]), (&taken["from"], &taken["until"]));
    // A late scan of the same day is computed with it.
    app.scan(2, &library, 20).await;
    app.settle().await;
    assert_eq!(
        app.number(&format!("select count(*) from stays where point_id = {}", teahouse.point)).await,
        0
    );
    // A case at the teahouse, reported later, finds nobody there.
    app.scan(1, &teahouse, 165).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    assert_eq!(app.run(&investigator, &case).await["summary"]["contacts"], 0);
    let told = app.rows("select actor || subject || detail as told from audit_entries").await;
    assert!(told.iter().all(|row| !row.to_string().contains(&app.visitor(2).to_hex())));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_earlier_shortens_and_never_lengthens() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(2, &teahouse, 100).await;
    app.settle().await;
    let person = app.person(2).await;
    let stay = person.get("/v1/me/stays").await.expect(200)[0].clone();
    let at = |minutes: i64| app.now() - TimeDelta::minutes(minutes);
    let left = |minutes: i64| json!({ "said": "left_earlier", "left_at": at(minutes) });
    for (body, status) in [
        (left(100), 422),
        (left(200), 422),
        (left(-300), 422),
        (left(-1), 422),
        (json!({ "said": "left_earlier" }), 422),
        (json!({ "said": "not_there", "left_at": at(50) }), 422),
        (json!({ "said": "stayed_longer", "left_at": at(50) }), 422),
    ] {
        correct(&person, &stay, &body).await.problem(status);
    }
    assert_eq!(app.number("select count(*) from stay_corrections").await, 0);
    correct(&person, &stay, &left(80)).await.expect(202);
    app.settle().await;
    let rows =
        app.rows("select extract(epoch from until_at - from_at)::int as secs, ended_by from stays").await;
    assert_eq!(rows, [json!({ "secs": 20 * 60, "ended_by": 0 })]);
    assert_eq!(app.number("select sum(scans)::bigint from point_hours").await, 1, "it counts as no scan");
    // Somebody else's stay is not there.
    correct(&app.person(3).await, &stay, &left(80)).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_saw_is_not_taken_back_alone() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(2, &teahouse, 100).await;
    app.settle().await;
    app.tamper("update scans set method = 1").await;
    let person = app.person(2).await;
    let stay = person.get("/v1/me/stays").await.expect(200)[0].clone();
    let why = correct(&person, &stay, &json!({ "said": "not_there" })).await.problem(409);
    assert!(why.contains("staff or a device"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_late_it_is_kept_aside_and_looks_the_same() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    for (number, minutes) in [(1, 180), (2, 170)] {
        app.scan(number, &teahouse, minutes).await;
    }
    app.scan(3, &library, 170).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    // The case is only reported; no run has been asked for.
    let mut answers = Vec::new();
    for number in [1, 2, 3] {
        let person = app.person(number).await;
        let stay = person.get("/v1/me/stays").await.expect(200)[0].clone();
        let mut answer = correct(&person, &stay, &json!({ "said": "not_there" })).await.expect(202);
        answer["stay"] = Value::Null;
        app.settle().await;
        let mut shown = person.get("/v1/me/stays").await.expect(200);
        for key in ["id", "venue", "point", "from", "until", "presence", "ended_by"] {
            shown[0][key] = Value::Null;
        }
        answers.push((answer, shown));
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "nobody learns of a case by correcting: {answers:?}"
    );
    let outcomes = app.rows("select outcome from stay_corrections order by at, id").await;
    assert_eq!(outcomes, [1, 1, 0].map(|outcome| json!({ "outcome": outcome })));
    let run = app.run(&investigator, &case).await;
    assert_eq!(
        run["summary"]["contacts"], 1,
        "the case could not take the evidence away, nor could the contact"
    );

    // The investigator of the case sees what it took back, with a purpose; so does the case see the look.
    let path = format!("/v1/cases/{case}/taken-back");
    investigator.get(&path).await.problem(422);
    let back = investigator.get(&format!("{path}?purpose=流调核实")).await.expect(200);
    assert_eq!((&back[0]["stay"]["venue"], &back[0]["took_effect"]), (&json!("老茶馆"), &json!(false)));
    let looks = app.person(1).await.get("/v1/me/looks").await.expect(200);
    assert_eq!(looks[0]["kind"], "taken_back");

    // Once a colour rests on it, the way is an appeal.
    app.release(&investigator, run["id"].as_str().unwrap()).await;
    app.sql("delete from stay_corrections").await.unwrap();
    let person = app.person(2).await;
    let stay = person.get("/v1/me/stays").await.expect(200)[0].clone();
    let why = correct(&person, &stay, &json!({ "said": "not_there" })).await.problem(409);
    assert!(why.contains("appeal"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_stay_is_corrected_like_any_other() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.settle().await;
    app.pass(60 * 24 * 6);
    app.settle().await;
    assert_eq!(app.number("select count(*) from stays").await, 0, "the day is packed");
    let person = app.person(2).await;
    let stay = person.get("/v1/me/stays").await.expect(200)[0].clone();
    correct(&person, &stay, &json!({ "said": "not_there" })).await.expect(202);
    app.settle().await;
    assert_eq!(app.number("select count(*) from stay_corrections where outcome = 0").await, 1);
    let investigator = app.staff(Role::Investigator, "410100").await;
    let mut report =
        crate::support::people::new_case(&app.visitor(1).to_hex(), app.now() - TimeDelta::days(5));
    report["isolated_at"] = Value::Null;
    let case = investigator.post("/v1/cases", &report).await.expect(201)["id"].as_str().unwrap().to_owned();
    let run = app.run(&investigator, &case).await;
    assert_eq!(
        (&run["summary"]["trail_stays"], &run["summary"]["contacts"]),
        (&json!(1), &json!(0)),
        "{run}"
    );
    assert!(matches!(Step::Appeal.take(&app.app).await, Ok(placecode::pipeline::Outcome::Idle)));
}
