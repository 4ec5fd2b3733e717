//! Scan intake, end to end over HTTP, against what the same machine does without it, in one run: a bare JSON echo, a
//! handler that inserts one row a request, and COPY of the same rows. Starts and ends everything itself.
//!
//! `cargo bench --bench scans -- --help` lists the options; docs/performance.md says how to read what it prints.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark ends where it fails, and prints")]

#[path = "scans/city.rs"]
mod city;
#[path = "scans/echo.rs"]
mod echo;
#[path = "scans/house.rs"]
mod house;
#[path = "scans/load.rs"]
mod load;
#[path = "scans/mix.rs"]
mod mix;
#[path = "scans/options.rs"]
mod options;
#[path = "scans/processes.rs"]
mod processes;
#[path = "scans/service.rs"]
mod service;
#[path = "scans/tally.rs"]
mod tally;
#[path = "scans/wire.rs"]
mod wire;

use std::process::ExitCode;

use clap::Parser;

use house::House;
use options::{Options, Part, Role};
use tally::{Round, median};

fn main() -> ExitCode {
    let options = Options::parse();
    match &options.role {
        Some(Role::Echo { bind }) => echo::serve(*bind),
        None => return measure(&options),
    }
    ExitCode::SUCCESS
}

fn measure(options: &Options) -> ExitCode {
    let house = House::start(options);
    println!("{}", house.describe(options));
    let mut losses = 0;
    let before = echo::measure(&house, options);
    print_rounds("(a) bare JSON echo", &before);
    if options.plays(Part::Service) {
        let rounds = service::measure(&house, options);
        for round in &rounds {
            println!("{}", round.describe());
            losses += round.wrong;
        }
        let rounds: Vec<Round> = rounds.into_iter().map(|round| round.round).collect();
        print_rounds("(c) the service, until drained", &rounds);
        println!("    ratio c/a {:.3}", median(&rounds) / median(&before));
    }
    let after = echo::measure(&house, options);
    print_rounds("(a) bare JSON echo, again", &after);
    println!(
        "    noise: the echo at the end is {:.2} of the echo at the beginning",
        median(&after) / median(&before)
    );
    if losses == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_rounds(name: &str, rounds: &[Round]) {
    for round in rounds {
        println!("    {}", round.describe());
    }
    println!("{name}: {:.0} a second (median of {})", median(rounds), rounds.len());
}
