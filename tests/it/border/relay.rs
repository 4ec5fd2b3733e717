//! Through the national platform, which verifies, signs anew and passes on, and keeps no more than that it did.

use serde_json::json;

use super::stage::{FIELDS, Side, Story, agreement, alias, alias_keys, assert_no_colour, own, secret};
use super::wire::Wire;

/// Hubei, which takes hand-overs that the national platform has signed.
fn hubei() -> String {
    own("420000", "湖北省疾病预防控制中心", "hubei-2020-1")
        + &alias_keys("henan-hubei")
        + &agreement("henan-hubei", "relay", "420000", &secret("third"))
}

/// The national platform: it decides nothing here, and holds no key of a name.
fn relay(to: &str, until: &str) -> String {
    let agreed =
        agreement("henan-hubei", "relay", "420000", &secret("second")).replace("2026-04-15T00:00:00Z", until);
    format!("{agreed}[agreement.forward]\nurl = \"{to}\"\npeer_key = \"{}\"\n", secret("third"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_passes_on_both_ways_and_keeps_only_the_record() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "third", &hubei());
    let second_leg = Wire::to(hubei.address);
    let national =
        Side::start(&story.app, "fourth", &relay(&second_leg.url("/v1/hand-overs"), "2026-04-15T00:00:00Z"));
    let first_leg = Wire::to(national.address);
    story.agree("henan-hubei", &story.agreed(&first_leg.url("/v1/hand-overs"), "relay", "420000")).await;
    hubei.meets(2).await;

    // While the far side is away, nothing is lost and nothing is kept on the way.
    second_leg.cut(true);
    story.release().await;
    assert_eq!(story.hand_over(2).await["state"], "waiting");
    second_leg.cut(false);
    story.app.pass(1);
    story.app.settle().await;
    assert_eq!(story.hand_over(2).await["receipt"]["authority"], "湖北省疾病预防控制中心");
    assert_eq!(story.hand_over(3).await["receipt"]["decided"], "no_measure");
    assert_eq!(hubei.shows(2).await["colour"], "yellow");
    assert_eq!(story.app.colour(2).await["colour"], "green");
    assert_no_colour(&[first_leg.carried(), second_leg.carried()].concat());

    let rows = national.database.rows("select * from border_hand_overs").await;
    assert_eq!(rows.len(), 2);
    let kept = format!("{rows:?}");
    assert!(rows.iter().all(|row| row["relayed"] == true && row["receipt"].is_null()), "{kept}");
    assert!(!kept.contains(&alias(2).to_hex()) && !kept.contains(&alias(2).to_uuid().to_string()));
    assert_eq!(national.database.number("select count(*) from border_measures").await, 0);
    assert_eq!(national.database.number("select count(*) from border_aliases").await, 0);

    story.withdraw().await;
    assert_eq!(hubei.shows(2).await["colour"], "green");
    assert_eq!(story.hand_over(2).await["receipt"]["decided"], "taken_back");
    let record = national.database.rows("select withdrawn_at from border_hand_overs").await;
    assert!(record.iter().all(|row| !row["withdrawn_at"].is_null()));
    assert_no_colour(&[first_leg.carried(), second_leg.carried()].concat());
    // Each leg has its own signature: what Hubei trusts is the national platform, not whoever shares its secret.
    let sent = first_leg.carried().into_iter().find(|text| text.contains("\"withdrawn\":false")).unwrap();
    let henan = placecode::domain::webhook::SigningKey::parse(&secret("second")).unwrap();
    assert_eq!(hubei.told(&henan, "/v1/hand-overs", &sent, story.app.now()).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_that_ended_on_the_way_stops_it_and_lets_back_what_was_given() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "third", &hubei());
    let wire = Wire::to(hubei.address);
    // The national platform's part ends in ten minutes; ours does not.
    let ends = story.app.now() + chrono::TimeDelta::minutes(10);
    let national = Side::start(&story.app, "fourth", &relay(&wire.url("/v1/hand-overs"), &ends.to_rfc3339()));
    let url = format!("http://{}/v1/hand-overs", national.address);
    story.agree("henan-hubei", &story.agreed(&url, "relay", "420000")).await;
    hubei.meets(2).await;
    story.release().await;
    assert_eq!(hubei.shows(2).await["colour"], "yellow");
    story.app.pass(11);
    // Another person of Hubei comes into the next run, and is stopped on the way.
    super::stage::lives(&story.app, 5, "420106", "henan-hubei").await;
    story.app.scan(5, &story.teahouse, 180).await;
    story.app.settle().await;
    let before = wire.carried().len();
    story.release().await;
    let stopped = story.hand_over(5).await;
    assert_eq!(stopped["state"], "buried", "{stopped}");
    assert!(stopped["last_error"].as_str().unwrap().contains("not in force"));
    assert_eq!(wire.carried().len(), before);
    story.withdraw().await;
    assert_eq!(hubei.shows(2).await["colour"], "green", "what takes back passes");
    assert_eq!(FIELDS.len(), 11);
    assert_eq!(story.app.number("select count(*) from hand_overs where withdrawn_at is null").await, 0);
    let receipt = &story.hand_over(2).await["receipt"];
    assert_eq!(receipt["decided"], json!("taken_back"));
}
