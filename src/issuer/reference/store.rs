//! What the issuing system keeps, one file per group of tables. Every part of it opens its own tables here:
//! [`Store::connection`] is what they share.

mod apply;
mod calls;
mod codes;
mod declared;
mod facts;
mod feed;
mod forget;

use std::time::Duration;

use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

pub(super) use self::apply::Addressed;
pub(super) use self::calls::{Asked, Call};
pub(super) use self::codes::{Code, Ground, Past, Told};
pub(super) use self::declared::{Correction, Journeys, Kept};
pub(super) use self::facts::Waiting;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/issuer");

const CONNECTIONS: usize = 8;

/// How long a request waits for a connection before it is told to come again.
const WAIT: Duration = Duration::from_secs(5);

/// The database of the issuing system.
#[derive(Clone)]
pub(super) struct Store {
    pool: Pool<AsyncPgConnection>,
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("no connection to the database")]
    Away,
    #[error("the database refused: {0}")]
    Database(#[from] diesel::result::Error),
}

impl Store {
    /// Brings the tables up to date and makes the pool. Needs a runtime of several threads.
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let connection = AsyncPgConnection::establish(url).await?;
        AsyncMigrationHarness::new(connection)
            .run_pending_migrations(MIGRATIONS)
            .map_err(|error| anyhow::anyhow!("the migration failed: {error}"))?;
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(url);
        Ok(Self { pool: Pool::builder(manager).max_size(CONNECTIONS).build()? })
    }

    /// A connection of the pool.
    pub(super) async fn connection(&self) -> Result<Object<AsyncPgConnection>, StoreError> {
        let waited = tokio::time::timeout(WAIT, self.pool.get()).await;
        waited.ok().and_then(Result::ok).ok_or(StoreError::Away)
    }

    /// Whether the database answers.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        diesel::sql_query("select 1").execute(&mut connection).await?;
        Ok(())
    }
}
