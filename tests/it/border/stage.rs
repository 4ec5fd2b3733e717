//! Henan, whose service found contacts of a case in a teahouse; two of them live in Hubei.

use std::net::SocketAddr;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use placecode::config::IssuerConfig;
use placecode::domain::access::Role;
use placecode::domain::assertion::{AUDIENCE, IdentityClaims, sign};
use placecode::domain::visitor::{IdentityKind, Visitor};
use placecode::domain::webhook::SigningKey;
use placecode::issuer::reference::{IssuerKeys, Server};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::client::Client;
use crate::support::people::Place;
use crate::support::platforms::{self, PlatformDatabase};
use crate::support::{TestApp, servers, until};

/// The key that persons are named under between the two sides.
pub const ALIAS_KEY: [u8; 32] = [77; 32];

/// Every field that may be agreed.
pub const FIELDS: &[&str] = &[
    "relation",
    "minutes",
    "date",
    "slot",
    "infectious_day",
    "category",
    "granularity",
    "presence",
    "ended_by",
    "rows",
    "place",
];

/// What the service shares with another side, by the name of the line in its file of secrets.
pub fn secret(name: &str) -> String {
    platforms::keys(name).letters_secret_text().to_owned()
}

/// What another side calls somebody.
pub fn alias(number: u32) -> Visitor {
    Visitor::of(&ALIAS_KEY, IdentityKind::Other, &format!("person-{number}"))
}

/// The head of a border file: by what a side decides.
pub fn own(division: &str, authority: &str, pack: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    format!(
        "[own]\ndivision = \"{division}\"\nauthority = \"{authority}\"\nlegal_basis = \"突发公共卫生事件应急条例\"\n\
         appeal_url = \"https://appeal.example.cn/\"\nrule_pack = \"{folder}/{pack}.toml\"\n"
    )
}

/// The line of a border file that lets a side know persons by the pairwise key.
pub fn alias_keys(name: &str) -> String {
    format!("[alias_keys]\n{name} = \"{}\"\n", data_encoding::HEXLOWER.encode(&ALIAS_KEY))
}

/// An agreement as a receiving side has it, from noon of the test on for thirty days.
pub fn agreement(id: &str, route: &str, to: &str, peer_key: &str) -> String {
    format!(
        "[[agreement]]\nid = \"{id}\"\nroute = \"{route}\"\nfrom = \"410000\"\nto = \"{to}\"\npeer_key = \"{peer_key}\"\n\
         alias_key = \"{id}\"\nfields = {}\nvalid_from = \"2026-03-01T00:00:00Z\"\nvalid_until = \"2026-04-15T00:00:00Z\"\n",
        json!(FIELDS)
    )
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    config: IssuerConfig,
}

