//! The picture of a code that goes round.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_picture_is_found_by_no_run_and_the_inspector_hears_of_it() {
    let henan = Henan::begin(&[]).await;
    let app = &henan.app;
    // The inspector is told, and ends the picture.
    let inspector = app.staff(Role::Inspector, "410100").await;
    let alarms = inspector.get("/v1/alarms?state=open").await.expect(200);
    assert_eq!(alarms.as_array().unwrap().len(), 1, "{alarms}");
    let alarm = &alarms[0];
    assert_eq!((&alarm["point_id"], &alarm["sign"]), (&json!(henan.station.point), &json!("elsewhere")));
    assert_eq!(henan.told("alarm.raised").await, 1);
    let path = format!("/v1/alarms/{}", alarm["id"].as_str().unwrap());
    inspector.post(&path, &json!({ "act": "rotate" })).await.expect(200);
    crate::support::until("the picture is refused", async || {
        app.person(14).await.post("/v1/scans", &json!({ "code": henan.station.code })).await.status == 422
    })
    .await;

    // A laboratory finds somebody ill who was there, and the harshest rules are taken.
    app.pass(90);
    let case = henan.case_of(ILL).await;
    let run = henan.run(&case).await;
    assert_eq!(henan.found(&run, "red").await, present(), "those who were there, and they alone");
    assert!(henan.found(&run, "yellow").await.is_empty());
    app.release(&henan.investigator, &run).await;
    for number in present() {
        assert_eq!(
            app.colour(number).await["colour"],
            "red",
            "person {number}: equal exposure, equal result"
        );
    }
    for number in BY_PHOTO.chain(FAMILY) {
        assert_eq!(app.colour(number).await["colour"], "green", "person {number}");
    }
    // Mr Deng and his family see the same: a check-in that counts for nothing.
    for number in [*BY_PHOTO.start(), *FAMILY.start()] {
        let stays = app.person(number).await.get("/v1/me/stays").await.expect(200);
        let told: Vec<&Value> = stays.as_array().unwrap().iter().map(|stay| &stay["presence"]).collect();
        assert_eq!(told, [&json!("contradicted")], "{stays}");
        assert!(
            app.person(number).await.get("/v1/me/looks").await.expect(200).as_array().unwrap().is_empty()
        );
    }
    // A companion sees who has looked; nobody's own looks are hidden.
    let looks = app.person(*COMPANIONS.start()).await.get("/v1/me/looks").await.expect(200);
    assert!(!looks.as_array().unwrap().is_empty());
    henan.the_log_is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_tells_nothing_is_weak_and_never_enough_for_red() {
    let henan = Henan::begin(&[]).await;
    let app = &henan.app;
    app.scan_from(32, &henan.station, 5, None).await;
    app.settle().await;
    app.pass(90);
    let case = henan.case_of(ILL).await;
    let run = henan.run(&case).await;
    assert_eq!(henan.found(&run, "red").await, present());
    assert_eq!(henan.found(&run, "yellow").await, BTreeSet::from([32]));
    // No rules can make a contradicted check-in count, whoever loads them.
    let admin = app.staff(Role::Administrator, "410000").await;
    let text = include_str!("../../../policies/baseline-1.toml")
        .replace("version = 1", "version = 9")
        .replace("presence_min = \"unproven\"", "presence_min = \"contradicted\"");
    admin.post("/v1/rule-packs", &json!({ "text": text })).await.problem(422);
}
