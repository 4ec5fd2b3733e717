//! Further issuing systems beside the one of every test, each with keys and a database of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use diesel::sql_types::Text;
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use placecode::domain::access::Role;
use placecode::domain::visitor::Visitor;
use placecode::domain::webhook::SigningKey;
use placecode::issuer::reference::IssuerKeys;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::client::Answer;
use super::{TestApp, servers};

/// The ids that further issuing systems of a test may have; the service has a secret for each.
pub const IDS: [&str; 3] = ["second", "third", "fourth"];

/// A further issuing system that listens. It ends, and its database goes, when it is dropped.
pub struct Platform {
    pub keys: Arc<IssuerKeys>,
    pub address: SocketAddr,
    pub database: PlatformDatabase,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The database of an issuing system, as its owner's password opens it.
pub struct PlatformDatabase(pub String);

/// The keys of a further issuing system: always the same for one id, no two alike.
pub fn keys(id: &str) -> IssuerKeys {
    IssuerKeys::generate(std::array::from_fn(|nth| Sha256::digest(format!("{id} {nth}")).into()))
}

/// The secrets file of the service: the issuing system of every test, and all further ones.
pub fn secrets(first: &IssuerKeys) -> String {
    let line = |id: &str, keys: &IssuerKeys| format!("{id} = \"{}\"\n", keys.letters_secret_text());
    let further: String = IDS.iter().map(|id| line(id, &keys(id))).collect();
    line("health-code", first) + &further
}

impl TestApp {
    /// Starts a further issuing system, which the service does not know yet.
    pub fn spawn_platform(&self, id: &'static str) -> Platform {
        assert!(IDS.contains(&id), "the service has no secret for {id}");
        let keys = keys(id);
        // The database's name ends like that of every issuing system.
        let name = format!("{}_{id}", self.database);
        let service = format!("http://{}/", self.address);
        let (address, stop, thread) = super::spawn_issuer(&name, &service, keys.clone(), self.clock.clone());
        Platform {
            keys: Arc::new(keys),
            address,
            database: PlatformDatabase(format!("{name}_issuer")),
            http: self.http.clone(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Starts a further issuing system and makes it known for a division, as an administrator would. `more` are
    /// further settings of `PUT /v1/issuers/{id}`, such as `{ "delivery": "pull" }`.
    pub async fn platform(&self, id: &'static str, division: &str, more: &Value) -> Platform {
        let platform = self.spawn_platform(id);
        let admin = self.staff(Role::Administrator, "100000").await;
        let mut issuer = json!({ "name": id, "url": platform.letters_url(), "division": division });
        for (name, value) in more.as_object().into_iter().flatten() {
            issuer[name] = value.clone();
        }
        admin.put(&format!("/v1/issuers/{id}"), &issuer).await.expect(200);
        platform
    }

    /// The database of the issuing system of every test.
    pub fn issuer_database(&self) -> PlatformDatabase {
        PlatformDatabase(format!("{}_issuer", self.database))
    }
}

impl Platform {
    /// Where letters to it go.
    pub fn letters_url(&self) -> String {
        format!("http://{}/v1/letters", self.address)
    }

    /// What it shares with the service.
    pub fn key(&self) -> SigningKey {
        SigningKey::parse(self.keys.letters_secret_text()).unwrap()
    }

    /// What it asks of the service, signed.
    pub async fn asks(&self, app: &TestApp, path: &str, body: &Value) -> Answer {
        app.signed(&self.key(), path, body).await
    }

    /// What it shows of somebody.
    pub async fn colour(&self, visitor: Visitor) -> Value {
        let url = format!("http://{}/v1/colours/{}", self.address, visitor.to_hex());
        let answer = self.http.get(url).bearer_auth(self.keys.api_token()).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// It ends, as if its machine were switched off; its database stays.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ended = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop();
        servers::drop_databases(&self.database.0);
    }
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl PlatformDatabase {
    async fn connection(&self) -> AsyncPgConnection {
        AsyncPgConnection::establish(&servers::database_url(&self.0)).await.unwrap()
    }

    /// Runs SQL as its administrator could, and says how many rows it touched.
    pub async fn sql(&self, sql: &str) -> usize {
        sql_query(sql).execute(&mut self.connection().await).await.unwrap()
    }

    /// The rows of a query, as JSON objects.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        let query = sql_query(format!("select row_to_json(q)::text as line from ({sql}) q"));
        let lines: Vec<Line> = query.load(&mut self.connection().await).await.unwrap();
        lines.iter().map(|line| serde_json::from_str(&line.line).unwrap()).collect()
    }

    /// The one number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        self.rows(&format!("select ({sql})::bigint as number")).await[0]["number"].as_i64().unwrap()
    }
}