/// Another side's issuing system, with its border file.
pub struct Side {
    pub keys: IssuerKeys,
    pub address: SocketAddr,
    pub database: PlatformDatabase,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Side {
    pub fn start(app: &TestApp, name: &str, border: &str) -> Self {
        let database = format!("{}_{name}", app.database);
        servers::create_empty_database(&format!("{database}_issuer"));
        let folder = servers::folder().join(&database);
        std::fs::create_dir_all(&folder).unwrap();
        let border_file = folder.join("border.toml");
        std::fs::write(&border_file, border).unwrap();
        let keys = platforms::keys(name);
        let arguments = [
            "test",
            "--issuer-database-url",
            &servers::database_url(&format!("{database}_issuer")),
            "--issuer-keys-file",
            "/dev/null",
            "--issuer-bind",
            "127.0.0.1:0",
            "--service-url",
            &format!("http://{}/", app.address),
            "--border-file",
            border_file.to_str().unwrap(),
        ];
        let config = Arguments::parse_from(arguments).config;
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let (server_keys, clock) = (keys.clone(), app.clock.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(async move {
                let server = Server::start(&config, server_keys, clock).await.unwrap();
                tell.send(server.address()).unwrap();
                let ended = async {
                    let _ended = stopped.await;
                };
                server.until(ended).await.unwrap();
            });
        });
        Self {
            keys,
            address: told.recv().unwrap(),
            database: PlatformDatabase(format!("{database}_issuer")),
            http: crate::support::client::http(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn visitor(&self, number: u32) -> Visitor {
        Visitor::of(self.keys.visitor_key().bytes(), IdentityKind::Other, &format!("person-{number}"))
    }

    /// Somebody shows a document here, so that this side knows them by their names.
    pub async fn meets(&self, number: u32) -> String {
        let url = format!("http://{}/v1/assertions", self.address);
        let body = json!({ "kind": 99, "number": format!("PERSON-{number}") });
        let asked = self.http.post(url).bearer_auth(self.keys.api_token()).json(&body);
        let answer: Value = asked.send().await.unwrap().json().await.unwrap();
        answer["assertion"].as_str().unwrap().to_owned()
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let asked =
            self.http.get(format!("http://{}{path}", self.address)).bearer_auth(self.keys.api_token());
        let answer = asked.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// What this side's own code shows of somebody.
    pub async fn shows(&self, number: u32) -> Value {
        self.get(&format!("/v1/colours/{}", self.visitor(number).to_hex())).await.1
    }

    /// A signed request; the status and the body.
    pub async fn told(&self, key: &SigningKey, path: &str, body: &str, at: DateTime<Utc>) -> (u16, Value) {
        let id = uuid::Uuid::now_v7().to_string();
        let signature = key.sign(&id, at.timestamp(), body.as_bytes());
        let asked = self.http.post(format!("http://{}{path}", self.address)).header("webhook-id", id);
        let asked = asked.header("webhook-timestamp", at.timestamp()).header("webhook-signature", signature);
        let answer = asked.body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ended = stop.send(());
        }
        let _ended = self.thread.take().map(std::thread::JoinHandle::join);
        servers::drop_databases(&self.database.0);
    }
}

/// Person 1 is a case, and was two hours in a teahouse with 2 and 4, and half an hour with 3. 2 and 3 live in Hubei.
pub struct Story {
    pub app: TestApp,
    pub teahouse: Place,
    pub investigator: Client,
    pub case: String,
}

impl Story {
    /// `key` is the name of the key that the channel names 2 and 3 under.
    pub async fn begin(key: &str) -> Self {
        let app = TestApp::start().await;
        let teahouse = app.venue("老茶馆", "teahouse").await;
        app.scan(1, &teahouse, 180).await;
        app.scan(2, &teahouse, 170).await;
        app.scan(4, &teahouse, 170).await;
        app.scan(3, &teahouse, 90).await;
        app.scan(1, &app.venue("图书馆", "library").await, 60).await;
        for number in [2, 3] {
            lives(&app, number, "420106", key).await;
        }
        lives(&app, 4, "410105", key).await;
        app.settle().await;
        let investigator = app.staff(Role::Investigator, "410100").await;
        let case = app.case(&investigator, 1).await;
        Self { app, teahouse, investigator, case }
    }

    /// An agreement as our side enters it.
    pub fn agreed(&self, url: &str, route: &str, division: &str) -> Value {
        json!({
            "own_division": "410000", "division": division, "url": url, "secret": "second", "route": route,
            "fields": FIELDS, "alias_key": "henan-hubei", "valid_from": self.app.now() - TimeDelta::days(1),
            "valid_until": self.app.now() + TimeDelta::days(20), "legal_basis": "联防联控机制综发〔2020〕107号",
        })
    }

    pub async fn agree(&self, id: &str, agreement: &Value) {
        let admin = self.app.staff(Role::Administrator, "100000").await;
        admin.put(&format!("/v1/agreements/{id}"), agreement).await.expect(200);
    }

    /// A run of the case, proposed, and let go by two officers.
    pub async fn release(&self) -> String {
        let run = self.app.run(&self.investigator, &self.case).await;
        let run = run["id"].as_str().unwrap().to_owned();
        self.app.release(&self.investigator, &run).await;
        run
    }

    /// The last event of somebody's assignment: state and reason.
    pub async fn end_of(&self, number: u32) -> Value {
        let sql = format!(
            "select e.state, e.reason from assignments a join assignment_events e on e.assignment_id = a.id
             where a.visitor = '{}' order by e.at desc, e.seq desc limit 1",
            self.app.visitor(number).to_uuid()
        );
        self.app.rows(&sql).await.first().cloned().unwrap_or(Value::Null)
    }

    /// The hand-over of somebody as officers see it in the list.
    pub async fn hand_over(&self, number: u32) -> Value {
        let sql =
            format!("select id from hand_overs where alias = '{}' order by id", alias(number).to_uuid());
        let id = self.app.rows(&sql).await.last().map(|row| row["id"].clone()).unwrap_or_default();
        let officer = self.app.staff(Role::ReleasingOfficer, "410100").await;
        let list = officer.get("/v1/hand-overs").await.expect(200);
        list.as_array().unwrap().iter().find(|row| row["id"] == id).cloned().unwrap_or_default()
    }

    pub async fn withdraw(&self) {
        let path = format!("/v1/cases/{}/withdrawal", self.case);
        self.investigator.post(&path, &json!({ "reason": "实验室复核为阴性" })).await.expect(202);
        self.app.settle().await;
    }
}

/// The channel tells where somebody lives, and what the other side calls them.
pub async fn lives(app: &TestApp, number: u32, division: &str, key: &str) {
    let claims = IdentityClaims {
        sub: app.visitor(number).to_hex(),
        aud: AUDIENCE.into(),
        iat: app.now().timestamp(),
        exp: app.now().timestamp() + 300,
        colour: None,
        colour_at: None,
        division: Some(division.to_owned()),
        aliases: [(key.to_owned(), alias(number).to_hex())].into(),
    };
    let assertion = sign(&claims, app.issuer_keys.channel(), app.issuer_keys.channel_key());
    app.client(None).post("/v1/visitor-tokens", &json!({ "assertion": assertion })).await.expect(201);
    let told = format!(
        "select count(*) from aliases a join residences r using (visitor)
         where a.visitor = '{}' and a.alias_key = '{key}' and r.division = '{division}'",
        app.visitor(number).to_uuid()
    );
    until("it is known where somebody lives", async || app.number(&told).await == 1).await;
}

/// No word for a colour or for a class stands in what was carried.
#[track_caller]
pub fn assert_no_colour(carried: &[String]) {
    assert!(!carried.is_empty(), "nothing was carried");
    let words = [
        "green",
        "yellow",
        "orange",
        "red",
        "close",
        "secondary",
        "same_vehicle",
        "exposed_place",
        "companion",
        "residual",
        "colour",
        "color",
        "class",
    ];
    for text in carried {
        let text = text.to_lowercase();
        let parts = text.split(|c: char| !c.is_ascii_alphabetic() && c != '_');
        let found: Vec<&str> = parts.filter(|part| words.contains(part)).collect();
        assert!(found.is_empty(), "{found:?} in {text}");
        for word in ["绿", "黄", "橙", "红", "密接", "密切接触"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
}
