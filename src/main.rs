//! The binary: reads the command line, makes one runtime, plays one role.

use std::process::ExitCode;

use clap::Parser;
use placecode::roles::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(Cli::parse()).await
}
