//! Law 4 under `kill -9`: Redis and Postgres die again and again while scans come in and are drained.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use placecode::app::App;
use placecode::domain::scan::Scan;
use placecode::embedded::{Options, Servers};
use placecode::http::appender::Appender;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use tokio::sync::watch;
use uuid::Uuid;

use super::{accepted, scan};
use crate::support::{TestApp, servers, until};

const SENDERS: u32 = 4;
const SCANS_EACH: u32 = 60;
const ROUNDS: usize = 3;

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Servers that nobody else uses, as durable as those of a real machine.
fn private_servers() -> Servers {
    let folder = servers::folder().join(format!("kills-{}", std::process::id()));
    let mut options = Options::new(folder);
    options.tools = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tools"));
    Servers::start_with(&options, &|line| eprintln!("{line}")).expect("private servers")
}

fn kill(pid: Option<u32>) {
    let Some(pid) = pid else { return };
    let killed = Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status();
    assert!(killed.unwrap().success());
}

/// Sends scans one after another; what is not acknowledged is sent again, as a client would. Returns
/// the ids, all of them acknowledged.
async fn send(app: App, scans: Vec<Scan>) -> Vec<Uuid> {
    let appender = Appender::start(&app);
    let mut ledger = Vec::new();
    for scan in scans {
        while appender.append(accepted(std::slice::from_ref(&scan))).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ledger.push(scan.id);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ledger
}

async fn drain_until(app: App, over: watch::Receiver<bool>) {
    while !*over.borrow() {
        if !matches!(Step::Drain.take(&app).await, Ok(Outcome::Worked(_))) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_scans_survive_the_killing_of_redis_and_postgres_once_each() {
    let test = TestApp::start().await;
    let mut servers = tokio::task::spawn_blocking(private_servers).await.unwrap();
    servers.ensure_database("kills").unwrap();
    placecode::store::migrate(&servers.database_url("kills")).await.unwrap();
    let mut config = test.config.clone();
    (config.database_url, config.redis_url) = (servers.database_url("kills"), servers.redis_url());
    config.drain_batch = 7;
    let app = App::build(config, test.clock.clone()).await.unwrap();

    let (end, over) = watch::channel(false);
    let drain = tokio::spawn(drain_until(app.clone(), over));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let own = (0..SCANS_EACH).map(|n| scan(&test, test.visitor(sender), i64::from(sender), n.into()));
            tokio::spawn(send(app.clone(), own.collect()))
        })
        .collect();
    let mut killed = 0;
    for round in 0..ROUNDS {
        tokio::time::sleep(Duration::from_millis(250)).await;
        killed += senders.iter().filter(|sender| !sender.is_finished()).count();
        let pids = servers.pids();
        // First one of them, then the other, then both at once.
        if round != 1 {
            kill(pids.redis);
        }
        if round != 0 {
            kill(pids.postgres);
        }
        servers = tokio::task::spawn_blocking(move || {
            servers.wait_until_ready(Duration::from_secs(30), &|_| {}).unwrap();
            servers
        })
        .await
        .unwrap();
    }
    assert!(killed > 0, "nobody was sending when the servers died");
    let mut ledger = Vec::new();
    for sender in senders {
        ledger.extend(sender.await.unwrap());
    }
    end.send(true).unwrap();
    drain.await.unwrap();
    until("everything is drained", async || {
        let idle = matches!(Step::Drain.take(&app).await, Ok(Outcome::Idle));
        let mut lengths = Vec::new();
        for shard in app.intake.shards() {
            lengths.push(app.intake.length(shard).await.ok());
        }
        idle && lengths.iter().all(|length| *length == Some(0))
    })
    .await;

    let mut conn = app.store.conn().await.unwrap();
    let query = diesel::sql_query("select id, count(*) as count from scans group by id order by id");
    let stored: Vec<Stored> = query.load(&mut conn).await.unwrap();
    assert!(stored.iter().all(|row| row.count == 1));
    let stored: Vec<Uuid> = stored.iter().map(|row| row.id).collect();
    ledger.sort();
    assert_eq!(stored, ledger);
    drop(conn);
    let folder = servers.folder().to_owned();
    servers.stop();
    drop(std::fs::remove_dir_all(folder));
}
