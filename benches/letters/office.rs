//! The service with its people: what makes letters, asked over HTTP as they would.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use placecode::app::App;
use placecode::clock::Clock;
use placecode::config::Config;
use placecode::domain::access::Role;
use placecode::domain::keyring::Keyring;
use placecode::domain::letter::Delivery;
use placecode::domain::numbered::Numbered;
use placecode::domain::rule_pack::RulePack;
use placecode::domain::scheme::Scheme;
use placecode::http::auth::{new_token, token_hash};
use placecode::http::serve::{bind, serve};
use placecode::http::web::Web;
use placecode::issuer::reference::IssuerKeys;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use placecode::store::access::{self, SessionRow, StaffRow, role_numbers};
use placecode::store::letters::{self, IssuerRow};
use placecode::store::runs;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use super::gathering;
use super::trial::Plan;

/// The id of the issuing system.
pub const ISSUER: &str = "health-code";

#[derive(Parser)]
struct Wrapper {
    #[command(flatten)]
    config: Config,
}

/// A running service, and what its processes are started with.
pub struct Office {
    pub app: App,
    pub keys: IssuerKeys,
    /// The flags of every process of the service.
    pub flags: Vec<String>,
    address: SocketAddr,
    http: reqwest::Client,
    shutdown: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
    investigator: String,
    officers: [String; 2],
}

impl Office {
    /// A service with its register, people and rules, and the stays of all visitors.
    pub async fn open(plan: &Plan, issuer_address: SocketAddr) -> anyhow::Result<Self> {
        fs::create_dir_all(&plan.folder)?;
        placecode::store::migrate(&plan.database_url).await?;
        let keys = IssuerKeys::generate(std::array::from_fn(|_| rand::random()));
        let file = |name: &str| plan.folder.join(name);
        fs::write(file("keys.toml"), Keyring::new(rand::random(), rand::random()).to_toml())?;
        fs::write(file("issuer-keys.toml"), keys.to_toml())?;
        fs::write(file("secrets.toml"), format!("{ISSUER} = \"{}\"\n", keys.letters_secret_text()))?;
        let listener = bind("127.0.0.1:0".parse()?)?;
        let address = listener.local_addr()?;
        let flags: Vec<String> = [
            ("--database-url", plan.database_url.clone()),
            ("--redis-url", plan.redis_url.clone()),
            ("--redis-prefix", format!("letters-{}", Uuid::new_v4().simple())),
            ("--keys-file", file("keys.toml").display().to_string()),
            ("--issuer-secrets-file", file("secrets.toml").display().to_string()),
            ("--public-url", format!("http://{address}/")),
            ("--database-connections", "6".to_owned()),
            // The bounds on releases have tests of their own; here whole crowds go out in one hour.
            ("--release-cap", "1000000".to_owned()),
            ("--release-warning", "1000000".to_owned()),
            ("--release-block-hour", "1000000".to_owned()),
            // A process that is killed holds its letters so long.
            ("--letter-timeout", "2s".to_owned()),
            ("--letter-lease", "5s".to_owned()),
            ("--letter-retries", vec!["500ms"; 60].join(",")),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect();
        let config = Wrapper::parse_from([vec!["letters".to_owned()], flags.clone()].concat()).config;
        let app = App::build(config, Clock::System).await?;
        let (shutdown, ended) = watch::channel(false);
        let web = app.clone();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                serve(Web::new(web), listener, ended).await.expect("the service serves");
            });
        });
        let now = app.clock.now();
        let mut conn = app.store.conn().await?;
        gathering::enter_register(&mut conn, now).await?;
        gathering::gather(&mut conn, plan.visitors, plan.seed, now).await?;
        let text = include_str!("../../policies/baseline-1.toml");
        runs::load_pack(&mut conn, &RulePack::parse(text)?, text, now).await?;
        letters::upsert_issuer(&mut conn, &issuer(issuer_address, now)).await?;
        drop(conn);
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        let thread = Some(thread);
        let investigator = staff(&app, Role::Investigator).await?;
        let officers = [staff(&app, Role::ChiefOfficer).await?, staff(&app, Role::ChiefOfficer).await?];
        Ok(Self { app, keys, flags, address, http, shutdown, thread, investigator, officers })
    }

    /// Reports the case of a gathering, has it traced, and lets everybody go who was there; returns the case.
    pub async fn release_gathering(&self, gathering: u64) -> anyhow::Result<String> {
        let now = self.app.clock.now();
        let case = json!({
            "visitor": gathering::case(gathering).to_hex(),
            "kind": "confirmed",
            "onset_at": now - TimeDelta::hours(6),
            "sampled_at": now - TimeDelta::hours(4),
            "authority": "郑州市疾病预防控制中心",
            "division": "410100",
        });
        let case = id(&self.post(&self.investigator, "/v1/cases", &case).await?)?;
        let run = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查" });
        let run = id(&self.post(&self.investigator, &format!("/v1/cases/{case}/runs"), &run).await?)?;
        self.settle().await?;
        self.post(&self.investigator, &format!("/v1/runs/{run}/proposal"), &json!({})).await?;
        self.settle().await?;
        for officer in &self.officers {
            let word = json!({ "legal_basis": "传染病防治法第三十九条" });
            self.post(officer, &format!("/v1/runs/{run}/release"), &word).await?;
        }
        self.settle().await?;
        Ok(case)
    }

    /// Takes a case back, and all that hangs on it.
    pub async fn withdraw(&self, case: &str) -> anyhow::Result<()> {
        let reason = json!({ "reason": "检测结果有误" });
        self.post(&self.investigator, &format!("/v1/cases/{case}/withdrawal"), &reason).await?;
        self.settle().await
    }

    /// Takes every step of the pipeline but the one on trial until all are idle.
    async fn settle(&self) -> anyhow::Result<()> {
        loop {
            let mut idle = true;
            for step in Step::ALL.into_iter().filter(|step| *step != Step::Dispatch) {
                idle &= step.take(&self.app).await? == Outcome::Idle;
            }
            if idle {
                return Ok(());
            }
        }
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("http://{}{path}", self.address)).bearer_auth(token).json(body);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.shutdown.send_replace(true);
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

fn id(made: &Value) -> anyhow::Result<String> {
    Ok(made["id"].as_str().context("an id")?.to_owned())
}

fn issuer(address: SocketAddr, now: DateTime<Utc>) -> IssuerRow {
    IssuerRow {
        id: ISSUER.to_owned(),
        name: "健康码".to_owned(),
        url: format!("http://{address}/v1/letters"),
        division: "410000".to_owned(),
        disabled_at: None,
        created_at: now,
        public_key: None,
        scheme: Scheme::Three.number(),
        batch_max: 200,
        pace_per_min: None,
        delivery: Delivery::Push.number(),
    }
}

/// A signed-in member of staff; returns the token.
async fn staff(app: &App, role: Role) -> anyhow::Result<String> {
    let (token, now, id) = (new_token(), app.clock.now(), Uuid::now_v7());
    let row = StaffRow {
        id,
        login: format!("staff-{}", &id.simple().to_string()[20..]),
        display_name: role.word().to_owned(),
        password_hash: "none".into(),
        roles: role_numbers(&[role]),
        division: "410000".into(),
        disabled_at: None,
        created_at: now,
    };
    let session = SessionRow {
        token_hash: token_hash(&token),
        staff_id: id,
        expires_at: now + TimeDelta::days(1),
        created_at: now,
    };
    let mut conn = app.store.conn().await?;
    access::insert_staff(&mut conn, &row).await?;
    access::insert_session(&mut conn, &session).await?;
    Ok(token)
}
