//! The register on a running service: what is revoked, replaced or suspended stops answering by itself.

mod applicants;
mod duplicates;
mod life;
mod places;
mod staff;

use chrono::TimeDelta;
use placecode::domain::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::people::{Place, new_venue};
use crate::support::{Replica, TestApp, until};

/// Asks with a time that is refused after the code was found good: so nothing is stored.
async fn ask(visitor: &Client, code: &str, app: &TestApp) -> Answer {
    let scan = json!({ "code": code, "occurred_at": app.now() + TimeDelta::days(1) });
    visitor.post("/v1/scans", &scan).await
}

async fn answers_with(visitor: &Client, code: &str, app: &TestApp, about: &str) {
    until(about, async || ask(visitor, code, app).await.problem(422).contains(about)).await;
}

fn code_of(point: &Value) -> String {
    point["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

/// Asks for the page of a code until it answers so, a limited number of times: a replica goes by news of
/// 750 ms at the most, and is asked every 20. Then a scan is answered the same.
async fn hears(visitor: &Client, code: &str, app: &TestApp, status: u16, about: &str) {
    for _ in 0..POLLS_MAX {
        if visitor.get(&format!("/{code}")).await.status == status {
            assert!(ask(visitor, code, app).await.problem(422).contains(about));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("after {POLLS_MAX} polls the replica has not heard `{about}`");
}

/// Three times what a second has room for, since a test machine may be busy.
const POLLS_MAX: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_code_stops_on_every_replica_without_a_restart() {
    let app = TestApp::start().await;
    let [teahouse, hall, shop] = [
        app.venue("老茶馆", "teahouse").await,
        app.venue("大厅", "other").await,
        app.venue("书店", "shop").await,
    ];
    let other = Replica::start(&app, |_| {}).await;
    // This one reaches Redis and no Postgres: nothing but Redis can tell it.
    let lonely = Replica::start(&app, |config| config.database_url += "_gone").await;
    let visitor = app.person(1).await;
    let replicas = [visitor.at(other.address), visitor.at(lonely.address)];
    for replica in &replicas {
        for place in [&teahouse, &hall, &shop] {
            answers_with(replica, &place.code, &app, "future").await;
        }
    }
    let inspector = app.staff(Role::Inspector, "410000").await;
    let path = |place: &Place| format!("/v1/points/{}/code", place.point);
    let revoked = inspector.post(&path(&teahouse), &json!({ "revoke": true })).await.expect(200);
    assert_eq!(revoked["revoked_at"], json!(app.now()));
    // Who has made the change goes by it before answering.
    assert!(ask(&visitor, &teahouse.code, &app).await.problem(422).contains("revoked"));
    for replica in &replicas {
        hears(replica, &teahouse.code, &app, 410, "revoked").await;
    }
    let review = json!({ "state": "suspended", "reason": "整改" });
    inspector.post(&format!("/v1/venues/{}/review", hall.venue), &review).await.expect(200);
    assert!(ask(&visitor, &hall.code, &app).await.problem(422).contains("does not take scans"));
    let turned = inspector.post(&path(&shop), &json!({})).await.expect(200);
    assert!(ask(&visitor, &code_of(&turned), &app).await.problem(422).contains("future"));
    for replica in &replicas {
        hears(replica, &hall.code, &app, 409, "does not take scans").await;
        hears(replica, &code_of(&turned), &app, 200, "future").await;
    }
    // Without any handler: what is changed in Postgres is told on by the replicas that read it.
    let sql = format!("update points set revoked_at = '2026-03-16T04:00:00Z' where id = {}", shop.point);
    assert_eq!(app.sql(&sql).await, Ok(1));
    for replica in [&visitor, &replicas[0], &replicas[1]] {
        hears(replica, &shop.code, &app, 410, "revoked").await;
    }
    // And it stays so: what was read before never comes back.
    for address in [app.address, other.address, lonely.address] {
        for _ in 0..20 {
            assert_eq!(visitor.at(address).get(&format!("/{}", teahouse.code)).await.status, 410);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_poster_answers_beside_the_new_one_for_three_days() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let path = format!("/v1/points/{}/code", teahouse.point);
    let turned = inspector.post(&path, &json!({})).await.expect(200);
    assert_eq!((&turned["id"], &turned["generation"]), (&json!(teahouse.point), &json!(2)));
    let new = Place {
        code: code_of(&turned),
        ..Place { venue: teahouse.venue.clone(), point: teahouse.point, code: String::new() }
    };
    assert_ne!(new.code, teahouse.code);
    answers_with(&app.person(1).await, &new.code, &app, "future").await;
    app.scan(1, &teahouse, 0).await;
    app.scan(2, &new, 0).await;
    app.settle().await;
    // Both are one point.
    assert_eq!(app.number("select count(distinct point_id) from stays").await, 1);
    app.pass(72 * 60 - 1);
    assert!(ask(&app.person(1).await, &teahouse.code, &app).await.problem(422).contains("future"));
    app.pass(1);
    assert!(ask(&app.person(1).await, &teahouse.code, &app).await.problem(422).contains("replaced"));
    assert!(ask(&app.person(1).await, &new.code, &app).await.problem(422).contains("future"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_has_an_end_of_its_generations() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let path = format!("/v1/points/{}/code", teahouse.point);
    assert_eq!(app.sql("update points set generation = 254").await, Ok(1));
    assert_eq!(inspector.post(&path, &json!({})).await.expect(200)["generation"], 255);
    assert!(inspector.post(&path, &json!({})).await.problem(409).contains("new point"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_venue_answers_nobody_until_it_is_approved_again() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let visitor = app.person(1).await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let path = format!("/v1/venues/{}/review", teahouse.venue);
    inspector.post(&path, &json!({ "state": "suspended", "reason": "整改" })).await.expect(200);
    answers_with(&visitor, &teahouse.code, &app, "does not take scans").await;
    inspector.post(&path, &json!({ "state": "approved", "reason": "整改完成" })).await.expect(200);
    answers_with(&visitor, &teahouse.code, &app, "future").await;
    inspector.post(&path, &json!({ "state": "closed", "reason": "停业" })).await.expect(200);
    answers_with(&visitor, &teahouse.code, &app, "does not take scans").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_follows_the_life_of_a_venue() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    // From each state, what a review may make of it.
    let steps = [
        (&[][..], &["approved", "closed"][..]),
        (&["approved"], &["suspended", "closed"]),
        (&["approved", "suspended"], &["approved", "closed"]),
        (&["closed"], &[]),
    ];
    for (way, may) in steps {
        for next in ["submitted", "approved", "suspended", "closed"] {
            let made = manager.post("/v1/venues", &new_venue("茶馆", "teahouse")).await.expect(201);
            assert_eq!(made["state"], "submitted");
            let path = format!("/v1/venues/{}/review", made["id"].as_str().unwrap());
            for state in way {
                inspector.post(&path, &json!({ "state": state, "reason": "核实" })).await.expect(200);
            }
            let answer = inspector.post(&path, &json!({ "state": next, "reason": "核实" })).await;
            let status = if may.contains(&next) { 200 } else { 409 };
            assert_eq!(answer.status, status, "{way:?} → {next}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_that_nobody_has_reviewed_takes_no_scans_and_a_new_point_does_soon() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let made = manager.post("/v1/venues", &new_venue("茶馆", "teahouse")).await.expect(201);
    let visitor = app.person(1).await;
    let code = code_of(&made["points"][0]);
    assert!(ask(&visitor, &code, &app).await.problem(422).contains("does not take scans"));
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let point = inspector
        .post(&format!("/v1/venues/{}/points", teahouse.venue), &json!({ "name": "后门" }))
        .await
        .expect(201);
    answers_with(&visitor, &code_of(&point), &app, "future").await;
    let receipt = visitor.post("/v1/scans", &json!({ "code": code_of(&point) })).await.expect(201);
    assert_eq!(receipt["point"], "后门");
    // The receipt holds for a minute and cannot be made up.
    let shown = json!({ "receipt": receipt["receipt"] });
    let nobody = app.client(None);
    let state =
        nobody.send(Method::POST, "/v1/receipts/verify", Some(shown.to_string()), &[]).await.expect(200);
    assert_eq!((&state["valid"], &state["point"]), (&json!(true), &json!("后门")));
    app.pass(1);
    assert_eq!(nobody.post("/v1/receipts/verify", &shown).await.expect(200)["valid"], false);
    let forged = json!({ "receipt": "AAAA" });
    assert_eq!(nobody.post("/v1/receipts/verify", &forged).await.expect(200)["valid"], false);
}
