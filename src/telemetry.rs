//! Logs: constant messages, values as fields from a closed list, never a visitor, token or address.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The only fields that a log line may carry. A test reads the sources and compares.
pub const FIELDS: &[&str] = &[
    "action",
    "attempt",
    "bind",
    "case",
    "count",
    "duration_ms",
    "error",
    "issuer",
    "method",
    "refused",
    "route",
    "run",
    "shard",
    "status",
    "step",
    "table",
];

/// Starts logging to standard error: JSON lines, or plain text on a terminal. `filter` is what
/// `RUST_LOG` says.
pub fn start(filter: Option<String>) {
    let filter = EnvFilter::new(filter.unwrap_or_else(|| "placecode=info,warn".to_owned()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() { builder.init() } else { builder.json().init() }
}
