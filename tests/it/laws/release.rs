//! Law 3: red needs two people, and a cap; one switch stops all letters.

use placecode::domain::access::Role;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use serde_json::json;

use super::{Story, story};

async fn nothing_has_moved(story: &Story) {
    story.app.settle().await;
    assert_eq!(story.state().await, "proposed");
    assert_eq!(story.app.number("select count(*) from assignments where state <> 0").await, 0);
    assert_eq!(story.app.number("select count(*) from letters").await, 0);
    assert_eq!(story.app.colour(2).await["colour"], "green");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_one_officer_or_of_the_proposer_moves_nothing() {
    let story = story(&[]).await;
    let both = [Role::Investigator, Role::ReleasingOfficer, Role::ChiefOfficer];
    let (_, proposer) = story.app.member(&both, "410100").await;
    let officer = story.officer(Role::ReleasingOfficer).await;
    assert!(story.word_of(&officer).await.problem(409).contains("proposed"));
    proposer.post(&format!("/v1/runs/{}/proposal", story.run), &json!({})).await.expect(202);
    proposer.post(&format!("/v1/runs/{}/proposal", story.run), &json!({})).await.problem(409);
    story.app.settle().await;

    assert!(story.word_of(&proposer).await.problem(403).contains("proposed"));
    nothing_has_moved(&story).await;
    story.word_of(&officer).await.expect(202);
    assert!(story.word_of(&officer).await.problem(409).contains("another officer"));
    nothing_has_moved(&story).await;
    assert_eq!(story.app.number("select count(*) from releases").await, 1);

    // Whoever writes SQL is not enough either, nor is the proposer's word written by SQL.
    let force = "update assignments set state = 1";
    assert!(story.app.sql(force).await.unwrap_err().contains("two officers"));
    let forged = format!(
        "insert into releases (run_id, officer_id, legal_basis, chief, at)
         select id, proposed_by, '第三十九条', true, now() from runs where id = '{}'",
        story.run
    );
    assert!(story.app.sql(&forged).await.unwrap_err().contains("gives no word"));
    story.app.tamper(&forged).await;
    assert!(story.app.sql(force).await.unwrap_err().contains("two officers"));
    nothing_has_moved(&story).await;

    let second = story.officer(Role::ReleasingOfficer).await;
    story.word_of(&second).await.expect(202);
    story.app.settle().await;
    assert_eq!(story.state().await, "released");
    assert_eq!(story.app.colour(2).await["colour"], "red");
    assert!(story.app.sql("delete from releases").await.unwrap_err().contains("append-only"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_gives_no_word() {
    let story = story(&[]).await;
    story.propose().await;
    let admin = story.officer(Role::Administrator).await;
    let new = json!({ "name": "机器", "roles": ["releasing_officer", "chief_officer"], "division": "410000", "days": 1 });
    let made = admin.post("/v1/machines", &new).await.expect(201);
    let machine = story.app.client(made["token"].as_str());
    assert!(story.word_of(&machine).await.problem(403).contains("only a person"));
    nothing_has_moved(&story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_the_cap_waits_for_a_chief_officer() {
    let story = story(&["--release-cap", "1"]).await;
    assert_eq!(story.contacts().await.as_array().unwrap().len(), 2);
    story.propose().await;
    for _ in 0..3 {
        let officer = story.officer(Role::ReleasingOfficer).await;
        story.word_of(&officer).await.expect(202);
        nothing_has_moved(&story).await;
    }
    let chief = story.officer(Role::ChiefOfficer).await;
    story.word_of(&chief).await.expect(202);
    story.app.settle().await;
    assert_eq!(story.state().await, "released");
    assert_eq!(story.app.colour(2).await["colour"], "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_switch_stops_all_letters_and_lets_them_go_later() {
    let story = story(&[]).await;
    let officer = story.officer(Role::ReleasingOfficer).await;
    story.propose().await;
    for _ in 0..2 {
        let officer = story.officer(Role::ReleasingOfficer).await;
        story.word_of(&officer).await.expect(202);
    }
    assert_eq!(Step::Release.take(&story.app.app).await.unwrap(), Outcome::Worked(1));
    let stopped = officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    assert_eq!(stopped["stopped"], true);
    story.app.settle().await;
    assert_eq!(story.state().await, "released");
    assert_eq!(story.app.number("select count(*) from letters where state = 0").await, 2);
    assert_eq!(story.app.colour(2).await["colour"], "green");
    assert_eq!(officer.get("/v1/letters").await.expect(200)["letters"][0]["state"], "waiting");

    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    story.app.settle().await;
    assert_eq!(story.app.number("select count(*) from letters where state = 1").await, 2);
    assert_eq!(story.app.colour(2).await["colour"], "red");
    let acts = "select count(*) from audit_entries where action in ('letters.stopped', 'letters.resumed')";
    assert_eq!(story.app.number(acts).await, 2);
}
