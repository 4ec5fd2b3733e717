//! Why somebody has a colour, and the way out of it: appeals by the assignment's id, decided by others, carried out by the
//! pipeline.

mod hands;
mod pages;
mod why;

use placecode::domain::access::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::Place;

/// The smallest thing that begins like a PNG.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";

/// Person 1 is a case and shared a teahouse with person 2, whose red code two officers let go.
pub struct Story {
    pub app: TestApp,
    pub teahouse: Place,
    pub investigator: Client,
    pub case: String,
    pub run: String,
    pub person: Client,
    pub assignment: String,
}

pub async fn story(flags: &[&str]) -> Story {
    let app = TestApp::start_with(flags).await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    app.release(&investigator, &run).await;
    let person = app.person(2).await;
    let own = person.get("/v1/me/assignments").await.expect(200);
    let assignment = own[0]["id"].as_str().unwrap().to_owned();
    Story { app, teahouse, investigator, case, run, person, assignment }
}

impl Story {
    /// Person 2 appeals.
    pub async fn appeal(&self) -> Value {
        let body = json!({ "reason": "not_there", "text": "那天我在家" });
        self.person.post(&format!("/v1/me/assignments/{}/appeals", self.assignment), &body).await.expect(201)
    }

    /// Somebody decides an appeal.
    pub async fn decide(&self, officer: &Client, appeal: &Value, decision: &str) -> Answer {
        let path = format!("/v1/appeals/{}/decision", appeal["id"].as_str().unwrap());
        officer.post(&path, &json!({ "decision": decision, "reason": "监控录像核实" })).await
    }

    /// The appeal as person 2 sees it.
    pub async fn seen(&self, appeal: &Value) -> Value {
        self.person.get(&format!("/v1/me/appeals/{}", appeal["id"].as_str().unwrap())).await.expect(200)
    }

