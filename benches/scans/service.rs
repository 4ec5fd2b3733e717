//! (c) The service and its worker as they are shipped: scans a second until the last one is stored in Postgres.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::house::{Db, House, Process, free_address};
use crate::load::{Sent, closed, reserve};
use crate::mix::{Flavour, Mix, scan_id};
use crate::options::Options;
use crate::processes::Parts;
use crate::space::wal;
use crate::tally::{Round, Tally, rate, ratio};

/// What is told to `placecode serve` beside its servers, keys and address: what would stop a load that comes from
/// one machine.
const SERVE_ARGS: &[&str] = &[];
/// What is told to `placecode work`.
const WORK_ARGS: &[&str] = &[];
/// How long the rest of the log may take to be stored.
const DRAIN_LIMIT: Duration = Duration::from_secs(300);

/// How often a first load is sent until all of it is answered in time.
const WARM_UPS_MAX: usize = 5;
/// When nothing more has been stored for so long, nothing more will be.
const STILL: Duration = Duration::from_secs(10);

/// A service with a database of its own.
pub(crate) struct Service<'a> {
    house: &'a House,
    options: &'a Options,
    pub(crate) db: Db,
    pub(crate) address: SocketAddr,
    serve: Process,
    work: Option<Process>,
    /// Every scan that was acknowledged.
    pub(crate) acknowledged: Vec<u64>,
}

impl<'a> Service<'a> {
    /// Starts the service, without its worker.
    pub(crate) fn start(house: &'a House, options: &'a Options, name: &str) -> Self {
        let db = house.fresh(name);
        let address = free_address();
        let (bind, url) = (address.to_string(), format!("http://{address}/"));
        let own = ["--bind", bind.as_str(), "--public-url", url.as_str()];
        let args = arguments(house, &db, "serve", &[&own, SERVE_ARGS], &options.serve_args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let serve = Process::program(house, "serve", &args);
        serve.wait("is ready", || get(address, "/readyz"));
        Self { house, options, db, address, serve, work: None, acknowledged: Vec::new() }
    }

    pub(crate) fn start_worker(&mut self) {
        let args = arguments(self.house, &self.db, "work", &[WORK_ARGS], &self.options.work_args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.work = Some(Process::program(self.house, "work", &args));
    }

    pub(crate) fn flavour(&self) -> Flavour {
        Flavour { scans_per_exchange: Some(self.options.scans_per_exchange), has_batches: true }
    }

    /// Sends so many requests in a closed loop.
    pub(crate) fn send(&mut self, count: u64) -> Sent {
        let first = reserve(count);
        let mix = Mix::new(&self.house.city, self.flavour(), first, count);
        let numbers = first..first + count;
        let sent = closed(&mix, self.address, self.options.connections, numbers, self.options.limit());
        self.acknowledged.extend(&sent.tally.acknowledged);
        sent
    }

    /// A first load, which is not measured: the register in memory, connections, prepared statements, partitions.
    pub(crate) fn warm_up(&mut self) {
        for _ in 0..WARM_UPS_MAX {
            let sent = self.send((self.options.scans() / 20).max(500));
            if sent.tally.late + sent.tally.broken == 0 {
                assert!(sent.tally.accepted() > 0, "nothing is accepted: {}", sent.tally.describe());
                break;
            }
        }
        self.wait_until_stored();
    }

    /// Waits until as many scans are stored as were acknowledged; gives how many are stored. Asks so seldom that
    /// counting takes little from what is counted.
    pub(crate) fn wait_until_stored(&self) -> u64 {
        let began = Instant::now();
        loop {
            let asked = Instant::now();
            let stored = self.db.count("scans");
            if stored >= self.acknowledged.len() as u64 || began.elapsed() > DRAIN_LIMIT {
                return stored;
            }
            std::thread::sleep((asked.elapsed() * 4).max(Duration::from_millis(20)));
        }
    }

    /// Compares scan by scan what was acknowledged with what is stored. Scans whose answer did not arrive are stored
    /// too and stand for none that are missing, so this waits for those until nothing more comes.
    pub(crate) fn compare(&self) -> Compared {
        let mut compared = self.look();
        let (mut changed, began) = (Instant::now(), Instant::now());
        while compared.lost > 0 && changed.elapsed() < STILL && began.elapsed() < DRAIN_LIMIT {
            std::thread::sleep(Duration::from_millis(250));
            let next = self.look();
            if next.stored != compared.stored {
                changed = Instant::now();
            }
            compared = next;
        }
        compared
    }

    fn look(&self) -> Compared {
        let stored = stored_ids(&self.db);
        let distinct: HashSet<Uuid> = stored.iter().copied().collect();
        let acknowledged: HashSet<Uuid> = self.acknowledged.iter().copied().map(scan_id).collect();
        Compared {
            acknowledged: acknowledged.len(),
            stored: stored.len(),
            lost: acknowledged.difference(&distinct).count(),
            doubled: stored.len() - distinct.len(),
            unanswered: distinct.difference(&acknowledged).count(),
        }
    }

    pub(crate) fn parts(&self) -> Parts {
        let servers = self.house.servers.pids();
        Parts {
            service: self.serve.pid,
            worker: self.work.as_ref().map(|work| work.pid),
            redis: servers.redis.unwrap(),
            postgres: servers.postgres.unwrap(),
        }
    }

    /// Ends the service, then the worker, in order.
    pub(crate) fn stop(self) -> Db {
        self.serve.stop();
        if let Some(work) = self.work {
            work.stop();
        }
        self.db
    }
}

/// What was acknowledged and what is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    acknowledged: usize,
    stored: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// Stored, though the client has no answer: it may ask again.
    unanswered: usize,
}

impl Compared {
    /// How many scans the service has broken its word for.
    pub(crate) fn wrong(&self) -> usize {
        self.lost + self.doubled
    }

