//! How complete a list can be: each place beside its own past, and unknown where it has none.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::Place;

struct Story {
    app: TestApp,
    teahouse: Place,
    investigator: Client,
    run: String,
}

/// Person 1 is a case and was at a teahouse with person 2; the run is computed.
async fn story() -> Story {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    Story { app, teahouse, investigator, run }
}

impl Story {
    async fn coverage(&self, query: &str) -> Value {
        self.investigator.get(&format!("/v1/runs/{}/coverage{query}", self.run)).await.expect(200)
    }

    /// So many scans in the hour of the case's scan, some weeks before.
    async fn week_before(&self, weeks: i64, scans: u32) {
        let at: DateTime<Utc> = self.app.now() - TimeDelta::minutes(180) - TimeDelta::weeks(weeks);
        let hour = at.with_minute(0).unwrap().format("%Y-%m-%dT%H:00:00Z");
        let sql = format!("insert into point_hours values ({}, '{hour}', {scans}, 0)", self.teahouse.point);
        assert_eq!(self.app.sql(&sql).await, Ok(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_compared_with_its_own_past_and_a_look_at_it_is_written_down() {
    let story = story().await;
    for (weeks, scans) in [(1, 12), (2, 8), (3, 14), (4, 6)] {
        story.week_before(weeks, scans).await;
    }
    let whole = story.coverage("").await;
    // Two scans where ten are usual.
    assert_eq!(whole["coverage"]["share"], json!({ "percent": 20 }), "{whole}");
    assert_eq!((&whole["coverage"]["basis"], &whole["places"]), (&json!("same_hours"), &Value::Null));
    let sentence = &whole["coverage"]["sentence"];
    assert!(
        sentence["en"].as_str().unwrap().starts_with("A lower bound")
            && sentence["en"].as_str().unwrap().contains("20 %")
    );
    assert!(sentence["zh"].as_str().unwrap().starts_with("本名单为下限"));
    // The contact never scanned on leaving, and the phone was near.
    assert_eq!(whole["stays"]["assumed_percent"], 100);
    assert_eq!(whole["stays"]["presence"], json!({ "unproven": 0, "plausible": 1, "verified": 0 }));
    assert_eq!(story.app.number("select count(*) from looks").await, 0);

    let places = story.coverage("?purpose=review").await;
    assert_eq!(places["places"].as_array().unwrap().len(), 1);
    let place = &places["places"][0];
    assert_eq!((&place["scans"], &place["usual_scans"]), (&json!(2), &json!(10.0)));
    assert_eq!((&place["point"], &place["share"]), (&json!(story.teahouse.point), &json!({ "percent": 20 })));
    assert_eq!(story.app.number("select count(*) from looks").await, 1);
    for person in [1, 2] {
        assert!(!places.to_string().contains(&story.app.visitor(person).to_hex()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_a_past_is_unknown_and_never_whole() {
    let story = story().await;
    let young = story.coverage("?purpose=review").await;
    assert_eq!(
        (&young["coverage"]["share"], &young["coverage"]["basis"]),
        (&json!("unknown"), &json!("no_baseline"))
    );
    assert_eq!(young["places"][0]["basis"], "too_young");
    assert_eq!(young["places"][0]["usual_scans"], Value::Null);
    // It hung there all the time, and nobody scanned at that hour: that says nothing either.
    let made = "update points set created_at = created_at - interval '60 days'";
    assert!(story.app.sql(made).await.is_ok());
    let silent = story.coverage("?purpose=review").await;
    assert_eq!(
        (&silent["places"][0]["share"], &silent["places"][0]["basis"]),
        (&json!("unknown"), &json!("no_scans_before"))
    );
    assert_eq!(silent["coverage"]["share"], "unknown");
    assert!(!silent["coverage"]["sentence"]["en"].as_str().unwrap().contains('%'));
    // One scan a week is usual then, and two count for no more than all.
    story.week_before(2, 4).await;
    assert_eq!(story.coverage("").await["coverage"]["share"], json!({ "percent": 100 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_computed_run_of_the_own_division_has_a_coverage() {
    let story = story().await;
    let address = format!("/v1/runs/{}/coverage", story.run);
    for query in ["?purpose=", "?purpose=ab"] {
        let said = story.investigator.get(&format!("{address}{query}")).await.problem(422);
        assert!(said.starts_with("purpose"), "{said}");
    }
    story.investigator.get(&format!("{address}?places=true")).await.problem(422);
    let elsewhere = story.app.staff(Role::Investigator, "420100").await;
    elsewhere.get(&address).await.problem(403);
    assert_eq!(story.app.number("select count(*) from looks").await, 0);
    let case = story.app.case(&story.investigator, 5).await;
    let asked = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查" });
    let queued = story.investigator.post(&format!("/v1/cases/{case}/runs"), &asked).await.expect(202);
    let address = format!("/v1/runs/{}/coverage", queued["id"].as_str().unwrap());
    story.investigator.get(&address).await.problem(409);
}
