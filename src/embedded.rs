//! A private Postgres and Redis for one machine.
//!
//! Both are ordinary programs of the machine (or installed on first use), run as children of this process on data of
//! their own, and reached through Unix sockets only. Nothing here touches the servers that the machine runs as
//! services. Debian's packages do start such services when they are installed, on the ports 5432 and 6379; they are
//! not used, and do not get in the way, since ours open no port.
//!
//! ```text
//! <folder>/lock       held by the owner          <folder>/postgres/   the cluster
//! <folder>/logs/      output of every child      <folder>/redis/      the append-only log
//! <folder>/tools/     programs from PyPI         /tmp/placecode-<hash of folder>/   the sockets
//! ```
//!
//! The data outlives any death: of a server (it is started again), of the owner (the servers end with it, even on
//! `kill -9`, and the next owner waits for them) and of the machine (every commit and every write is synced).

mod install;
mod kept;
mod logs;
mod nursery;
mod place;
mod postgres;
mod processes;
mod programs;
mod redis;
mod roles;
mod wire;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use kept::Kept;
use logs::Log;
use place::{Lock, User};
pub use roles::Roles;
use wire::{Answer, Session, WireError};

/// How long a server may take until it answers. Replaying a long log is work, not a hang, but has a bound too.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A server that dies this often while it should start will not start.
const TOO_MANY_DEATHS: u32 = 4;
/// How long the servers of a killed owner may take to end by themselves.
const LEFTOVER_GRACE: Duration = Duration::from_secs(30);

/// Why the servers could not be started or asked.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Another process owns the data folder.
    #[error("{} is in use by another placecode (process {holder}); stop that one first, or choose another folder", folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The process id that the owner wrote down.
        holder: String,
    },
    /// Programs are missing and could not be installed.
    #[error("{missing} was not found and could not be installed.\n{}\n{log}", install::help(tools))]
    ProgramsMissing {
        /// What is missing.
        missing: &'static str,
        /// The folder for private programs.
        tools: PathBuf,
        /// The end of the installer's output.
        log: String,
    },
    /// The cluster was made by a PostgreSQL that is not here.
    #[error(
        "{} was made by PostgreSQL {cluster}, and this machine has {installed}. Install PostgreSQL {cluster} again \
         (Debian: postgresql-{cluster}), or move the folder away to begin with an empty database", folder.display()
    )]
    OtherPostgres {
        /// The cluster.
        folder: PathBuf,
        /// Its major version.
        cluster: String,
        /// The major versions that were found.
        installed: String,
    },
    /// The Redis data was written by a newer server than the one that was found.
    #[error("{} was written by Redis 7 or later, and this machine has {}.{}, which would ignore it. Install a newer one", folder.display(), found.0, found.1)]
    OldRedis {
        /// The log that would be ignored.
        folder: PathBuf,
        /// The version that was found.
        found: (u32, u32),
    },
    /// Something about this machine or folder makes it unsafe or impossible to start.
    #[error("{0}")]
    Refused(String),
    /// A server does not start, or does not answer.
    #[error("{server} does not run: {reason}\n{log}")]
    Failed {
        /// Which one.
        server: &'static str,
        /// What it said or did.
        reason: String,
        /// The end of its log.
        log: String,
    },
    /// A statement of ours failed.
    #[error("the database {database} could not be created: {reason}")]
    Database {
        /// The database.
        database: String,
        /// What Postgres said.
        reason: String,
    },
    /// A file, folder or process could not be used.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

fn io_error(doing: &str) -> impl FnOnce(io::Error) -> EmbeddedError {
    move |source| EmbeddedError::Io { doing: doing.to_owned(), source }
}

/// What the data must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Everything, a sudden loss of power too.
    #[default]
    Full,
    /// Killed servers, but no lost machine. Several times faster.
    ForTests,
}

/// Where programs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Search {
    /// The newest Postgres of the system, `PATH`, then the tools folder; apt may install what is missing.
    #[default]
    Everywhere,
    /// The tools folder only, filled from `PyPI`.
    ToolsOnly,
}

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder; created when missing.
    pub folder: PathBuf,
    /// The folder for programs of our own; `<folder>/tools` when not given.
    pub tools: Option<PathBuf>,
    /// What the data must survive.
    pub durability: Durability,
    /// Where programs are looked for.
    pub search: Search,
}

impl Options {
    /// The usual options for a data folder.
    pub fn new(folder: impl Into<PathBuf>) -> Options {
        Options {
            folder: folder.into(),
            tools: None,
            durability: Durability::default(),
            search: Search::default(),
        }
    }
}

