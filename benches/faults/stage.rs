//! The real service on servers of its own: two of each role, Postgres, Redis, and a proxy on every way between.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use clap::Parser;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use placecode::app::App;
use placecode::clock::Clock;
use placecode::config::Config;

use super::city::City;
use super::disk::Disk;
use super::ground::{Ground, READY_LIMIT, free_port, ready};
use super::process::{Process, Recipe};
use super::proxy::Proxy;

/// How many of each role there are.
pub const REPLICAS: usize = 2;
/// A kind of process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Service,
    Worker,
    Redis,
    Postgres,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Service, Self::Worker, Self::Redis, Self::Postgres];

    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Worker => "worker",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }

    /// How many of it there are.
    pub fn count(self) -> usize {
        match self {
            Self::Service | Self::Worker => REPLICAS,
            Self::Redis | Self::Postgres => 1,
        }
    }
}

/// Where a stage is set up.
pub struct Plan {
    /// A folder of its own, which is removed in the end.
    pub folder: PathBuf,
    /// Where programs are kept that have to be downloaded.
    pub tools: PathBuf,
    /// The program that plays the roles.
    pub program: PathBuf,
    /// Whether Postgres and Redis get disks that can be filled.
    pub small_disks: bool,
}

#[derive(Parser)]
struct Wrapper {
    #[command(flatten)]
    config: Config,
}

pub struct Stage {
    processes: BTreeMap<(Part, usize), Process>,
    /// From one replica of a role to a server.
    proxies: BTreeMap<(Part, usize, Part), Proxy>,
    disks: BTreeMap<Part, Disk>,
    /// The way past all proxies, for the comparison.
    pub app: App,
    pub city: Arc<City>,
    pub services: [SocketAddr; REPLICAS],
    /// Where all processes write their logs.
    pub logs: PathBuf,
    folder: PathBuf,
}

impl Stage {
    /// Starts everything and waits until both services answer.
    pub async fn open(plan: &Plan) -> anyhow::Result<Self> {
        let ground = Ground::prepare(plan)?;
        let now = Clock::System.now();
        let city = Arc::new(City::new(now));
        // A build that replaces the program meanwhile must not change who is on this stage.
        let program = ground.folder.join("placecode");
        fs::hard_link(&plan.program, &program).or_else(|_| fs::copy(&plan.program, &program).map(drop))?;
        let keys = ground.folder.join("keys.toml");
        fs::write(&keys, city.keyring.to_toml())?;
        let database_url = format!("postgres://placecode@{}/placecode", ground.postgres);
        let first_url = format!("postgres://placecode@{}/postgres", ground.postgres);
        ready("Postgres", async || {
            let mut conn = AsyncPgConnection::establish(&first_url).await?;
            Ok(conn.batch_execute("create database placecode").await?)
        })
        .await?;
        placecode::store::migrate(&database_url).await?;
        let redis_url = format!("redis://{}", ground.redis);
        let flags = [
            ("--database-url", database_url),
            ("--redis-url", redis_url),
            ("--keys-file", keys.display().to_string()),
        ];
        let flags: Vec<String> =
            flags.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        let config = Wrapper::parse_from([vec!["faults".to_owned()], flags].concat()).config;
        let app = App::build(config, Clock::System).await?;
        city.enter(&mut *app.store.conn().await?, now).await?;
        let Ground { folder, logs, processes, disks, postgres, redis } = ground;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let proxies = BTreeMap::new();
        let mut stage =
            Self { processes, proxies, disks, app, city, services: [any; REPLICAS], logs, folder };
        for replica in 0..REPLICAS {
            for part in [Part::Service, Part::Worker] {
                for (server, address) in [(Part::Redis, redis), (Part::Postgres, postgres)] {
                    stage.proxies.insert((part, replica, server), Proxy::start(address).await?);
                }
                stage.cast(part, replica, &keys)?;
            }
        }
        stage.all_ready(READY_LIMIT).await?;
        Ok(stage)
    }

