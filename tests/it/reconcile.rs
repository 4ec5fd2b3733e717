//! Both sides hold the same: drift that a database administrator makes is found, mended by letters, and gone.

mod asking;
mod mending;

use placecode::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::platforms::PlatformDatabase;

/// Persons 2 to 4 met the case of person 1, and the issuing system knows it.
struct Story {
    app: TestApp,
    theirs: PlatformDatabase,
    admin: Client,
    investigator: Client,
    case: String,
}

async fn story() -> Story {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    for person in 1..=3 {
        app.scan(person, &teahouse, 170).await;
    }
    // Person 4 comes late: too late to become red.
    app.scan(4, &teahouse, 65).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    app.release(&investigator, &run).await;
    assert_eq!(app.number("select count(*) from assignments where state = 2").await, 3);
    let admin = app.staff(Role::Administrator, "100000").await;
    let theirs = app.issuer_database();
    Story { app, theirs, admin, investigator, case }
}

impl Story {
    /// Asks for a comparison, lets the pipeline make it and send what it wrote, and gives the result.
    async fn compare(&self) -> Value {
        self.admin.post("/v1/issuers/health-code/reconciliations", &json!({})).await.expect(202);
        self.app.settle().await;
        self.results().await[0].clone()
    }

    async fn results(&self) -> Vec<Value> {
        let results = self.admin.get("/v1/issuers/health-code/reconciliations").await.expect(200);
        results.as_array().unwrap().clone()
    }

    /// Nothing differs.
    #[track_caller]
    fn alike(result: &Value) {
        assert_eq!(result["state"], "done", "{result}");
        assert_eq!((&result["drift"], &result["buckets"]), (&json!(0), &json!(0)), "{result}");
        assert_eq!(result["digest_ours"], result["digest_theirs"], "{result}");
        assert_eq!(result["ours"], result["theirs"], "{result}");
    }

    async fn withdraw(&self) {
        let body = json!({ "reason": "检测为假阳性" });
        self.investigator.post(&format!("/v1/cases/{}/withdrawal", self.case), &body).await.expect(202);
        self.app.settle().await;
    }

    /// What the issuing system shows of persons 2 to 4.
    async fn colours(&self) -> Vec<String> {
        let mut shown = Vec::new();
        for person in 2..=4 {
            shown.push(self.app.colour(person).await["colour"].as_str().unwrap().to_owned());
        }
        shown
    }
}
