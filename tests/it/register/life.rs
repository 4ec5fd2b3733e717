//! A venue's life: applied for, sent back, corrected, approved, changed, and every step written down.

use placecode::domain::access::Role;
use placecode::http::venue_life::WAITING_MAX;
use serde_json::{Value, json};

use super::{ask, code_of};
use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::{Place, new_venue};

async fn review(by: &Client, venue: &str, state: &str, reason: &str) -> Answer {
    by.post(&format!("/v1/venues/{venue}/review"), &json!({ "state": state, "reason": reason })).await
}

async fn actions(by: &Client, venue: &str) -> Vec<String> {
    let steps = by.get(&format!("/v1/venues/{venue}/steps")).await.expect(200);
    let action = |step: &Value| step["action"].as_str().unwrap().to_owned();
    steps.as_array().unwrap().iter().rev().map(action).collect()
}

/// A good application with some fields changed.
fn with(changes: &Value) -> Value {
    let mut venue = new_venue("星河餐厅", "restaurant");
    venue.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    venue
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_sent_back_corrected_approved_and_scanned() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let inspector = app.staff(Role::Inspector, "410100").await;
    let full = json!({
        "kind": "company", "credit_code": "91330100799655058B", "short_name": "星河", "street": "花园路街道",
        "superior": "金水区商务局", "contact_name": "李伟", "contact_phone": "0371 0000 0000",
    });
    let made = manager.post("/v1/venues", &with(&full)).await.expect(201);
    let id = made["id"].as_str().unwrap();
    for (field, value) in full.as_object().unwrap() {
        let shown =
            if matches!(field.as_str(), "kind" | "credit_code") { &made["organisation"] } else { &made };
        assert_eq!(&shown[field.as_str()], value, "{made}");
    }
    let sent_back = review(&inspector, id, "rejected", "地址不详").await.expect(200);
    assert_eq!((&sent_back["state"], &sent_back["state_reason"]), (&json!("rejected"), &json!("地址不详")));
    review(&inspector, id, "approved", "核实").await.problem(409);

    let mut better = with(&full);
    (better["address"], better["lat_deg"]) = (json!("花园路1号院2号楼"), json!(34.7470));
    let path = format!("/v1/venues/{id}");
    let corrected = manager.put(&path, &better).await.expect(200);
    assert_eq!((&corrected["state"], &corrected["address"]), (&json!("submitted"), &better["address"]));
    assert_eq!(corrected["organisation"]["id"], made["organisation"]["id"]);
    let moved = "select count(*) from points p join venues v on v.id = p.venue_id where p.cell = v.cell";
    assert_eq!(app.number(moved).await, 1, "the point hangs where the venue is");
    review(&inspector, id, "approved", "现场核实").await.expect(200);
    assert_eq!(actions(&manager, id).await, ["submitted", "rejected", "corrected", "approved"]);
    let steps = manager.get(&format!("{path}/steps")).await.expect(200);
    assert_eq!((&steps[1]["reason"], &steps[2]["reason"]), (&json!("address, position"), &json!("地址不详")));

    let point = &made["points"][0];
    let place = Place { venue: id.into(), point: point["id"].as_i64().unwrap(), code: code_of(point) };
    app.answering(&place).await;
    let receipt = app.scan(1, &place, 5).await;
    assert_eq!((&receipt["venue"], &receipt["presence"]), (&json!("星河餐厅"), &json!("plausible")));
    let audited = "select count(*) from audit_entries where action like 'venue.%'";
    assert_eq!(app.number(audited).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_only_ever_added() {
    let app = TestApp::start().await;
    app.venue("老茶馆", "teahouse").await;
    for sql in [
        "update venue_steps set reason = 'another'",
        "update venue_steps set actor = 'staff:nobody'",
        "delete from venue_steps",
        "truncate venue_steps",
    ] {
        assert!(app.sql(sql).await.is_err(), "{sql}");
    }
    assert_eq!(app.number("select count(*) from venue_steps where reason <> 'another'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_what_they_have_entered_or_corrected() {
    let app = TestApp::start().await;
    let both = app.member(&[Role::Inspector, Role::VenueManager], "410000").await.1;
    let other = app.staff(Role::Inspector, "410000").await;
    let made = both.post("/v1/venues", &with(&json!({}))).await.expect(201);
    let id = made["id"].as_str().unwrap();
    assert!(review(&both, id, "approved", "核实").await.problem(403).contains("entered"));
    assert_eq!(app.number("select count(*) from audit_entries where action = 'access.refused'").await, 1);
    // Sending back needs no second person, but what somebody corrects another approves.
    review(&both, id, "rejected", "电话不详").await.expect(200);
    other
        .put(&format!("/v1/venues/{id}"), &with(&json!({ "contact_phone": "13800000000" })))
        .await
        .expect(200);
    review(&other, id, "approved", "核实").await.problem(403);
    let third = app.staff(Role::Inspector, "410000").await;
    review(&third, id, "approved", "核实").await.expect(200);
    assert_eq!(actions(&third, id).await, ["submitted", "rejected", "corrected", "approved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_venue_changes_in_little_and_never_moves() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let made = manager.post("/v1/venues", &with(&json!({}))).await.expect(201);
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/venues/{id}");
    review(&inspector, id, "approved", "核实").await.expect(200);
    let own = json!({ "short_name": "星河", "contact_name": "李伟", "contact_phone": "12345", "capacity": 60, "superior": "商务局" });
    let changed = manager.put(&path, &with(&own)).await.expect(200);
    assert_eq!((&changed["state"], &changed["capacity"]), (&json!("approved"), &json!(60)));
    // The same again is no step.
    manager.put(&path, &with(&own)).await.expect(200);
    for (field, value) in [
        ("name", json!("银河餐厅")),
        ("address", json!("别处")),
        ("category", json!("bar")),
        ("street", json!("别的街道")),
        ("organisation", json!("另一家公司")),
    ] {
        let refused = manager.put(&path, &with(&json!({ field: value }))).await.problem(422);
        assert!(refused.starts_with(field) && refused.contains("inspector"), "{refused}");
    }
    let outline = json!({ "type": "Polygon", "coordinates":
        [[[113.62, 34.74], [113.63, 34.74], [113.63, 34.75], [113.62, 34.75], [113.62, 34.74]]] });
    for (field, change) in [
        ("position", json!({ "lat_deg": 34.7467 })),
        ("outline", json!({ "outline": outline })),
        ("division", json!({ "division": "410104" })),
    ] {
        for by in [&manager, &inspector] {
            let refused = by.put(&path, &with(&change)).await.problem(422);
            assert!(refused.starts_with(field) && refused.contains("registered anew"), "{refused}");
        }
    }
    let mut renamed = with(&own);
    renamed["name"] = json!("银河餐厅");
    assert_eq!(inspector.put(&path, &renamed).await.expect(200)["name"], "银河餐厅");
    renamed["organisation"] = json!("郑州另一家餐饮有限公司");
    let given = inspector.put(&path, &renamed).await.expect(200);
    assert_eq!(given["organisation"]["name"], renamed["organisation"]);
    review(&inspector, id, "closed", "停业").await.expect(200);
    manager.put(&path, &renamed).await.problem(409);
    let all = ["submitted", "approved", "changed", "changed", "transferred", "closed"];
    assert_eq!(actions(&manager, id).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_of_another_jurisdiction_is_refused_and_written_down() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "420100").await;
    assert!(manager.post("/v1/venues", &with(&json!({}))).await.problem(403).contains("division"));
    let refused = app.rows("select subject from audit_entries where action = 'access.refused'").await;
    assert_eq!(refused, [json!({ "subject": "a venue in division 410105" })]);
    assert_eq!(app.number("select count(*) from venues").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_venues_of_one_account_may_wait() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let mut last = String::new();
    for _ in 0..WAITING_MAX {
        let made = manager.post("/v1/venues", &with(&json!({}))).await.expect(201);
        made["id"].as_str().unwrap().clone_into(&mut last);
    }
    assert!(manager.post("/v1/venues", &with(&json!({}))).await.problem(409).contains("wait"));
    review(&inspector, &last, "rejected", "重复").await.expect(200);
    manager.post("/v1/venues", &with(&json!({}))).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_code_belongs_to_one_legal_name_and_lists_its_chain() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let code = json!({ "credit_code": "91330100799655058B", "kind": "company" });
    let one = manager.post("/v1/venues", &with(&code)).await.expect(201);
    let mut two = with(&code);
    (two["name"], two["organisation"]) = (json!("星河二店"), json!("郑州另一家有限公司"));
    let refused = manager.post("/v1/venues", &two).await.problem(422);
    assert!(refused.starts_with("organisation") && refused.contains("郑州某某餐饮有限公司"), "{refused}");
    two["organisation"] = json!("郑州 某某餐饮有限公司");
    let two = manager.post("/v1/venues", &two).await.expect(201);
    assert_eq!(one["organisation_id"], two["organisation_id"]);

    let path = format!("/v1/organisations/{}", one["organisation_id"].as_str().unwrap());
    let chain = manager.get(&path).await.expect(200);
    assert_eq!(chain["organisation"]["credit_code"], "91330100799655058B");
    assert_eq!(chain["venues"].as_array().unwrap().len(), 2);
    // Another manager with one venue of the chain sees that one; a stranger sees none.
    let franchise = app.staff(Role::VenueManager, "410000").await;
    franchise.get(&path).await.problem(403);
    let mut three = with(&json!({ "credit_code": "91330100799655058B" }));
    three["name"] = json!("星河三店");
    franchise.post("/v1/venues", &three).await.expect(201);
    let seen = franchise.get(&path).await.expect(200);
    assert_eq!(
        (seen["venues"].as_array().unwrap().len(), &seen["venues"][0]["name"]),
        (1, &json!("星河三店"))
    );
    let inspector = app.staff(Role::Inspector, "410105").await;
    assert_eq!(inspector.get(&path).await.expect(200)["venues"].as_array().unwrap().len(), 3);
    let elsewhere = app.staff(Role::Inspector, "420000").await;
    assert!(elsewhere.get(&path).await.expect(200)["venues"].as_array().unwrap().is_empty());
    let page = app.desk(&manager).get(&path.replace("/v1/", "/manage/")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("星河二店") && page.text.contains("91330100799655058B"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_venue_takes_no_scans() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let made = manager.post("/v1/venues", &with(&json!({}))).await.expect(201);
    review(&inspector, made["id"].as_str().unwrap(), "rejected", "重复").await.expect(200);
    let visitor = app.person(1).await;
    let refused = ask(&visitor, &code_of(&made["points"][0]), &app).await.problem(422);
    assert!(refused.contains("does not take scans"), "{refused}");
}
