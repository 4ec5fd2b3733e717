//! `work` and `issuer`: the roles that run until they are asked to end.

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, IssuerConfig};
use crate::issuer::reference;
use crate::pipeline::run::{Step, run};
use crate::telemetry;

use super::{settings, signals};

/// Which part of the pipeline runs, and on what.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WorkArgs {
    #[command(flatten)]
    config: Config,

    /// Only these steps; several are separated by commas. All replicas together must run every step.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Step>,
}

/// Runs the pipeline.
pub(crate) async fn work(args: WorkArgs, log: Option<String>) -> anyhow::Result<()> {
    telemetry::start(log);
    let clock = Clock::following(args.config.clock_shift_file.clone());
    let app = App::build(args.config, clock).await?;
    settings::note(&app, "work", settings::given());
    let steps = if args.only.is_empty() { Step::ALL.to_vec() } else { args.only };
    run(app, steps, signals::shutdown()).await;
    Ok(())
}

/// Runs the reference issuing system.
pub(crate) async fn issuer(config: IssuerConfig, log: Option<String>) -> anyhow::Result<()> {
    telemetry::start(log);
    let clock = Clock::following(config.clock_shift_file.clone());
    reference::run(config, clock, signals::asked_to_end()).await
}
