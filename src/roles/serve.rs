//! `serve` and `openapi`: the HTTP service, and the document that describes it.

use super::settings;
use super::signals;
use super::terminal::say;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::routes::document;
use crate::http::serve::{bind, serve as answer};
use crate::http::web::Web;
use crate::telemetry;

/// Serves until it is asked to end.
pub(crate) async fn serve(config: Config, log: Option<String>) -> anyhow::Result<()> {
    telemetry::start(log);
    let clock = Clock::following(config.clock_shift_file.clone());
    let app = App::build(config, clock).await?;
    let listener = bind(app.config.bind)?;
    settings::note(&app, "serve", settings::given());
    tracing::info!(bind = %app.config.bind, "serving");
    answer(Web::new(app), listener, signals::shutdown()).await
}

/// Prints the API document.
pub(crate) fn openapi() -> anyhow::Result<()> {
    say(serde_json::to_string_pretty(&document())?);
    Ok(())
}
