//! Scan intake, end to end over HTTP, against what the same machine does without it, in one run: a bare JSON echo, a
//! handler that inserts one row a request, and COPY of the same rows. Starts and ends everything itself.
//!
//! `cargo bench --bench scans -- --help` lists the options; docs/performance.md says how to read what it prints.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark ends where it fails, and prints")]

#[path = "scans/city.rs"]
mod city;
#[path = "scans/copy.rs"]
mod copy;
#[path = "scans/drain.rs"]
mod drain;
#[path = "scans/echo.rs"]
mod echo;
#[path = "scans/house.rs"]
mod house;
#[path = "scans/jump.rs"]
mod jump;
#[path = "scans/load.rs"]
mod load;
#[path = "scans/mix.rs"]
mod mix;
#[path = "scans/naive.rs"]
mod naive;
#[path = "scans/open.rs"]
mod open;
#[path = "scans/options.rs"]
mod options;
#[path = "scans/processes.rs"]
mod processes;
#[path = "scans/service.rs"]
mod service;
#[path = "scans/space.rs"]
mod space;
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
        Some(Role::Naive { bind, database_url, keys_file, points_file }) => {
            naive::serve(*bind, database_url, keys_file, points_file);
        }
        None => return measure(&options),
    }
    ExitCode::SUCCESS
}

/// Plays the parts in an order in which each finds the rates that it needs. Fails when a scan was lost or doubled.
fn measure(options: &Options) -> ExitCode {
    let house = House::start(options);
    println!("{}", house.describe(options));
    let mut wrong = 0;
    let before = echo::measure(&house, options);
    print_rounds("(a) bare JSON echo", &before);
    let naive = options.plays(Part::Naive).then(|| naive::measure(&house, options));
    if let Some(naive) = &naive {
        print_rounds("(b) one insert a request", naive);
    }
    if options.plays(Part::Service) || options.plays(Part::Jump) {
        let rounds = service::measure(&house, options);
        for round in &rounds {
            println!("{}", round.describe());
            wrong += round.wrong;
        }
        let rounds: Vec<Round> = rounds.into_iter().map(|round| round.round).collect();
        print_rounds("(c) the service, until drained", &rounds);
        println!("    ratio c/a {:.3}", median(&rounds) / median(&before));
        if let Some(naive) = &naive {
            println!("    ratio c/b {:.2}", median(&rounds) / median(naive));
        }
        if options.plays(Part::Jump) {
            wrong += jump::measure(&house, options, median(&rounds));
        }
    }
    if options.plays(Part::Drain) || options.plays(Part::Bytes) {
        wrong += drain::measure(&house, options);
    }
    let after = echo::measure(&house, options);
    print_rounds("(a) bare JSON echo, again", &after);
    let change = median(&after) / median(&before);
    println!("noise: the echo at the end is {change:.2} of the echo at the beginning");
    println!("scans lost or doubled: {wrong}");
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_rounds(name: &str, rounds: &[Round]) {
    for round in rounds {
        println!("    {}", round.describe());
    }
    println!("{name}: {:.0} a second (median of {})", median(rounds), rounds.len());
}
