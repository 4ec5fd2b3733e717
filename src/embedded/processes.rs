//! Signals, and finding the servers that an earlier owner left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The programs that may work in our folders. Anything else there (a shell, an editor) is never signalled.
const OURS: [&str; 4] = ["postgres", "initdb", "redis-server", "valkey-server"];

/// The signals that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Postgres: roll back, disconnect everybody, write a checkpoint, end.
    Interrupt,
    /// Redis and our own roles: finish and end.
    Terminate,
    /// End at once.
    Kill,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "INT",
            Signal::Terminate => "TERM",
            Signal::Kill => "KILL",
        }
    }
}

/// Sends a signal with the shell's own `kill`, since a slim machine may lack the program. A process that is already
/// gone is no failure, so nothing is reported.
pub(super) fn signal(pid: u32, signal: Signal) {
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal.name(), &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    drop(sent);
}

/// A server process that works in one of our folders.
#[derive(Debug)]
pub(super) struct Leftover {
    pub(super) pid: u32,
    title: String,
}

impl Leftover {
    /// The signal that ends it in order, or none for the helpers of Postgres, which must only be told by their parent.
    fn polite(&self) -> Option<Signal> {
        if self.title.starts_with("postgres:") {
            None
        } else if self.title.contains("postgres") {
            Some(Signal::Interrupt)
        } else {
            Some(Signal::Terminate)
        }
    }
}

/// The server processes whose working folder is one of `folders`.
///
/// Where the working folder of another user's process cannot be read (root in a container without `SYS_PTRACE`), the
/// command line must mention one of `marks` instead.
pub(super) fn leftovers(folders: &[PathBuf], marks: &[&Path]) -> Vec<Leftover> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            if !OURS.contains(&name.trim_end()) {
                return None;
            }
            let title = fs::read(entry.path().join("cmdline")).ok()?;
            let title = String::from_utf8_lossy(&title).replace('\0', " ");
            let ours = match fs::read_link(entry.path().join("cwd")) {
                Ok(folder) => folders.contains(&folder),
                Err(_) => marks.iter().any(|mark| mentions(&title, mark)),
            };
            // A process that has ended and waits to be reaped has no command line.
            (ours && !title.is_empty()).then_some(Leftover { pid, title })
        })
        .collect()
}

/// Whether a command line names `path` itself or something in it, and not a longer name that begins alike.
fn mentions(title: &str, path: &Path) -> bool {
    let path = path.to_string_lossy();
    title.match_indices(path.as_ref()).any(|(at, found)| {
        title.get(at + found.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '/']))
    })
}

/// Ends the servers that an earlier owner left: in order within `grace`, else by force. Returns those that remain.
pub(super) fn end(folders: &[PathBuf], marks: &[&Path], grace: Duration, say: &dyn Fn(&str)) -> Vec<u32> {
    let mut found = leftovers(folders, marks);
    if found.is_empty() {
        return Vec::new();
    }
    say("Servers of an earlier run still use this folder; waiting for them to end");
    for leftover in &found {
        if let Some(polite) = leftover.polite() {
            signal(leftover.pid, polite);
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < grace && !found.is_empty() {
        thread::sleep(Duration::from_millis(20));
        found = leftovers(folders, marks);
    }
    kill_all(folders, marks)
}

/// Kills every server process of ours and waits a moment for them to be gone. Returns those that remain.
pub(super) fn kill_all(folders: &[PathBuf], marks: &[&Path]) -> Vec<u32> {
    let begun = Instant::now();
    loop {
        let found = leftovers(folders, marks);
        if found.is_empty() || begun.elapsed() > Duration::from_secs(5) {
            return found.iter().map(|leftover| leftover.pid).collect();
        }
        for leftover in &found {
            signal(leftover.pid, Signal::Kill);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_name_that_begins_alike_is_not_ours() {
        let ours = Path::new("/srv/a");
        assert!(mentions("postgres -D /srv/a -k /tmp", ours));
        assert!(mentions("redis-server unixsocket:/srv/a/redis.sock", ours));
        assert!(!mentions("postgres -D /srv/ab", ours));
    }
}
