//! What waits for a fact that is overdue, in counts; and that a look at one assignment is written down.

use placecode::domain::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CHECK_INS, Life, TESTS, life};

impl Life {
    async fn overdue(&self) -> Vec<Value> {
        let officer = self.app.staff(Role::ReleasingOfficer, "410000").await;
        officer.get("/v1/assignments/overdue").await.expect(200).as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discharge_list_that_does_not_come_is_seen_before_and_after_the_days_are_over() {
    let story = life("by_authority = true", TESTS).await;
    let app = &story.app;
    story.released().await;
    assert!(story.overdue().await.is_empty());
    let life = story.life_of(2).await;
    assert_eq!(life["awaits"], "discharge");
    assert!(life["review_at"].is_string());
    // Three days after the release the tests of person 3 are late.
    app.pass(3 * 24 * 60 + 1);
    let tests = json!({
        "case_id": story.case, "class": "exposed_place", "awaits": "negative_test", "expired": false,
        "count": 1, "over_a_day": 0, "longest_hours": 0
    });
    assert_eq!(story.overdue().await, [tests]);
    // A day before the ten days are over, the list of the discharged.
    app.pass(6 * 24 * 60);
    app.settle().await;
    let (rows, view) = (story.overdue().await, |row: &Value| {
        (row["awaits"].as_str().unwrap().to_owned(), row["expired"].as_bool().unwrap())
    });
    let seen: Vec<_> = rows.iter().map(view).collect();
    assert_eq!(seen, [("discharge".to_owned(), false), ("negative_test".to_owned(), true)]);
    app.pass(24 * 60);
    app.settle().await;
    assert!(story.overdue().await.iter().all(|row| row["expired"] == true));
    assert_eq!(story.overdue().await.len(), 2);
    // On the officers' desk too, and to nobody of another city.
    let officer = app.staff(Role::ReleasingOfficer, "410000").await;
    let page = app.desk(&officer).get("/release").await;
    assert!(page.text.contains("解除名单") || page.text.contains("Discharge list"), "{}", page.text);
    let elsewhere = app.staff(Role::ReleasingOfficer, "420000").await;
    assert_eq!(elsewhere.get("/v1/assignments/overdue").await.expect(200), json!([]));
    let text = officer.get("/v1/assignments/overdue").await.text;
    assert!((1..4).all(|number| !text.contains(&app.visitor(number).to_hex())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_in_time_puts_the_review_off_and_one_that_ends_it_away() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    let due = async || story.life_of(3).await["review_at"].as_str().unwrap().to_owned();
    let first = due().await;
    app.pass(2 * 24 * 60);
    story.hears(3, "negative_test", app.now()).await;
    assert!(due().await > first);
    story.hears(2, "healthy_check_in", app.now()).await;
    app.pass(24 * 60);
    assert!(story.overdue().await.iter().all(|row| row["awaits"] != "negative_test"));
    story.hears(3, "negative_test", app.now()).await;
    app.pass(30 * 60);
    let rows = story.overdue().await;
    assert!(rows.iter().all(|row| row["awaits"] == "healthy_check_in"), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_an_assignment_needs_a_purpose_and_is_written_down() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    let id = story.assignment(2).await;
    let path = format!("/v1/assignments/{id}");
    story.investigator.get(&path).await.problem(422);
    story.investigator.get(&format!("{path}?purpose=x")).await.problem(422);
    let looks = "select count(*) from looks where purpose = '复核黄码'";
    assert_eq!(app.number(looks).await, 0);
    let query = "?purpose=%E5%A4%8D%E6%A0%B8%E9%BB%84%E7%A0%81";
    let life = story.investigator.get(&format!("{path}{query}")).await.expect(200);
    assert_eq!((life["id"].as_str(), app.number(looks).await), (Some(id.as_str()), 1));
    assert!(!life.to_string().contains(&app.visitor(2).to_hex()));
    let elsewhere = app.staff(Role::Investigator, "420000").await;
    elsewhere.get(&format!("{path}{query}")).await.problem(403);
    assert_eq!(app.number(looks).await, 1);
    let nobody = format!("/v1/assignments/{}?purpose=review", Uuid::now_v7());
    assert!(story.investigator.get(&nobody).await.problem(404).contains("assignment"));
}
