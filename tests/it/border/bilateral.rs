//! From one side to the other: Hubei decides by its own pack about who was exposed in Henan.

use placecode::domain::assertion::verify_person;
use placecode::domain::webhook::SigningKey;
use placecode::pipeline::run::Step;
use serde_json::json;

use super::stage::{Side, Story, agreement, alias, alias_keys, assert_no_colour, own, secret};
use super::wire::Wire;

/// Hubei's border file.
pub fn hubei() -> String {
    own("420000", "湖北省疾病预防控制中心", "hubei-2020-1")
        + &alias_keys("henan-hubei")
        + &agreement("henan-hubei", "bilateral", "420000", &secret("second"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_side_decides_by_its_own_rules_and_takes_back_the_same() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "second", &hubei());
    let wire = Wire::to(hubei.address);
    story.agree("henan-hubei", &story.agreed(&wire.url("/v1/hand-overs"), "bilateral", "420000")).await;
    // Person 2 was seen there before, person 3 was not.
    hubei.meets(2).await;
    let run = story.release().await;

    // Here, neither has a colour, and the one who lives here has.
    assert_eq!(story.end_of(2).await, json!({ "state": 4, "reason": "handed over to 420000" }));
    assert_eq!(story.end_of(3).await["reason"], "handed over to 420000");
    assert_eq!(story.app.colour(4).await["colour"], "red");
    for number in [2, 3] {
        assert_eq!(story.app.colour(number).await["colour"], "green");
    }
    let letters = "select count(*) from letters";
    assert_eq!(story.app.number(letters).await, 1, "nobody is told of what is decided elsewhere");
    assert_eq!(story.app.number("select count(*) from runs where state = 5").await, 1, "{run}");

    // There, two hours in a room are yellow for fourteen days, and half an hour is nothing.
    let shown = hubei.shows(2).await;
    assert_eq!(shown["colour"], "yellow", "{shown}");
    let measure = &shown["assignments"][0];
    assert_eq!((&measure["rule_pack"], &measure["division"]), (&json!("hubei-2020@1"), &json!("420000")));
    assert_eq!(measure["authority"], "湖北省疾病预防控制中心");
    let grounds = "突发公共卫生事件应急条例; 郑州市疾病预防控制中心 (410100): 传染病防治法第三十九条";
    assert_eq!(measure["legal_basis"], grounds, "the visitor reads who has told the facts");
    assert!(measure["exposures"][0]["place"].as_str().unwrap().starts_with("老茶馆"), "{measure}");
    hubei.meets(3).await;
    assert_eq!(hubei.shows(3).await["colour"], "green");

    // What was decided is answered, and no colour goes either way.
    let receipt = &story.hand_over(2).await["receipt"];
    assert_eq!((&receipt["decided"], &receipt["until"]), (&json!("measure"), &measure["expires_at"]));
    assert_eq!(receipt["authority"], "湖北省疾病预防控制中心");
    assert_eq!(story.hand_over(3).await["receipt"]["decided"], "no_measure");
    assert_no_colour(&wire.carried());
    let sent = wire.carried().concat();
    assert!(sent.contains(&alias(2).to_hex()) && sent.contains("infectious_day"));
    for ours in [story.app.visitor(1), story.app.visitor(2), hubei.visitor(2)] {
        assert!(!sent.contains(&ours.to_hex()), "a pseudonym travels");
    }
    assert!(!sent.contains(&story.case) && !sent.contains(&run), "the case travels");

    // Taking the case back takes back exactly that, for good.
    let first = wire.carried()[0].clone();
    story.withdraw().await;
    assert_eq!(hubei.shows(2).await["colour"], "green");
    assert_eq!(story.hand_over(2).await["receipt"]["decided"], "taken_back");
    assert_no_colour(&wire.carried());
    let key = SigningKey::parse(&secret("second")).unwrap();
    let (status, again) = hubei.told(&key, "/v1/hand-overs", &first, story.app.now()).await;
    assert_eq!((status, &again["decided"]), (200, &json!("taken_back")));
    assert_eq!(hubei.shows(2).await["colour"], "green");
    let audit = "select count(*) from audit_entries where action in ('run.turned_aside', 'hand_overs.sent')";
    assert!(story.app.number(audit).await >= 3);
    let named = format!("select count(*) from audit_entries where detail like '%{}%'", alias(2).to_hex());
    assert_eq!(story.app.number(&named).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_survives_a_dead_wire_and_is_decided_once() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "second", &hubei());
    let wire = Wire::to(hubei.address);
    story.agree("henan-hubei", &story.agreed(&wire.url("/v1/hand-overs"), "bilateral", "420000")).await;
    hubei.meets(2).await;
    wire.cut(true);
    story.release().await;
    let waiting = story.hand_over(2).await;
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("waiting"), &json!(1)));
    assert_eq!(story.app.number("select count(*) from hand_overs where due_at > created_at").await, 2);
    // It arrives, and nobody hears that it did: it is sent again, and decided once.
    wire.cut(false);
    wire.deafen(true);
    story.app.pass(1);
    story.app.settle().await;
    assert_eq!(story.hand_over(2).await["state"], "waiting");
    assert_eq!(hubei.shows(2).await["colour"], "yellow");
    wire.deafen(false);
    story.app.pass(1);
    story.app.settle().await;
    assert_eq!(story.hand_over(2).await["state"], "delivered");
    let kept = "select count(*) from border_measures";
    assert_eq!(hubei.database.number(kept).await, 1);
    assert_eq!(hubei.shows(2).await["assignments"].as_array().unwrap().len(), 1);
    // The receipt is the first one's, word for word.
    let stored = hubei
        .database
        .rows(
            "select receipt->>'until' as until from border_hand_overs where receipt->>'decided' = 'measure'",
        )
        .await;
    assert_eq!(stored[0]["until"], story.hand_over(2).await["receipt"]["until"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_sent_is_never_heard_of_and_the_emergency_stop_holds_it() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "second", &hubei());
    let wire = Wire::to(hubei.address);
    story.agree("henan-hubei", &story.agreed(&wire.url("/v1/hand-overs"), "bilateral", "420000")).await;
    let run = story.app.run(&story.investigator, &story.case).await["id"].as_str().unwrap().to_owned();
    released_only(&story, &run).await;
    let admin = story.app.staff(placecode::domain::access::Role::Administrator, "100000").await;
    admin.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    story.app.settle().await;
    assert_eq!(story.hand_over(2).await["state"], "waiting");
    assert!(wire.carried().is_empty());
    story.withdraw().await;
    admin.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    story.app.settle().await;
    assert_eq!(story.hand_over(2).await["state"], "never_sent");
    assert!(wire.carried().is_empty());
}

