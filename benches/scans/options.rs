//! What the benchmark is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures scan intake over HTTP against an echo, a naive handler and COPY.
#[derive(Parser, Clone, Debug)]
#[command(name = "scans", max_term_width = 110)]
pub(crate) struct Options {
    /// Small counts, one round: to see that it works.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only this part, with what its ratios need.
    #[arg(long)]
    pub(crate) only: Option<Part>,

    /// Scans in one round; 200,000 when not given (4,000 with --quick).
    #[arg(long)]
    scans: Option<u64>,

    /// Seconds that one round may send, and that the jump lasts; 60 when not given (10 with --quick).
    #[arg(long)]
    seconds: Option<u64>,

    /// Connections that the client keeps.
    #[arg(long, default_value_t = 128)]
    pub(crate) connections: usize,

    /// Scans a second before the jump; a tenth of what the service sustains when not given.
    #[arg(long)]
    pub(crate) steady: Option<u32>,

    /// One scan in so many is preceded by an exchange of a channel's assertion for a visitor token.
    #[arg(long, default_value_t = 20)]
    pub(crate) scans_per_exchange: u64,

    /// One more argument for `placecode serve`, such as `--serve-arg=--database-connections=32`.
    #[arg(long = "serve-arg", allow_hyphen_values = true)]
    pub(crate) serve_args: Vec<String>,

    /// One more argument for `placecode work`.
    #[arg(long = "work-arg", allow_hyphen_values = true)]
    pub(crate) work_args: Vec<String>,

    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,

    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What is measured.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The bare JSON echo.
    Echo,
    /// The handler that inserts one row a request.
    Naive,
    /// The service with its worker.
    Service,
    /// The drain against COPY.
    Drain,
    /// A load that grows tenfold.
    Jump,
    /// What a scan takes in Redis and Postgres.
    Bytes,
}

/// What a child process of the benchmark plays.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Role {
    /// The bare JSON echo.
    #[command(hide = true)]
    Echo {
        /// Where it listens.
        bind: SocketAddr,
    },
    /// The handler that inserts one row a request.
    #[command(hide = true)]
    Naive {
        /// Where it listens.
        bind: SocketAddr,
        /// The database with its table.
        database_url: String,
        /// The service's keys.
        keys_file: PathBuf,
        /// The points as JSON.
        points_file: PathBuf,
    },
}

impl Options {
    /// Whether a part is measured.
    pub(crate) fn plays(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    pub(crate) fn scans(&self) -> u64 {
        self.scans.unwrap_or(if self.quick { 4_000 } else { 200_000 })
    }

    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(if self.quick { 10 } else { 60 }))
    }

    pub(crate) fn rounds(&self) -> usize {
        if self.quick || self.only == Some(Part::Jump) { 1 } else { 3 }
    }

    /// So many that nobody scans more often than the service allows, however fast it is.
    pub(crate) fn visitors(&self) -> usize {
        if self.quick { 20_000 } else { 200_000 }
    }
}