    /// Starts one replica of a role.
    fn cast(&mut self, part: Part, replica: usize, keys: &Path) -> anyhow::Result<()> {
        let name = format!("{}-{replica}", part.name());
        let to =
            |server| self.proxies.get(&(part, replica, server)).map(|proxy| proxy.address).context("a proxy");
        let bind = free_port()?;
        if part == Part::Service {
            *self.services.get_mut(replica).context("a replica")? = bind;
        }
        let shift = self.shift_file(part, replica);
        fs::write(&shift, "0")?;
        let flags: [(&str, OsString); 7] = [
            ("--database-url", format!("postgres://placecode@{}/placecode", to(Part::Postgres)?).into()),
            ("--redis-url", format!("redis://{}", to(Part::Redis)?).into()),
            ("--keys-file", keys.into()),
            ("--bind", bind.to_string().into()),
            ("--database-connections", "6".into()),
            ("--clock-shift-file", shift.into()),
            ("--log", "placecode=info,warn".into()),
        ];
        let role = if part == Part::Service { "serve" } else { "work" };
        let flags = flags.into_iter().flat_map(|(name, value)| [name.into(), value]);
        let recipe = Recipe {
            program: self.folder.join("placecode"),
            args: std::iter::once(role.into()).chain(flags).collect(),
            user: None,
            folder: self.folder.clone(),
            log: self.logs.join(format!("{name}.log")),
            goodbye: "TERM",
        };
        self.processes.insert((part, replica), Process::start(recipe)?);
        Ok(())
    }

    fn shift_file(&self, part: Part, replica: usize) -> PathBuf {
        self.folder.join(format!("{}-{replica}.shift", part.name()))
    }

    pub fn process(&mut self, part: Part, replica: usize) -> &mut Process {
        self.processes.get_mut(&(part, replica)).expect("the stage has it")
    }

    pub fn proxy(&self, from: Part, replica: usize, to: Part) -> &Proxy {
        self.proxies.get(&(from, replica, to)).expect("the stage has it")
    }

    /// Fills the disk of a server, or gives its space back.
    pub fn set_disk(&mut self, part: Part, full: bool) {
        let pids = self.process(part, 0).pids();
        if let Some(disk) = self.disks.get(&part) {
            if full { disk.fill(&pids) } else { disk.free(&pids) }
        }
    }

    /// Whether full disks are true ones.
    pub fn has_mounts(&self) -> bool {
        self.disks.values().all(|disk| matches!(disk, Disk::Mount(_)))
    }

    /// Shifts the clock of one replica; written aside and renamed, so that nobody reads half of it.
    pub fn shift_clock(&self, part: Part, replica: usize, by: TimeDelta) -> std::io::Result<()> {
        let file = self.shift_file(part, replica);
        let partial = file.with_extension("partial");
        fs::write(&partial, by.num_microseconds().unwrap_or_default().to_string())?;
        fs::rename(&partial, &file)
    }

    /// Starts again what has ended by itself, as a supervisor would; to be called several times a second.
    pub fn tend(&mut self) {
        for process in self.processes.values_mut() {
            process.tend();
        }
    }

    /// How often the service and the workers have ended by themselves, which they never should.
    pub fn own_deaths(&self) -> u32 {
        let of_ours = |part: Part| matches!(part, Part::Service | Part::Worker);
        let ours = self.processes.iter().filter(|((part, _), _)| of_ours(*part));
        ours.map(|(_, process)| process.own_deaths).sum()
    }

    /// Undoes every fault.
    pub fn heal(&mut self) -> std::io::Result<()> {
        for proxy in self.proxies.values() {
            proxy.set(super::proxy::Mode::Open);
        }
        for part in [Part::Service, Part::Worker] {
            for replica in 0..REPLICAS {
                self.shift_clock(part, replica, TimeDelta::zero())?;
            }
        }
        for part in [Part::Redis, Part::Postgres] {
            self.set_disk(part, false);
        }
        for process in self.processes.values_mut() {
            process.thaw();
            process.release();
            process.tend();
        }
        Ok(())
    }

    /// Begins afresh with new services and workers, so that one that hangs spoils no later round.
    pub fn restart_roles(&mut self) {
        for ((part, _), process) in &mut self.processes {
            if matches!(part, Part::Service | Part::Worker) {
                process.kill();
                process.release();
                process.tend();
            }
        }
    }

    /// Waits until both servers and both services answer.
    pub async fn all_ready(&mut self, limit: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            self.tend();
            let missing = self.missing().await;
            if missing.is_empty() {
                return Ok(());
            }
            ensure!(begun.elapsed() < limit, "no answer within {limit:?}: {}", missing.join(", "));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.app.intake.ping().await.is_err() {
            missing.push("redis");
        }
        if self.app.store.conn().await.is_err() {
            missing.push("postgres");
        }
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(6)).build();
        for (address, name) in self.services.iter().zip(["service-0", "service-1"]) {
            let Ok(http) = &http else { continue };
            let answer = http.get(format!("http://{address}/readyz")).send().await;
            if !answer.is_ok_and(|answer| answer.status().is_success()) {
                missing.push(name);
            }
        }
        missing
    }
}

/// The roles end before their servers, and the servers before their disks.
impl Drop for Stage {
    fn drop(&mut self) {
        for part in Part::ALL {
            self.processes.retain(|(of, _), _| *of != part);
        }
        self.disks.clear();
        drop(fs::remove_dir_all(&self.folder));
    }
}
