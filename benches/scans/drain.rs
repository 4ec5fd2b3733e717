//! (d) The drain against COPY of what it has stored, and (f) what a scan takes in Redis and in Postgres.

use std::time::Instant;

use crate::copy::Rows;
use crate::house::House;
use crate::options::{Options, Part};
use crate::service::Service;
use crate::space::{Log, Tables, log_of_redis, tables, wal};
use crate::tally::{rate, ratio};

/// Fills the log while no worker runs, then lets one drain it. Gives how many scans were lost or doubled.
pub(crate) fn measure(house: &House, options: &Options) -> usize {
    let mut service = Service::start(house, options, "drain");
    // A rewrite in between would hide what the log of Redis grew by; the log is as durable without it.
    let set = |value: &str| {
        redis::cmd("CONFIG")
            .arg(&["SET", "auto-aof-rewrite-percentage", value])
            .exec(&mut house.redis())
            .unwrap();
    };
    set("0");
    service.send(500);
    let before = log_of_redis(house);
    let sent = service.send(options.scans());
    let count = sent.tally.accepted();
    println!(
        "(d) {count} scans taken in while no worker runs, {:.0} a second; {}",
        rate(count, sent.took),
        sent.tally.describe()
    );
    let filled = log_of_redis(house);
    service.db.run("checkpoint");
    let lsn = wal(&service.db);
    let began = Instant::now();
    service.start_worker();
    let stored = service.wait_until_stored();
    let took = began.elapsed();
    let written = wal(&service.db) - lsn;
    let compared = service.compare();
    println!(
        "(d) drained in {:.2} s: {:.0} scans a second; {}",
        took.as_secs_f64(),
        rate(stored, took),
        compared.describe()
    );
    set("100");
    let windows = service.db.count("stays");
    let sizes = tables(&service.db);
    let db = service.stop();
    if options.plays(Part::Drain) {
        let rows = Rows::read(&db);
        for (name, secs) in [
            ("tables without index", rows.copied_bare(&db, options.rounds())),
            ("the same indexed tables", rows.copied_same(&db, options.rounds())),
        ] {
            println!(
                "    COPY BINARY of the same scans and stays into {name}: {secs:.2} s, {:.0} scans a second; \
                 ratio of the drain {:.3}",
                ratio(stored, 1) / secs,
                secs / took.as_secs_f64()
            );
        }
    }
    if options.plays(Part::Bytes) {
        print_redis(count, &before, &filled);
        print_keys(stored, windows, &filled);
        print_postgres(&sizes, ratio(written, stored));
    }
    compared.wrong()
}

fn print_redis(count: u64, before: &Log, filled: &Log) {
    println!(
        "(f) Redis after {count} undrained scans: {:.1} bytes a scan in memory, {:.1} written to its log",
        ratio(filled.memory.saturating_sub(before.memory), count),
        ratio(filled.written.saturating_sub(before.written), count)
    );
}

/// The keys hold the first load too, so they are divided by all scans that there are.
fn print_keys(scans: u64, windows: u64, filled: &Log) {
    for (kind, keys) in &filled.kinds {
        println!(
            "    keys `{kind}`: {} with {} bytes by MEMORY USAGE, {:.1} a scan",
            keys.count,
            keys.memory,
            ratio(keys.memory, scans)
        );
    }
    if let Some(open) = filled.kinds.get("open") {
        println!(
            "    an open window ({windows} stays): {:.1} bytes of value, {:.1} with the key and its overhead",
            ratio(open.value, windows),
            ratio(open.memory, windows)
        );
    }
}

fn print_postgres(sizes: &Tables, wal: f64) {
    for (table, rows, heap, indexes) in sizes {
        println!(
            "(f) Postgres, {table}: {:.1} bytes a row, {:.1} of them indexes ({rows} rows)",
            ratio(heap + indexes, *rows),
            ratio(*indexes, *rows)
        );
    }
    println!("(f) Postgres writes {wal:.1} bytes of WAL a scan while draining");
}
