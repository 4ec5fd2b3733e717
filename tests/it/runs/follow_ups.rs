//! What comes late: the run that did not see it is stale, and one that follows it up gives only the difference.

use placecode::domain::scan::{Direction, Method, Scan};
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use serde_json::{Value, json};

use super::dry::{Teahouse, teahouse};
use super::{request, see};
use crate::drain::{accepted, scan};

impl Teahouse {
    /// A run that two officers let go.
    async fn released(&self) -> String {
        let run = self.app.run(&self.investigator, &self.case).await["id"].as_str().unwrap().to_owned();
        self.app.release(&self.investigator, &run).await;
        assert_eq!(see(&self.investigator, &run).await["state"], "released");
        run
    }

    /// The run that follows up another.
    async fn follow_up(&self, base: &str) -> Value {
        let run = see(&self.investigator, base).await;
        let next = run["followed_by"].as_str().unwrap_or_else(|| panic!("nothing follows {run}"));
        see(&self.investigator, next).await
    }

    async fn open_assignments(&self) -> i64 {
        self.app.number("select count(*) from assignments where state in (1, 2)").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_scan_makes_a_run_that_proposes_the_difference_alone() {
    let story = teahouse().await;
    let base = story.released().await;
    assert_eq!(story.open_assignments().await, 2);
    story.app.scan(4, &story.place, 150).await;
    story.app.settle().await;
    assert!(see(&story.investigator, &base).await["stale_at"].is_string());
    let next = story.follow_up(&base).await;
    assert_eq!((&next["state"], &next["base_run"]), (&json!("computed"), &json!(base)));
    assert_eq!(next["difference"], json!({ "added": 1, "removed": 0, "changed": 0, "same": 2 }));
    // The period is that of the base, or it would differ by more than what came late.
    let before = see(&story.investigator, &base).await;
    assert_eq!(next["infectious_until"], before["infectious_until"]);
    // Nobody's colour has changed.
    assert_eq!(story.app.colour(4).await["colour"], "green");

    let id = next["id"].as_str().unwrap();
    story.app.release(&story.investigator, id).await;
    assert_eq!(see(&story.investigator, id).await["state"], "released");
    assert_eq!(story.app.colour(4).await["colour"], "red");
    let theirs = format!("select count(*) from assignments where run_id = '{id}'");
    assert_eq!(story.app.number(&theirs).await, 1);
    assert_eq!(story.open_assignments().await, 3);
    let twice = "select count(*) from (select 1 from assignments where state < 3 group by visitor, class having count(*) > 1) q";
    assert_eq!(story.app.number(twice).await, 0);
    // One letter each.
    assert_eq!(story.app.number("select count(*) from letters").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_longer_met_is_withdrawn_by_the_word_of_two() {
    let story = teahouse().await;
    // Person 5 was scanned by mistake, as door staff find out too late.
    let mistake =
        Scan { method: Method::Staff, ..scan(&story.app, story.app.visitor(5), story.place.point, 100) };
    story.app.app.intake.append(&accepted(std::slice::from_ref(&mistake))).await.unwrap();
    let base = story.released().await;
    assert_eq!((story.open_assignments().await, &story.app.colour(5).await["colour"]), (3, &json!("yellow")));
    let taken_back = Scan {
        id: uuid::Uuid::now_v7(),
        direction: Direction::Void,
        corrects: Some(mistake.id),
        received_at: story.app.now(),
        ..mistake.clone()
    };
    story.app.app.intake.append(&accepted(&[taken_back])).await.unwrap();
    story.app.settle().await;
    let next = story.follow_up(&base).await;
    assert_eq!(next["difference"], json!({ "added": 0, "removed": 1, "changed": 0, "same": 2 }));
    assert_eq!(story.app.colour(5).await["colour"], "yellow", "nothing has been let go yet");
    let id = next["id"].as_str().unwrap();
    story.app.release(&story.investigator, id).await;
    assert_eq!(see(&story.investigator, id).await["state"], "released");
    assert_eq!(story.app.colour(5).await["colour"], "green");
    assert_eq!((story.open_assignments().await, &story.app.colour(2).await["colour"]), (2, &json!("red")));
    let theirs = format!(
        "select count(*) from assignments a join assignment_events e on e.assignment_id = a.id
         where a.visitor = '{}' and a.state = 4 and e.reason = 'no longer met'",
        story.app.visitor(5).to_uuid()
    );
    assert_eq!(story.app.number(&theirs).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_meets_a_stronger_class_gets_that_one_in_the_place_of_the_other() {
    let story = teahouse().await;
    let base = story.released().await;
    assert_eq!(story.app.colour(3).await["colour"], "yellow");
    // Person 3 had come two hours earlier than was known.
    story.app.scan(3, &story.place, 170).await;
    story.app.settle().await;
    let next = story.follow_up(&base).await;
    assert_eq!(next["difference"], json!({ "added": 0, "removed": 0, "changed": 1, "same": 1 }));
    story.app.release(&story.investigator, next["id"].as_str().unwrap()).await;
    assert_eq!(story.app.colour(3).await["colour"], "red");
    assert_eq!(story.open_assignments().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_touches_nothing_makes_no_run() {
    let story = teahouse().await;
    let elsewhere = story.app.venue("超市", "supermarket").await;
    let library = story.app.venue("第二图书馆", "library").await;
    story.app.scan(1, &library, 50).await;
    story.app.scan(6, &library, 30).await;
    let base = story.app.run(&story.investigator, &story.case).await["id"].as_str().unwrap().to_owned();
    // Late, but where the case never was.
    story.app.scan(7, &elsewhere, 150).await;
    story.app.settle().await;
    // In time: who is there still leaves after the period, as anybody does.
    story.app.pass(20);
    story.app.scan(6, &elsewhere, 0).await;
    story.app.scan(8, &story.place, 0).await;
    story.app.settle().await;
    assert_eq!(see(&story.investigator, &base).await["stale_at"], Value::Null);
    assert_eq!(story.app.number("select count(*) from runs").await, 1);
    assert_eq!(Step::FollowUp.take(&story.app.app).await.unwrap(), Outcome::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_would_find_the_same_again_is_not_stale() {
    let story = teahouse().await;
    let base = story.released().await;
    // In the hour in which the case left, and after it.
    story.app.scan(4, &story.place, 59).await;
    story.app.settle().await;
    let next = story.follow_up(&base).await;
    let run = see(&story.investigator, &base).await;
    assert_eq!((&run["stale_at"], &run["digest"]), (&Value::Null, &next["digest"]));
    assert_eq!(next["difference"], json!({ "added": 0, "removed": 0, "changed": 0, "same": 2 }));
    // What comes after that is noticed all the same, and compared with what went out.
    story.app.scan(9, &story.place, 150).await;
    story.app.settle().await;
    let last = story.follow_up(&base).await;
    assert_ne!(last["id"], next["id"]);
    assert_eq!((&last["base_run"], &last["difference"]["added"]), (&json!(base), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_scan_of_the_case_itself_is_followed_up() {
    let story = teahouse().await;
    let market = story.app.venue("农贸市场", "teahouse").await;
    story.app.scan(7, &market, 300).await;
    let base = story.released().await;
    story.app.scan(1, &market, 290).await;
    story.app.settle().await;
    let next = story.follow_up(&base).await;
    assert_eq!((&next["difference"]["added"], &next["summary"]["trail_stays"]), (&json!(1), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_left_out_stays_left_out() {
    let story = teahouse().await;
    let base = story.app.run(&story.investigator, &story.case).await["id"].as_str().unwrap().to_owned();
    let exclusion = json!({ "visitor": story.app.visitor(2).to_hex(), "reason": "隔壁包间" });
    story.investigator.post(&format!("/v1/runs/{base}/exclusions"), &exclusion).await.expect(200);
    story.app.release(&story.investigator, &base).await;
    story.app.scan(4, &story.place, 150).await;
    story.app.settle().await;
    let next = story.follow_up(&base).await["id"].as_str().unwrap().to_owned();
    // Whoever comes after somebody who was left out, and is alike, needs a word of their own.
    let (reviews, proposal) = (format!("/v1/runs/{next}/reviews"), format!("/v1/runs/{next}/proposal"));
    story.investigator.post(&proposal, &json!({})).await.problem(422);
    let kept = json!({ "visitor": story.app.visitor(4).to_hex(), "to": "close", "reason": "同桌用餐" });
    story.investigator.post(&reviews, &kept).await.expect(200);
    story.app.release(&story.investigator, &next).await;
    assert_eq!(story.app.colour(2).await["colour"], "green");
    assert_eq!(story.app.colour(4).await["colour"], "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_being_computed_when_something_came_is_followed_up() {
    let story = teahouse().await;
    let base = request(&story.investigator, &story.case, "baseline@1").await;
    Step::Trace.take(&story.app.app).await.unwrap();
    // Noted and handled before the run is looked at: as if it had been stored while the run was computed.
    story.app.scan(4, &story.place, 150).await;
    Step::Drain.take(&story.app.app).await.unwrap();
    assert_eq!(story.app.sql("update late_hours set handled = true").await.map(|rows| rows > 0), Ok(true));
    story.app.settle().await;
    assert_eq!(story.follow_up(&base).await["difference"]["added"], 1);
    // It is followed once, and the follow-up has seen all there is.
    assert_eq!(story.app.number("select count(*) from runs").await, 2);
    assert_eq!(Step::FollowUp.take(&story.app.app).await.unwrap(), Outcome::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_runs_and_withdrawn_cases_are_not_followed_up() {
    let story = teahouse().await;
    story.dry_run("baseline@1").await;
    story.app.scan(4, &story.place, 150).await;
    story.app.settle().await;
    assert_eq!(story.app.number("select count(*) from runs").await, 1);
    assert_eq!(story.app.number("select count(*) from run_windows").await, 0);
    story.released().await;
    let withdrawal = json!({ "reason": "实验室误报" });
    story.investigator.post(&format!("/v1/cases/{}/withdrawal", story.case), &withdrawal).await.expect(202);
    story.app.scan(5, &story.place, 150).await;
    story.app.settle().await;
    assert_eq!(story.app.number("select count(*) from runs where base_run is not null").await, 0);
}
