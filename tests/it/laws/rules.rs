//! Law 6: presence decides weight. Law 7: a result names its rules.

use placecode::domain::access::Role;
use serde_json::json;

use super::story;
use crate::support::TestApp;
use crate::support::people::{far, near};

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_photo_makes_nobody_a_contact_and_cuts_no_true_stay() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    app.scan(1, &teahouse, 180).await;
    // Person 2 got a photo of the poster; person 3 was there, and a photo of another poster says otherwise.
    let scan = app.scan_from(2, &teahouse, 170, Some(far())).await;
    assert_eq!(scan["presence"], "contradicted");
    app.scan(3, &teahouse, 175).await;
    app.scan_from(3, &library, 165, Some(far())).await;
    // The case itself sent a photo to the library, where person 4 was.
    app.scan_from(1, &library, 170, Some(far())).await;
    app.scan(4, &library, 170).await;
    // Person 5's phone told nothing: unproven counts for the weaker class only.
    assert_eq!(app.scan_from(5, &teahouse, 170, None).await["presence"], "unproven");
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    assert_eq!(run["summary"]["trail_stays"], 1, "{run}");
    let path = format!("/v1/runs/{}/contacts?purpose=review", run["id"].as_str().unwrap());
    let contacts = investigator.get(&path).await.expect(200);
    let found: Vec<_> = contacts
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["visitor"].as_str().unwrap(), c["class"].as_str().unwrap()))
        .collect();
    let (three, five) = (app.visitor(3).to_hex(), app.visitor(5).to_hex());
    assert_eq!(found, [(three.as_str(), "close"), (five.as_str(), "exposed_place")]);
    // Seconds from 175 minutes ago until the case's usual stay in a teahouse ended.
    let whole = format!(
        "select extract(epoch from until_at - from_at) - 300 from stays where visitor = '{}' and presence > 0",
        app.visitor(1).to_uuid()
    );
    assert_eq!(contacts[0]["together_secs"], app.number(&whole).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_case_under_the_same_pack_gives_the_same_digest() {
    let story = story(&[]).await;
    let first = story.investigator.get(&format!("/v1/runs/{}", story.run)).await.expect(200);
    let second = story.app.run(&story.investigator, &story.case).await;
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["digest"].as_str().unwrap().len(), 64);
    assert_eq!(first["digest"], second["digest"]);
    assert_eq!(first["summary"], second["summary"]);
    assert_eq!(second["rule_pack"], "baseline@1");
    // One more contact is another result.
    story.app.scan_from(7, &story.teahouse, 100, Some(near())).await;
    story.app.settle().await;
    assert_ne!(story.app.run(&story.investigator, &story.case).await["digest"], first["digest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_a_pack_never_changes() {
    let story = story(&[]).await;
    let admin = story.app.staff(Role::Administrator, "410000").await;
    let text = include_str!("../../../policies/baseline-1.toml");
    admin.post("/v1/rule-packs", &json!({ "text": text })).await.expect(201);
    let harder = text.replace("together_mins = 60", "together_mins = 1");
    assert_ne!(harder, text);
    assert!(admin.post("/v1/rule-packs", &json!({ "text": harder })).await.problem(409).contains("version"));
    admin
        .post("/v1/rule-packs", &json!({ "text": harder.replace("version = 1", "version = 2") }))
        .await
        .expect(201);
    assert_eq!(story.app.number("select count(*) from rule_packs").await, 2);
    for sql in ["update rule_packs set body = ''", "delete from rule_packs"] {
        assert!(story.app.sql(sql).await.unwrap_err().contains("append-only"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_assignment_and_letter_names_pack_and_version() {
    let story = story(&[]).await;
    story.app.release(&story.investigator, &story.run).await;
    let named = "select count(*) from assignments a join runs r on r.id = a.run_id
                 where (a.pack_id, a.pack_version) = (r.pack_id, r.pack_version) and a.pack_id = 'baseline'";
    assert_eq!(story.app.number(named).await, 2);
    assert_eq!(
        story.app.number("select count(*) from letters where body ->> 'rule_pack' = 'baseline@1'").await,
        2
    );
}
