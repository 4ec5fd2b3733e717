//! A whole place: everybody there or nobody, by a right of its own, and a chief's word. What rule packs ask of releases.

use placecode::domain::access::Role;
use serde_json::{Value, json};

use super::{Story, held, story};

fn whole(story: &Story, to: &str) -> Value {
    json!({
        "venue": story.place.venue, "to": to, "authority": "河南省卫生健康委员会", "reason": "经评估，影响严重的场所",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_escalated_as_a_whole_and_takes_a_chief() {
    let story = story(&[], &[(2, 170), (3, 90), (4, 77)]).await;
    let shop = story.app.venue("书店", "shop").await;
    let (path, authority) = (story.path("/escalations"), story.officer(Role::PlaceAuthority).await);
    for role in [Role::Investigator, Role::ReleasingOfficer, Role::ChiefOfficer, Role::Administrator] {
        story.officer(role).await.post(&path, &whole(&story, "close")).await.problem(403);
    }
    let elsewhere =
        json!({ "venue": shop.venue, "to": "close", "authority": "省卫健委", "reason": "影响严重" });
    authority.post(&path, &elsewhere).await.problem(409);
    authority.post(&path, &whole(&story, "red")).await.problem(422);
    for wrong in [
        json!({ "to": "close", "authority": "省卫健委", "reason": "影响严重" }),
        json!({ "venue": story.place.venue, "point": story.place.point, "to": "close", "authority": "省卫健委", "reason": "影响严重" }),
        json!({ "visitors": [story.hex(3)], "to": "close", "authority": "省卫健委", "reason": "影响严重" }),
    ] {
        authority.post(&path, &wrong).await.problem(422);
    }
    assert_eq!(
        story.app.number("select count(*) from escalations").await,
        0,
        "what is refused leaves nothing"
    );

    let done = authority.post(&path, &whole(&story, "close")).await.expect(201);
    assert_eq!(done["moved"], 2, "person 2 is red by the rules");
    authority.post(&path, &whole(&story, "close")).await.problem(409);
    assert_eq!(story.contact(4).await["computed"]["class"], "exposed_place");
    // The right goes no further: neither persons, nor proposals, nor words.
    authority.get(&story.path("/contacts?purpose=review")).await.problem(403);
    authority.post(&story.path("/proposal"), &json!({})).await.problem(403);
    authority.post(&story.path("/release"), &json!({ "legal_basis": "第三十九条" })).await.problem(403);
    assert_eq!(authority.get(&story.path("")).await.expect(200)["state"], "computed");

    story.propose().await.expect(202);
    story.words().await;
    assert_eq!(story.see().await["held_by"], json!([{ "what": "chief", "because": ["escalation"] }]));
    let force = format!("update runs set state = 5 where id = '{}'", story.run);
    assert!(story.app.sql(&force).await.unwrap_err().contains("chief officer"));
    let chief = story.officer(Role::ChiefOfficer).await;
    story.word(&chief).await.expect(202);
    for number in [2, 3, 4] {
        assert_eq!(story.colour(number).await, "red");
    }
    let record = story.record().await;
    assert_eq!(record["escalations"][0]["authority"], "河南省卫生健康委员会");
    assert_eq!(record["escalations"][0]["by"]["who"], "place_authority");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_escalates_neither_proposes_nor_releases_and_nobody_is_taken_out_alone() {
    let story = story(&[], &[(2, 90), (3, 90), (4, 77)]).await;
    let all = [Role::PlaceAuthority, Role::Investigator, Role::ChiefOfficer];
    let (_, one) = story.app.member(&all, "410100").await;
    let point = json!({
        "point": story.place.point, "to": "close", "authority": "省卫健委", "reason": "影响严重的场所",
    });
    assert_eq!(one.post(&story.path("/escalations"), &point).await.expect(201)["moved"], 3);
    assert!(one.post(&story.path("/proposal"), &json!({})).await.problem(403).contains("escalates"));
    // A friend of somebody's is taken out again.
    story.review(2, "exposed_place").await.expect(200);
    assert!(story.propose().await.problem(422).starts_with("reviews: 2 contacts"));
    story.review(2, "close").await.expect(200);
    story.propose().await.expect(202);
    assert!(story.word(&one).await.problem(403).contains("escalated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_takes_over_what_was_said_before() {
    let mut story = story(&[], &[(2, 170), (3, 100), (5, 76)]).await;
    let authority = story.officer(Role::PlaceAuthority).await;
    story.leave_out(5).await.expect(200);
    authority.post(&story.path("/escalations"), &whole(&story, "close")).await.expect(201);
    story.propose().await.expect(202);
    let officer = story.officer(Role::ReleasingOfficer).await;
    let chief = story.officer(Role::ChiefOfficer).await;
    story.word(&officer).await.expect(202);
    story.word(&chief).await.expect(202);
    assert_eq!((story.colour(3).await, story.colour(5).await), (json!("red"), json!("green")));

    story.app.scan(4, &story.place, 100).await;
    story.app.settle().await;
    story.run = story.see().await["followed_by"].as_str().unwrap().to_owned();
    assert_eq!(story.see().await["difference"], json!({ "added": 1, "removed": 0, "changed": 0, "same": 3 }));
    assert_eq!(story.contact(4).await["class"], "close", "whoever is found later was there as well");
    assert_eq!(story.contact(5).await["exclusion_reason"], "隔壁包间");
    story.propose().await.expect(202);
    story.word(&officer).await.expect(202);
    assert_eq!(held(&story.see().await), ["words", "chief"]);
    story.word(&chief).await.expect(202);
    assert_eq!(story.see().await["state"], "released");
    assert_eq!((story.colour(3).await, story.colour(4).await), (json!("red"), json!("red")));
    assert_eq!(story.app.number("select count(*) from assignments where state = 4").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_asks_for_a_chief_gets_one() {
    let mut story = story(&[], &[(2, 170), (3, 90)]).await;
    let admin = story.app.staff(Role::Administrator, "100000").await;
    let text = include_str!("../../../policies/zhejiang-2020-place-1.toml");
    admin.post("/v1/rule-packs", &json!({ "text": text })).await.expect(201);
    let ask = json!({ "rule_pack": "zhejiang-2020-place@1", "purpose": "流行病学调查" });
    let run = story.investigator.post(&format!("/v1/cases/{}/runs", story.case), &ask).await.expect(202);
    story.app.settle().await;
    story.run = run["id"].as_str().unwrap().to_owned();
    story.propose().await.expect(202);
    assert_eq!(story.record().await["people"], 2);
    story.words().await;
    assert_eq!(story.see().await["held_by"], json!([{ "what": "chief", "because": ["pack"] }]));
    let chief = story.officer(Role::ChiefOfficer).await;
    story.word(&chief).await.expect(202);
    assert_eq!(story.see().await["state"], "released");
    assert_eq!(story.colour(3).await, "red");
}
