//! The life of an assignment, over HTTP from the case to the issuing system: what ends it, what extends it, what takes it
//! back, and what is overdue.

mod conclude;
mod extend;
mod facts;
mod overdue;
mod withdraw;

use chrono::{DateTime, Utc};
use placecode::domain::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::Place;

/// Person 1 is a case and shared two hours of a teahouse with person 2 (red for ten days) and half an hour with person 3
/// (yellow for seven), under rules that say how both end.
struct Life {
    app: TestApp,
    teahouse: Place,
    library: Place,
    investigator: Client,
    case: String,
}

/// The baseline with end conditions for close contacts and for people exposed at a place.
fn pack(close: &str, exposed: &str) -> String {
    let text = include_str!("../../policies/baseline-1.toml").replace("id = \"baseline\"", "id = \"life\"");
    let (first, rest) = text.split_once("\n[[class]]\nclass = \"same_vehicle\"").unwrap();
    format!(
        "{first}\n[class.end]\n{close}\n\n[[class]]\nclass = \"same_vehicle\"{rest}\n[class.end]\n{exposed}\n"
    )
}

/// Seven daily check-ins make yellow, ten green.
const CHECK_INS: &str = r#"check_ins = [{ count = 7, colour = "yellow" }, { count = 10, colour = "green" }]"#;

/// Two negative tests a day apart, within three days.
const TESTS: &str = "tests = { count = 2, apart_hours = 24, within_days = 3 }";

async fn life(close: &str, exposed: &str) -> Life {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "100000").await;
    admin.post("/v1/rule-packs", &json!({ "text": pack(close, exposed) })).await.expect(201);
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.scan(3, &teahouse, 90).await;
    app.scan(1, &library, 60).await;
    app.scan(2, &library, 60).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    Life { app, teahouse, library, investigator, case }
}

impl Life {
    /// A run under these rules, computed.
    async fn run(&self) -> String {
        let body = json!({ "rule_pack": "life@1", "purpose": "流行病学调查" });
        let run = self.investigator.post(&format!("/v1/cases/{}/runs", self.case), &body).await.expect(202);
        self.app.settle().await;
        let run = run["id"].as_str().unwrap().to_owned();
        assert_eq!(self.see(&run).await["state"], "computed");
        run
    }

    /// A run that two officers let go.
    async fn released(&self) -> String {
        let run = self.run().await;
        self.app.release(&self.investigator, &run).await;
        assert_eq!(self.see(&run).await["state"], "released");
        run
    }

    async fn see(&self, run: &str) -> Value {
        self.investigator.get(&format!("/v1/runs/{run}")).await.expect(200)
    }

    /// What the issuing system shows of somebody.
    async fn colour(&self, number: u32) -> String {
        self.app.colour(number).await["colour"].as_str().unwrap().to_owned()
    }

    async fn tell(&self, facts: &[Value]) -> Answer {
        let body = json!({ "type": "placecode.facts.v1", "facts": facts });
        self.app.as_issuer("/v1/issuers/health-code/facts", &body).await
    }

    /// One fact about one person, told now and judged.
    async fn hears(&self, number: u32, kind: &str, at: DateTime<Utc>) {
        self.tell(&[fact(&self.app, number, kind, at)]).await.expect(200);
        self.app.settle().await;
    }

    /// The newest assignment of somebody.
    async fn assignment(&self, number: u32) -> String {
        let sql = format!(
            "select id from assignments where visitor = '{}' order by proposed_at desc, state limit 1",
            self.app.visitor(number).to_uuid()
        );
        self.app.rows(&sql).await[0]["id"].as_str().unwrap().to_owned()
    }

    /// The kinds of events of somebody's newest assignment, in order.
    async fn events(&self, number: u32) -> Vec<String> {
        let life = self.life_of(number).await;
        let kinds = life["events"].as_array().unwrap().iter();
        kinds.map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }

    async fn life_of(&self, number: u32) -> Value {
        let id = self.assignment(number).await;
        self.investigator.get(&format!("/v1/assignments/{id}?purpose=review")).await.expect(200)
    }

    async fn open(&self) -> i64 {
        self.app.number("select count(*) from assignments where state in (1, 2)").await
    }

    async fn letters(&self, kind: &str) -> i64 {
        self.app.number(&format!("select count(*) from letters where body->>'kind' = '{kind}'")).await
    }

    async fn refused(&self, sql: &str, why: &str) {
        let said = self.app.sql(sql).await.expect_err(sql);
        assert!(said.contains(why), "{sql}\n{said}");
    }
}

fn fact(app: &TestApp, number: u32, kind: &str, at: DateTime<Utc>) -> Value {
    json!({ "id": Uuid::now_v7(), "visitor": app.visitor(number).to_hex(), "kind": kind, "at": at })
}