    /// Person 2 hands in a file.
    pub async fn attach(&self, appeal: &Value, file: &[u8]) -> reqwest::Response {
        let path = format!("/v1/me/appeals/{}/evidence", appeal["id"].as_str().unwrap());
        let url = format!("http://{}{path}", self.app.address);
        let request = reqwest::Client::builder().no_proxy().build().unwrap().post(url);
        request.bearer_auth(self.person.token()).body(file.to_vec()).send().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_appeal_withdraws_the_assignment_with_a_letter() {
    let story = story(&[]).await;
    let app = &story.app;
    assert_eq!(app.colour(2).await["colour"], "red");
    let appeal = story.appeal().await;
    assert_eq!((&appeal["instance"], &appeal["overdue"]), (&json!(1), &json!(false)));

    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    let queue = officer.get("/v1/appeals").await.expect(200);
    assert_eq!((&queue["open"], &queue["overdue"]), (&json!(1), &json!(0)));
    assert_eq!(queue["appeals"][0]["id"], appeal["id"]);
    let text = queue.to_string();
    assert!(!text.contains(&app.visitor(2).to_hex()) && !text.contains("那天"), "{text}");
    assert_eq!(app.number("select count(*) from looks where kind = 10").await, 0);
    let path = format!("/v1/appeals/{}", appeal["id"].as_str().unwrap());
    officer.get(&path).await.problem(422);
    let whole = officer.get(&format!("{path}?purpose=复核申诉")).await.expect(200);
    assert_eq!((&whole["text"], &whole["visitor"]), (&json!("那天我在家"), &json!(app.visitor(2).to_hex())));
    assert_eq!(app.number("select count(*) from looks where kind = 10 and visitor is not null").await, 1);

    story.decide(&officer, &appeal, "granted").await.expect(202);
    assert_eq!(
        app.number("select count(*) from assignments where state = 4").await,
        0,
        "http decides nothing more"
    );
    app.settle().await;
    assert_eq!(app.colour(2).await["colour"], "green");
    let own = story.person.get(&format!("/v1/me/assignments/{}", story.assignment)).await.expect(200);
    assert_eq!(own["state"], "withdrawn");
    let last = own["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["kind"], &last["because"]), (&json!("withdrawn"), &json!("appeal_granted")));
    assert_eq!(own["appeals"][0]["verdict"], "granted");
    assert_eq!(own["appeals"][0]["decision_reason"], "监控录像核实");
    let letters = "select count(*) from letters where body->>'kind' = 'withdrawn'";
    assert_eq!(app.number(letters).await, 1);
    for action in ["appeal.submitted", "appeal.decided", "appeals.carried_out"] {
        let entries = format!("select count(*) from audit_entries where action = '{action}'");
        assert_eq!(app.number(&entries).await, 1, "{action}");
    }
    let told = app.rows("select actor || subject || detail as told from audit_entries").await;
    assert!(told.iter().all(|row| !row.to_string().contains(&app.visitor(2).to_hex())));
    story.decide(&officer, &appeal, "refused").await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_appeal_is_open_at_a_time_and_the_same_key_gives_the_same_answer() {
    let story = story(&[]).await;
    let path = format!("/v1/me/assignments/{}/appeals", story.assignment);
    let body = json!({ "reason": "other", "text": "我有话说" }).to_string();
    let keyed = async || {
        let key = [("idempotency-key", "a")];
        story.person.send(Method::POST, &path, Some(body.clone()), &key).await.expect(201)
    };
    let first = keyed().await;
    assert_eq!(keyed().await, first);
    story.person.post(&path, &json!({ "reason": "not_there" })).await.problem(409);
    assert_eq!(story.app.number("select count(*) from appeals").await, 1);
    let principals = story.app.rows("select principal from idempotency_keys").await;
    assert!(principals.iter().all(|row| !row.to_string().contains(&story.app.visitor(2).to_hex())));
    // Bad input changes nothing.
    for body in [
        json!({ "reason": "bored" }),
        json!({ "reason": "other" }),
        json!({ "reason": "other", "text": "x".repeat(2001) }),
    ] {
        story.person.post(&path, &body).await.problem(422);
    }
    // Nobody else's assignment is there for somebody.
    let other = story.app.person(1).await;
    other.post(&path, &json!({ "reason": "not_there" })).await.problem(404);
    other.get(&format!("/v1/me/appeals/{}", first["id"].as_str().unwrap())).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_what_its_bytes_say_bounded_and_never_shown_in_place() {
    let story = story(&["--appeal-evidence-life", "10days"]).await;
    let app = &story.app;
    let appeal = story.appeal().await;
    for bad in [&b"<html><script>"[..], b"", b"MZ", b"GIF89a"] {
        assert_eq!(story.attach(&appeal, bad).await.status(), 422, "{bad:?}");
    }
    assert_eq!(story.attach(&appeal, &vec![0; 1024 * 1024 + 1]).await.status(), 413);
    let png = story.attach(&appeal, PNG).await;
    assert_eq!(png.status(), 201);
    assert_eq!(story.attach(&appeal, PNG).await.status(), 201, "the same file again is the same");
    for file in [&b"\xff\xd8\xff\xe0 a"[..], b"%PDF-1.4 b"] {
        assert_eq!(story.attach(&appeal, file).await.status(), 201);
    }
    assert_eq!(story.attach(&appeal, b"%PDF-1.4 c").await.status(), 409);
    assert_eq!(app.number("select count(*) from appeal_evidence").await, 3);

    let officer = app.staff(Role::ChiefOfficer, "410000").await;
    let file = story.seen(&appeal).await["files"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/appeals/{}/evidence/{file}", appeal["id"].as_str().unwrap());
    officer.get(&path).await.problem(422);
    let given = officer.get(&format!("{path}?purpose=复核申诉")).await;
    assert_eq!(given.status, 200);
    assert!(given.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert_eq!(given.headers["x-content-type-options"], "nosniff");
    assert_eq!(given.headers["content-type"], "image/png");
    assert_eq!(app.number("select count(*) from looks where kind = 10").await, 1);

    // Kept while it is open, then for the set days.
    assert!(
        app.sql("delete from appeal_evidence").await.unwrap_err().contains("until its appeal is decided")
    );
    app.pass(60 * 24 * 20);
    app.settle().await;
    assert_eq!(app.number("select count(*) from appeal_evidence").await, 3);
    let officer = app.staff(Role::ChiefOfficer, "410000").await;
    story.decide(&officer, &appeal, "refused").await.expect(202);
    app.pass(60 * 24 * 9);
    app.settle().await;
    assert_eq!(app.number("select count(*) from appeal_evidence").await, 3);
    app.pass(60 * 24 * 2);
    app.settle().await;
    assert_eq!(app.number("select count(*) from appeal_evidence").await, 0);
    assert_eq!(app.number("select count(*) from appeals where text <> ''").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_stands_first_and_is_counted() {
    let story = story(&["--appeal-deadline", "2h"]).await;
    let app = &story.app;
    app.pass(180);
    let appeal = story.appeal().await;
    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    assert_eq!(officer.get("/v1/appeals").await.expect(200)["overdue"], 0);
    app.pass(121);
    let queue = officer.get("/v1/appeals").await.expect(200);
    assert_eq!((&queue["overdue"], &queue["appeals"][0]["overdue"]), (&json!(1), &json!(true)));
    assert_eq!(story.seen(&appeal).await["overdue"], true);
    // Another division neither sees it nor decides it.
    let elsewhere = app.staff(Role::ReleasingOfficer, "420100").await;
    assert_eq!(elsewhere.get("/v1/appeals").await.expect(200)["open"], 0);
    story.decide(&elsewhere, &appeal, "granted").await.problem(403);
    let path = format!("/v1/appeals/{}?purpose=review", appeal["id"].as_str().unwrap());
    elsewhere.get(&path).await.problem(403);
    assert_eq!(app.number("select count(*) from looks where kind = 10").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn correcting_the_case_settles_every_appeal_at_once() {
    let story = story(&[]).await;
    let appeal = story.appeal().await;
    let withdrawal = json!({ "reason": "实验室误报张三" });
    story.investigator.post(&format!("/v1/cases/{}/withdrawal", story.case), &withdrawal).await.expect(202);
    story.app.settle().await;
    assert_eq!(story.seen(&appeal).await["verdict"], "settled");
    let own = story.person.get("/v1/me/assignments").await.expect(200);
    assert_eq!(own[0]["events"].as_array().unwrap().last().unwrap()["because"], "ground_taken_back");
    assert!(!own.to_string().contains("张三"), "what staff write of a case is not for others");
    let path = format!("/v1/me/assignments/{}/appeals", story.assignment);
    story.person.post(&path, &json!({ "reason": "not_there" })).await.problem(409);
    let officer = story.app.staff(Role::ReleasingOfficer, "410100").await;
    assert_eq!(officer.get("/v1/appeals").await.expect(200)["open"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_often_a_source_was_wrong_is_told_without_small_counts() {
    let story = story(&[]).await;
    let appeal = story.appeal().await;
    let officer = story.app.staff(Role::ReleasingOfficer, "410100").await;
    story.decide(&officer, &appeal, "granted").await.expect(202);
    story.app.settle().await;
    let rates = officer.get("/v1/appeal-rates").await.expect(200);
    assert_eq!(rates["packs"][0]["source"], "baseline@1");
    assert_eq!(rates["points"][0]["source"], story.teahouse.point.to_string());
    assert_eq!(rates["cases"][0]["source"], story.case);
    for kind in ["packs", "points", "cases"] {
        assert_eq!(rates[kind][0]["granted"], json!({ "below": 5 }), "{rates}");
        assert_eq!(rates[kind][0]["granted_percent"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_floods_the_queue() {
    let story = story(&[]).await;
    let path = format!("/v1/me/assignments/{}/appeals", Uuid::now_v7());
    let mut refused = 0;
    for _ in 0..25 {
        let answer = story.person.post(&path, &json!({ "reason": "not_there" })).await;
        refused += usize::from(answer.status == 429);
    }
    assert_eq!(refused, 5, "20 a day");
}
