//! A service under test: own database, own prefix in Redis, own clock, reached over HTTP.

pub mod browser;
pub mod chromium;
pub mod client;
pub mod database;
pub mod people;
pub mod platforms;
pub mod servers;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use placecode::app::App;
use placecode::clock::Clock;
use placecode::config::{Config, IssuerConfig};
use placecode::domain::keyring::Keyring;
use placecode::http::serve::{bind, serve};
use placecode::http::web::Web;
use placecode::issuer::reference::{IssuerKeys, Server};
use placecode::pipeline::run::Step;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

/// When every test begins: noon in China, on a Monday.
pub fn noon() -> DateTime<Utc> {
    "2026-03-16T04:00:00Z".parse().unwrap()
}

#[derive(Parser)]
struct Wrapper {
    #[command(flatten)]
    config: Config,
}

/// A running service, its pipeline in the hands of the test, and a reference issuing system beside it.
pub struct TestApp {
    pub app: App,
    pub clock: Clock,
    pub address: SocketAddr,
    pub issuer_address: SocketAddr,
    pub issuer_keys: Arc<IssuerKeys>,
    pub database: String,
    pub config: Config,
    http: reqwest::Client,
    folder: PathBuf,
    shutdown: watch::Sender<bool>,
    issuer_stop: Option<oneshot::Sender<()>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl TestApp {
    /// A service with the usual settings.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A service with some settings of its own, as flags.
    pub async fn start_with(flags: &[&str]) -> Self {
        let name = format!("t_{}", Uuid::new_v4().simple());
        let folder = servers::folder().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        servers::create_database(&name);
        let issuer_keys = IssuerKeys::generate(std::array::from_fn(|n| [u8::try_from(n).unwrap() + 11; 32]));
        let (keys, secrets) = (folder.join("keys.toml"), folder.join("secrets.toml"));
        std::fs::write(&keys, Keyring::new([1; 32], [2; 32]).to_toml()).unwrap();
        std::fs::write(&secrets, platforms::secrets(&issuer_keys)).unwrap();
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut arguments: Vec<String> = [
            ("--database-url", servers::database_url(&name)),
            ("--redis-url", servers::redis_url()),
            ("--redis-prefix", name.clone()),
            ("--keys-file", keys.display().to_string()),
            ("--issuer-secrets-file", secrets.display().to_string()),
            ("--public-url", format!("http://{address}/")),
            ("--database-connections", "8".to_owned()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect();
        arguments.insert(0, "test".to_owned());
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let config = Wrapper::parse_from(arguments).config;
        let clock = Clock::fixed(noon());
        let app = App::build(config.clone(), clock.clone()).await.unwrap();
        let (shutdown, ended) = watch::channel(false);
        let service = spawn_service(app.clone(), listener, ended);
        let (issuer_address, issuer_stop, issuer) =
            spawn_issuer(&name, &format!("http://{address}/"), issuer_keys.clone(), clock.clone());
        let test = Self {
            app,
            clock,
            address,
            issuer_address,
            issuer_keys: Arc::new(issuer_keys),
            database: name,
            config,
            http: client::http(),
            folder,
            shutdown,
            issuer_stop: Some(issuer_stop),
            threads: vec![service, issuer],
        };
        test.settle().await;
        test.introduce().await;
        test
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn pass(&self, minutes: i64) {
        self.clock.advance(TimeDelta::minutes(minutes));
    }

    /// Takes every step of the pipeline until all are idle.
    pub async fn settle(&self) {
        loop {
            let mut moved = 0;
            for step in Step::ALL {
                if let placecode::pipeline::Outcome::Worked(count) = step.take(&self.app).await.unwrap() {
                    moved += count;
                }
            }
            if moved == 0 {
                return;
            }
        }
    }

    /// Makes the channel, the issuing system and the rule pack known, as an administrator would.
    async fn introduce(&self) {
        use placecode::domain::access::Role;
        let admin = self.staff(Role::Administrator, "100000").await;
        let key = data_encoding::HEXLOWER.encode(self.issuer_keys.channel_public_key().as_bytes());
        let page = format!("http://{}/identify", self.issuer_address);
        let channel = serde_json::json!({ "name": "健康码", "public_key": key, "page_url": page });
        admin.put("/v1/channels/health-code", &channel).await.expect(200);
        let url = format!("http://{}/v1/letters", self.issuer_address);
        let issuer = serde_json::json!({ "name": "健康码", "url": url, "division": "410000" });
        admin.put("/v1/issuers/health-code", &issuer).await.expect(200);
        let pack = serde_json::json!({ "text": include_str!("../../policies/baseline-1.toml") });
        admin.post("/v1/rule-packs", &pack).await.expect(201);
    }

    /// The one number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        use diesel::QueryableByName;
        use diesel_async::RunQueryDsl;
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            number: i64,
        }
        let mut conn = self.app.store.conn().await.unwrap();
        let query = diesel::sql_query(format!("select ({sql})::bigint as number"));
        query.get_result::<Number>(&mut conn).await.unwrap().number
    }

    /// Runs SQL as the owner of the tables could, and gives the database's word on it.
    pub async fn sql(&self, sql: &str) -> Result<usize, String> {
        use diesel_async::RunQueryDsl;
        let mut conn = self.app.store.conn().await.unwrap();
        diesel::sql_query(sql).execute(&mut conn).await.map_err(|error| error.to_string())
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let _ended = self.shutdown.send(true);
        if let Some(stop) = self.issuer_stop.take() {
            let _ended = stop.send(());
        }
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
        let _gone = std::fs::remove_dir_all(&self.folder);
        servers::drop_databases(&self.database);
    }
}

/// The service on a thread of its own, as it runs in production: its own system, its own workers.
fn spawn_service(
    app: App,
    listener: TcpListener,
    ended: watch::Receiver<bool>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            serve(Web::new(app), listener, ended).await.unwrap();
        });
    })
}

/// Another service on the same clock, keys and data, with some settings of its own.
pub struct Replica {
    pub app: App,
    pub address: SocketAddr,
    shutdown: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Replica {
    pub async fn start(of: &TestApp, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = of.config.clone();
        change(&mut config);
        let app = App::build(config, of.clock.clone()).await.unwrap();
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, ended) = watch::channel(false);
        let thread = Some(spawn_service(app.clone(), listener, ended));
        Self { app, address, shutdown, thread }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ended = self.shutdown.send(true);
        let _ended = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// Waits until something is so, for ten seconds at the most.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("waited too long until {what}");
}

#[derive(Parser)]
struct IssuerWrapper {
    #[command(flatten)]
    config: IssuerConfig,
}

/// The reference issuing system with a database of its own, reached only over HTTP.
fn spawn_issuer(
    name: &str,
    service_url: &str,
    keys: IssuerKeys,
    clock: Clock,
) -> (SocketAddr, oneshot::Sender<()>, std::thread::JoinHandle<()>) {
    let database = format!("{name}_issuer");
    servers::create_empty_database(&database);
    let arguments = [
        "test",
        "--issuer-database-url",
        &servers::database_url(&database),
        "--issuer-keys-file",
        "/dev/null",
        "--issuer-bind",
        "127.0.0.1:0",
        "--service-url",
        service_url,
    ];
    let config = IssuerWrapper::parse_from(arguments).config;
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async move {
            let server = Server::start(&config, keys, clock).await.unwrap();
            tell.send(server.address()).unwrap();
            server
                .until(async {
                    let _ended = stopped.await;
                })
                .await
                .unwrap();
        });
    });
    (told.recv().unwrap(), stop, thread)
}
