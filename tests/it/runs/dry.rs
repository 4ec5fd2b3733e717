//! Dry runs: counted like any other, never proposed, and nobody is shown without a purpose.

use placecode::domain::access::Role;
use serde_json::{Value, json};

use super::{request, see};
use crate::support::TestApp;
use crate::support::client::Client;

/// Person 1 is a case; person 2 shared two hours of a teahouse, person 3 twenty minutes.
pub struct Teahouse {
    pub app: TestApp,
    pub place: crate::support::people::Place,
    pub investigator: Client,
    pub case: String,
}

pub async fn teahouse() -> Teahouse {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    app.scan(1, &place, 180).await;
    app.scan(2, &place, 170).await;
    app.scan(3, &place, 80).await;
    app.scan(1, &library, 60).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    Teahouse { app, place, investigator, case }
}

impl Teahouse {
    pub async fn dry_run(&self, pack: &str) -> Value {
        let body = json!({ "rule_pack": pack, "purpose": "先看人数", "dry": true });
        let run = self.investigator.post(&format!("/v1/cases/{}/runs", self.case), &body).await.expect(202);
        self.app.settle().await;
        see(&self.investigator, run["id"].as_str().unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_like_any_other_and_says_what_other_minutes_would_give() {
    let story = teahouse().await;
    let dry = story.dry_run("baseline@1").await;
    let real = story.app.run(&story.investigator, &story.case).await;
    assert_eq!((&dry["dry"], &real["dry"]), (&json!(true), &json!(false)));
    assert_eq!((&dry["summary"], &dry["digest"]), (&real["summary"], &real["digest"]));
    let summary = &dry["summary"];
    assert_eq!(summary["classes"], json!({ "close": 1, "exposed_place": 1 }));
    assert_eq!(summary["by_place"][0]["name"], "老茶馆");
    assert_eq!(summary["by_place"][0]["contacts"], 2);
    // With 30 minutes, the twenty of person 3 are no contact; with 10 or 15, person 2 is a close one as before.
    assert_eq!(summary["sensitivity"]["30"]["contacts"], 1);
    assert_eq!(summary["sensitivity"]["15"]["contacts"], 2);
    assert_eq!(summary["sensitivity"]["10"]["contacts"], 2);
    let text = dry.to_string();
    assert!((1..4).all(|number| !text.contains(&story.app.visitor(number).to_hex())), "{text}");
    // The audit log keeps counts and names no place.
    let named = "select count(*) from audit_entries where action = 'run.computed' and detail like '%老茶馆%'";
    assert_eq!(story.app.number(named).await, 0);
    assert_eq!(story.app.number("select count(*) from run_progress").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_cannot_be_proposed_even_by_whoever_writes_sql() {
    let story = teahouse().await;
    let run = story.dry_run("baseline@1").await;
    let id = run["id"].as_str().unwrap();
    let said = story.investigator.post(&format!("/v1/runs/{id}/proposal"), &json!({})).await.problem(409);
    assert!(said.contains("dry"), "{said}");
    let exclusion = json!({ "visitor": story.app.visitor(2).to_hex(), "reason": "隔壁包间" });
    story.investigator.post(&format!("/v1/runs/{id}/exclusions"), &exclusion).await.problem(409);

    let assignment = format!(
        "insert into assignments (id, run_id, case_id, visitor, class, colour, pack_id, pack_version, division,
                                  last_exposure_at, expires_at, proposed_at)
         select gen_random_uuid(), run_id, '{}', visitor, class, colour, 'baseline', 1, '410100', last_at,
                last_at + interval '7 days', now() from contacts where run_id = '{id}'",
        story.case
    );
    assert!(story.app.sql(&assignment).await.unwrap_err().contains("a dry run colours nobody"));
    let force = |state: i16| format!("update runs set state = {state} where id = '{id}'");
    for state in [3, 4] {
        assert!(
            story.app.sql(&force(state)).await.unwrap_err().contains("runs_dry_stays_in"),
            "state {state}"
        );
    }
    // Equal exposure, equal result is asked first.
    assert!(story.app.sql(&force(5)).await.is_err());
    story.app.tamper(&format!("delete from contacts where run_id = '{id}'")).await;
    assert!(story.app.sql(&force(5)).await.unwrap_err().contains("runs_dry_stays_in"));
    let real = format!("update runs set dry = false where id = '{id}'");
    assert!(story.app.sql(&real).await.unwrap_err().contains("keeps what it was asked"));
    assert_eq!(story.app.number("select count(*) from assignments").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_persons_of_a_dry_run_are_shown_to_an_investigator_for_a_purpose_alone() {
    let story = teahouse().await;
    let run = story.dry_run("baseline@1").await;
    let path = format!("/v1/runs/{}/contacts", run["id"].as_str().unwrap());
    assert!(story.investigator.get(&path).await.problem(422).contains("purpose"));
    let officer = story.app.staff(Role::ReleasingOfficer, "410100").await;
    officer.get(&format!("{path}?purpose=curious")).await.problem(403);
    assert_eq!(story.app.number("select count(*) from looks").await, 0);
    let seen = story.investigator.get(&format!("{path}?purpose=review")).await.expect(200);
    assert_eq!(seen.as_array().unwrap().len(), 2);
    assert_eq!(story.app.number("select count(*) from looks").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_run_computed_later_gives_the_same_digest() {
    let story = teahouse().await;
    let run = story.dry_run("baseline@1").await;
    story.app.pass(600);
    // A case that is not isolated stays infectious, so a later run asks something else; the same run does not.
    let id = run["id"].as_str().unwrap();
    let again = format!("update runs set state = 0, computed_at = null where id = '{id}'");
    story.app.tamper("delete from contacts; delete from exposures").await;
    assert_eq!(story.app.sql(&again).await, Ok(1));
    story.app.settle().await;
    let again = see(&story.investigator, id).await;
    assert_eq!((&again["state"], &again["digest"]), (&json!("computed"), &run["digest"]));
    assert_ne!(again["computed_at"], run["computed_at"]);
    assert_eq!((&again["case_seen"], &again["log_ends"]), (&run["case_seen"], &run["log_ends"]));
    assert!(run["case_seen"]["trail_digest"].as_str().unwrap().len() == 64, "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_is_asked_must_be_sound() {
    let story = teahouse().await;
    let path = format!("/v1/cases/{}/runs", story.case);
    for (body, why) in [
        (json!({ "rule_pack": "baseline@1", "purpose": "先看人数", "dry": "yes" }), "dry"),
        (json!({ "rule_pack": "baseline@1", "purpose": "先看人数", "wet": true }), "wet"),
        (json!({ "rule_pack": "baseline@7", "purpose": "先看人数" }), "rule_pack"),
        (json!({ "rule_pack": "baseline@1", "purpose": "" }), "purpose"),
    ] {
        let said = story.investigator.post(&path, &body).await.problem(422);
        assert!(said.contains(why) || said.contains("invalid type"), "{said}");
    }
    assert_eq!(story.app.number("select count(*) from runs").await, 0);
    // Without a word, a run is neither dry nor incomplete.
    let run = request(&story.investigator, &story.case, "baseline@1").await;
    let run = see(&story.investigator, &run).await;
    assert_eq!((&run["dry"], &run["incomplete"]), (&json!(false), &Value::Null));
}
