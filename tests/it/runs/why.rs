//! Asking of a contact why: the rule with its sources, every meeting, and what was missing for a stronger class.

use placecode::domain::access::Role;
use serde_json::json;

use super::dry::teahouse;

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_explained_by_its_rule_its_meetings_and_what_was_missing() {
    let story = teahouse().await;
    let run = story.app.run(&story.investigator, &story.case).await["id"].as_str().unwrap().to_owned();
    let of = |number| format!("/v1/runs/{run}/contacts/{}/why", story.app.visitor(number).to_hex());
    let why = story.investigator.get(&format!("{}?purpose=review", of(3))).await.expect(200);
    assert_eq!(
        (&why["contact"]["class"], &why["rule_pack"]),
        (&json!("exposed_place"), &json!("baseline@1"))
    );
    let reason = why["reason_en"].as_str().unwrap();
    assert!(reason.contains("20 minutes with the case") && reason.contains("15 minutes"), "{reason}");
    assert!(why["reason_zh"].as_str().unwrap().contains("20分钟"), "{why}");
    let numbers = why["numbers"].as_array().unwrap();
    let together = numbers.iter().find(|number| number["key"] == "together_mins").unwrap();
    assert_eq!(together["value"], 15);
    assert!(together["basis"].as_str().unwrap().contains("WHO"), "{together}");
    // A close contact needs an hour, and nobody was in a vehicle.
    let stronger = &why["stronger"];
    assert_eq!((&stronger[0]["class"], &stronger[1]["class"]), (&json!("close"), &json!("same_vehicle")));
    assert_eq!(stronger[0]["missing_en"], "20 minutes counted, of 60 needed");
    assert_eq!(stronger.as_array().unwrap().len(), 2);
    assert_eq!(why["evidence"][0]["venue"], "老茶馆");
    // Nothing is missing for who has the strongest class.
    let close = story.investigator.get(&format!("{}?purpose=review", of(2))).await.expect(200);
    assert_eq!((&close["contact"]["class"], &close["stronger"]), (&json!("close"), &json!([])));
    // Each was a look.
    assert_eq!(story.app.number("select count(*) from audit_entries where action = 'persons.seen'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_contact_or_not_ones_own_is_not_explained() {
    let story = teahouse().await;
    let run = story.app.run(&story.investigator, &story.case).await["id"].as_str().unwrap().to_owned();
    let path = |who: &str| format!("/v1/runs/{run}/contacts/{who}/why");
    let contact = path(&story.app.visitor(2).to_hex());
    story.investigator.get(&contact).await.problem(422);
    story.investigator.get(&format!("{contact}?purpose=x")).await.problem(422);
    story.investigator.get(&format!("{}?purpose=review", path("nobody"))).await.problem(422);
    let stranger = path(&story.app.visitor(9).to_hex());
    story.investigator.get(&format!("{stranger}?purpose=review")).await.problem(404);
    let elsewhere = story.app.staff(Role::Investigator, "310100").await;
    elsewhere.get(&format!("{contact}?purpose=review")).await.problem(403);
    assert_eq!(story.app.number("select count(*) from audit_entries where action = 'persons.seen'").await, 0);
}
