//! What facts and days do to colours, from the signed fact to the issuing system.

use chrono::TimeDelta;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use serde_json::json;

use super::{CHECK_INS, TESTS, fact, life};
use crate::support::Replica;

#[tokio::test(flavor = "multi_thread")]
async fn two_negative_tests_a_day_apart_end_yellow_and_the_life_tells_why() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let run = story.released().await;
    assert_eq!((story.colour(2).await, story.colour(3).await), ("red".to_owned(), "yellow".to_owned()));
    app.pass(60);
    let first = app.now();
    story.hears(3, "negative_test", first).await;
    app.pass(24 * 60);
    story.hears(3, "negative_test", first + TimeDelta::hours(24) - TimeDelta::seconds(1)).await;
    assert_eq!(story.colour(3).await, "yellow", "a second too early");
    let last = fact(app, 3, "negative_test", first + TimeDelta::hours(24));
    story.tell(std::slice::from_ref(&last)).await.expect(200);
    app.settle().await;
    assert_eq!(story.colour(3).await, "green");
    assert_eq!(story.colour(2).await, "red", "nobody else is concerned");

    let life = story.life_of(3).await;
    assert_eq!((&life["state"], &life["colour"]), (&json!("ended"), &json!("yellow")));
    assert_eq!(story.events(3).await, ["proposed", "released", "delivered", "ended"]);
    let event = &life["events"][3];
    assert_eq!((&event["reason"], &event["fact_id"]), (&json!("2 negative tests"), &last["id"]));
    assert_eq!((&life["run_id"], &life["rule_pack"]), (&json!(run), &json!("life@1")));
    assert_eq!(life["releases"].as_array().unwrap().len(), 2);
    assert_eq!(life["releases"][0]["legal_basis"], "传染病防治法第三十九条");
    assert_eq!(story.letters("ended").await, 1);

    // Told again, judged again: nothing more happens, and what has ended does not come back.
    story.tell(&[last, fact(app, 3, "positive_test", app.now())]).await.expect(200);
    app.settle().await;
    assert_eq!(Step::Conclude.take(&app.app).await.unwrap(), Outcome::Idle);
    assert_eq!((story.letters("ended").await, story.colour(3).await), (1, "green".to_owned()));
    let audit = "select count(*) from audit_entries where action = 'assignments.concluded' and detail like '%\"ended\":1%'";
    assert_eq!(app.number(audit).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_check_ins_make_red_yellow_and_then_green() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    for day in 1..=10 {
        story.hears(2, "healthy_check_in", app.now()).await;
        let shown = match day {
            1..7 => "red",
            7..10 => "yellow",
            _ => "green",
        };
        assert_eq!(story.colour(2).await, shown, "day {day}");
        app.pass(24 * 60 - 10);
    }
    let kinds = ["proposed", "released", "delivered", "downgraded", "ended"];
    assert_eq!(story.events(2).await, kinds);
    assert_eq!((story.letters("downgraded").await, story.letters("ended").await), (1, 1));
    // Person 3, of whom nothing was told, was let go by the days alone.
    assert_eq!((story.colour(3).await, story.letters("expired").await), ("green".to_owned(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_before_the_release_counts_when_it_is_released() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    app.pass(30 * 60);
    for hours in [1, 26] {
        story.hears(3, "negative_test", app.now() - TimeDelta::hours(hours)).await;
    }
    // A test before the last exposure says nothing: of person 2 nothing ends by it.
    story.hears(2, "healthy_check_in", app.now() - TimeDelta::days(3)).await;
    story.released().await;
    assert_eq!((story.colour(2).await, story.colour(3).await), ("red".to_owned(), "green".to_owned()));
    assert_eq!(story.letters("assigned").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_alone_weakens_where_the_rules_say_so_and_two_workers_do_it_once() {
    let story = life(r#"steps = [{ after_days = 4, colour = "yellow" }]"#, "by_authority = true").await;
    let app = &story.app;
    story.released().await;
    let last = app.number("select extract(epoch from max(last_exposure_at)) from assignments").await;
    let until = last + 4 * 86_400 - app.now().timestamp();
    app.pass(until / 60 - 1);
    app.settle().await;
    assert_eq!(story.colour(2).await, "red");
    app.pass(2);
    let replica = Replica::start(app, |_| ()).await;
    for _ in 0..3 {
        let (one, other) = tokio::join!(Step::Conclude.take(&app.app), Step::Conclude.take(&replica.app));
        one.unwrap();
        other.unwrap();
    }
    app.settle().await;
    assert_eq!((story.colour(2).await, story.colour(3).await), ("yellow".to_owned(), "yellow".to_owned()));
    assert_eq!(app.number("select count(*) from assignment_events where kind = 4").await, 1);
    assert_eq!(story.letters("downgraded").await, 1);
    let told = "select body->>'colour' as colour from letters where body->>'kind' = 'downgraded'";
    assert_eq!(app.rows(told).await, [json!({ "colour": "yellow" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_of_many_are_judged_once_by_two_workers() {
    let story = life(TESTS, TESTS).await;
    let app = &story.app;
    story.released().await;
    app.pass(25 * 60);
    for number in [2, 3] {
        let facts = [24, 0].map(|h| fact(app, number, "negative_test", app.now() - TimeDelta::hours(h)));
        story.tell(&facts).await.expect(200);
    }
    let replica = Replica::start(app, |_| ()).await;
    let both = async || tokio::join!(Step::Conclude.take(&app.app), Step::Conclude.take(&replica.app));
    for _ in 0..4 {
        let (one, other) = both().await;
        one.unwrap();
        other.unwrap();
    }
    app.settle().await;
    assert_eq!((story.open().await, story.letters("ended").await), (0, 2));
    assert_eq!(app.number("select count(*) from assignment_events where kind = 5").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_count_from_the_release_begin_with_it() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let admin = app.staff(placecode::domain::access::Role::Administrator, "100000").await;
    let text = super::pack(CHECK_INS, TESTS)
        .replace("version = 1", "version = 2")
        .replace("days = 10", "days = 10\ncounted_from = \"release\"");
    admin.post("/v1/rule-packs", &json!({ "text": text })).await.expect(201);
    app.pass(3 * 24 * 60);
    let body = json!({ "rule_pack": "life@2", "purpose": "流行病学调查" });
    let run = story.investigator.post(&format!("/v1/cases/{}/runs", story.case), &body).await.expect(202);
    app.settle().await;
    app.release(&story.investigator, run["id"].as_str().unwrap()).await;
    let days = "select extract(day from expires_at - last_exposure_at) from assignments where class = ";
    assert_eq!(app.number(&format!("{days}3")).await, 7);
    assert_eq!(
        app.number(&format!("{days}0")).await,
        13,
        "ten days from the release, three after the exposure"
    );
    let end =
        "select count(*) from assignments a join assignment_events e on e.assignment_id = a.id and e.kind = 1
               where a.class = 0 and a.expires_at = e.at + interval '10 days'";
    assert_eq!(app.number(end).await, 1);
}
