//! Two packs on one case: counts, and for a purpose the people.

use placecode::domain::access::Role;
use serde_json::{Value, json};

use super::dry::{Teahouse, teahouse};
use super::see;

/// The baseline with other minutes, under another name.
async fn load(story: &Teahouse, id: &str, change: impl Fn(String) -> String) {
    let admin = story.app.staff(Role::Administrator, "410000").await;
    let text = include_str!("../../../policies/baseline-1.toml");
    let text = change(text.replace("id = \"baseline\"", &format!("id = \"{id}\"")));
    admin.post("/v1/rule-packs", &json!({ "text": text })).await.expect(201);
}

fn id(run: &Value) -> &str {
    run["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_packs_on_one_case_are_told_apart_by_counts_and_for_a_purpose_by_people() {
    let story = teahouse().await;
    // 150 minutes make a close contact, and half an hour an exposed one: person 2 falls a class, person 3 out.
    let strict = |text: String| {
        text.replace("together_mins = 60", "together_mins = 150")
            .replace("together_mins = 15", "together_mins = 30")
    };
    load(&story, "strict", strict).await;
    let path = format!("/v1/cases/{}/comparisons", story.case);
    let body = json!({ "rule_packs": ["baseline@1", "strict@1"], "purpose": "比较规则" });
    let asked = story.investigator.post(&path, &body).await.expect(202);
    let difference = asked["difference"].as_str().unwrap();
    assert!(asked["runs"].as_array().unwrap().iter().all(|run| run["dry"] == true), "{asked}");
    assert!(story.investigator.get(difference).await.problem(409).contains("computed"));
    story.app.settle().await;

    let found = story.investigator.get(difference).await.expect(200);
    assert_eq!(found["rule_packs"], json!(["baseline@1", "strict@1"]));
    let counts =
        ["only_in_first", "only_in_second", "changed", "same"].map(|key| found[key].as_i64().unwrap());
    assert_eq!(counts, [1, 0, 1, 0], "{found}");
    let matrix = json!([
        { "from_class": "close", "from_colour": "red", "to_class": "exposed_place", "to_colour": "yellow", "count": 1 },
        { "from_class": "exposed_place", "from_colour": "yellow", "to_class": null, "to_colour": null, "count": 1 },
    ]);
    assert_eq!((&found["matrix"], &found["people"]), (&matrix, &Value::Null));
    assert_eq!(story.app.number("select count(*) from looks").await, 0);

    assert!(
        story.investigator.get(&format!("{difference}?purpose=ab")).await.problem(422).contains("purpose")
    );
    let officer = story.app.staff(Role::ReleasingOfficer, "410100").await;
    officer.get(&format!("{difference}?purpose=curious")).await.problem(403);
    assert_eq!(story.app.number("select count(*) from looks").await, 0);
    let found = story.investigator.get(&format!("{difference}?purpose=review")).await.expect(200);
    let people: Vec<&str> = found["people"]
        .as_array()
        .unwrap()
        .iter()
        .map(|person| person["visitor"].as_str().unwrap())
        .collect();
    assert_eq!(people, [story.app.visitor(2).to_hex(), story.app.visitor(3).to_hex()]);
    // Whoever is a contact of either run sees the look.
    let looks = story.app.person(3).await.get("/v1/me/looks").await.expect(200);
    assert_eq!(looks[0]["purpose"], "review");
    assert_eq!(story.app.number("select count(*) from looks").await, 2);
    assert_eq!(story.app.number("select count(*) from assignments").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compared_is_refused() {
    let story = teahouse().await;
    let path = format!("/v1/cases/{}/comparisons", story.case);
    for packs in [
        json!(["baseline@1"]),
        json!(["baseline@1", "baseline@1"]),
        json!(["baseline@1", "none@1"]),
        json!([]),
    ] {
        let body = json!({ "rule_packs": packs, "purpose": "比较规则" });
        assert!(story.investigator.post(&path, &body).await.problem(422).contains("rule_pack"), "{packs}");
    }
    assert_eq!(story.app.number("select count(*) from runs").await, 0);
    let mine = story.app.run(&story.investigator, &story.case).await;
    let other = story.app.case(&story.investigator, 2).await;
    let other = story.app.run(&story.investigator, &other).await;
    let path = format!("/v1/runs/{}/difference/{}", id(&mine), id(&other));
    assert!(story.investigator.get(&path).await.problem(422).contains("same case"));
    let elsewhere = story.app.staff(Role::Investigator, "320100").await;
    let path = format!("/v1/runs/{}/difference/{0}", id(&mine));
    elsewhere.get(&path).await.problem(403);
    let found = story.investigator.get(&path).await.expect(200);
    assert_eq!((&found["same"], &found["changed"]), (&json!(2), &json!(0)));
    story.investigator.get(&format!("{path}?offset=-1")).await.problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_compares_a_run_with_another_pack() {
    let story = teahouse().await;
    load(&story, "strict", |text| text.replace("together_mins = 60", "together_mins = 150")).await;
    let run = story.app.run(&story.investigator, &story.case).await;
    let browser = story.app.desk(&story.investigator);
    let page = format!("/runs/{}", id(&run));
    let shown = browser.get(&page).await.text;
    for word in ["老茶馆", "strict@1", "密切接触者"] {
        assert!(shown.contains(word), "{word} is missing in {shown}");
    }
    assert!(!shown.contains(&story.app.visitor(2).to_hex()));
    let fields = [("rule_pack", "strict@1"), ("purpose", "比较规则")];
    let answer = browser.fill(&page, &format!("{page}/comparison"), &fields).await;
    let difference = answer.leads_to().to_owned();
    let other = difference.rsplit('/').next().unwrap().to_owned();
    let waiting = browser.get(&format!("/runs/{other}")).await.text;
    assert!(
        waiting.contains("试算") && waiting.contains(&format!("/runs/{other}/cancellation")),
        "{waiting}"
    );
    story.app.settle().await;
    let shown = browser.get(&difference).await.text;
    assert!(shown.contains("strict@1") && !shown.contains(&story.app.visitor(2).to_hex()), "{shown}");
    let shown = browser.get(&format!("{difference}?purpose=review")).await.text;
    assert!(shown.contains(&story.app.visitor(2).to_hex()), "{shown}");
    assert_eq!(see(&story.investigator, &other).await["dry"], true);
    let next = super::request(&story.investigator, &story.case, "baseline@1").await;
    let page = format!("/runs/{next}");
    browser.fill(&page, &format!("{page}/cancellation"), &[]).await;
    assert_eq!(see(&story.investigator, &next).await["state"], "cancelled");
}
