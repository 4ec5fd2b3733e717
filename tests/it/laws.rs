//! Each of the nine laws, broken on purpose: over the API, and as the owner of the tables.
//!
//! Laws 4 and 5 (scans are never lost, and do not wait for tracing) have `drain` to themselves.

mod bounds;
mod equality;
mod evidence;
mod looks;
mod release;
mod review;
mod rules;

use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::Place;

/// Person 1 is a case and shared two hours of a teahouse with person 2 and half an hour with person 3;
/// person 4 was somewhere else.
struct Story {
    app: TestApp,
    teahouse: Place,
    investigator: Client,
    case: String,
    run: String,
}

async fn story(flags: &[&str]) -> Story {
    let app = TestApp::start_with(flags).await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.scan(3, &teahouse, 90).await;
    app.scan(4, &library, 170).await;
    app.scan(1, &library, 60).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    assert_eq!(run["state"], "computed", "{run}");
    let run = run["id"].as_str().unwrap().to_owned();
    Story { app, teahouse, investigator, case, run }
}

impl Story {
    async fn state(&self) -> Value {
        self.investigator.get(&format!("/v1/runs/{}", self.run)).await.expect(200)["state"].clone()
    }

    async fn contacts(&self) -> Value {
        let path = format!("/v1/runs/{}/contacts?purpose=review", self.run);
        self.investigator.get(&path).await.expect(200)
    }

    async fn propose(&self) {
        self.investigator.post(&format!("/v1/runs/{}/proposal", self.run), &json!({})).await.expect(202);
        self.app.settle().await;
    }

    /// An officer's word.
    async fn word_of(&self, officer: &Client) -> crate::support::client::Answer {
        let word = json!({ "legal_basis": "传染病防治法第三十九条" });
        officer.post(&format!("/v1/runs/{}/release", self.run), &word).await
    }

    async fn officer(&self, role: Role) -> Client {
        self.app.staff(role, "410100").await
    }
}
