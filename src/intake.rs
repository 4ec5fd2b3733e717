//! Redis: the scan log, the open windows, the register as scanning needs it, limits.

pub mod backlog;
pub mod connection;
pub mod entry;
pub mod limits;
pub mod log;
pub mod points;
pub mod windows;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use self::connection::{Conn, Server};
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
    /// Redis and Postgres are both away, so that nothing can be kept.
    #[error("redis and postgres are both away")]
    Away,
}

impl From<redis::RedisError> for IntakeError {
    fn from(error: redis::RedisError) -> Self {
        Self::Busy(error.to_string())
    }
}

/// The way to Redis, shared by clones. Nothing is connected until it is used.
#[derive(Clone)]
pub struct Intake {
    server: Arc<Server>,
    prefix: Arc<str>,
    shards: i16,
    log_bytes_max: u64,
    /// How many bytes the log of each shard had when it was last appended to.
    log_bytes: Arc<[AtomicU64]>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Intake")
    }
}

impl Intake {
    /// Takes addresses, prefix and bounds from the settings.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            server: Arc::new(Server::new(&config.redis_url)?),
            prefix: config.redis_prefix.as_str().into(),
            shards: config.log_shards,
            log_bytes_max: config.log_mb_max * 1024 * 1024,
            log_bytes: (0..config.log_shards).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// All shards of the log.
    pub fn shards(&self) -> impl Iterator<Item = i16> + use<> {
        0..self.shards
    }

    /// A connection that reconnects by itself; an error at once while Redis is known to be away.
    pub async fn conn(&self) -> Result<Conn, IntakeError> {
        self.server.conn().await
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

    /// The shard of whatever has this spread.
    pub fn shard_of(&self, spread: u64) -> i16 {
        let shards = u64::try_from(self.shards).unwrap_or(1);
        i16::try_from(spread % shards).unwrap_or(0)
    }
}
