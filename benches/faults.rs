//! The fault matrix: the real service under load while its parts are killed, frozen, starved, cut off and lied to
//! about the time, with a ledger of every promise that a client was given.
//!
//! `cargo bench --bench faults -- --list` names the trials; docs/faults.md says how to read what is printed.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark has no users, ends where it fails, and prints"
)]

#[path = "faults/harness.rs"]
mod harness;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use harness::fault::{Trial, matrix};
use harness::ground::sweep;
use harness::load::Load;
use harness::round::{Report, play};
use harness::stage::{Plan, Stage};

/// Breaks every part of the service under load and compares what was promised with what is stored.
#[derive(Parser)]
struct Args {
    /// How often every trial is played, each time at other moments.
    #[arg(long, default_value = "1")]
    rounds: u64,

    /// What the moments are drawn from; a new one each time when not given.
    #[arg(long)]
    seed: Option<u64>,

    /// Only the trials whose names contain one of these; separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,

    /// The longest that anything stays broken.
    #[arg(long, default_value = "6")]
    seconds_per_round: f64,

    /// Name the trials and end.
    #[arg(long)]
    list: bool,

    /// What `cargo bench` adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

/// All rounds of one trial.
struct Line {
    name: String,
    reports: Vec<Report>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let wanted =
        |trial: &Trial| args.only.is_empty() || args.only.iter().any(|part| trial.name.contains(part));
    let trials: Vec<Trial> = matrix().into_iter().filter(wanted).collect();
    if args.list {
        for trial in &trials {
            println!("{}", trial.name);
        }
        return ExitCode::SUCCESS;
    }
    let seed = args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("{} trials, {} rounds each, --seed {seed}", trials.len(), args.rounds);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let played = runtime.block_on(async {
        tokio::select! {
            played = play_all(&args, &trials, seed) => played,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("ended by Ctrl-C")),
        }
    });
    match played {
        Ok(lines) => {
            let good = print_table(&lines);
            println!(
                "--seed {seed}: {}",
                if good { "every promise was kept" } else { "PROMISES WERE BROKEN" }
            );
            if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("--seed {seed}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn play_all(args: &Args, trials: &[Trial], seed: u64) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for small_disks in [false, true] {
        let own: Vec<&Trial> =
            trials.iter().filter(|trial| trial.needs_small_disks() == small_disks).collect();
        if !own.is_empty() {
            lines.extend(play_on_one_stage(args, &own, seed, small_disks).await?);
        }
    }
    Ok(lines)
}

async fn play_on_one_stage(
    args: &Args,
    trials: &[&Trial],
    seed: u64,
    small_disks: bool,
) -> anyhow::Result<Vec<Line>> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    sweep(&folder);
    let plan = Plan {
        tools: folder.join("tools"),
        folder: folder.join(format!("faults-{}-{}", std::process::id(), u8::from(small_disks))),
        program: PathBuf::from(env!("CARGO_BIN_EXE_placecode")),
        small_disks,
    };
    let begun = Instant::now();
    let mut stage = Stage::open(&plan).await?;
    println!("stage set up in {:.1} s", begun.elapsed().as_secs_f64());
    if small_disks && !stage.has_mounts() {
        println!("no mount is allowed here: the size of files is limited instead of the disk");
    }
    let load = Load::new(stage.city.clone(), stage.services);
    let window = Duration::from_secs_f64(args.seconds_per_round.clamp(1.0, 60.0));
    let mut lines: Vec<Line> =
        trials.iter().map(|trial| Line { name: trial.name.clone(), reports: Vec::new() }).collect();
    let mut good = true;
    for round in 0..args.rounds {
        for (trial, line) in trials.iter().zip(&mut lines) {
            let begun = Instant::now();
            // Each round of a trial has a seed of its own that the printed one leads to.
            let report = play(&mut stage, &load, trial, seed.wrapping_add(round), window).await;
            let report = report.map_err(|error| error.context(format!("{} in round {round}", trial.name)))?;
            print_round(&trial.name, round, &report, begun.elapsed());
            good &= report.is_good();
            line.reports.push(report);
        }
    }
    let logs = stage.logs.clone();
    drop(stage);
    if good {
        drop(std::fs::remove_dir_all(logs));
    } else {
        println!("the logs are kept in {}", logs.display());
    }
    Ok(lines)
}

fn secs(time: Option<Duration>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}

fn print_round(name: &str, round: u64, report: &Report, took: Duration) {
    let Report { findings, requests, .. } = report;
    println!(
        "{} {name} ({round}): {} acknowledged, {} stored, lost {}, doubled {}, unknown {}; answers: {} yes, {} busy, \
         {} refused, {} unreachable, {} none; refused for {}, back after {}, drained after {}; {:.0} s",
        if report.is_good() { "ok  " } else { "BAD " },
        findings.acknowledged,
        findings.stored,
        findings.lost,
        findings.doubled,
        findings.unknown,
        requests.acknowledged,
        requests.busy,
        requests.refused,
        requests.not_sent,
        requests.unknown,
        secs(Some(report.longest_refusal)),
        secs(report.back_after),
        secs(report.drained_after),
        took.as_secs_f64(),
    );
    for (words, count) in &report.refusals {
        println!("     {count} x {words}");
    }
    if !report.is_good() {
        println!("     {findings:?}");
        println!("     ended by themselves: {}, ready in the end: {}", report.own_deaths, report.ready);
        for (at, act) in &report.script {
            println!("     {:>6} ms {act:?}", at.as_millis());
        }
    }
}

/// The table at the end; true when every promise was kept.
fn print_table(lines: &[Line]) -> bool {
    println!();
    println!(
        "| fault | rounds | acknowledged | stored | lost | doubled | unknown | longest refusal | back after |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    let sum = |line: &Line, of: fn(&Report) -> usize| line.reports.iter().map(of).sum::<usize>();
    let longest = |line: &Line, of: fn(&Report) -> Option<Duration>| {
        secs(line.reports.iter().map(of).try_fold(Duration::ZERO, |longest, time| Some(longest.max(time?))))
    };
    for line in lines {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            line.name,
            line.reports.len(),
            sum(line, |report| report.findings.acknowledged),
            sum(line, |report| report.findings.stored),
            sum(line, |report| report.findings.lost),
            sum(line, |report| report.findings.doubled),
            sum(line, |report| report.findings.unknown),
            longest(line, |report| Some(report.longest_refusal)),
            longest(line, |report| report.back_after),
        );
    }
    lines.iter().all(|line| line.reports.iter().all(Report::is_good))
}
