//! What a run waits for, that it can be cancelled, and that another worker takes it up.

use diesel_async::SimpleAsyncConnection;
use placecode::domain::access::Role;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use placecode::store::progress::{self, Progress, Stage};
use placecode::store::runs::{self, RunState};
use serde_json::{Value, json};

use super::dry::teahouse;
use super::{request, see};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_what_it_waits_for() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = request(&investigator, &case, "baseline@1").await;
    assert_eq!(see(&investigator, &run).await["waiting"]["entries"], 0);
    for number in 1..=3 {
        app.scan(number, &teahouse, 180).await;
    }
    Step::Trace.take(&app.app).await.unwrap();
    let waiting = see(&investigator, &run).await["waiting"].clone();
    assert_eq!((&waiting["scans"], &waiting["at_least"]), (&json!(3), &json!(false)), "{waiting}");
    let parts = waiting["parts"].as_object().unwrap();
    let scans: u64 = parts.values().map(|part| part["scans"].as_u64().unwrap()).sum();
    assert_eq!(scans, 3, "{waiting}");
    // A scan that comes after the run was first looked at is nothing that it waits for.
    app.scan(4, &teahouse, 170).await;
    assert_eq!(see(&investigator, &run).await["waiting"]["scans"], 3);
    app.settle().await;
    let run = see(&investigator, &run).await;
    assert_eq!((&run["waiting"], &run["incomplete"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_may_be_incomplete_is_computed_at_once_and_says_by_how_much() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    app.scan(3, &teahouse, 170).await;
    app.scan(4, &teahouse, 170).await;
    let body = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查", "incomplete_ok": true });
    let run = investigator.post(&format!("/v1/cases/{case}/runs"), &body).await.expect(202);
    assert_eq!(Step::Trace.take(&app.app).await.unwrap(), Outcome::Worked(1));
    let run = see(&investigator, run["id"].as_str().unwrap()).await;
    assert_eq!((&run["state"], &run["summary"]["contacts"]), (&json!("computed"), &json!(1)));
    assert_eq!(run["incomplete"]["scans"], 2, "{run}");
    // Where nothing waits, the same wish says nothing.
    app.settle().await;
    let run = investigator.post(&format!("/v1/cases/{case}/runs"), &body).await.expect(202);
    app.settle().await;
    let run = see(&investigator, run["id"].as_str().unwrap()).await;
    assert_eq!((&run["incomplete"], &run["summary"]["contacts"]), (&Value::Null, &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_run_is_cancelled_at_once_and_a_computed_one_not_at_all() {
    let story = teahouse().await;
    let cancel = |run: &str| format!("/v1/runs/{run}/cancellation");
    let run = request(&story.investigator, &story.case, "baseline@1").await;
    let said = story.investigator.post(&cancel(&run), &json!({})).await.expect(202);
    assert_eq!(said["state"], "cancelled");
    story.investigator.post(&cancel(&run), &json!({})).await.problem(409);
    story.app.settle().await;
    assert_eq!(see(&story.investigator, &run).await["state"], "cancelled");
    story.investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.problem(409);
    let computed = story.app.run(&story.investigator, &story.case).await["id"].as_str().unwrap().to_owned();
    let said = story.investigator.post(&cancel(&computed), &json!({})).await.problem(409);
    assert!(said.contains("not computed yet"), "{said}");
    assert_eq!(see(&story.investigator, &computed).await["state"], "computed");
    // A withdrawn case leaves a cancelled run as it is, and is undone once.
    let withdrawal = json!({ "reason": "实验室误报" });
    story.investigator.post(&format!("/v1/cases/{}/withdrawal", story.case), &withdrawal).await.expect(202);
    story.app.settle().await;
    assert_eq!(see(&story.investigator, &run).await["state"], "cancelled");
    let acts = "select count(*) from audit_entries where action = 'run.cancelled'";
    assert_eq!(story.app.number(acts).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_being_computed_is_cancelled_at_its_next_step() {
    let story = teahouse().await;
    let run = request(&story.investigator, &story.case, "baseline@1").await;
    // A worker holds it, notes how far it is, and is asked to end.
    let mut worker = story.app.app.store.conn().await.unwrap();
    worker.batch_execute("begin").await.unwrap();
    let held = runs::take(&mut worker, RunState::Queued, &[]).await.unwrap().unwrap();
    let mut other = story.app.app.store.conn().await.unwrap();
    let at = Progress { stage: Stage::Searching, searches: 58, searched: 12, people: 3400 };
    assert!(!progress::note(&mut other, held.id, at, story.app.now()).await.unwrap());
    let shown = see(&story.investigator, &run).await["progress"].clone();
    assert_eq!((&shown["stage"], &shown["searched"]), (&json!("searching"), &json!(12)), "{shown}");
    assert_eq!((&shown["searches"], &shown["people"]), (&json!(58), &json!(3400)), "{shown}");
    let said = story.investigator.post(&format!("/v1/runs/{run}/cancellation"), &json!({})).await.expect(202);
    assert_eq!(said["state"], "queued");
    assert!(progress::note(&mut other, held.id, at, story.app.now()).await.unwrap(), "it hears of it");
    // It dies before it does as asked; whoever takes the run up does.
    worker.batch_execute("rollback").await.unwrap();
    assert_eq!(Step::Trace.take(&story.app.app).await.unwrap(), Outcome::Worked(1));
    assert_eq!(see(&story.investigator, &run).await["state"], "cancelled");
    assert_eq!(story.app.number("select count(*) from contacts").await, 0);
    assert_eq!(story.app.number("select count(*) from run_progress").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_worker_dies_is_taken_up_by_another() {
    let story = teahouse().await;
    let run = request(&story.investigator, &story.case, "baseline@1").await;
    let mut worker = story.app.app.store.conn().await.unwrap();
    worker.batch_execute("begin").await.unwrap();
    assert!(runs::take(&mut worker, RunState::Queued, &[]).await.unwrap().is_some());
    // While it lives, nobody else computes the run.
    assert_eq!(Step::Trace.take(&story.app.app).await.unwrap(), Outcome::Idle);
    let pid = "select pid from pg_stat_activity where datname = current_database() and state = 'idle in transaction'";
    // Waits until it is gone, and its hold on the run with it.
    let killed = format!("select count(pg_terminate_backend(pid, 20000)) from ({pid}) as worker");
    assert_eq!(story.app.number(&killed).await, 1);
    story.app.settle().await;
    assert_eq!(see(&story.investigator, &run).await["state"], "computed");
}
