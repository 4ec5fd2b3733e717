//! What every role shares: settings, keys, catalogue, pools, clock.

use std::sync::Arc;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::catalogue::Catalogue;
use crate::domain::keyring::Keyring;
use crate::intake::Intake;
use crate::store::Store;

/// Built once at the start of a role and shared by all that it does.
#[derive(Clone, Debug)]
pub struct App {
    /// The settings.
    pub config: Arc<Config>,
    /// The keys.
    pub keys: Arc<Keyring>,
    /// The kinds of places.
    pub catalogue: Arc<Catalogue>,
    /// Postgres.
    pub store: Store,
    /// Redis.
    pub intake: Intake,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Reads the key file and makes the pools. Nothing is connected yet, so that the service can start
    /// while Postgres or Redis is away.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        config.check()?;
        let text = tokio::fs::read_to_string(&config.keys_file).await.with_context(|| {
            format!("--keys-file {}: cannot be read; `placecode keys` makes one", config.keys_file.display())
        })?;
        let keys =
            Keyring::parse(&text).with_context(|| format!("--keys-file {}", config.keys_file.display()))?;
        let store =
            Store::new(&config.database_url, config.database_connections).context("--database-url")?;
        let intake = Intake::new(&config).context("--redis-url")?;
        Ok(Self {
            keys: Arc::new(keys),
            catalogue: Arc::new(Catalogue::shipped()?),
            store,
            intake,
            clock,
            config: Arc::new(config),
        })
    }
}
