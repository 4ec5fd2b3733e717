//! What processes have used of the machine, from /proc.

use std::collections::BTreeMap;
use std::fs;

/// Clock ticks in a second, which Linux shows to programs on every machine.
const TICKS: u64 = 100;

/// Which process ids belong to which part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) service: u32,
    pub(crate) worker: Option<u32>,
    pub(crate) redis: u32,
    pub(crate) postgres: u32,
}

/// The processor time that each part has used up to now, in ticks, and what the whole machine has.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    parts: BTreeMap<&'static str, u64>,
    machine: u64,
}

/// The processor time that was used between two looks.
#[derive(Clone, Debug)]
pub(crate) struct Spent {
    parts: Vec<(&'static str, u64)>,
    others: u64,
}

const NAMES: [&str; 6] = ["service", "worker", "redis", "postgres backends", "postgres helpers", "client"];

impl Parts {
    /// Looks now.
    pub(crate) fn used(&self) -> Used {
        let processes = all();
        let ticks = |pid: u32| processes.get(&pid).map_or(0, |process| process.ticks);
        let family = |pid: u32| {
            let children = processes.values().filter(|process| process.parent == pid);
            let living: u64 = children.map(|process| process.ticks).sum();
            ticks(pid) + processes.get(&pid).map_or(0, |process| process.reaped) + living
        };
        let is_helper = |process: &&Stat| process.parent == self.postgres && helps(process.pid);
        let helpers = processes.values().filter(is_helper).map(|process| process.ticks).sum();
        let values = [
            ticks(self.service),
            self.worker.map_or(0, ticks),
            family(self.redis),
            family(self.postgres) - helpers,
            helpers,
            ticks(std::process::id()),
        ];
        Used { parts: NAMES.into_iter().zip(values).collect(), machine: machine() }
    }

    /// The memory that each part holds, in MiB; pages that several share are divided among them.
    pub(crate) fn memory(&self) -> String {
        let processes = all();
        let family = |pid: u32| -> u64 {
            let members = processes.values().filter(|process| process.pid == pid || process.parent == pid);
            members.map(|process| memory_kib(process.pid)).sum()
        };
        let parts = [
            ("service", family(self.service)),
            ("worker", self.worker.map_or(0, family)),
            ("redis", family(self.redis)),
            ("postgres", family(self.postgres)),
            ("client", memory_kib(std::process::id())),
        ];
        let each: Vec<_> = parts.iter().map(|(name, kib)| format!("{name} {} MiB", kib / 1024)).collect();
        each.join(", ")
    }
}

impl Used {
    /// What was used since an earlier look.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        let of = |used: &Self, name| used.parts.get(name).copied().unwrap_or_default();
        let parts: Vec<_> =
            NAMES.into_iter().map(|name| (name, of(self, name).saturating_sub(of(earlier, name)))).collect();
        let ours: u64 = parts.iter().map(|(_, ticks)| ticks).sum();
        Spent { parts, others: (self.machine - earlier.machine).saturating_sub(ours) }
    }
}

impl Spent {
    /// In microseconds a scan.
    pub(crate) fn describe(&self, scans: u64) -> String {
        let micros = |ticks: u64| micros_each(ticks, scans);
        let ours: u64 = self.parts.iter().map(|(_, ticks)| ticks).sum();
        let each: Vec<_> =
            self.parts.iter().map(|(name, ticks)| format!("{name} {:.1}", micros(*ticks))).collect();
        format!(
            "{}; all of ours {:.1}, others on the machine {:.1}",
            each.join(", "),
            micros(ours),
            micros(self.others)
        )
    }
}

/// Ticks as microseconds for each of so many.
pub(crate) fn micros_each(ticks: u64, count: u64) -> f64 {
    crate::tally::ratio(ticks * (1_000_000 / TICKS), count.max(1))
}

/// The processor time that one process has used.
pub(crate) fn ticks(pid: u32) -> u64 {
    stat(pid).map_or(0, |stat| stat.ticks)
}

struct Stat {
    pid: u32,
    parent: u32,
    /// Its own, in and out of the kernel.
    ticks: u64,
    /// That of its children that have ended.
    reaped: u64,
}

fn all() -> BTreeMap<u32, Stat> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        reaped: number(13)? + number(14)?,
    })
}

/// Whether a process of Postgres serves no connection: checkpoints, the log of writes and the like.
fn helps(pid: u32) -> bool {
    let title = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let names =
        ["checkpointer", "background writer", "walwriter", "autovacuum", "logical replication", "stats"];
    title.strip_prefix("postgres: ").is_some_and(|title| names.iter().any(|name| title.starts_with(name)))
}

fn memory_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

/// The ticks in which any processor was busy.
fn machine() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let line = text.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // User, nice, system, then idle and waiting for the disk, then interrupts and what the host took.
    fields.iter().enumerate().filter(|(index, _)| ![3, 4, 8, 9].contains(index)).map(|(_, ticks)| ticks).sum()
}
