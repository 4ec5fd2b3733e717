//! The private servers, a database for each round, and the processes that play on them. All of it ends with us.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use placecode::clock::Clock;
use placecode::embedded::{Durability, Options as ServerOptions, Roles, Servers};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use crate::city::{CHANNEL, City, POINTS, SENTINELS, channel, keys, sentinel, sentinel_id, venues};
use crate::options::Options;

/// The program that is measured.
const PROGRAM: &str = env!("CARGO_BIN_EXE_placecode");
/// The database that every round's is a copy of.
const TEMPLATE: &str = "template_city";
/// How long a process may take until it answers.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Postgres and Redis with full durability, and a city in the register.
pub(crate) struct House {
    pub(crate) city: City,
    pub(crate) runtime: Runtime,
    pub(crate) keys_file: PathBuf,
    pub(crate) servers: Servers,
    folders: Folders,
}

/// Removed when the servers have ended.
struct Folders(Vec<PathBuf>);

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in &self.0 {
            drop(fs::remove_dir_all(folder));
        }
    }
}

impl House {
    /// Starts the servers and enters the city.
    pub(crate) fn start(options: &Options) -> Self {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = target.join("bench-scans");
        drop(fs::remove_dir_all(&folder));
        let mut folders = Folders(vec![folder.clone()]);
        let mut wanted = ServerOptions::new(&folder);
        wanted.durability = Durability::Full;
        wanted.tools = Some(target.join("tools"));
        let servers = Servers::start_with(&wanted, &|line| println!("{line}")).unwrap();
        folders.0.push(servers.folder().to_owned());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let keys_file = servers.folder().join("bench-keys.toml");
        fs::write(&keys_file, keys().to_toml()).unwrap();
        servers.ensure_database(TEMPLATE).unwrap();
        let city =
            City { keys: keys(), channel: channel(), sentinel: sentinel(), points: vec![], visitors: vec![] };
        let mut house = Self { city, runtime, keys_file, servers, folders };
        let points = house.enter_city();
        house.city = City::new(&points, options.visitors(), Clock::System.now());
        house
    }

    pub(crate) fn describe(&self, options: &Options) -> String {
        format!(
            "{} scans a round, {POINTS} points, {} visitors, {} connections, one exchange of an assertion in {} scans; \
             {} processors; Postgres and Redis with full durability in {}",
            options.scans(),
            self.city.visitors.len(),
            options.connections,
            options.scans_per_exchange,
            crate::echo::workers(),
            self.folders.0.last().map(|folder| folder.display().to_string()).unwrap_or_default()
        )
    }

    /// Tables, venues, a channel and some sentinels; gives the points with their positions.
    fn enter_city(&self) -> Vec<(i64, f64, f64)> {
        let file = self.servers.folder().join("bench-venues.csv");
        fs::write(&file, venues()).unwrap();
        self.command(&["migrate"]);
        let import = ["venues", "import", file.to_str().unwrap(), "--set", "bench", "--division", "410105"];
        self.command(&import);
        let db = self.connect(TEMPLATE);
        let points = db.ask(
            "select p.id, v.lat_deg, v.lng_deg from points p join venues v on v.id = p.venue_id order by v.source_ref",
        );
        let points: Vec<(i64, f64, f64)> =
            points.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        assert_eq!(points.len(), POINTS, "all venues were imported");
        let hex =
            |key: ed25519_dalek::SigningKey| data_encoding::HEXLOWER.encode(key.verifying_key().as_bytes());
        db.run(&format!(
            "insert into channels (id, name, public_key, page_url, created_at)
             values ('{CHANNEL}', 'bench', '\\x{}', 'http://127.0.0.1/', now())",
            hex(channel())
        ));
        for (rank, (point, ..)) in points.iter().take(SENTINELS).enumerate() {
            db.run(&format!(
                "insert into devices (id, name, point_id, public_key, created_at)
                 values ('{}', 'sentinel {rank}', {point}, '\\x{}', now())",
                sentinel_id(rank),
                hex(sentinel())
            ));
        }
        // A register of yesterday: what has just changed is read again and again for half a minute.
        db.run(
            "begin; set local session_replication_role = replica;
             update points set changed_at = changed_at - interval '1 day'; commit",
        );
        db.run("vacuum analyze");
        db.close();
        points
    }

