//! Likely duplicates: shown to who reviews, with the reason, and to nobody else.

use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::people::new_venue;

fn venue(name: &str, address: &str, lat: f64, code: Option<&str>) -> Value {
    let mut venue = new_venue(name, "restaurant");
    (venue["address"], venue["lat_deg"], venue["credit_code"]) = (json!(address), json!(lat), json!(code));
    venue
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_there_already_is_shown_with_the_reason() {
    const CODE: &str = "91330100799655058B";
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let mut ids = Vec::new();
    for form in [
        venue("星河餐厅", "花园路1号", 34.7466, Some(CODE)),
        // The same licence at the same address, entered 3 km away under another name.
        venue("春天火锅", "花园路 １号", 34.7750, Some(CODE)),
        // The same place under nearly the same name, without a licence.
        venue("星河餐厅（花园路店）", "花园路一号", 34.74662, None),
        // The same place, another shop of the mall.
        venue("老王烧饼", "花园路1号", 34.7466, None),
        // The same name in another street.
        venue("星河餐厅", "东风路9号", 34.7600, None),
        // The same chain in another street.
        venue("星河二店", "农业路3号", 34.7600, Some(CODE)),
    ] {
        let made = manager.post("/v1/venues", &form).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let path = format!("/v1/venues/{}/duplicates", ids[0]);
    let found = inspector.get(&path).await.expect(200);
    let found: Vec<(&str, &str)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["why"]["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [(ids[2].as_str(), "near_and_alike"), (ids[1].as_str(), "same_licence_and_address")]);
    manager.get(&path).await.problem(403);

    let page = app.desk(&inspector).get("/inspect").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for part in ["可能重复登记", "信用代码和地址相同", "名称相似度 100 %", "春天火锅", "91330100799655058B"]
    {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    // One that was closed is no duplicate: whoever moves closes and registers anew.
    let closed = json!({ "state": "closed", "reason": "重复" });
    inspector.post(&format!("/v1/venues/{}/review", ids[2]), &closed).await.expect(200);
    assert_eq!(inspector.get(&path).await.expect(200).as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_duplicates_are_shown_at_the_most() {
    let app = TestApp::start().await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let mut last = String::new();
    for _ in 0..22 {
        let made = inspector.post("/v1/venues", &new_venue("星河餐厅", "restaurant")).await.expect(201);
        made["id"].as_str().unwrap().clone_into(&mut last);
    }
    let found = inspector.get(&format!("/v1/venues/{last}/duplicates")).await.expect(200);
    assert_eq!(found.as_array().unwrap().len(), 20);
}
