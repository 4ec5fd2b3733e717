//! A later exposure extends what is open; nobody gets a second assignment for one reason, nor one again that has ended.

use chrono::TimeDelta;
use serde_json::json;

use super::{CHECK_INS, Life, TESTS, life};

impl Life {
    /// Person 2 and the case meet again, for an hour and more, and both leave.
    pub async fn meet_again(&self) {
        self.app.pass(240);
        self.app.scan(1, &self.teahouse, 150).await;
        self.app.scan(2, &self.teahouse, 140).await;
        self.app.scan(1, &self.library, 30).await;
        self.app.scan(2, &self.library, 30).await;
        self.app.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_that_finds_a_later_exposure_extends_the_open_assignment() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    let (id, before) = (story.assignment(2).await, app.colour(2).await);
    story.meet_again().await;
    let second = story.released().await;
    assert_eq!(story.open().await, 2, "one each");
    let path = format!("/v1/assignments/{id}?purpose=review");
    let life = story.investigator.get(&path).await.expect(200);
    let event = life["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&event["kind"], &event["run_id"]), (&json!("extended"), &json!(second)));
    assert_eq!(event["last_exposure_at"], life["last_exposure_at"]);
    let ten_days = "select count(*) from assignments where class = 0 and state = 2
                    and expires_at = last_exposure_at + interval '10 days'";
    assert_eq!(app.number(ten_days).await, 1);
    assert_eq!((story.letters("extended").await, story.letters("assigned").await), (1, 2));
    // The issuing system shows it longer, with both meetings.
    let after = app.colour(2).await;
    assert_eq!((&after["colour"], after["assignments"].as_array().unwrap().len()), (&json!("red"), 1));
    assert!(after["assignments"][0]["expires_at"].as_str() > before["assignments"][0]["expires_at"].as_str());
    let letter =
        "select jsonb_array_length(body->'exposures') as n from letters where body->>'kind' = 'extended'";
    assert!(app.rows(letter).await[0]["n"].as_i64().unwrap() >= 2);
    // The same run again extends nothing.
    let third = story.released().await;
    assert_eq!((story.letters("extended").await, story.open().await), (1, 2));
    let aside = format!("select count(*) from assignments where run_id = '{third}' and state = 4");
    assert_eq!(app.number(&aside).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_extends_whom_it_proposes_nothing_for() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let base = story.released().await;
    let before = app.rows("select last_exposure_at from assignments where class = 3").await;
    // Person 3 had left for the library for a while, as a late scan tells, and person 3's stay there is not the last.
    app.scan(3, &story.library, 50).await;
    app.settle().await;
    let next = story.see(&base).await["followed_by"].as_str().unwrap().to_owned();
    app.release(&story.investigator, &next).await;
    assert_eq!(story.see(&next).await["state"], "released");
    let own = format!("select count(*) from assignments where run_id = '{next}'");
    let after = app.rows("select last_exposure_at from assignments where class = 3 and state = 2").await;
    assert_eq!(app.number(&own).await, 0, "the follow-up proposes nothing");
    assert_ne!(before, after);
    assert_eq!((story.letters("extended").await, story.open().await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colour_that_was_weakened_is_given_anew_only_for_a_later_exposure() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    let first = story.assignment(2).await;
    for _ in 0..7 {
        story.hears(2, "healthy_check_in", app.now()).await;
        app.pass(24 * 60);
    }
    assert_eq!(story.colour(2).await, "yellow");
    // The same case once more: the same exposure makes nobody red again.
    story.released().await;
    assert_eq!((story.colour(2).await, story.letters("extended").await), ("yellow".to_owned(), 0));
    // Exposed again: whoever else was there then is red, and so is person 2.
    story.meet_again().await;
    story.released().await;
    assert_eq!(story.colour(2).await, "red");
    let state = format!("select state from assignments where id = '{first}'");
    assert_eq!(app.number(&state).await, 4);
    let open = format!(
        "select count(*) from assignments where state in (1, 2) and visitor = '{}'",
        app.visitor(2).to_uuid()
    );
    assert_eq!(app.number(&open).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_not_given_again_for_the_same_exposure() {
    let story = life(TESTS, TESTS).await;
    let app = &story.app;
    story.released().await;
    app.pass(25 * 60);
    for hours in [24, 0] {
        story.hears(2, "negative_test", app.now() - TimeDelta::hours(hours)).await;
    }
    assert_eq!((story.colour(2).await, story.colour(3).await), ("green".to_owned(), "yellow".to_owned()));
    story.released().await;
    assert_eq!((story.colour(2).await, story.colour(3).await), ("green".to_owned(), "yellow".to_owned()));
    let reasons = "select distinct reason from assignment_events where kind = 6 order by 1";
    assert_eq!(
        app.rows(reasons).await,
        [
            json!({ "reason": "already open by another run" }),
            json!({ "reason": "it has ended for the same exposure" })
        ]
    );
    assert_eq!(story.letters("withdrawn").await, 0, "nobody was told of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_lasts_longer_without_the_evidence_of_a_released_run() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let run = story.released().await;
    story.meet_again().await;
    let computed = story.run().await;
    // Later than any run found, without a run, by a run that nobody let go, and longer than the days of the class.
    for (last, until, kind, by, why) in [
        ("interval '1 day'", "interval '1 day'", 3, format!("'{run}'"), "no evidence"),
        ("interval '1 day'", "interval '1 day'", 3, "null".to_owned(), "does not follow"),
        ("interval '1 day'", "interval '1 day'", 2, "null".to_owned(), "does not follow"),
        ("interval '0'", "interval '5 days'", 2, "null".to_owned(), "does not follow"),
        ("interval '1 minute'", "interval '50 days'", 3, format!("'{run}'"), "no longer than"),
    ] {
        let forced = format!(
            "with longer as (
                 update assignments set last_exposure_at = last_exposure_at + {last}, expires_at = expires_at + {until}
                 where class = 0 and state = 2 returning *)
             insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at,
                                            actor, run_id)
             select id, 4, {kind}, state, colour_now, last_exposure_at, expires_at, now(), 'owner', {by} from longer"
        );
        story.refused(&forced, why).await;
    }
    let unreleased = format!(
        "with longer as (
             update assignments a set last_exposure_at = c.last_at, expires_at = c.last_at + interval '10 days'
             from contacts c where c.run_id = '{computed}' and c.visitor = a.visitor and a.class = 0 and a.state = 2
             returning a.*)
         insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at,
                                        actor, run_id)
         select id, 4, 3, state, colour_now, last_exposure_at, expires_at, now(), 'owner', '{computed}' from longer"
    );
    story.refused(&unreleased, "no evidence").await;
    // An event alone, without what it tells.
    let lie = "insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor)
               select id, 4, 4, state, 1, last_exposure_at, expires_at, now(), 'owner' from assignments where colour = 2";
    story.refused(lie, "something else than its row").await;
    assert_eq!(app.number("select count(*) from assignment_events where kind in (3, 4)").await, 0);
}
