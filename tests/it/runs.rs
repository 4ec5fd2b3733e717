//! From a case to its contacts: when a run is computed, and that it finds whom it must.

mod comparisons;
mod dry;
mod follow_ups;
mod oracle;
mod reach;
mod waiting;
mod why;

use placecode::domain::access::Role;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::{Place, new_case};

async fn request(investigator: &Client, case: &str, pack: &str) -> String {
    let body = json!({ "rule_pack": pack, "purpose": "流行病学调查" });
    let run = investigator.post(&format!("/v1/cases/{case}/runs"), &body).await.expect(202);
    assert_eq!(run["state"], "queued");
    run["id"].as_str().unwrap().to_owned()
}

async fn see(investigator: &Client, run: &str) -> Value {
    investigator.get(&format!("/v1/runs/{run}")).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_until_every_scan_before_it_is_drained() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    for number in 1..=8 {
        app.scan(number, &teahouse, 180).await;
    }
    let run = request(&investigator, &case, "baseline@1").await;
    for _ in 0..3 {
        assert_eq!(Step::Trace.take(&app.app).await.unwrap(), Outcome::Idle);
        assert_eq!(see(&investigator, &run).await["state"], "queued");
    }
    // Scans that come later do not hold it up.
    assert!(matches!(Step::Drain.take(&app.app).await.unwrap(), Outcome::Worked(_)));
    app.scan(9, &teahouse, 170).await;
    assert_eq!(Step::Trace.take(&app.app).await.unwrap(), Outcome::Worked(1));
    let run = see(&investigator, &run).await;
    assert_eq!((&run["state"], &run["summary"]["contacts"]), (&json!("computed"), &json!(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_of_case_that_the_pack_does_not_count_fails_the_run_with_the_reason() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "410000").await;
    let text = include_str!("../../policies/baseline-1.toml")
        .replace("id = \"baseline\"", "id = \"strict\"")
        .replace("[\"confirmed\", \"suspected\", \"asymptomatic\"]", "[\"confirmed\"]");
    admin.post("/v1/rule-packs", &json!({ "text": text })).await.expect(201);
    let investigator = app.staff(Role::Investigator, "410100").await;
    let mut report = new_case(&app.visitor(1).to_hex(), app.now());
    (report["kind"], report["onset_at"]) = (json!("asymptomatic"), Value::Null);
    let case = investigator.post("/v1/cases", &report).await.expect(201)["id"].as_str().unwrap().to_owned();
    let run = request(&investigator, &case, "strict@1").await;
    app.settle().await;
    let run = see(&investigator, &run).await;
    assert_eq!(run["state"], "failed");
    assert!(run["failure"].as_str().unwrap().contains("strict@1 does not count"), "{run}");
    let path = format!("/v1/runs/{}/proposal", run["id"].as_str().unwrap());
    investigator.post(&path, &json!({})).await.problem(409);
    // Under a pack that counts it, the same case is computed.
    assert_eq!(app.run(&investigator, &case).await["state"], "computed");
}

/// A stay that the case has told of.
fn told(app: &TestApp, place: &Place, from: i64, until: i64) -> Value {
    let at = |minutes| app.now() - chrono::TimeDelta::minutes(minutes);
    json!({ "code": place.code, "from": at(from), "until": at(until), "source": "interview", "reason": "本人陈述" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_that_an_interview_adds_has_contacts_like_any_other() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(2, &teahouse, 170).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    assert_eq!(app.run(&investigator, &case).await["summary"]["contacts"], 0);

    let path = format!("/v1/cases/{case}/trail");
    investigator.post(&path, &told(&app, &teahouse, 180, 60)).await.expect(201);
    let trail = investigator.get(&format!("{path}?purpose=review")).await.expect(200);
    assert_eq!((&trail[0]["source"], &trail[0]["venue"]), (&json!("interview"), &json!("老茶馆")));
    let run = app.run(&investigator, &case).await;
    assert_eq!(run["summary"]["classes"], json!({ "close": 1 }));
    app.release(&investigator, run["id"].as_str().unwrap()).await;
    assert_eq!(app.colour(2).await["colour"], "red");
    // A stay before the infectious period has none.
    let early = app.case(&investigator, 5).await;
    let mut before = told(&app, &teahouse, 60 * 24 * 10, 60 * 24 * 9);
    before["from"] = json!(app.now() - chrono::TimeDelta::days(10));
    investigator.post(&format!("/v1/cases/{early}/trail"), &before).await.expect(201);
    let run = app.run(&investigator, &early).await;
    assert_eq!((&run["summary"]["trail_stays"], &run["summary"]["contacts"]), (&json!(1), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_case_ends_its_runs_wherever_they_stand() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let computed = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    let proposed = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    investigator.post(&format!("/v1/runs/{proposed}/proposal"), &json!({})).await.expect(202);
    app.settle().await;
    let queued = request(&investigator, &case, "baseline@1").await;
    let withdrawal = json!({ "reason": "实验室误报" });
    investigator.post(&format!("/v1/cases/{case}/withdrawal"), &withdrawal).await.expect(202);
    investigator.post(&format!("/v1/cases/{case}/withdrawal"), &withdrawal).await.problem(409);
    app.settle().await;
    assert_eq!(see(&investigator, &queued).await["failure"], "the case was withdrawn");
    assert_eq!(see(&investigator, &computed).await["state"], "withdrawn");
    assert_eq!(see(&investigator, &proposed).await["state"], "withdrawn");
    assert_eq!(app.number("select count(*) from assignments where state <> 4").await, 0);
    // Nobody had been told anything, so nobody is told that it ended.
    assert_eq!(app.number("select count(*) from letters").await, 0);
    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    let word = json!({ "legal_basis": "第三十九条" });
    officer.post(&format!("/v1/runs/{proposed}/release"), &word).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_with_more_runs_than_a_page_is_undone_to_the_last() {
    let app = TestApp::start().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    let copies = format!(
        "insert into runs (id, case_id, pack_id, pack_version, state, purpose, requested_by, requested_at)
         select gen_random_uuid(), case_id, pack_id, pack_version, 1, purpose, requested_by, requested_at
         from runs, generate_series(1, 150) where id = '{run}'"
    );
    assert_eq!(app.sql(&copies).await, Ok(150));
    let withdrawal = json!({ "reason": "实验室误报" });
    investigator.post(&format!("/v1/cases/{case}/withdrawal"), &withdrawal).await.expect(202);
    assert_eq!(Step::Withdraw.take(&app.app).await.unwrap(), Outcome::Worked(1));
    assert_eq!(Step::Withdraw.take(&app.app).await.unwrap(), Outcome::Idle);
    assert_eq!(app.number("select count(*) from runs where state = 6").await, 151);
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawing_one_case_leaves_what_hangs_on_another() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 175).await;
    app.scan(3, &teahouse, 170).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let (one, two) = (app.case(&investigator, 1).await, app.case(&investigator, 2).await);
    for case in [&one, &two] {
        let run = app.run(&investigator, case).await;
        app.release(&investigator, run["id"].as_str().unwrap()).await;
    }
    assert_eq!(app.colour(3).await["assignments"].as_array().unwrap().len(), 2);
    let withdrawal = json!({ "reason": "实验室误报" });
    investigator.post(&format!("/v1/cases/{one}/withdrawal"), &withdrawal).await.expect(202);
    app.settle().await;
    let states =
        format!("select state, count(*) as n from assignments where case_id = '{two}' group by state");
    assert_eq!(app.rows(&states).await, [json!({ "state": 2, "n": 2 })]);
    // Person 3 met both cases and stays red by the other one; person 2 met the withdrawn one only.
    assert_eq!(app.colour(3).await["colour"], "red");
    assert_eq!(app.colour(2).await["colour"], "green");
}
