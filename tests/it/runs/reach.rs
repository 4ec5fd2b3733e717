//! Contacts of contacts and companions: what a run reads beyond the case's own places.

use placecode::domain::access::Role;
use serde_json::{Value, json};

use super::dry::{Teahouse, teahouse};
use super::see;

/// A pack with one class more than the baseline.
async fn load(story: &Teahouse, id: &str, class: &str) {
    let admin = story.app.staff(Role::Administrator, "410000").await;
    let text = include_str!("../../../policies/baseline-1.toml")
        .replace("id = \"baseline\"", &format!("id = \"{id}\""));
    let class = format!(
        "{text}\n[[class]]\n{class}\ncolour = \"yellow\"\ngranularities = [\"seat\", \"room\", \"hall\"]
         presence_min = \"unproven\"\ndays = 7\nsource = \"for a test\"\n"
    );
    admin.post("/v1/rule-packs", &json!({ "text": class })).await.expect(201);
}

async fn run(story: &Teahouse, pack: &str) -> Value {
    let body = json!({ "rule_pack": pack, "purpose": "流行病学调查" });
    let run = story.investigator.post(&format!("/v1/cases/{}/runs", story.case), &body).await.expect(202);
    story.app.settle().await;
    see(&story.investigator, run["id"].as_str().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_of_contacts_are_found_explained_released_and_followed_up() {
    let story = teahouse().await;
    let market = story.app.venue("农贸市场", "teahouse").await;
    // Person 9 met person 2 before person 2 met the case, person 7 after it.
    story.app.scan(2, &market, 400).await;
    story.app.scan(9, &market, 390).await;
    story.app.scan(2, &market, 50).await;
    story.app.scan(7, &market, 40).await;
    let class = "class = \"secondary\"\nrelations = [\"same_point\"]\ntogether_mins = 15\nsecondary = { of = [\"close\"], depth = 1 }";
    load(&story, "chain", class).await;
    let found = run(&story, "chain@1").await;
    assert_eq!(
        found["summary"]["classes"],
        json!({ "close": 1, "exposed_place": 1, "secondary": 1 }),
        "{found}"
    );
    let id = found["id"].as_str().unwrap();
    let path = format!("/v1/runs/{id}/contacts/{}/evidence?purpose=review", story.app.visitor(7).to_hex());
    let evidence = story.investigator.get(&path).await.expect(200);
    assert_eq!((&evidence[0]["trail_stay"], &evidence[0]["venue"]), (&Value::Null, &json!("农贸市场")));
    story.app.release(&story.investigator, id).await;
    assert_eq!(story.app.colour(7).await["colour"], "yellow");
    assert_eq!(story.app.colour(9).await["colour"], "green");
    // Somebody else who was with person 2 is known too late.
    story.app.scan(10, &market, 45).await;
    story.app.settle().await;
    let next = see(&story.investigator, id).await["followed_by"].as_str().unwrap().to_owned();
    let next = see(&story.investigator, &next).await;
    assert_eq!(next["difference"], json!({ "added": 1, "removed": 0, "changed": 0, "same": 3 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_is_one_only_after_so_many_hours_in_the_grid() {
    let story = teahouse().await;
    let mall = story.app.venue("商场", "teahouse").await;
    story.app.scan(11, &mall, 170).await;
    let class = |hours: u32| {
        format!(
            "class = \"companion\"\nrelations = [\"same_point\", \"same_venue\", \"nearby_cell\"]
             together_mins = 10\ncompanion = {{ stay_hours = {hours}, within_days = 14 }}"
        )
    };
    load(&story, "near", &class(1)).await;
    load(&story, "far", &class(9)).await;
    let near = run(&story, "near@1").await;
    assert_eq!(near["summary"]["classes"]["companion"], 1, "{near}");
    let far = run(&story, "far@1").await;
    assert_eq!(far["summary"]["classes"]["companion"], Value::Null, "{far}");
    assert_eq!(far["summary"]["contacts"], 2);
}
