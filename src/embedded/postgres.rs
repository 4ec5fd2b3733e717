//! The private Postgres: making its cluster, and how it is run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::install::Programs;
use super::kept::Recipe;
use super::logs::Log;
use super::place::{self, User};
use super::processes::{self, Signal};
use super::programs::Postgres;
use super::{Durability, EmbeddedError, Ground, io_error, nursery};

/// The superuser of the cluster, and who everybody connects as: the sockets are closed to other users.
pub(super) const ROLE: &str = "placecode";
/// Only part of the socket's name; no TCP port is opened.
pub(super) const PORT: &str = "5432";
/// A checkpoint of everything dirty must fit in.
const GRACE: Duration = Duration::from_secs(30);
const LARGEST_BUFFERS_MB: u64 = 256;

/// The socket file in the socket folder.
pub(super) fn socket(sockets: &Path) -> PathBuf {
    sockets.join(format!(".s.PGSQL.{PORT}"))
}

/// Chooses the program that fits the cluster: its own version if there is one, else the best.
pub(super) fn choose(programs: &Programs, cluster: &Path) -> Result<Postgres, EmbeddedError> {
    let version = match fs::read_to_string(cluster.join("PG_VERSION")) {
        Ok(text) => Some(text.trim().to_owned()),
        Err(_) => None,
    };
    let fitting = match &version {
        Some(version) => programs.postgres.iter().find(|found| found.major.to_string() == *version),
        None => programs.postgres.first(),
    };
    fitting.cloned().ok_or_else(|| EmbeddedError::OtherPostgres {
        folder: cluster.to_owned(),
        cluster: version.unwrap_or_default(),
        installed: programs
            .postgres
            .iter()
            .map(|found| found.major.to_string())
            .collect::<Vec<_>>()
            .join(" and "),
    })
}

/// Makes the cluster unless it is there. It is made under another name and then renamed, so that an interrupted
/// attempt is never taken for a cluster.
pub(super) fn create_cluster(
    ground: &Ground,
    postgres: &Postgres,
    say: &dyn Fn(&str),
) -> Result<(), EmbeddedError> {
    let cluster = ground.cluster();
    if cluster.join("PG_VERSION").exists() {
        return Ok(());
    }
    say(&format!("Creating a PostgreSQL {} cluster in {}", postgres.major, cluster.display()));
    let draft = ground.draft();
    let doing = format!("creating the cluster {}", cluster.display());
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(io_error(&doing))?;
    }
    place::private_folder(&draft, ground.user.as_ref())?;
    let log = Log::new(ground.logs().join("initdb.log"));
    // initdb starts Postgres itself and must not outlive us either; a half-made cluster needs no polite end.
    let mut command = nursery::command(&postgres.bin.join("initdb"), Signal::Kill);
    command.arg("-D").arg(&draft).args(["-U", ROLE, "-A", "trust", "-E", "UTF8", "--locale=C", "-k"]);
    if ground.durability == Durability::ForTests {
        command.arg("--no-sync");
    }
    command.env_clear().envs(environment()).current_dir(&draft);
    if let Some(User { uid, gid }) = ground.user {
        command.uid(uid).gid(gid);
    }
    let output = log.open().map_err(io_error(&doing))?;
    command.stdin(Stdio::null()).stdout(output.try_clone().map_err(io_error(&doing))?).stderr(output);
    let status = nursery::spawn(command).and_then(|mut child| child.wait()).map_err(io_error(&doing))?;
    if !status.success() {
        return Err(EmbeddedError::Failed {
            server: "initdb",
            reason: status.to_string(),
            log: log.tail(10),
        });
    }
    fs::rename(&draft, &cluster).map_err(io_error(&doing))?;
    File::open(&ground.home).and_then(|folder| folder.sync_all()).map_err(io_error(&doing))
}

/// What the servers see of the environment: enough to run, nothing that changes settings (`PGPORT`, `LC_ALL` …).
pub(super) fn environment() -> [(OsString, OsString); 3] {
    [("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"), ("LC_ALL", "C"), ("TZ", "UTC")]
        .map(|(name, value)| (name.into(), value.into()))
}

/// Removes what a killed Postgres leaves and what could keep the next one from starting: Postgres believes a pid file
/// whose number another process has been given since. Called only while none of ours is running.
pub(super) fn clean(ground: &Ground) {
    let socket = socket(&ground.sockets);
    drop(fs::remove_file(&socket));
    drop(fs::remove_file(ground.sockets.join(format!(".s.PGSQL.{PORT}.lock"))));
    let pid_file = ground.cluster().join("postmaster.pid");
    let recorded = fs::read_to_string(&pid_file).ok();
    let pid = recorded.as_deref().and_then(|text| text.lines().next()?.trim().parse::<u32>().ok());
    // With a dead number the file stays: Postgres uses it to look for shared memory that is still attached.
    if pid.is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
        drop(fs::remove_file(pid_file));
    }
}

/// How Postgres is run. Settings are given here and not written to files, so that a new version of this program
/// changes them for old data folders too.
pub(super) fn recipe(ground: &Ground, postgres: &Postgres) -> Recipe {
    let mut args: Vec<OsString> =
        vec!["-D".into(), ground.cluster().into(), "-k".into(), ground.sockets.clone().into()];
    args.extend(["-p", PORT].map(OsString::from));
    let buffers = format!("shared_buffers={}MB", buffers_mb());
    let mut settings = vec![
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "max_connections=200",
        &buffers,
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "log_checkpoints=off",
        "jit=off",
        "max_wal_size=2GB",
        "checkpoint_timeout=15min",
        "wal_compression=on",
        "fsync=on",
        "synchronous_commit=on",
    ];
    if ground.durability == Durability::ForTests {
        // Commits still reach the kernel, so they survive a killed Postgres; they do not survive a lost machine.
        settings.extend(["fsync=off", "full_page_writes=off"]);
    }
    args.extend(settings.into_iter().flat_map(|setting| [OsString::from("-c"), OsString::from(setting)]));
    Recipe {
        name: "PostgreSQL".to_owned(),
        program: postgres.bin.join("postgres"),
        args,
        env: environment().to_vec(),
        bare_env: true,
        folder: Some(ground.cluster()),
        user: ground.user.clone(),
        log: Log::new(ground.logs().join("postgres.log")),
        goodbye: Signal::Interrupt,
        grace: GRACE,
    }
}

/// An eighth of the machine's memory, within bounds.
fn buffers_mb() -> u64 {
    let about = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total_kb = about
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    total_kb.map_or(LARGEST_BUFFERS_MB, |kb| kb / 1024 / 8).clamp(16, LARGEST_BUFFERS_MB)
}

/// Kills the helpers that a killed Postgres may leave for a moment; a new one cannot start beside them.
pub(super) fn kill_orphans(ground: &Ground) {
    processes::kill_all(&[ground.cluster()], &[&ground.cluster()]);
}
