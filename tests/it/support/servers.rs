//! One private Postgres and Redis for the whole test binary, and a database for each test.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use placecode::embedded::{Durability, Options, Servers};

static SERVERS: OnceLock<Servers> = OnceLock::new();

/// Where the tests keep what they make; below the target folder, so that it is never committed.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("it")
}

/// The servers; the first test starts them, and they end with the process.
pub fn servers() -> &'static Servers {
    SERVERS.get_or_init(|| {
        let mut options = Options::new(folder().join("servers"));
        options.durability = Durability::ForTests;
        options.tools = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tools"));
        Servers::start_with(&options, &|line| eprintln!("{line}")).expect("private servers")
    })
}

pub fn database_url(name: &str) -> String {
    servers().database_url(name)
}

pub fn redis_url() -> String {
    servers().redis_url()
}

/// A database with all tables, copied from a template that is migrated once.
pub fn create_database(name: &str) {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let template = format!("template_{}", std::process::id());
        drop_database(&template);
        create_empty_database(&template);
        let url = database_url(&template);
        on_own_runtime(async move { drop(placecode::store::migrate(&url).await.unwrap()) });
        template
    });
    administer(&format!("create database {name} template {template}"));
}

pub fn create_empty_database(name: &str) {
    administer(&format!("create database {name}"));
}

pub fn drop_databases(name: &str) {
    drop_database(name);
    drop_database(&format!("{name}_issuer"));
}

fn drop_database(name: &str) {
    administer(&format!("drop database if exists {name} with (force)"));
}

/// Postgres goes away for one database: its connections end, and it takes no new ones.
pub fn close_database(name: &str) {
    administer(&format!("alter database {name} with allow_connections false"));
    administer(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"));
}

/// Postgres is back for one database.
pub fn open_database(name: &str) {
    administer(&format!("alter database {name} with allow_connections true"));
}

/// One statement at a time: a template cannot be copied by two at once.
fn administer(sql: &str) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (url, sql) = (database_url("postgres"), sql.to_owned());
    on_own_runtime(async move {
        let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
        conn.batch_execute(&sql).await.unwrap();
    });
}

fn on_own_runtime(work: impl Future<Output = ()> + Send + 'static) {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    std::thread::spawn(move || runtime().block_on(work)).join().unwrap();
}
