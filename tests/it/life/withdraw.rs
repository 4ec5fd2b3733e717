//! What is taken back is taken back at once and for ever, and nothing that has another reason.

use placecode::domain::rule_pack::Colour;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use placecode::store::lives::effective_colours;
use serde_json::json;

use super::{CHECK_INS, Life, TESTS, life};

impl Life {
    async fn withdraw(&self, case: &str) {
        let body = json!({ "reason": "实验室误报" });
        self.investigator.post(&format!("/v1/cases/{case}/withdrawal"), &body).await.expect(202);
    }

    /// The colours that result in the service, of persons 2 and 3.
    async fn effective(&self) -> [Colour; 2] {
        let people = [self.app.visitor(2), self.app.visitor(3)];
        let mut conn = self.app.app.store.conn().await.unwrap();
        let colours = effective_colours(&mut conn, &people).await.unwrap();
        people.map(|one| colours.get(&one).copied().unwrap_or(Colour::Green))
    }

    async fn undo(&self, run: &str) {
        let sql = format!(
            "insert into undoings (run_id, reason, asked_by, asked_at)
             select id, '诊断更正', requested_by, now() from runs where id = '{run}'"
        );
        assert_eq!(self.app.sql(&sql).await, Ok(1));
        self.app.settle().await;
        assert_eq!(self.see(run).await["state"], "withdrawn");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawing_one_of_two_cases_leaves_the_others_colour() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    // Person 2 becomes a case, whom person 3 met for half an hour too, and person 1 for two.
    let second = Life { case: app.case(&story.investigator, 2).await, ..story };
    second.released().await;
    let app = &second.app;
    let first = app.rows("select id from cases order by reported_at, id").await;
    let first = first.iter().map(|row| row["id"].as_str().unwrap()).find(|id| *id != second.case).unwrap();
    assert_eq!(second.effective().await, [Colour::Red, Colour::Yellow]);
    assert_eq!(app.colour(3).await["assignments"].as_array().unwrap().len(), 2);
    second.withdraw(first).await;
    app.settle().await;
    assert_eq!(second.effective().await, [Colour::Green, Colour::Yellow]);
    assert_eq!((second.colour(2).await, second.colour(3).await), ("green".to_owned(), "yellow".to_owned()));
    assert_eq!(app.colour(3).await["assignments"].as_array().unwrap().len(), 1);
    second.withdraw(&second.case).await;
    app.settle().await;
    assert_eq!((second.open().await, second.colour(3).await), (0, "green".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_the_first_run_leaves_what_its_follow_up_demands_and_the_other_way_round() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let base = story.released().await;
    app.scan(4, &story.teahouse, 150).await;
    app.settle().await;
    let next = story.see(&base).await["followed_by"].as_str().unwrap().to_owned();
    app.release(&story.investigator, &next).await;
    assert_eq!((story.open().await, story.colour(4).await), (3, "red".to_owned()));
    // Persons 2 and 3 have theirs by the first run, and the follow-up finds them as well.
    story.undo(&base).await;
    assert_eq!((story.open().await, story.letters("withdrawn").await), (3, 0));
    assert_eq!((story.colour(2).await, story.colour(4).await), ("red".to_owned(), "red".to_owned()));
    // Nothing stands any more.
    story.undo(&next).await;
    assert_eq!((story.open().await, story.letters("withdrawn").await), (0, 3));
    for number in 2..=4 {
        assert_eq!(story.colour(number).await, "green");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_a_follow_up_leaves_what_the_first_run_found() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let base = story.released().await;
    app.scan(4, &story.teahouse, 150).await;
    app.settle().await;
    let next = story.see(&base).await["followed_by"].as_str().unwrap().to_owned();
    app.release(&story.investigator, &next).await;
    story.undo(&next).await;
    assert_eq!((story.open().await, story.colour(4).await), (2, "green".to_owned()));
    assert_eq!((story.colour(2).await, story.colour(3).await), ("red".to_owned(), "yellow".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_ends_with_the_run_that_gave_it() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    let first = "select extract(epoch from expires_at) from assignment_events where kind = 1 and colour = 2";
    let first = app.number(first).await;
    story.meet_again().await;
    let second = story.released().await;
    assert_eq!(story.letters("extended").await, 1);
    story.undo(&second).await;
    // The first run carries it for its own days, and not a minute longer.
    assert_eq!((story.open().await, story.letters("withdrawn").await), (2, 0));
    app.pass((first - app.now().timestamp()) / 60 - 1);
    app.settle().await;
    assert_eq!(story.colour(2).await, "red");
    app.pass(2);
    app.settle().await;
    assert_eq!((story.colour(2).await, story.open().await), ("green".to_owned(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_wait_when_a_case_is_withdrawn_colour_nobody_in_the_end() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let run = story.run().await;
    let officer = app.staff(placecode::domain::access::Role::ChiefOfficer, "410100").await;
    story.investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.expect(202);
    app.settle().await;
    for _ in 0..2 {
        let officer = app.staff(placecode::domain::access::Role::ReleasingOfficer, "410100").await;
        let word = json!({ "legal_basis": "传染病防治法第三十九条" });
        officer.post(&format!("/v1/runs/{run}/release"), &word).await.expect(202);
    }
    assert_eq!(Step::Release.take(&app.app).await.unwrap(), Outcome::Worked(1));
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    story.withdraw(&story.case).await;
    app.settle().await;
    assert_eq!((story.open().await, story.colour(2).await), (0, "green".to_owned()));
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    app.settle().await;
    // The old letter came, and the newer one after it.
    assert_eq!((story.letters("assigned").await, story.letters("withdrawn").await), (2, 2));
    assert_eq!(app.number("select count(*) from letters where state = 1").await, 4);
    assert_eq!((story.colour(2).await, story.colour(3).await), ("green".to_owned(), "green".to_owned()));
    assert_eq!(app.number("select count(*) from assignments where state <> 4").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_case_is_withdrawn_at_the_last_moment_does_not_go_out() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let run = story.run().await;
    let late = story.run().await;
    story.investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.expect(202);
    app.settle().await;
    for _ in 0..2 {
        let officer = app.staff(placecode::domain::access::Role::ReleasingOfficer, "410100").await;
        let word = json!({ "legal_basis": "传染病防治法第三十九条" });
        officer.post(&format!("/v1/runs/{run}/release"), &word).await.expect(202);
    }
    story.investigator.post(&format!("/v1/runs/{late}/proposal"), &json!({})).await.expect(202);
    story.withdraw(&story.case).await;
    // The steps that let go and propose come before the one that undoes.
    assert_eq!(Step::Release.take(&app.app).await.unwrap(), Outcome::Idle);
    Step::Propose.take(&app.app).await.unwrap();
    assert_eq!(app.number("select count(*) from assignments").await, 2, "nothing new is proposed");
    // By SQL neither, although two officers have given their word.
    story.refused("update assignments set state = 1", "taken back colours nobody").await;
    app.settle().await;
    assert_eq!((story.open().await, app.number("select count(*) from letters").await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_does_not_come_back() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    story.withdraw(&story.case).await;
    app.settle().await;
    for state in [0, 1, 2, 3, 5] {
        story.refused(&format!("update assignments set state = {state}"), "cannot become").await;
    }
    story.refused("update assignments set expires_at = now() + interval '9 years'", "cannot become").await;
    story.refused("update cases set withdrawn_at = null, withdrawn_by = null", "does not return").await;
    let again = "insert into assignments (id, run_id, case_id, visitor, class, colour, colour_now, pack_id, pack_version,
                                          division, last_exposure_at, expires_at, proposed_at)
                 select gen_random_uuid(), run_id, case_id, visitor, class, colour, colour, pack_id, pack_version, division,
                        last_exposure_at, expires_at, now() from assignments limit 1";
    story.refused(again, "taken back colours nobody").await;
    // A new run of the case is asked for and comes to nothing.
    let body = json!({ "rule_pack": "life@1", "purpose": "流行病学调查" });
    let run = story.investigator.post(&format!("/v1/cases/{}/runs", story.case), &body).await;
    app.settle().await;
    if run.status == 202 {
        assert_eq!(story.see(run.expect(202)["id"].as_str().unwrap()).await["state"], "failed");
    }
    assert_eq!((story.open().await, story.colour(2).await), (0, "green".to_owned()));
}
