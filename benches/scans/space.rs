//! What Redis and Postgres hold, in bytes.

use std::collections::BTreeMap;
use std::fs;

use crate::house::{Db, House};
use crate::service::info;

/// How many keys are asked about at once.
const BLOCK: usize = 1_000;

/// What Redis holds and has written.
pub(crate) struct Log {
    pub(crate) memory: u64,
    /// Bytes of the append-only file.
    pub(crate) written: u64,
    /// The keys by their kind: `log`, `open`, `limit` and so on.
    pub(crate) kinds: BTreeMap<String, Keys>,
}

/// Keys of one kind.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) count: u64,
    /// With everything around them, as `MEMORY USAGE` tells.
    pub(crate) memory: u64,
    /// The values of strings alone.
    pub(crate) value: u64,
}

/// Looks at all of Redis.
pub(crate) fn log_of_redis(house: &House) -> Log {
    Log { memory: info(house, "memory", "used_memory"), written: written(house), kinds: kinds(house) }
}

fn written(house: &House) -> u64 {
    let folder = house.servers.folder().join("redis/appendonlydir");
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()
}

fn kinds(house: &House) -> BTreeMap<String, Keys> {
    let mut redis = house.redis();
    let names: Vec<String> = {
        let scan = redis::cmd("SCAN").cursor_arg(0).arg("COUNT").arg(BLOCK).clone();
        scan.iter::<String>(&mut redis).unwrap().map(Result::unwrap).collect()
    };
    let mut kinds: BTreeMap<String, Keys> = BTreeMap::new();
    for block in names.chunks(BLOCK) {
        let mut pipeline = redis::pipe();
        for name in block {
            pipeline.cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0);
            pipeline.cmd("TYPE").arg(name);
        }
        let answers: Vec<(u64, String)> = pipeline.query(&mut redis).unwrap();
        for (name, (memory, of)) in block.iter().zip(answers) {
            // After prefix and shard.
            let kind = name.split(':').nth(2).unwrap_or(name);
            let keys = kinds.entry(kind.to_owned()).or_default();
            keys.count += 1;
            keys.memory += memory;
            if of == "string" {
                keys.value += redis::cmd("STRLEN").arg(name).query::<u64>(&mut redis).unwrap();
            }
        }
    }
    kinds
}

/// Table, rows, bytes of the rows and of their indexes.
pub(crate) type Tables = Vec<(String, u64, u64, u64)>;

/// How large the tables of scans and stays are, with all their days.
pub(crate) fn tables(db: &Db) -> Tables {
    let size = |table: &str| {
        let rows = db.ask(&format!(
            "select sum(pg_table_size(inhrelid))::bigint, sum(pg_indexes_size(inhrelid))::bigint
             from pg_inherits where inhparent = '{table}'::regclass"
        ));
        let row = rows.first().unwrap();
        let bytes = |index: usize| u64::try_from(row.get::<_, i64>(index)).unwrap();
        (table.to_owned(), db.count(table), bytes(0), bytes(1))
    };
    ["scans", "stays"].map(size).into()
}

/// How many bytes Postgres has written ahead since it was made.
pub(crate) fn wal(db: &Db) -> u64 {
    let at = db.number("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint");
    u64::try_from(at).unwrap()
}
