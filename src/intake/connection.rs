//! One Redis or a cluster of them behind one connection, and what is known of its being away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};

use super::IntakeError;

/// How long Redis may take to answer. A healthy one needs a millisecond; whoever waits for a scan's answer
/// has little more patience than this, and there is another way to keep a scan.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How often a Redis that went away is asked whether it is back.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// A connection that finds its way back by itself. Clones share it.
#[derive(Clone)]
pub enum Conn {
    /// To one Redis.
    One(ConnectionManager),
    /// To the nodes of a cluster.
    Cluster(ClusterConnection),
}

impl ConnectionLike for Conn {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(conn) => conn.req_packed_command(command),
            Self::Cluster(conn) => conn.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(conn) => conn.req_packed_commands(pipeline, offset, count),
            Self::Cluster(conn) => conn.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(conn) => conn.get_db(),
            Self::Cluster(conn) => conn.get_db(),
        }
    }
}

enum Source {
    One(redis::Client),
    Cluster(Box<ClusterClient>),
}

/// Where Redis is, the connection to it once it was needed, and whether it is away.
pub(super) struct Server {
    source: Source,
    conn: Mutex<Option<Conn>>,
    /// One attempt to connect at a time.
    connecting: tokio::sync::Mutex<()>,
    is_away: AtomicBool,
}

impl Server {
    /// Of one address, or of several that belong to a cluster, with commas between them.
    pub(super) fn new(urls: &str) -> RedisResult<Self> {
        let nodes: Vec<&str> = urls.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
        let source = if let [one] = nodes.as_slice() {
            Source::One(redis::Client::open(*one)?)
        } else {
            let cluster = ClusterClientBuilder::new(nodes)
                .connection_timeout(ANSWER_MAX)
                .response_timeout(ANSWER_MAX)
                .retries(2);
            Source::Cluster(Box::new(cluster.build()?))
        };
        Ok(Self {
            source,
            conn: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            is_away: AtomicBool::new(false),
        })
    }

    /// The connection, unless Redis is known to be away: then nobody waits for it.
    pub(super) async fn conn(self: &Arc<Self>) -> Result<Conn, IntakeError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(IntakeError::Busy("redis is away".to_owned()));
        }
        self.connected().await.inspect_err(|_error| self.suspect()).map_err(IntakeError::from)
    }

    async fn connected(&self) -> RedisResult<Conn> {
        if let Some(conn) = self.held().clone() {
            return Ok(conn);
        }
        let _one = self.connecting.lock().await;
        if let Some(conn) = self.held().clone() {
            return Ok(conn);
        }
        let conn = self.connect().await?;
        *self.held() = Some(conn.clone());
        Ok(conn)
    }

    fn held(&self) -> MutexGuard<'_, Option<Conn>> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> RedisResult<Conn> {
        match &self.source {
            Source::One(client) => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(ANSWER_MAX))
                    .set_response_timeout(Some(ANSWER_MAX))
                    .set_number_of_retries(1);
                ConnectionManager::new_with_config(client.clone(), config).await.map(Conn::One)
            }
            Source::Cluster(client) => client.get_async_connection().await.map(Conn::Cluster),
        }
    }

    /// Notes that Redis did not do as asked. From now on nobody waits for it, until it answers again, on a new
    /// connection: the old one may lie on a network that swallows everything.
    pub(super) fn suspect(self: &Arc<Self>) {
        if self.is_away.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!("redis is away; scans go to Postgres until it is back");
        let server = self.clone();
        tokio::spawn(async move {
            loop {
                drop(server.held().take());
                if matches!(tokio::time::timeout(ANSWER_MAX * 2, server.ping()).await, Ok(Ok(()))) {
                    break;
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
            server.is_away.store(false, Ordering::Relaxed);
            tracing::warn!("redis is back");
        });
    }

    async fn ping(&self) -> RedisResult<()> {
        let mut conn = self.connected().await?;
        redis::cmd("PING").query_async::<String>(&mut conn).await?;
        Ok(())
    }
}
