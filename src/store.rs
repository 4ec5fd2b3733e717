//! Postgres: one file per group of tables, SQL and rows, nothing else.

pub mod access;
pub mod agreements;
pub mod alarms;
pub mod aliases;
pub mod appeal_rates;
pub mod appeals;
pub mod assignments;
pub mod audit;
pub mod audit_heads;
pub mod backward;
pub mod cards;
pub mod case_lists;
pub mod cases;
pub mod circuits;
pub mod codes;
pub mod controls;
pub mod coverage;
pub mod decisions;
pub mod differences;
pub mod divisions;
pub mod facts;
pub mod feed;
pub mod findings;
pub mod grounds;
pub mod hand_overs;
pub mod health_facts;
pub mod histories;
pub mod idempotency;
pub mod imports;
pub mod inbox;
pub mod inspections;
mod kept;
pub mod late;
pub mod letters;
pub mod lives;
pub mod looks;
pub mod organisations;
pub mod outbox;
pub mod own;
pub mod packing;
pub mod partitions;
pub mod posters;
pub mod progress;
pub mod reconcile;
pub mod reconciliations;
pub mod register;
pub mod register_export;
pub mod releasing;
pub mod reports;
pub mod residences;
pub mod results;
pub mod retention;
pub mod reviews;
pub mod rule_packs;
pub mod runs;
pub mod scan_log;
pub mod scans;
pub mod schema;
pub mod screens;
pub mod settings;
pub mod stay_corrections;
pub mod stay_packs;
pub mod stays;
pub mod stops;
pub mod trails;
pub mod undoings;
pub mod usage;
pub mod venue_life;
pub mod venue_staff;
pub mod whereabouts;
pub mod why;

use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncMigrationHarness;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures_util::FutureExt;

/// How long a request waits for a connection to be found good. One that lies on a network that swallows
/// everything is given up then, and another is tried.
const CHECK_MAX: Duration = Duration::from_secs(1);

/// How many connections a request tries at the most.
const CHECKS_MAX: usize = 5;

/// All migrations of the service, in the binary.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/service");

/// A connection from the pool.
pub type Connection = Object<AsyncPgConnection>;

/// Why Postgres did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection was free in time, or Postgres is away. Worth another try.
    #[error("postgres is busy or away: {0}")]
    Busy(String),
    /// Postgres refused or failed.
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
    /// A row holds what the domain does not allow.
    #[error("a row of `{0}` holds a value that cannot be")]
    Corrupt(&'static str),
}

/// The pool of connections. Nothing is connected until it is used.
#[derive(Clone)]
pub struct Store(Pool<AsyncPgConnection>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// A pool of so many connections at most.
    pub fn new(url: &str, connections: u32) -> anyhow::Result<Self> {
        let mut config = ManagerConfig::default();
        config.custom_setup = Box::new(|url| establish(url).boxed());
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config(url, config);
        let pool = Pool::builder(manager).max_size(connections as usize).build()?;
        Ok(Self(pool))
    }

    /// A connection that answered just now, or [`StoreError::Busy`] when none can be had within five seconds.
    pub async fn conn(&self) -> Result<Connection, StoreError> {
        let mut why = String::new();
        for _ in 0..CHECKS_MAX {
            match tokio::time::timeout(CHECK_MAX, self.0.get()).await {
                Ok(connection) => return connection.map_err(|error| StoreError::Busy(error.to_string())),
                Err(late) => why = late.to_string(),
            }
        }
        Err(StoreError::Busy(why))
    }
}

/// A connection on which no plan is compiled: our queries ask for few rows of tables with many partitions, which
/// looks dear to the planner and is not.
async fn establish(url: &str) -> ConnectionResult<AsyncPgConnection> {
    let mut conn = AsyncPgConnection::establish(url).await?;
    let set = conn.batch_execute("set jit = off").await;
    set.map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
    Ok(conn)
}

/// Brings the tables to this release's form and returns the names of what was run. Needs a runtime
/// of several threads.
pub async fn migrate(url: &str) -> anyhow::Result<Vec<String>> {
    let connection = AsyncPgConnection::establish(url).await?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let run = harness.run_pending_migrations(MIGRATIONS).map_err(|error| anyhow::anyhow!(error))?;
    Ok(run.iter().map(ToString::to_string).collect())
}

/// A value of the domain from what a row holds.
fn sound<T>(value: Option<T>, table: &'static str) -> Result<T, StoreError> {
    value.ok_or(StoreError::Corrupt(table))
}
