//! `serve`, `work` and `issuer`: the roles that run until they are asked to end.

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, IssuerConfig};
use crate::http::serve::{bind, serve as answer};
use crate::http::web::Web;
use crate::issuer::reference;
use crate::pipeline::run::{Step, run};
use crate::telemetry;

use super::signals;

/// Which part of the pipeline runs, and on what.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WorkArgs {
    #[command(flatten)]
    config: Config,

    /// Only these steps; several are separated by commas. All replicas together must run every step.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Step>,
}

/// Answers requests.
pub(crate) async fn serve(config: Config, log: Option<String>) -> anyhow::Result<()> {
    telemetry::start(log);
    let listener = bind(config.bind)?;
    let app = App::build(config, Clock::System).await?;
    answer(Web::new(app), listener, signals::shutdown()).await
}

/// Runs the pipeline.
pub(crate) async fn work(args: WorkArgs, log: Option<String>) -> anyhow::Result<()> {
    telemetry::start(log);
    let app = App::build(args.config, Clock::System).await?;
    let steps = if args.only.is_empty() { Step::ALL.to_vec() } else { args.only };
    run(app, steps, signals::shutdown()).await;
    Ok(())
}

/// Runs the reference issuing system.
pub(crate) async fn issuer(config: IssuerConfig, log: Option<String>) -> anyhow::Result<()> {
    telemetry::start(log);
    reference::run(config, Clock::System, signals::asked_to_end()).await
}