/// The places and the user that both servers are given.
#[derive(Debug)]
struct Ground {
    home: PathBuf,
    sockets: PathBuf,
    user: Option<User>,
    durability: Durability,
}

impl Ground {
    fn cluster(&self) -> PathBuf {
        self.home.join("postgres")
    }

    /// A cluster that is being made.
    fn draft(&self) -> PathBuf {
        self.home.join("postgres.new")
    }

    fn redis(&self) -> PathBuf {
        self.home.join("redis")
    }

    fn logs(&self) -> PathBuf {
        self.home.join("logs")
    }

    /// Waits for, else kills, what an earlier owner left running here.
    fn end_leftovers(&self, say: &dyn Fn(&str)) -> Result<(), EmbeddedError> {
        let folders = [self.cluster(), self.draft(), self.redis()];
        let marks = [folders.iter().map(PathBuf::as_path).collect(), vec![self.sockets.as_path()]].concat();
        let remaining = processes::end(&folders, &marks, LEFTOVER_GRACE, say);
        if remaining.is_empty() {
            return Ok(());
        }
        Err(EmbeddedError::Refused(format!(
            "servers of an earlier run still use {} and cannot be ended (processes {remaining:?})",
            self.home.display()
        )))
    }
}

/// Process ids of the servers; none while one is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pids {
    /// The postmaster.
    pub postgres: Option<u32>,
    /// The Redis server.
    pub redis: Option<u32>,
}

/// Postgres and Redis of our own under one data folder, on Unix sockets only. They end with their owner.
#[derive(Debug)]
pub struct Servers {
    ground: Ground,
    postgres: Kept,
    redis: Kept,
    _lock: Lock,
}

impl Servers {
    /// Finds (else installs) the programs, creates the cluster on first use, starts both and waits until they answer.
    pub fn start(folder: &Path, say: &dyn Fn(&str)) -> Result<Servers, EmbeddedError> {
        Servers::start_with(&Options::new(folder), say)
    }

    /// The same with every choice open.
    pub fn start_with(options: &Options, say: &dyn Fn(&str)) -> Result<Servers, EmbeddedError> {
        let user = place::server_user(&options.folder.join("postgres"))?;
        let home = place::home(&options.folder, user.as_ref(), say)?;
        let lock = Lock::take(&home)?;
        let tools = options.tools.clone().unwrap_or_else(|| home.join("tools"));
        let install_log = Log::new(home.join("logs/install.log"));
        let programs = install::obtain(options.search, &tools, &install_log, say)?;

        // Asked again: an installation may have brought the user `postgres`, and another folder another owner.
        let user = place::server_user(&home.join("postgres"))?;
        let sockets = place::sockets(&home);
        let ground = Ground { home, sockets, user, durability: options.durability };
        ground.end_leftovers(say)?;
        place::private_folder(&ground.redis(), ground.user.as_ref())?;
        let postgres = postgres::choose(&programs, &ground.cluster())?;
        redis::check(&ground, &programs.redis)?;
        postgres::create_cluster(&ground, &postgres, say)?;
        if !nursery::binds_life() {
            say("`setpriv --pdeathsig` (util-linux 2.33) is missing: servers may outlive a killed placecode");
        }

        place::private_folder(&ground.sockets, ground.user.as_ref())?;
        postgres::clean(&ground);
        redis::clean(&ground);
        let failed = |server| move |error: io::Error| failure(server, &error.to_string(), "");
        let redis = Kept::start(redis::recipe(&ground, &programs.redis)).map_err(failed("Redis"))?;
        let postgres = Kept::start(postgres::recipe(&ground, &postgres)).map_err(failed("PostgreSQL"))?;
        let mut servers = Servers { ground, postgres, redis, _lock: lock };
        servers.wait_until_ready(START_LIMIT, say)?;
        Ok(servers)
    }

    /// The data folder that is really used; root may have been given another one than it asked for.
    pub fn folder(&self) -> &Path {
        &self.ground.home
    }

    /// Where the children write their output: `postgres.log`, `redis.log`, `<role>.log`.
    pub fn logs(&self) -> PathBuf {
        self.ground.logs()
    }

    /// A URL that tokio-postgres and libpq accept.
    pub fn database_url(&self, database: &str) -> String {
        let sockets = self.ground.sockets.to_string_lossy().replace('/', "%2F");
        format!("postgres://{}@{sockets}:{}/{database}", postgres::ROLE, postgres::PORT)
    }

