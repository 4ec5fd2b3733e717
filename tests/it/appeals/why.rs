//! Why somebody is red, without the case: nothing in the answer points to it.

use chrono::DateTime;
use serde_json::{Value, json};

use super::story;

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_is_explained_and_the_case_is_not_revealed() {
    let story = story(&[]).await;
    let app = &story.app;
    let own = story.person.get("/v1/me/assignments").await.expect(200);
    let one = &own[0];
    assert_eq!(
        (&one["class"], &one["colour"], &one["state"]),
        (&json!("close"), &json!("red"), &json!("delivered"))
    );
    assert_eq!(one["rule_pack"], "baseline@1");
    assert!(one["class_words"]["zh"].as_str().unwrap().contains("密切接触者"));
    assert!(!one["numbers"].as_array().unwrap().is_empty());
    assert!(one["numbers"][0]["basis"].as_str().unwrap().len() > 5);
    assert_eq!(one["authority"], "郑州市疾病预防控制中心");
    assert_eq!(one["legal_basis"], "传染病防治法第三十九条");
    assert!(one["appeal_url"].as_str().unwrap().ends_with(&format!("/me/appeals/{}", story.assignment)));
    assert_eq!(one["no_appeal"], Value::Null);
    let kinds: Vec<&Value> = one["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["released", "delivered"]);

    // Two people were there: the venue and the part of the day, and nothing by which the other could be told.
    let place = &one["places"][0];
    assert_eq!((&place["place"], &place["told"]), (&json!("老茶馆"), &json!("part_of_day")));
    let at = |key: &str| place[key].as_str().unwrap().parse::<DateTime<chrono::Utc>>().unwrap();
    assert_eq!((at("until") - at("from")).num_hours() % 6, 0);
    let text = own.to_string();
    let hidden = [
        story.case.clone(),
        story.run.clone(),
        app.visitor(1).to_hex(),
        app.visitor(1).to_uuid().to_string(),
    ];
    for secret in &hidden {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for key in ["together_secs", "meetings", "case", "run", "visitor"] {
        assert!(one.get(key).is_none(), "{key}");
    }
    // Nobody else sees it, and one by one it is the same.
    let path = format!("/v1/me/assignments/{}", story.assignment);
    assert_eq!(story.person.get(&path).await.expect(200), *one);
    app.person(1).await.get(&path).await.problem(404);
    assert_eq!(app.person(1).await.get("/v1/me/assignments").await.expect(200), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_the_point_and_the_quarters_are_told() {
    let story = story(&[]).await;
    for number in 10..15 {
        story.app.scan(number, &story.teahouse, 165).await;
    }
    story.app.settle().await;
    let own = story.person.get("/v1/me/assignments").await.expect(200);
    let place = &own[0]["places"][0];
    assert_eq!(place["told"], "quarter");
    assert!(place["place"].as_str().unwrap().starts_with("老茶馆 · "), "{place}");
    for key in ["from", "until"] {
        let at: DateTime<chrono::Utc> = place[key].as_str().unwrap().parse().unwrap();
        assert_eq!(at.timestamp() % 900, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_stays_to_be_seen_and_can_be_appealed_against_for_a_month() {
    let story = story(&[]).await;
    let app = &story.app;
    app.pass(60 * 24 * 15);
    app.settle().await;
    let path = format!("/v1/me/assignments/{}", story.assignment);
    let person = app.person(2).await;
    let own = person.get(&path).await.expect(200);
    assert_eq!((&own["state"], &own["no_appeal"]), (&json!("expired"), &Value::Null));
    app.pass(60 * 24 * 31);
    app.settle().await;
    let person = app.person(2).await;
    assert!(person.get(&path).await.expect(200)["no_appeal"].as_str().unwrap().contains("30 days"));
    let appeal = person.post(&format!("{path}/appeals"), &json!({ "reason": "not_there" })).await;
    appeal.problem(409);
}
