//! One issuing system for one test, and what tests say to it.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use placecode::clock::Clock;
use placecode::config::IssuerConfig;
use placecode::domain::letter::{ENVELOPE, Envelope, Letter, LetterExposure, LetterKind};
use placecode::domain::rule_pack::{Class, Colour, EndConditions};
use placecode::domain::visitor::{IdentityKind, Visitor};
use placecode::domain::webhook::SigningKey;
use placecode::issuer::answer::Outcome;
use placecode::issuer::client::{Client, Sent};
use placecode::issuer::reference::{IssuerKeys, Server};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::support::servers::{create_empty_database, database_url, drop_databases};

/// An issuing system that listens, its keys and its clock.
pub(crate) struct Platform {
    pub(crate) url: Url,
    pub(crate) keys: IssuerKeys,
    pub(crate) clock: Clock,
    pub(crate) database: String,
    pub(crate) http: reqwest::Client,
    pub(crate) client: Client,
    server: Option<Server>,
}

/// The place-code service that the platform believes in.
pub(crate) const SERVICE: &str = "http://service.example:8080/";

impl Platform {
    pub(crate) async fn start() -> Self {
        let database = format!("issuer_{}", Uuid::new_v4().simple());
        create_empty_database(&database);
        let keys = IssuerKeys::generate([[1; 32], [2; 32], [3; 32], [4; 32], [5; 32]]);
        let clock = Clock::fixed("2026-03-10T04:00:00Z".parse().unwrap());
        let config = IssuerConfig {
            border_file: None,
            clock_shift_file: None,
            issuer_database_url: database_url(&database),
            issuer_keys_file: PathBuf::new(),
            issuer_bind: "127.0.0.1:0".parse().unwrap(),
            service_url: SERVICE.parse().unwrap(),
        };
        let server = Server::start(&config, keys.clone(), clock.clone()).await.unwrap();
        let url = format!("http://{}/", server.address()).parse().unwrap();
        let client = Client::new(Duration::from_secs(10)).unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { url, keys, clock, database, http, client, server: Some(server) }
    }

    /// Serves one last moment and ends.
    pub(crate) async fn stop(mut self) {
        self.server.take().unwrap().until(std::future::ready(())).await.unwrap();
    }

    /// Serves until it has deleted every visitor, as it does now and then, and ends.
    pub(crate) async fn stop_when_empty(mut self) {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let server = self.server.take().unwrap();
        let serving = tokio::spawn(server.until(async { drop(told.await) }));
        for _ in 0..100 {
            if self.read("v1/summary").await["visitors"]["green"] == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(self.read("v1/summary").await["visitors"]["green"], 0);
        tell.send(()).unwrap();
        serving.await.unwrap().unwrap();
    }

    pub(crate) fn at(&self, path: &str) -> Url {
        self.url.join(path).unwrap()
    }

    /// What the service signs letters with.
    pub(crate) fn letters_key(&self) -> SigningKey {
        SigningKey::parse(self.keys.letters_secret_text()).unwrap()
    }

    pub(crate) async fn send(&self, key: &SigningKey, letters: &[Letter]) -> Sent {
        let now = self.clock.now();
        let envelope = Envelope { kind: ENVELOPE.to_owned(), timestamp: now, letters: letters.to_vec() };
        self.client.send(&self.at("v1/letters"), key, &envelope, Uuid::now_v7(), now).await
    }

    /// Delivers letters and answers what became of each.
    pub(crate) async fn deliver(&self, letters: &[Letter]) -> Vec<Outcome> {
        match self.send(&self.letters_key(), letters).await {
            Sent::Delivered(applied) => {
                let ids: Vec<Uuid> = applied.iter().map(|one| one.id).collect();
                assert_eq!(ids, letters.iter().map(|letter| letter.id).collect::<Vec<_>>());
                applied.into_iter().map(|one| one.result).collect()
            }
            other => panic!("not delivered: {other:?}"),
        }
    }

    /// What a trusted program gets to read.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.http.get(self.at(path)).bearer_auth(self.keys.api_token()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn code(&self, visitor: Visitor) -> Value {
        self.read(&format!("v1/colours/{}", visitor.to_hex())).await
    }

    pub(crate) fn visitor(&self, number: &str) -> Visitor {
        Visitor::of(self.keys.visitor_key().bytes(), IdentityKind::ResidentCard, number)
    }

    pub(crate) fn letter(
        &self,
        visitor: Visitor,
        sequence: i64,
        kind: LetterKind,
        assignment: Uuid,
    ) -> Letter {
        let last = self.clock.now() - TimeDelta::days(1);
        let exposure = LetterExposure {
            place: "星河商场 · 东门".to_owned(),
            from: last - TimeDelta::minutes(45),
            until: last,
        };
        Letter {
            id: Uuid::now_v7(),
            sequence,
            kind,
            assignment,
            visitor: visitor.to_hex(),
            class: Class::ExposedPlace,
            rule: None,
            colour: Colour::Yellow,
            rule_pack: "baseline@1".to_owned(),
            division: "330106".to_owned(),
            authority: "西湖区疾病预防控制中心".to_owned(),
            legal_basis: "《传染病防治法》第三十九条".to_owned(),
            exposures: vec![exposure],
            last_exposure_at: last,
            expires_at: last + TimeDelta::days(7),
            review_at: None,
            end: EndConditions::default(),
            appeal_url: "http://127.0.0.1/me/appeals/1".to_owned(),
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        drop_databases(&self.database);
    }
}