    pub(crate) fn describe(&self) -> String {
        let Self { acknowledged, stored, lost, doubled, unanswered } = self;
        format!(
            "acknowledged {acknowledged}, stored {stored}: lost {lost}, doubled {doubled}, stored without an answer {unanswered}"
        )
    }
}

/// One round of the service.
pub(crate) struct ServiceRound {
    pub(crate) round: Round,
    /// Scans that were lost or doubled.
    pub(crate) wrong: usize,
    lines: Vec<String>,
}

impl ServiceRound {
    pub(crate) fn describe(&self) -> String {
        self.lines.join("\n")
    }
}

/// Rounds of the closed loop, each on a fresh database, until all is stored.
pub(crate) fn measure(house: &House, options: &Options) -> Vec<ServiceRound> {
    (0..options.rounds()).map(|round| measure_round(house, options, round)).collect()
}

fn measure_round(house: &House, options: &Options, number: usize) -> ServiceRound {
    let mut service = Service::start(house, options, &format!("service_{number}"));
    service.start_worker();
    service.warm_up();
    let parts = service.parts();
    redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut house.redis()).unwrap();
    let (before, lsn) = (parts.used(), wal(&service.db));
    let mut sent = service.send(options.scans());
    service.wait_until_stored();
    if sent.tally.late + sent.tally.broken > 0 {
        service.compare();
    }
    let drained = sent.began.elapsed();
    let spent = parts.used().since(&before);
    let count = sent.tally.accepted();
    let written = ratio(wal(&service.db) - lsn, count);
    let commands = commands(house, count);
    let compared = service.compare();
    let lines = vec![
        format!(
            "(c) round {}: {count} scans accepted in {:.2} s ({:.0} a second), all stored after {:.2} s; {}",
            number + 1,
            sent.took.as_secs_f64(),
            rate(count, sent.took),
            drained.as_secs_f64(),
            compared.describe()
        ),
        format!("    processor time in µs a scan: {}", spent.describe(count)),
        format!("    {commands}"),
        format!("    memory: {}; {written:.0} bytes of WAL a scan", parts.memory()),
    ];
    service.stop();
    let tally = std::mem::take::<Tally>(&mut sent.tally);
    ServiceRound { round: Round::of(tally, drained), wrong: compared.wrong(), lines }
}

/// What Redis was busy with since its statistics were set back: the dearest commands.
fn commands(house: &House, scans: u64) -> String {
    let text: String = redis::cmd("INFO").arg("commandstats").query(&mut house.redis()).unwrap();
    let read = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        let number = |field: &str| {
            let value = rest.split(',').find_map(|part| part.strip_prefix(field)?.strip_prefix('='));
            value?.parse::<u64>().ok()
        };
        Some((number("usec")?, number("calls")?, name.to_owned()))
    };
    let mut commands: Vec<_> = text.lines().filter_map(read).collect();
    commands.sort_unstable_by(|one, other| other.cmp(one));
    let calls: u64 = commands.iter().map(|(_, calls, _)| calls).sum();
    let each = commands.iter().take(8).map(|(micros, calls, name)| {
        format!("{name} {:.2} in {:.2} µs", ratio(*calls, scans), ratio(*micros, scans))
    });
    format!("Redis commands a scan: {:.2}; {}", ratio(calls, scans), each.collect::<Vec<_>>().join(", "))
}

/// A number that Redis tells about itself.
pub(crate) fn info(house: &House, section: &str, name: &str) -> u64 {
    let text: String = redis::cmd("INFO").arg(section).query(&mut house.redis()).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap().trim().parse().unwrap()
}

fn arguments(house: &House, db: &Db, role: &str, own: &[&[&str]], more: &[String]) -> Vec<String> {
    let (redis, keys) = (house.servers.redis_url(), house.keys_file.to_string_lossy().into_owned());
    let servers = [
        role,
        "--database-url",
        db.url.as_str(),
        "--redis-url",
        redis.as_str(),
        "--keys-file",
        keys.as_str(),
    ];
    let own = own.iter().copied().flatten();
    servers.iter().chain(own).map(|text| (*text).to_owned()).chain(more.iter().cloned()).collect()
}

/// Whether a path is answered with 200.
fn get(address: SocketAddr, path: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").ok()?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).ok()?;
        Some(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// The ids of all scans that are stored.
fn stored_ids(db: &Db) -> Vec<Uuid> {
    use futures_util::TryStreamExt;
    let read = async {
        let stream = db.client.copy_out("copy (select id from scans) to stdout (format binary)").await?;
        let stream = tokio_postgres::binary_copy::BinaryCopyOutStream::new(stream, &[Type::UUID]);
        let ids = stream.map_ok(|row| Uuid::from_u128(row.get::<Id>(0).0));
        ids.try_collect::<Vec<Uuid>>().await
    };
    db.runtime.block_on(read).unwrap()
}

/// A UUID as Postgres sends it.
struct Id(u128);

impl<'a> tokio_postgres::types::FromSql<'a> for Id {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(u128::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }
}
