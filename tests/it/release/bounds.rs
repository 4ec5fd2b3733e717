//! How many people one release and one hour may colour, and what stops them all.

use placecode::domain::access::Role;
use serde_json::json;

use super::{BASIS, held, story};

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_confirms_how_many_people_a_large_run_colours() {
    let story = story(&["--release-warning", "2"], &[(2, 170), (3, 90)]).await;
    story.propose().await.expect(202);
    let record = story.record().await;
    assert_eq!((&record["people"], &record["confirm_people"]), (&json!(2), &json!(true)));
    let officer = story.officer(Role::ReleasingOfficer).await;
    assert!(story.word(&officer).await.problem(422).contains("people: this run colours 2"));
    let word = |people: i64| json!({ "legal_basis": BASIS, "people": people });
    for wrong in [0, 1, 3, -2] {
        officer.post(&story.path("/release"), &word(wrong)).await.problem(422);
    }
    assert_eq!(story.app.number("select count(*) from releases").await, 0);
    officer.post(&story.path("/release"), &word(2)).await.expect(202);
    let second = story.officer(Role::ReleasingOfficer).await;
    let page = story.app.desk(&second).get("/release").await.text;
    assert!(page.contains("请填写将被赋色的人数以确认"), "{page}");
    second.post(&story.path("/release"), &word(2)).await.expect(202);
    story.app.settle().await;
    let record = story.record().await;
    assert_eq!(record["state"], "released");
    assert_eq!((&record["words"][0]["people"], &record["held"]["confirmed"]), (&json!(2), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_division_releases_so_many_an_hour_whoever_gives_the_word() {
    let mut story = story(&["--release-block-hour", "3"], &[(2, 170), (3, 165), (4, 160)]).await;
    story.propose().await.expect(202);
    story.words().await;
    assert_eq!(story.see().await["state"], "released");
    let first = std::mem::take(&mut story.run);

    // Person 2 is a case too, whom the others met.
    let case = story.app.case(&story.investigator, 2).await;
    story.run = story.app.run(&story.investigator, &case).await["id"].as_str().unwrap().to_owned();
    story.propose().await.expect(202);
    story.words().await;
    let chief = story.officer(Role::ChiefOfficer).await;
    story.word(&chief).await.expect(202);
    let run = story.see().await;
    assert_eq!(run["held_by"], json!([{ "what": "hour", "released": 3, "at_most": 3 }]), "{run}");
    // The hour passes.
    story.app.pass(59);
    story.app.settle().await;
    assert_eq!(story.see().await["state"], "proposed");
    story.app.pass(2);
    story.app.settle().await;
    assert_eq!(story.see().await["state"], "released");

    // Another division has an hour of its own, and a chief may lift it for one run in writing.
    let case = story.app.case(&story.investigator, 3).await;
    story.run = story.app.run(&story.investigator, &case).await["id"].as_str().unwrap().to_owned();
    story.propose().await.expect(202);
    story.words().await;
    assert_eq!(held(&story.see().await), ["hour"]);
    let reason = json!({ "reason": "省指挥部批准：同一场所" });
    let officer = story.officer(Role::ReleasingOfficer).await;
    officer.post(&story.path("/lifts"), &reason).await.problem(403);
    chief.post(&story.path("/lifts"), &json!({ "reason": "x" })).await.problem(422);
    chief.post(&story.path("/lifts"), &reason).await.expect(202);
    chief.post(&story.path("/lifts"), &reason).await.problem(409);
    story.app.settle().await;
    let record = story.record().await;
    assert_eq!((&record["state"], &record["lifted"]["reason"]), (&json!("released"), &reason["reason"]));
    assert_eq!(
        story.app.number("select count(*) from audit_entries where action = 'run.hour_lifted'").await,
        1
    );
    story.run = first;
    assert_eq!(story.record().await["people"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emergency_stop_holds_releases_and_all_that_goes_out() {
    let story = story(&[], &[(2, 170), (3, 90)]).await;
    story.propose().await.expect(202);
    let officer = story.officer(Role::ReleasingOfficer).await;
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    story.words().await;
    assert_eq!(held(&story.see().await), ["stopped"]);
    assert_eq!(story.app.number("select count(*) from letters").await, 0);
    assert_eq!(story.app.number("select count(*) from assignments where state <> 0").await, 0);
    let page = story.app.desk(&officer).get("/release").await.text;
    assert!(page.contains("紧急停止中"), "{page}");
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    story.app.settle().await;
    assert_eq!(
        (story.see().await["state"].clone(), story.colour(2).await),
        (json!("released"), json!("red"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_names_authority_legal_basis_and_people() {
    let story = story(&[], &[(2, 170), (3, 90)]).await;
    let before = story.record().await;
    assert_eq!(
        (&before["state"], &before["held_by"], &before["words"]),
        (&json!("computed"), &json!([]), &json!([]))
    );
    story.propose().await.expect(202);
    let record = story.record().await;
    assert_eq!(held(&record), ["words", "releasing_officer"]);
    assert_eq!(record["proposed"]["who"], "investigator");
    let counts = json!([
        { "what": "close", "colour": "red", "people": 1 },
        { "what": "exposed_place", "colour": "yellow", "people": 1 },
    ]);
    assert_eq!(record["counts"], counts);
    let chief = story.officer(Role::ChiefOfficer).await;
    chief.post(&story.path("/release"), &json!({ "legal_basis": "第四十一条" })).await.expect(202);
    let officer = story.officer(Role::ReleasingOfficer).await;
    story.word(&officer).await.expect(202);
    let record = story.record().await;
    assert_eq!(record["authority"], "郑州市疾病预防控制中心");
    assert_eq!(record["legal_bases"], json!(["第四十一条", BASIS]));
    assert_eq!((&record["people"], record["counts"].as_array().unwrap().len()), (&json!(2), 2));
    let roles: Vec<_> = record["words"].as_array().unwrap().iter().map(|word| &word["role"]).collect();
    assert_eq!(roles, ["chief_officer", "releasing_officer"]);
    assert!(record["released_at"].is_string());
    let text = record.to_string();
    assert!((1..4).all(|number| !text.contains(&story.hex(number))), "counts name nobody");
    // Staff of another division are told nothing.
    let elsewhere = story.app.staff(Role::ReleasingOfficer, "420100").await;
    elsewhere.get(&story.path("/release")).await.problem(403);
}
