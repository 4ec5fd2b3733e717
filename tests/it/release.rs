//! From a computed run to what goes out: reviews, equal treatment, words, caps, whole places, and the record of it all.

mod bounds;
mod places;
mod reviews;

use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::Place;

const BASIS: &str = "传染病防治法第三十九条";

/// Person 1 is a case, in a teahouse from 180 to 60 minutes ago and in a library then; others came later, as the story tells.
struct Story {
    app: TestApp,
    place: Place,
    investigator: Client,
    case: String,
    run: String,
}

/// Each of `people` came so many minutes ago: before 120 is a close contact, later an exposed place.
async fn story(flags: &[&str], people: &[(u32, i64)]) -> Story {
    let app = TestApp::start_with(flags).await;
    let place = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &place, 180).await;
    for (number, ago) in people {
        app.scan(*number, &place, *ago).await;
    }
    let library = app.venue("图书馆", "library").await;
    app.scan(1, &library, 60).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    assert_eq!(run["state"], "computed", "{run}");
    let run = run["id"].as_str().unwrap().to_owned();
    Story { app, place, investigator, case, run }
}

impl Story {
    fn path(&self, end: &str) -> String {
        format!("/v1/runs/{}{end}", self.run)
    }

    fn hex(&self, number: u32) -> String {
        self.app.visitor(number).to_hex()
    }

    async fn review(&self, number: u32, to: &str) -> Answer {
        let body = json!({ "visitor": self.hex(number), "to": to, "reason": "现场核实：同桌用餐" });
        self.investigator.post(&self.path("/reviews"), &body).await
    }

    async fn leave_out(&self, number: u32) -> Answer {
        let body = json!({ "visitor": self.hex(number), "reason": "隔壁包间" });
        self.investigator.post(&self.path("/exclusions"), &body).await
    }

    async fn take_back(&self, number: u32) -> Answer {
        let body = json!({ "visitor": self.hex(number), "reason": "包间门一直开着" });
        self.investigator.post(&self.path("/inclusions"), &body).await
    }

    async fn propose(&self) -> Answer {
        let answer = self.investigator.post(&self.path("/proposal"), &json!({})).await;
        self.app.settle().await;
        answer
    }

    /// An officer's word, after which the pipeline does what it can.
    async fn word(&self, officer: &Client) -> Answer {
        let answer = officer.post(&self.path("/release"), &json!({ "legal_basis": BASIS })).await;
        self.app.settle().await;
        answer
    }

    async fn officer(&self, role: Role) -> Client {
        self.app.staff(role, "410100").await
    }

    /// Two words of officers who had no hand in the run.
    async fn words(&self) {
        for _ in 0..2 {
            let officer = self.officer(Role::ReleasingOfficer).await;
            self.word(&officer).await.expect(202);
        }
    }

    async fn see(&self) -> Value {
        self.investigator.get(&self.path("")).await.expect(200)
    }

    async fn record(&self) -> Value {
        self.investigator.get(&self.path("/release")).await.expect(200)
    }

    /// One contact as the investigator sees it.
    async fn contact(&self, number: u32) -> Value {
        let all = self.investigator.get(&self.path("/contacts?purpose=review")).await.expect(200);
        let hex = self.hex(number);
        all.as_array().unwrap().iter().find(|one| one["visitor"] == hex).cloned().unwrap()
    }

    async fn colour(&self, number: u32) -> Value {
        self.app.colour(number).await["colour"].clone()
    }
}

/// What holds a run.
fn held(run: &Value) -> Vec<&str> {
    run["held_by"].as_array().unwrap().iter().map(|held| held["what"].as_str().unwrap()).collect()
}