    /// A URL that the `redis` crate accepts.
    pub fn redis_url(&self) -> String {
        format!("redis+unix://{}", redis::socket(&self.ground.sockets).display())
    }

    /// Creates a database unless it is there. Names are lower-case letters, digits and underscores.
    pub fn ensure_database(&self, name: &str) -> Result<(), EmbeddedError> {
        let failed = |reason: String| EmbeddedError::Database { database: name.to_owned(), reason };
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        if name.is_empty() || name.len() > 63 || !name.chars().all(plain) {
            return Err(failed("a name is 1 to 63 lower-case letters, digits and underscores".to_owned()));
        }
        let create = || -> Result<(), WireError> {
            let socket = postgres::socket(&self.ground.sockets);
            let mut session = Session::open(&socket, postgres::ROLE, START_LIMIT)?;
            if session.run(&format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"))? == 0 {
                session.run(&format!("CREATE DATABASE \"{name}\""))?;
            }
            Ok(())
        };
        match create() {
            // 42P04: somebody else created it since we looked. (A race inside Postgres shows as 23505.)
            Err(WireError::Database { code, .. }) if code == "42P04" || code == "23505" => Ok(()),
            Err(error) => Err(failed(error.to_string())),
            Ok(()) => Ok(()),
        }
    }

    /// Starts again whichever server has died, without waiting until it answers; to be called every half second or
    /// so. Returns how many were started. A server that keeps dying is started after 0.2 s, doubling to 5 s.
    pub fn revive(&mut self, say: &dyn Fn(&str)) -> usize {
        let ground = &self.ground;
        let postgres = self.postgres.revive(
            || {
                postgres::kill_orphans(ground);
                postgres::clean(ground);
            },
            say,
        );
        let redis = self.redis.revive(|| redis::clean(ground), say);
        usize::from(postgres) + usize::from(redis)
    }

    /// Waits until both servers answer, starting them again when they die meanwhile.
    pub fn wait_until_ready(&mut self, limit: Duration, say: &dyn Fn(&str)) -> Result<(), EmbeddedError> {
        let begun = Instant::now();
        let (mut postgres, mut redis) = (Answer::NotYet, Answer::NotYet);
        while begun.elapsed() < limit {
            self.revive(say);
            if postgres != Answer::Ready {
                postgres = wire::ask_postgres(&postgres::socket(&self.ground.sockets), postgres::ROLE);
            }
            if redis != Answer::Ready {
                redis = wire::ask_redis(&redis::socket(&self.ground.sockets));
            }
            if postgres == Answer::Ready && redis == Answer::Ready {
                return Ok(());
            }
            still_possible("PostgreSQL", &postgres, &self.postgres)?;
            still_possible("Redis", &redis, &self.redis)?;
            thread::sleep(Duration::from_millis(10));
        }
        let late = |server, kept: &Kept| {
            failure(server, &format!("no answer within {limit:.0?}"), &kept.recipe.log.tail(10))
        };
        if postgres == Answer::Ready {
            Err(late("Redis", &self.redis))
        } else {
            Err(late("PostgreSQL", &self.postgres))
        }
    }

    /// The process ids, for a status line and for tests that kill.
    pub fn pids(&self) -> Pids {
        Pids { postgres: self.postgres.pid(), redis: self.redis.pid() }
    }

    /// Ends both servers in order, and by force when they take too long. Dropping does the same.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.postgres.ask_to_end();
        self.redis.ask_to_end();
        self.redis.wait_for_end();
        self.postgres.wait_for_end();
        // Only when empty: a socket that is left belongs to somebody who had to be killed.
        drop(fs::remove_dir(&self.ground.sockets));
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.end();
    }
}

/// Fails when there is no point in waiting for a server any longer.
fn still_possible(server: &'static str, answer: &Answer, kept: &Kept) -> Result<(), EmbeddedError> {
    let reason = match answer {
        Answer::No(reason) => reason,
        Answer::NotYet if kept.quick_deaths() >= TOO_MANY_DEATHS => "it dies as soon as it is started",
        Answer::Ready | Answer::NotYet => return Ok(()),
    };
    Err(failure(server, reason, &kept.recipe.log.tail(10)))
}

fn failure(server: &'static str, reason: &str, log: &str) -> EmbeddedError {
    EmbeddedError::Failed { server, reason: reason.to_owned(), log: log.to_owned() }
}
