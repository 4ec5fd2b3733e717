//! Who decides had no hand in it: over HTTP, and as the owner of the tables.

use placecode::domain::access::Role;
use serde_json::json;
use uuid::Uuid;

use super::story;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_had_a_hand_in_it_neither_decides_nor_refuses_twice() {
    let story = story(&[]).await;
    let app = &story.app;
    // A second contact, proposed by an investigator who is an officer too, released by two known officers.
    let appeal = story.appeal().await;
    let releasing = app.rows("select officer_id as id from releases order by at").await;
    assert_eq!(releasing.len(), 2);
    let first = app.staff(Role::ReleasingOfficer, "410100").await;
    let second = app.staff(Role::ChiefOfficer, "410100").await;
    let proposer = app.rows("select proposed_by as id from runs where proposed_by is not null").await;
    for row in releasing.iter().chain(&proposer) {
        let id: Uuid = row["id"].as_str().unwrap().parse().unwrap();
        let sql = format!(
            "update appeals set decided_at = submitted_at, verdict = 1, decided_by = '{id}', decision_reason = 'of my own'"
        );
        assert!(app.sql(&sql).await.unwrap_err().contains("had no hand in it"), "{row}");
    }
    // Over HTTP: one of the releasing officers.
    let id: Uuid = releasing[0]["id"].as_str().unwrap().parse().unwrap();
    let token = placecode::http::auth::new_token();
    let session = placecode::store::access::SessionRow {
        token_hash: placecode::http::auth::token_hash(&token),
        staff_id: id,
        expires_at: app.now() + chrono::TimeDelta::hours(8),
        created_at: app.now(),
    };
    placecode::store::access::insert_session(&mut app.app.store.conn().await.unwrap(), &session)
        .await
        .unwrap();
    let releaser = app.client(Some(&token));
    let queue = releaser.get("/v1/appeals").await.expect(200);
    assert_eq!(queue["appeals"][0]["own_hand"], true);
    assert!(story.decide(&releaser, &appeal, "refused").await.problem(403).contains("a hand"));
    assert_eq!(app.number("select count(*) from audit_entries where action = 'access.refused'").await, 1);
    // Investigators look and do not decide.
    let investigator = app.staff(Role::Investigator, "410100").await;
    story.decide(&investigator, &appeal, "granted").await.problem(403);

    story.decide(&first, &appeal, "refused").await.expect(202);
    assert_eq!(story.seen(&appeal).await["verdict"], "refused");
    let again = story.appeal().await;
    assert_eq!(again["instance"], 2);
    assert!(story.decide(&first, &again, "refused").await.problem(403).contains("a hand"));
    story.decide(&second, &again, "granted").await.expect(202);
    app.settle().await;
    assert_eq!(app.colour(2).await["colour"], "green");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_refusals_are_the_end_of_it() {
    let story = story(&[]).await;
    for instance in [1, 2] {
        let appeal = story.appeal().await;
        assert_eq!(appeal["instance"], instance);
        let officer = story.app.staff(Role::ReleasingOfficer, "410100").await;
        story.decide(&officer, &appeal, "refused").await.expect(202);
    }
    let path = format!("/v1/me/assignments/{}/appeals", story.assignment);
    let why = story.person.post(&path, &json!({ "reason": "not_there" })).await.problem(409);
    assert!(why.contains("two officers"), "{why}");
    story.app.settle().await;
    assert_eq!(story.app.colour(2).await["colour"], "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_keeps_appeals_as_they_are() {
    let story = story(&[]).await;
    let app = &story.app;
    let appeal = story.appeal().await;
    let id = appeal["id"].as_str().unwrap();
    let officer = app.member(&[Role::ReleasingOfficer], "410100").await.0;
    let decided =
        format!("decided_at = submitted_at, verdict = 1, decided_by = '{officer}', decision_reason = 'yes'");
    for (sql, why) in [
        ("delete from appeals".to_owned(), "append-only"),
        ("truncate appeals cascade".to_owned(), "append-only"),
        ("update appeals set text = 'I was there'".to_owned(), "does not change"),
        ("update appeals set text = ''".to_owned(), "does not change"),
        ("update appeals set due_at = due_at + interval '1 year'".to_owned(), "does not change"),
        (format!("update appeals set visitor = '{}'", app.visitor(9).to_uuid()), "does not change"),
        (
            "update appeals set decided_at = submitted_at, verdict = 2, decision_reason = 'gone'".to_owned(),
            "only what was taken back",
        ),
        ("update appeals set carried_out_at = now()".to_owned(), "check"),
    ] {
        let said = app.sql(&sql).await.expect_err(&sql);
        assert!(said.contains(why), "{sql}: {said}");
    }
    let copy = |change: &str| {
        let columns = "assignment_id, visitor, division, instance, reason, text, submitted_at, due_at";
        let values =
            columns.replace(change.split(" = ").next().unwrap(), change.split(" = ").nth(1).unwrap_or(""));
        format!(
            "insert into appeals (id, {columns}) select gen_random_uuid(), {values} from appeals where id = '{id}'"
        )
    };
    let other = format!("visitor = '{}'::uuid", app.visitor(9).to_uuid());
    assert!(app.sql(&copy(&other)).await.unwrap_err().contains("of whom the assignment is about"));
    assert!(app.sql(&copy("instance = 2")).await.unwrap_err().contains("follows a refusal"));
    assert_eq!(app.sql(&format!("update appeals set {decided}")).await, Ok(1));
    let again = "update appeals set verdict = 0";
    assert!(app.sql(again).await.unwrap_err().contains("decided once"));
    // What was never let go cannot be appealed against, by nobody.
    app.scan(3, &story.teahouse, 160).await;
    app.settle().await;
    let run = app.run(&story.investigator, &story.case).await["id"].as_str().unwrap().to_owned();
    story.investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.expect(202);
    app.settle().await;
    let proposed = format!(
        "insert into appeals (id, assignment_id, visitor, division, instance, reason, text, submitted_at, due_at)
         select gen_random_uuid(), id, visitor, division, 1, 0, '', now(), now() + interval '1 day'
         from assignments where run_id = '{run}' and visitor = '{}'",
        app.visitor(3).to_uuid()
    );
    assert!(app.sql(&proposed).await.unwrap_err().contains("never let go"));
    let own = app.person(3).await.get("/v1/me/assignments").await.expect(200);
    assert_eq!(own, json!([]), "what is only proposed is nobody's business");
}
