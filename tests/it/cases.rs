//! Cases: their trails as investigators complete them, their corrections, and lists of them.

mod corrections;
mod lists;
mod pages;
mod places;
mod trail;
mod walk;

use chrono::TimeDelta;
use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::Place;

/// Person 1 is a case. It shared a teahouse with person 2 for long and person 3 for half an hour, and a library with person 4.
struct Story {
    app: TestApp,
    teahouse: Place,
    library: Place,
    investigator: Client,
    case: String,
}

async fn story() -> Story {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    app.scan(1, &teahouse, 240).await;
    app.scan(2, &teahouse, 235).await;
    app.scan(3, &teahouse, 130).await;
    app.scan(1, &library, 100).await;
    app.scan(4, &library, 95).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    Story { app, teahouse, library, investigator, case }
}

impl Story {
    fn path(&self, rest: &str) -> String {
        format!("/v1/cases/{}{rest}", self.case)
    }

    /// The trail with what was removed from it.
    async fn trail(&self) -> Vec<Value> {
        let path = self.path("/trail?purpose=review&removed=true");
        self.investigator.get(&path).await.expect(200).as_array().unwrap().clone()
    }

    /// The stay at a venue of that name.
    async fn stay(&self, venue: &str) -> Value {
        let found = self.trail().await.into_iter().find(|stay| stay["venue"] == venue);
        found.unwrap_or_else(|| panic!("no stay at {venue}"))
    }

    async fn edit(&self, stay: &Value, change: Value) -> Answer {
        self.investigator.put(&self.path(&format!("/trail/{}", stay["id"].as_str().unwrap())), &change).await
    }

    async fn remove(&self, stay: &Value) -> Answer {
        self.act(stay, "removal").await
    }

    async fn act(&self, stay: &Value, what: &str) -> Answer {
        let path = self.path(&format!("/trail/{}/{what}", stay["id"].as_str().unwrap()));
        self.investigator.post(&path, &json!({ "source": "interview", "reason": "手机由家人携带" })).await
    }

    async fn run(&self) -> Value {
        self.app.run(&self.investigator, &self.case).await
    }

    /// A run that two officers have let go.
    async fn released(&self) -> String {
        let run = self.run().await["id"].as_str().unwrap().to_owned();
        self.app.release(&self.investigator, &run).await;
        assert_eq!(self.state(&run).await, "released");
        run
    }

    async fn state(&self, run: &str) -> Value {
        self.investigator.get(&format!("/v1/runs/{run}")).await.expect(200)["state"].clone()
    }

    async fn colours(&self) -> Vec<String> {
        let mut colours = Vec::new();
        for number in [2, 3, 4] {
            colours.push(self.app.colour(number).await["colour"].as_str().unwrap().to_owned());
        }
        colours
    }

    /// A time so many minutes ago, as JSON.
    fn ago(&self, minutes: i64) -> Value {
        json!(self.app.now() - TimeDelta::minutes(minutes))
    }
}
