//! Redis: the scan log, the open windows, the register as scanning needs it, limits.

pub mod appender;
pub mod entry;
pub mod limits;
pub mod log;
pub mod points;
pub mod windows;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use std::time::Duration;

use crate::config::Config;

/// Why Redis did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntakeError {
    /// Redis is away or slow. Worth another try.
    #[error("redis is busy or away: {0}")]
    Busy(String),
    /// The log has grown to its bound, because nobody drains it.
    #[error("the scan log is full")]
    Full,
}

impl From<redis::RedisError> for IntakeError {
    fn from(error: redis::RedisError) -> Self {
        Self::Busy(error.to_string())
    }
}

/// The connection to Redis, shared by clones. Nothing is connected until it is used.
#[derive(Clone)]
pub struct Intake {
    client: redis::Client,
    manager: std::sync::Arc<tokio::sync::OnceCell<ConnectionManager>>,
    prefix: std::sync::Arc<str>,
    shards: i16,
    log_length_max: u64,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Intake")
    }
}

impl Intake {
    /// Takes address, prefix and bounds from the settings.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            client: redis::Client::open(config.redis_url.as_str())?,
            manager: std::sync::Arc::default(),
            prefix: config.redis_prefix.as_str().into(),
            shards: config.log_shards,
            log_length_max: config.log_length_max,
        })
    }

    /// All shards of the log.
    pub fn shards(&self) -> impl Iterator<Item = i16> + use<> {
        0..self.shards
    }

    /// A connection that reconnects by itself.
    pub async fn conn(&self) -> Result<ConnectionManager, IntakeError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(Duration::from_secs(3)))
            .set_number_of_retries(1);
        let connect = || ConnectionManager::new_with_config(self.client.clone(), config);
        Ok(self.manager.get_or_try_init(connect).await?.clone())
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> Result<(), IntakeError> {
        let mut conn = self.conn().await?;
        redis::cmd("PING").query_async::<String>(&mut conn).await?;
        Ok(())
    }

    /// A key of a shard. The hash tag keeps all keys of a shard on one node of a cluster.
    fn key(&self, shard: i16, name: &str) -> String {
        format!("{}:{{{shard}}}:{name}", self.prefix)
    }

    fn shard_of(&self, spread: u64) -> i16 {
        let shards = u64::try_from(self.shards).unwrap_or(1);
        i16::try_from(spread % shards).unwrap_or(0)
    }
}
