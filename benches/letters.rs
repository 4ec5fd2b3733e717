//! Letters under fire: thousands of visitors with several letters each, sent by real dispatchers to the real reference
//! issuing system, while both are killed again and again. In the end both sides are compared letter by letter.
//!
//! `cargo bench --bench letters -- --visitors 12200` sends 100,000 letters; docs/letters.md says what is compared.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark has no users, ends where it fails, and prints"
)]

#[path = "letters/harness.rs"]
mod harness;
#[path = "faults/process.rs"]
#[expect(dead_code, reason = "the benchmark of faults uses the rest")]
mod process;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::trial::{Plan, Report, play};
use placecode::embedded::{Options, Servers};

/// Kills dispatchers and issuing system while letters are on their way, and compares what both sides hold.
#[derive(Parser)]
struct Args {
    /// How many visitors; each has some eight letters.
    #[arg(long, default_value = "12200")]
    visitors: u32,

    /// How often a process is killed.
    #[arg(long, default_value = "40")]
    kills: u32,

    /// What chance is drawn from.
    #[arg(long, default_value = "7")]
    seed: u64,

    /// What `cargo bench` adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("letters");
    drop(std::fs::remove_dir_all(&folder));
    let mut options = Options::new(folder.join("servers"));
    options.tools = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tools"));
    let servers = Servers::start_with(&options, &|line| println!("{line}")).expect("private servers");
    servers.ensure_database("service").expect("a database");
    servers.ensure_database("issuer").expect("a database");
    let plan = Plan {
        folder: folder.join("roles"),
        program: PathBuf::from(env!("CARGO_BIN_EXE_placecode")),
        database_url: servers.database_url("service"),
        issuer_database_url: servers.database_url("issuer"),
        redis_url: servers.redis_url(),
        visitors: args.visitors,
        kills: args.kills,
        seed: args.seed,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let played = runtime.block_on(play(&plan, &|line| println!("{line}")));
    drop(runtime);
    servers.stop();
    match played {
        Ok(report) => {
            print(&report);
            if report.findings.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("{error:#}; logs in {}", plan.folder.display());
            ExitCode::FAILURE
        }
    }
}

fn print(report: &Report) {
    let Report { findings, .. } = report;
    println!();
    println!("{} letters about {} visitors: {}", findings.letters, findings.visitors, report.kinds);
    println!("killed: {} times a dispatcher, {} times the issuing system", report.killed.0, report.killed.1);
    println!("all settled {:.0} s after the first", report.took.as_secs_f64());
    println!(
        "undisturbed: {:.0} letters a second; bare posts of such bodies to the same server {:.0}, ratio {:.2}; \
         bare durable inserts of such bodies {:.0}, ratio {:.2}",
        report.calm_rate,
        report.post_rate,
        report.calm_rate / report.post_rate,
        report.insert_rate,
        report.calm_rate / report.insert_rate
    );
    println!(
        "envelopes recorded {}, letters that came again {}, failed envelopes {}",
        findings.envelopes, findings.repeated, findings.failed_envelopes
    );
    println!("{findings:#?}");
    println!("{}", if findings.is_good() { "both sides say the same" } else { "THE SIDES DIFFER" });
}
