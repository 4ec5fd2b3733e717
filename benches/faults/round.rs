//! One round: load, fault, healing, a moment more of load, waiting until all is drained, comparison.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use placecode::store::Store;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::compare::{Findings, backlog, compare, number};
use super::fault::{Act, Script, Trial, script};
use super::ground::READY_LIMIT;
use super::ledger::{Counts, Ledger};
use super::load::Load;
use super::stage::{Part, Stage};

/// How often a dead process is looked for.
const TICK: Duration = Duration::from_millis(50);
/// How long the load goes on after the first scan that is accepted again.
const AFTER: Duration = Duration::from_secs(1);
/// How long the service may take to accept a scan, and to be ready, after everything was healed.
const HEALED_LIMIT: Duration = Duration::from_secs(40);
/// How long everything may take to be stored.
const DRAIN_LIMIT: Duration = Duration::from_secs(90);

/// What one round came to.
#[derive(Clone, Debug)]
pub struct Report {
    pub findings: Findings,
    pub requests: Counts,
    /// In what words requests were refused, and how often.
    pub refusals: BTreeMap<String, usize>,
    /// The longest time in which every request was refused.
    pub longest_refusal: Duration,
    /// From healing to the first promise; `None` when none came.
    pub back_after: Option<Duration>,
    /// From the end of the load until all was stored; `None` when it never was.
    pub drained_after: Option<Duration>,
    /// Whether both services said in the end that they can work.
    pub ready: bool,
    /// How often a service or worker ended by itself.
    pub own_deaths: u32,
    /// What was done, for somebody who repeats it.
    pub script: Script,
}

impl Report {
    /// Whether every promise was kept and everything came to rest.
    pub fn is_good(&self) -> bool {
        self.findings.are_good()
            && self.own_deaths == 0
            && self.ready
            && self.back_after.is_some()
            && self.drained_after.is_some()
    }
}

/// Plays one round. The moments follow from the seed, the trial's name and the round alone, so that one
/// trial of a long run can be repeated by itself.
pub async fn play(
    stage: &mut Stage,
    load: &Load,
    trial: &Trial,
    seed: u64,
    window: Duration,
) -> anyhow::Result<Report> {
    let mut rng = StdRng::seed_from_u64(seed ^ hash(&trial.name));
    stage.all_ready(READY_LIMIT).await?;
    let before = number(&mut *stage.app.store.conn().await?, "select count(*) from scans").await?;
    let deaths_before = stage.own_deaths();
    let script = script(trial, window, &mut rng);
    let ledger = Arc::new(Ledger::default());
    let begun = Instant::now();
    let running = load.start(&ledger, rng.random());
    watch(stage, Duration::from_millis(rng.random_range(500..1500))).await;
    perform(stage, &script).await?;
    stage.heal()?;
    let healed = Instant::now();
    let back = until_back(stage, &ledger, healed).await;
    watch(stage, AFTER).await;
    running.stop().await;
    let ready = stage.all_ready(HEALED_LIMIT).await.is_ok();
    let drained_after = drained(stage).await;
    if drained_after.is_none() {
        // Whoever hangs is started again, as an operator would, so that what waits is not taken for lost.
        stage.restart_roles();
        drained(stage).await;
    }
    let findings = compare(&stage.app, &ledger.entries(), before).await?;
    let report = Report {
        findings,
        requests: ledger.counts(),
        refusals: ledger.refusals(),
        longest_refusal: ledger.longest_refusal(begun),
        back_after: back.map(|at| at.duration_since(healed)),
        drained_after,
        ready,
        own_deaths: stage.own_deaths() - deaths_before,
        script,
    };
    if !report.is_good() {
        stage.restart_roles();
    }
    Ok(report)
}

async fn perform(stage: &mut Stage, script: &Script) -> anyhow::Result<()> {
    let begun = Instant::now();
    for (at, act) in script {
        watch(stage, at.saturating_sub(begun.elapsed())).await;
        do_it(stage, *act)?;
    }
    Ok(())
}

fn do_it(stage: &mut Stage, act: Act) -> anyhow::Result<()> {
    match act {
        Act::Kill(part, replica) => stage.process(part, replica).kill(),
        Act::Freeze(part, replica) => stage.process(part, replica).freeze(),
        Act::Thaw(part, replica) => stage.process(part, replica).thaw(),
        Act::AskToEnd(part, replica) => stage.process(part, replica).ask_to_end(),
        Act::Release(part, replica) => stage.process(part, replica).release(),
        Act::Disk(part, full) => {
            stage.set_disk(part, full);
            if full && part == Part::Postgres {
                tokio::spawn(use_space(stage.app.store.clone()));
            }
        }
        Act::Link(from, replica, to, mode) => stage.proxy(from, replica, to).set(mode),
        Act::Clock(part, replica, by) => stage.shift_clock(part, replica, by)?,
    }
    Ok(())
}

/// Has Postgres ask for space at once; it keeps some in stock, which the load alone does not use up in seconds.
async fn use_space(store: Store) {
    for _ in 0..4 {
        if let Ok(mut conn) = store.conn().await {
            drop(number(&mut conn, "select count(pg_logical_emit_message(true, 'faults', 'a'))").await);
            drop(number(&mut conn, "select count(pg_switch_wal())").await);
        }
    }
}

/// Lets time pass, starting again what has ended by itself.
async fn watch(stage: &mut Stage, time: Duration) {
    let begun = Instant::now();
    loop {
        stage.tend();
        let left = time.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(TICK)).await;
    }
}

async fn until_back(stage: &mut Stage, ledger: &Ledger, healed: Instant) -> Option<Instant> {
    while healed.elapsed() < HEALED_LIMIT {
        if let Some(at) = ledger.first_acknowledged_after(healed) {
            return Some(at);
        }
        watch(stage, TICK).await;
    }
    None
}

async fn drained(stage: &mut Stage) -> Option<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < DRAIN_LIMIT {
        if matches!(backlog(&stage.app).await, Ok(0)) {
            return Some(begun.elapsed());
        }
        watch(stage, TICK).await;
    }
    None
}

/// FNV-1a: the same on every machine and in every release.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}