/// Two officers have let a run go, and nothing is sent yet.
pub async fn released_only(story: &Story, run: &str) {
    story.investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.expect(202);
    story.app.settle().await;
    for _ in 0..2 {
        let officer = story.app.staff(placecode::domain::access::Role::ReleasingOfficer, "410100").await;
        let word = json!({ "legal_basis": "传染病防治法第三十九条" });
        officer.post(&format!("/v1/runs/{run}/release"), &word).await.expect(202);
    }
    Step::Release.take(&story.app.app).await.unwrap();
    assert_eq!(story.app.number("select count(*) from hand_overs where state = 0").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_takes_back_and_hands_over_anew() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "second", &hubei());
    let url = format!("http://{}/v1/hand-overs", hubei.address);
    story.agree("henan-hubei", &story.agreed(&url, "bilateral", "420000")).await;
    hubei.meets(2).await;
    story.release().await;
    assert_eq!(hubei.shows(2).await["colour"], "yellow");
    let path = format!("/v1/cases/{}/trail?purpose=流行病学调查", story.case);
    let trail = story.investigator.get(&path).await.expect(200);
    let stays = trail["stays"].as_array().or_else(|| trail.as_array()).unwrap();
    let at_tea =
        stays.iter().find(|stay| stay["venue"] == "老茶馆" || stay.to_string().contains("老茶馆")).unwrap();
    let removal = format!("/v1/cases/{}/trail/{}/removal", story.case, at_tea["id"].as_str().unwrap());
    let answer =
        story.investigator.post(&removal, &json!({ "source": "camera", "reason": "监控显示当时不在" })).await;
    assert!(answer.status < 300, "{}", answer.text);
    story.app.settle().await;
    assert_eq!(hubei.shows(2).await["colour"], "green");
    assert_eq!(hubei.database.number("select count(*) from border_measures where ended_at is null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_names_people_for_others_and_keeps_no_identity() {
    let story = Story::begin("henan-hubei").await;
    let henan = Side::start(&story.app, "third", &alias_keys("henan-hubei"));
    let assertion = henan.meets(2).await;
    let key = henan.keys.channel_public_key();
    let (_, aliases) = verify_person(&assertion, &key, story.app.now()).unwrap();
    let named: Vec<_> = aliases.iter().map(|alias| (alias.key.as_str(), alias.person)).collect();
    assert_eq!(named, [("henan-hubei", alias(2))]);
    let dump = henan.database.rows("select * from border_aliases").await;
    assert!(!format!("{dump:?}").to_uppercase().contains("PERSON-2"));
}
