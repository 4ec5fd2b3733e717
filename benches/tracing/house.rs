//! A private Postgres, and rows copied into it.

use std::pin::pin;

use actix_web::web::Bytes;
use futures_util::SinkExt;
use placecode::embedded::Servers;
use tokio_postgres::{Client, NoTls};

/// How much goes out in one message.
const BLOCK: usize = 64 * 1024;
/// What Postgres counts its microseconds from, since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A database with a connection of the benchmark's own.
pub(crate) struct Db {
    pub(crate) client: Client,
    pub(crate) url: String,
}

impl Db {
    /// A database with the service's tables.
    pub(crate) async fn new(servers: &Servers, name: &str) -> Self {
        servers.ensure_database(name).unwrap();
        let url = servers.database_url(name);
        placecode::store::migrate(&url).await.unwrap();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        client.batch_execute("set jit = off").await.unwrap();
        Self { client, url }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Bytes of all partitions of a table whose names match, with their indexes.
    pub(crate) async fn bytes(&self, like: &str) -> i64 {
        let sql = "select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
                   where relkind = 'r' and relname like $1";
        self.client.query_one(sql, &[&like]).await.unwrap().get(0)
    }

    /// Copies rows in the binary form.
    pub(crate) async fn copy<T>(
        &self,
        into: &str,
        rows: impl Iterator<Item = T>,
        write: impl Fn(&mut Row, T),
    ) {
        let sql = format!("copy {into} from stdin (format binary)");
        let mut sink = pin!(self.client.copy_in::<_, Bytes>(&sql).await.unwrap());
        let mut block = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        for row in rows {
            let mut own = Row { bytes: block, start: 0, fields: 0 };
            own.start = own.bytes.len();
            own.bytes.extend([0, 0]);
            write(&mut own, row);
            block = own.finish();
            if block.len() >= BLOCK {
                sink.feed(Bytes::from(std::mem::take(&mut block))).await.unwrap();
            }
        }
        block.extend((-1i16).to_be_bytes());
        sink.feed(Bytes::from(block)).await.unwrap();
        sink.finish().await.unwrap();
    }
}

/// A row that is being written.
pub(crate) struct Row {
    bytes: Vec<u8>,
    start: usize,
    fields: i16,
}

impl Row {
    fn field(&mut self, bytes: &[u8]) {
        self.bytes.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
        self.bytes.extend_from_slice(bytes);
        self.fields += 1;
    }

    pub(crate) fn long(&mut self, number: i64) {
        self.field(&number.to_be_bytes());
    }

    pub(crate) fn small(&mut self, number: i16) {
        self.field(&number.to_be_bytes());
    }

    pub(crate) fn uuid(&mut self, id: uuid::Uuid) {
        self.field(id.as_bytes());
    }

    pub(crate) fn time(&mut self, at: chrono::DateTime<chrono::Utc>) {
        self.long(at.timestamp_micros() - EPOCH_MICROS);
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes[self.start..self.start + 2].copy_from_slice(&self.fields.to_be_bytes());
        self.bytes
    }
}
