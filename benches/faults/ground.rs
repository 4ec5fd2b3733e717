//! What the stage stands on: a Postgres and a Redis of its own on loopback ports, and their disks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use placecode::embedded::{Options, Servers};

use super::disk::{Disk, unmount};
use super::process::{Process, Recipe};
use super::stage::{Part, Plan};

/// Ports below those that the system gives to outgoing connections, so that a server that is down for a
/// while finds its own free again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const POSTGRES_DISK_MB: u32 = 224;
const REDIS_DISK_MB: u32 = 24;
/// How long a server may take until it answers.
pub const READY_LIMIT: Duration = Duration::from_secs(60);

/// What is put together before the first role starts.
pub struct Ground {
    pub folder: PathBuf,
    pub logs: PathBuf,
    pub processes: BTreeMap<(Part, usize), Process>,
    pub disks: BTreeMap<Part, Disk>,
    pub postgres: SocketAddr,
    pub redis: SocketAddr,
}

impl Ground {
    /// Makes a cluster, puts the data on its disks, and starts both servers on ports of their own.
    pub fn prepare(plan: &Plan) -> anyhow::Result<Self> {
        let mut options = Options::new(&plan.folder);
        options.tools = Some(plan.tools.clone());
        let private = Servers::start_with(&options, &|_| {})?;
        let folder = private.folder().to_owned();
        let pids = private.pids();
        let program = |pid: Option<u32>| fs::read_link(format!("/proc/{}/exe", pid.unwrap_or_default()));
        let (postgres_program, redis_program) = (program(pids.postgres)?, program(pids.redis)?);
        private.stop();
        // Debian's redis-server is a link whose name decides what the program does.
        let redis_link = folder.join("redis-server");
        symlink(redis_program, &redis_link)?;
        let owner = fs::metadata(folder.join("postgres"))?;
        let user = (fs::metadata("/proc/self")?.uid() == 0).then(|| (owner.uid(), owner.gid()));
        let disks = if plan.small_disks { small_disks(&folder)? } else { BTreeMap::new() };
        let logs = plan.folder.with_extension("logs");
        fs::create_dir_all(&logs)?;
        let (postgres, redis) = (free_port()?, free_port()?);
        let recipe = |part: Part, program: PathBuf, args: Vec<OsString>, goodbye| Recipe {
            program,
            args,
            user,
            folder: folder.join(part.name()),
            log: logs.join(format!("{}.log", part.name())),
            goodbye,
        };
        let mut processes = BTreeMap::new();
        let redis_args = redis_args(&folder.join("redis"), redis.port());
        let redis_recipe = recipe(Part::Redis, redis_link, redis_args, "TERM");
        processes.insert((Part::Redis, 0), Process::start(redis_recipe)?);
        let postgres_args = postgres_args(&folder.join("postgres"), postgres.port());
        let postgres_recipe = recipe(Part::Postgres, postgres_program, postgres_args, "INT");
        processes.insert((Part::Postgres, 0), Process::start(postgres_recipe)?);
        Ok(Self { folder, logs, processes, disks, postgres, redis })
    }
}

/// Moves the data of both servers to small disks.
fn small_disks(folder: &Path) -> anyhow::Result<BTreeMap<Part, Disk>> {
    let mut disks = BTreeMap::new();
    for (part, megabytes) in [(Part::Postgres, POSTGRES_DISK_MB), (Part::Redis, REDIS_DISK_MB)] {
        let (data, aside) = (folder.join(part.name()), folder.join(format!("{}.aside", part.name())));
        fs::rename(&data, &aside)?;
        fs::create_dir(&data)?;
        let disk = Disk::small(&data, megabytes);
        let script = "cp -a \"$1/.\" \"$2/\" && rm -rf \"$1\"";
        let copied = Command::new("sh").args(["-c", script, "sh"]).arg(&aside).arg(&data).status()?;
        ensure!(copied.success(), "the data of {} could not be copied", part.name());
        disks.insert(part, disk);
    }
    Ok(disks)
}

fn redis_args(folder: &Path, port: u16) -> Vec<OsString> {
    let settings = [
        ("--bind", "127.0.0.1"),
        ("--daemonize", "no"),
        ("--logfile", ""),
        ("--appendonly", "yes"),
        ("--appendfsync", "always"),
        ("--no-appendfsync-on-rewrite", "no"),
        ("--save", ""),
        ("--maxmemory-policy", "noeviction"),
    ];
    let mut args: Vec<OsString> =
        settings.into_iter().flat_map(|(name, value)| [name.into(), value.into()]).collect();
    args.extend(["--port".into(), port.to_string().into(), "--dir".into(), folder.into()]);
    args
}

fn postgres_args(cluster: &Path, port: u16) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["-D".into(), cluster.into(), "-p".into(), port.to_string().into()];
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=100",
        "shared_buffers=64MB",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "jit=off",
        "max_wal_size=64MB",
        "fsync=on",
        "synchronous_commit=on",
    ];
    args.extend(settings.into_iter().flat_map(|setting| [OsString::from("-c"), OsString::from(setting)]));
    args
}

/// A port that nobody listens on.
pub fn free_port() -> anyhow::Result<SocketAddr> {
    for _ in 0..1000 {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, rand::random_range(PORTS)));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no free port")
}

/// Asks until the answer is good.
pub async fn ready(what: &str, mut ask: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let begun = Instant::now();
    while let Err(error) = ask().await {
        if begun.elapsed() > READY_LIMIT {
            return Err(error.context(format!("{what} does not answer")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Removes what harnesses left that were killed: `faults-<process>` folders, and mounts in them.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(pid) = name.strip_prefix("faults-").and_then(|rest| rest.split(['-', '.']).next()) else {
            continue;
        };
        // The logs of a bad round, `faults-<process>.logs`, are for somebody to read.
        let is_stage = path.extension().is_none() && pid.parse::<u32>().is_ok();
        if is_stage && !Path::new("/proc").join(pid).exists() {
            for part in [Part::Postgres, Part::Redis] {
                unmount(&path.join(part.name()));
            }
            drop(fs::remove_dir_all(&path));
        }
    }
}