    /// Runs a command that ends, on the template.
    fn command(&self, args: &[&str]) {
        let output = Command::new(PROGRAM)
            .args(args)
            .args(["--database-url", &self.servers.database_url(TEMPLATE)])
            .args(["--redis-url", &self.servers.redis_url()])
            .arg("--keys-file")
            .arg(&self.keys_file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A new database with the city in it, and an empty Redis. Those of earlier rounds are dropped.
    pub(crate) fn fresh(&self, name: &str) -> Db {
        let admin = self.connect("postgres");
        let earlier = admin.ask("select datname::text from pg_database where datname like 'round\\_%'");
        for row in earlier {
            admin.run(&format!("drop database {} with (force)", row.get::<_, String>(0)));
        }
        admin.run(&format!("create database round_{name} template {TEMPLATE}"));
        admin.run("checkpoint");
        admin.close();
        let mut redis = self.redis();
        redis::cmd("FLUSHALL").exec(&mut redis).unwrap();
        self.connect(&format!("round_{name}"))
    }

    pub(crate) fn redis(&self) -> redis::Connection {
        redis::Client::open(self.servers.redis_url()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn connect(&self, database: &str) -> Db {
        let url = self.servers.database_url(database);
        let runtime = self.runtime.handle().clone();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(&url, NoTls)).unwrap();
        let connection = runtime.spawn(async move { drop(connection.await) });
        Db { client, connection, runtime, url }
    }
}

/// A connection of the benchmark's own.
pub(crate) struct Db {
    pub(crate) client: Client,
    connection: tokio::task::JoinHandle<()>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) url: String,
}

impl Db {
    pub(crate) fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    pub(crate) fn ask(&self, sql: &str) -> Vec<tokio_postgres::Row> {
        self.runtime.block_on(self.client.query(sql, &[])).unwrap()
    }

    /// One number.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.ask(sql).first().unwrap().get(0)
    }

    pub(crate) fn count(&self, table: &str) -> u64 {
        u64::try_from(self.number(&format!("select count(*) from {table}"))).unwrap()
    }

    /// Ends the connection, so that the database can be copied.
    pub(crate) fn close(self) {
        drop(self.client);
        drop(self.runtime.block_on(self.connection));
    }
}

/// A process that ends with us, even when we are killed.
pub(crate) struct Process {
    roles: Roles,
    name: String,
    pub(crate) pid: u32,
}

impl Process {
    /// A role of the program that is measured.
    pub(crate) fn program(house: &House, name: &str, args: &[&str]) -> Self {
        Self::start(house, PROGRAM.into(), name, args)
    }

    /// This benchmark in another role.
    pub(crate) fn own(house: &House, name: &str, args: &[&str]) -> Self {
        Self::start(house, std::env::current_exe().unwrap(), name, args)
    }

    fn start(house: &House, program: PathBuf, name: &str, args: &[&str]) -> Self {
        let mut roles = Roles::new(program, house.servers.logs());
        let pid = roles.add(name, args, &[("RUST_LOG", "placecode=info,warn")]).unwrap();
        Self { roles, name: name.to_owned(), pid }
    }

    /// Waits until somebody listens.
    pub(crate) fn wait_until_answers(&self, address: SocketAddr) {
        self.wait("listens", || TcpStream::connect(address).is_ok());
    }

    pub(crate) fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            let log = || self.roles.log_tail(&self.name, 10);
            assert!(self.is_alive(), "{} has ended: {}", self.name, log());
            assert!(began.elapsed() < READY_LIMIT, "{} never {what}: {}", self.name, log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_alive(&self) -> bool {
        self.roles.pids().iter().all(|(_, pid)| pid.is_some())
    }

    /// Asks it to end in order and waits for that.
    pub(crate) fn stop(self) {
        self.roles.stop();
    }
}

/// An address of this machine on which nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
