//! Law 2: equal exposure, equal result.

use diesel_async::SimpleAsyncConnection;
use serde_json::json;

use super::story;
use crate::support::{TestApp, until};
use placecode::domain::access::Role;

#[tokio::test(flavor = "multi_thread")]
async fn visitors_with_equal_exposure_get_the_same_class_and_colour() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    for number in [2, 3, 4] {
        app.scan(number, &teahouse, 170).await;
    }
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    let path = format!("/v1/runs/{}/contacts?purpose=review", run["id"].as_str().unwrap());
    let contacts = investigator.get(&path).await.expect(200);
    assert_eq!(contacts.as_array().unwrap().len(), 3);
    for contact in contacts.as_array().unwrap() {
        for part in ["class", "colour", "together_secs", "meetings", "first_at", "last_at"] {
            assert_eq!(contact[part], contacts[0][part]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_cannot_be_released_while_a_contact_is_passed_over() {
    let story = story(&[]).await;
    let force = format!("update runs set state = 5 where id = '{}'", story.run);
    assert!(story.app.sql(&force).await.unwrap_err().contains("equal exposure, equal result"));
    // One assignment that is lost on the way is found as well.
    story.propose().await;
    let one = format!("delete from assignments where visitor = '{}'", story.app.visitor(2).to_uuid());
    story.app.tamper(&format!("delete from assignment_events; {one}")).await;
    assert!(story.app.sql(&force).await.unwrap_err().contains("equal exposure, equal result"));
    assert_eq!(story.state().await, "proposed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_left_out_has_a_reason_and_an_author_and_gets_nothing() {
    let story = story(&[]).await;
    let path = format!("/v1/runs/{}/exclusions", story.run);
    let exclusion = |number| json!({ "visitor": story.app.visitor(number).to_hex(), "reason": "隔壁包间" });
    story.investigator.post(&path, &json!({ "visitor": story.app.visitor(2).to_hex() })).await.problem(422);
    story
        .investigator
        .post(&path, &json!({ "visitor": story.app.visitor(2).to_hex(), "reason": " " }))
        .await
        .problem(422);
    story.investigator.post(&path, &exclusion(4)).await.problem(404);
    story.investigator.post(&path, &exclusion(2)).await.expect(200);
    let kept = "select count(*) from contacts where excluded_by is not null and exclusion_reason = '隔壁包间' and excluded_at is not null";
    assert_eq!(story.app.number(kept).await, 1);
    assert_eq!(
        story.app.number("select count(*) from audit_entries where action = 'contact.excluded'").await,
        1
    );
    assert!(
        story
            .app
            .sql("update contacts set exclusion_reason = null where excluded_by is not null")
            .await
            .is_err()
    );
    assert_eq!(story.contacts().await[0]["exclusion_reason"], "隔壁包间");

    story.app.release(&story.investigator, &story.run).await;
    assert_eq!(story.state().await, "released");
    assert_eq!(story.app.colour(2).await["colour"], "green");
    assert_eq!(story.app.colour(3).await["colour"], "yellow");
    let theirs =
        format!("select count(*) from assignments where visitor = '{}'", story.app.visitor(2).to_uuid());
    assert_eq!(story.app.number(&theirs).await, 0);
    // Afterwards nobody can be left out any more.
    story.investigator.post(&path, &exclusion(3)).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_left_out_while_the_run_is_being_proposed() {
    let story = story(&[]).await;
    let mut proposing = story.app.app.store.conn().await.unwrap();
    let sql = format!("begin; update runs set state = 3 where id = '{}'", story.run);
    proposing.batch_execute(&sql).await.unwrap();
    let path = format!("/v1/runs/{}/exclusions", story.run);
    let exclusion = json!({ "visitor": story.app.visitor(2).to_hex(), "reason": "隔壁包间" });
    let (investigator, app) = (story.investigator.clone(), &story.app);
    let request = tokio::spawn(async move { investigator.post(&path, &exclusion).await });
    let waiting = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
                   where not l.granted and a.datname = current_database()";
    until("the exclusion waits for the run", async || app.number(waiting).await > 0 || request.is_finished())
        .await;
    proposing.batch_execute("commit").await.unwrap();
    request.await.unwrap().problem(409);
    assert_eq!(app.number("select count(*) from contacts where excluded_by is not null").await, 0);
}
