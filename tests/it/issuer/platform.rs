//! One issuing system for one test, and what tests say to it.

use std::time::Duration;

use chrono::TimeDelta;
use clap::Parser;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use placecode::clock::Clock;
use placecode::config::IssuerConfig;
use placecode::domain::letter::{ENVELOPE, Envelope, Letter, LetterExposure, LetterKind};
use placecode::domain::rule_pack::{Class, Colour, EndConditions};
use placecode::domain::scheme::Shown;
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
    config: IssuerConfig,
    server: Option<Server>,
}

/// The settings as the role reads them, each with its default.
#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: IssuerConfig,
}

/// The place-code service that the platform believes in.
pub(crate) const SERVICE: &str = "http://service.example:8080/";

/// The keys of a platform to which a test gives no others.
pub(crate) fn usual_keys() -> IssuerKeys {
    IssuerKeys::generate([[1; 32], [2; 32], [3; 32], [4; 32], [5; 32]])
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_config| {}).await
    }

    /// One with other settings than most tests need.
    pub(crate) async fn start_with(set: impl FnOnce(&mut IssuerConfig)) -> Self {
        Self::start_as(usual_keys(), set).await
    }

    /// One with other keys too.
    pub(crate) async fn start_as(keys: IssuerKeys, set: impl FnOnce(&mut IssuerConfig)) -> Self {
        let database = format!("issuer_{}", Uuid::new_v4().simple());
        create_empty_database(&database);
        let clock = Clock::fixed("2026-03-10T04:00:00Z".parse().unwrap());
        let url = database_url(&database);
        let arguments = ["test", "--issuer-database-url", &url, "--issuer-keys-file", "/dev/null"];
        let more = ["--issuer-bind", "127.0.0.1:0", "--service-url", SERVICE];
        let mut config = Settings::parse_from(arguments.into_iter().chain(more)).config;
        set(&mut config);
        let server = Server::start(&config, keys.clone(), clock.clone()).await.unwrap();
        let url = format!("http://{}/", server.address()).parse().unwrap();
        let client = Client::new(Duration::from_secs(10)).unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { url, keys, clock, database, http, client, config, server: Some(server) }
    }

    /// Ends, and starts again on the same database, as after a fault.
    pub(crate) async fn restart(&mut self) {
        self.server.take().unwrap().until(std::future::ready(())).await.unwrap();
        let server = Server::start(&self.config, self.keys.clone(), self.clock.clone()).await.unwrap();
        self.url = format!("http://{}/", server.address()).parse().unwrap();
        self.server = Some(server);
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// The rows of a query, each as JSON.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Value> {
        #[derive(diesel::QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Text)]
            line: String,
        }
        let mut connection = AsyncPgConnection::establish(&database_url(&self.database)).await.unwrap();
        let query = diesel::sql_query(format!("select to_jsonb(q)::text as line from ({sql}) as q"));
        let lines: Vec<Line> = query.load(&mut connection).await.unwrap();
        lines.iter().map(|line| serde_json::from_str(&line.line).unwrap()).collect()
    }

    /// Runs SQL as a database administrator could.
    pub(crate) async fn sql(&self, sql: &str) {
        let mut connection = AsyncPgConnection::establish(&database_url(&self.database)).await.unwrap();
        diesel::sql_query(sql).execute(&mut connection).await.unwrap();
    }

    pub(crate) async fn sign_in(&self, number: &str, back: &str) -> reqwest::Response {
        let form = [("kind", "10"), ("number", number), ("return", back)];
        self.form("", "", &form).await
    }

    /// Sends a form of a page, with the session of somebody.
    pub(crate) async fn form(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(self.at(path)).header("cookie", cookie).body(body);
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
    }

    /// The session of somebody who has signed in, as a `Cookie` header.
    pub(crate) async fn session(&self, number: &str) -> String {
        let answer = self.sign_in(number, "").await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/me".parse().unwrap()));
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// A page as a browser with this session gets it. No page needs a script.
    pub(crate) async fn page(&self, path: &str, cookie: &str) -> (u16, String) {
        let answer = self.http.get(self.at(path)).header("cookie", cookie).send().await.unwrap();
        let policy =
            answer.headers().get("content-security-policy").map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        if status != 303 {
            let policy = policy.unwrap();
            assert!(
                policy.contains("default-src 'self'") && policy.contains("script-src 'none'"),
                "{policy}"
            );
            assert!(!text.contains("<script") && !text.contains("style=") && !text.contains("onclick"));
        }
        (status, text)
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
            shown: Shown::Yellow,
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
