//! What the drain is measured against: COPY BINARY of the same rows, in the bytes in which Postgres gave them.

use std::pin::pin;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use futures_util::{SinkExt, TryStreamExt};

use crate::house::Db;
use crate::tally::middle;

/// How much goes out in one message.
const BLOCK: usize = 64 * 1024;
const TABLES: [&str; 2] = ["scans", "stays"];

/// All scans and stays as COPY gives and takes them.
pub(crate) struct Rows(Vec<(&'static str, Vec<Bytes>)>);

impl Rows {
    /// Reads what is stored.
    pub(crate) fn read(db: &Db) -> Self {
        let read = async |table| {
            let sql = format!("copy (select * from {table}) to stdout (format binary)");
            let mut stream = pin!(db.client.copy_out(&sql).await.unwrap());
            let (mut blocks, mut block) = (Vec::new(), Vec::with_capacity(BLOCK));
            while let Some(bytes) = stream.try_next().await.unwrap() {
                block.extend_from_slice(&bytes);
                if block.len() >= BLOCK {
                    blocks.push(Bytes::from(std::mem::take(&mut block)));
                }
            }
            blocks.push(Bytes::from(block));
            (table, blocks)
        };
        Self(TABLES.iter().map(|table| db.runtime.block_on(read(*table))).collect())
    }

    /// Seconds of a COPY into tables without index or constraint.
    pub(crate) fn copied_bare(&self, db: &Db, rounds: usize) -> f64 {
        let make: Vec<_> =
            TABLES.iter().map(|table| format!("create table bare_{table} (like {table})")).collect();
        self.timed(db, "bare", &make, rounds)
    }

    /// Seconds of a COPY into tables with the same days, indexes and constraints as those of the service.
    pub(crate) fn copied_same(&self, db: &Db, rounds: usize) -> f64 {
        let mut make = Vec::new();
        for table in TABLES {
            let key = db.ask(&format!("select pg_get_partkeydef('{table}'::regclass)"));
            let key: String = key.first().unwrap().get(0);
            make.push(format!("create table same_{table} (like {table} including all) partition by {key}"));
            let days = db.ask(&format!(
                "select c.relname::text, pg_get_expr(c.relpartbound, c.oid)
                 from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = '{table}'::regclass"
            ));
            for day in days {
                let (name, bound): (String, String) = (day.get(0), day.get(1));
                make.push(format!("create table same_{name} partition of same_{table} {bound}"));
            }
        }
        self.timed(db, "same", &make, rounds)
    }

    /// The median of some rounds, each into new tables.
    fn timed(&self, db: &Db, kind: &str, make: &[String], rounds: usize) -> f64 {
        let round = |_| {
            for sql in make {
                db.run(sql);
            }
            db.run("checkpoint");
            let took = db.runtime.block_on(self.copy(db, kind));
            for table in TABLES {
                assert_eq!(db.count(&format!("{kind}_{table}")), db.count(table), "all rows were copied");
                db.run(&format!("drop table {kind}_{table}"));
            }
            took.as_secs_f64()
        };
        middle(&mut (0..rounds).map(round).collect::<Vec<_>>())
    }

    async fn copy(&self, db: &Db, kind: &str) -> Duration {
        let began = Instant::now();
        for (table, blocks) in &self.0 {
            let sql = format!("copy {kind}_{table} from stdin (format binary)");
            let mut sink = pin!(db.client.copy_in::<_, Bytes>(&sql).await.unwrap());
            for block in blocks {
                sink.feed(block.clone()).await.unwrap();
            }
            sink.finish().await.unwrap();
        }
        began.elapsed()
    }
}
