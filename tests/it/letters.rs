//! Letters as the dispatcher sends them to real HTTP servers: whom they reach, in which order, how often, signed with
//! what, and what becomes of those that do not arrive.

mod dead;
mod dispatch;
mod receiver;
mod settings;
mod trial;

mod verified;

use placecode::app::App;
use placecode::clock::Clock;
use placecode::config::Config;
use placecode::domain::access::Role;
use placecode::domain::letter::Letter;
use placecode::domain::visitor::Visitor;
use placecode::domain::webhook::Secret;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use placecode::store::letters::{NewLetter, enqueue};
use serde_json::{Value, json};
use uuid::Uuid;

use self::receiver::Receiver;
use crate::support::TestApp;

/// A service with one released assignment, and a dispatcher that has keys for more issuing systems.
struct Office {
    app: TestApp,
    /// The same service as a dispatcher with more keys knows it.
    dispatcher: App,
    /// A letter about the assignment; the letters of a test are like it but for whom they name.
    like: Value,
    assignment: Uuid,
}

impl Office {
    /// Keys are given as they stand in the secrets file, by the ids of the systems.
    async fn open(keys: &[(&str, &str)], change: impl FnOnce(&mut Config)) -> Self {
        Self::open_by(keys, None, change).await
    }

    /// With a clock of its own for the dispatcher.
    async fn open_by(keys: &[(&str, &str)], clock: Option<Clock>, change: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::start().await;
        let teahouse = app.venue("老茶馆", "teahouse").await;
        app.scan(1, &teahouse, 180).await;
        app.scan(2, &teahouse, 170).await;
        app.settle().await;
        let investigator = app.staff(Role::Investigator, "410100").await;
        let case = app.case(&investigator, 1).await;
        let run = app.run(&investigator, &case).await;
        app.release(&investigator, run["id"].as_str().unwrap()).await;
        let written = app.rows("select assignment_id, body from letters").await;
        assert_eq!(written.len(), 1);
        let lines: Vec<String> = keys.iter().map(|(issuer, key)| format!("{issuer} = {key}\n")).collect();
        let own = format!("health-code = \"{}\"\n", app.issuer_keys.letters_secret_text());
        let mut config = app.config.clone();
        let file = config.keys_file.with_file_name(format!("secrets-{}.toml", Uuid::new_v4().simple()));
        std::fs::write(&file, lines.concat() + &own).unwrap();
        config.issuer_secrets_file = Some(file);
        change(&mut config);
        let dispatcher = App::build(config, clock.unwrap_or_else(|| app.clock.clone())).await.unwrap();
        let assignment = written[0]["assignment_id"].as_str().unwrap().parse().unwrap();
        Self { app, dispatcher, like: written[0]["body"].clone(), assignment }
    }

    /// Makes an issuing system known that a receiver plays, with settings beside the usual ones.
    async fn enter(&self, id: &str, receiver: &Receiver, settings: Value) {
        let admin = self.app.staff(Role::Administrator, "100000").await;
        let mut form = json!({ "name": id, "url": receiver.url(), "division": "410000" });
        form.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        admin.put(&format!("/v1/issuers/{id}"), &form).await.expect(200);
    }

    /// Puts a letter into the outbox about each of these visitors, in this order.
    async fn write(&self, issuer: &str, visitors: &[Visitor]) -> Vec<Uuid> {
        let letters: Vec<NewLetter> = visitors.iter().map(|visitor| self.letter(*visitor)).collect();
        let mut conn = self.app.app.store.conn().await.unwrap();
        enqueue(&mut conn, issuer, &letters, self.dispatcher.clock.now()).await.unwrap();
        letters.iter().map(|letter| letter.id).collect()
    }

    fn letter(&self, visitor: Visitor) -> NewLetter {
        let id = Uuid::now_v7();
        let like: Letter = serde_json::from_value(self.like.clone()).unwrap();
        let letter = Letter { id, visitor: visitor.to_hex(), ..like };
        let body = serde_json::to_value(letter).unwrap();
        NewLetter { id, assignment_id: self.assignment, visitor: visitor.to_uuid(), body }
    }

    /// One round of the dispatcher; how many letters it sent.
    async fn dispatch(&self) -> usize {
        match Step::Dispatch.take(&self.dispatcher).await.unwrap() {
            Outcome::Worked(count) => count,
            Outcome::Idle => 0,
        }
    }

    async fn count(&self, issuer: &str, state: i16) -> i64 {
        let sql = format!("select count(*) from letters where issuer_id = '{issuer}' and state = {state}");
        self.app.number(&sql).await
    }
}

const WAITING: i16 = 0;
const DELIVERED: i16 = 1;
const BURIED: i16 = 2;

fn somebody() -> Visitor {
    Visitor::from_uuid(Uuid::new_v4())
}

fn people(count: usize) -> Vec<Visitor> {
    (0..count).map(|_| somebody()).collect()
}

/// A shared secret, as it stands in the secrets file.
fn secret() -> String {
    format!("\"{}\"", Secret::format(&[9; 32]))
}
