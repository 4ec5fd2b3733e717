//! An import that is killed and started again ends as one that was not.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::{Child, Command, Stdio};

use diesel::sql_query;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use tokio::runtime::Runtime;

use super::house::{Count, House, Line, number};

const ROWS: usize = 3_500;

fn row(id: usize) -> String {
    format!(
        "{id},店{id},{},113.6,门;后门,公司{}\n",
        34.0 + f64::from(u32::try_from(id).unwrap()) * 1e-5,
        id % 50
    )
}

/// A pipe that an import reads from as from a file, so that the test decides how far it gets.
fn pipe(house: &House) -> String {
    let path = house.folder.join("venues.csv").to_str().unwrap().to_owned();
    drop(std::fs::remove_file(&path));
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn start(house: &House, file: &str) -> (Child, File) {
    let mut command = house.command(&["venues", "import", file, "--set", "x", "--division", "410105"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut pipe = OpenOptions::new().write(true).open(file).unwrap();
    pipe.write_all(b"id,name,lat,lng,point,organisation\n").unwrap();
    (child, pipe)
}

fn count(house: &House, query: &str) -> i64 {
    house.rows::<Count>(&format!("select count(*) as n from {query}"))[0].n
}

fn wait_for(child: &mut Child, what: &str, is_so: impl Fn() -> bool) {
    while !is_so() {
        assert!(child.try_wait().unwrap().is_none(), "the import ended before {what}");
        std::thread::yield_now();
    }
}

/// Keeps everybody from writing points until it is dropped.
struct Lock {
    runtime: Runtime,
    other: AsyncPgConnection,
}

impl Lock {
    fn take(house: &House) -> Self {
        // A connection is served by the runtime that made it.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let other = runtime.block_on(async {
            let mut other = AsyncPgConnection::establish(&house.url).await.unwrap();
            sql_query("begin").execute(&mut other).await.unwrap();
            sql_query("lock table points in share mode").execute(&mut other).await.unwrap();
            other
        });
        Self { runtime, other }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.runtime.block_on(sql_query("rollback").execute(&mut self.other)).unwrap();
    }
}

/// Everything but ids and times.
fn content(house: &House) -> Vec<String> {
    let query = "select concat_ws('|', v.source_ref, v.name, v.lat_deg, v.cell, o.legal_name, string_agg(p.name || p.cell || p.grid_cell, ',' order by p.name)) as text
        from venues v join organisations o on o.id = v.organisation_id join points p on p.venue_id = v.id group by v.id, o.id order by 1";
    house.rows::<Line>(query).into_iter().map(|row| row.text).collect()
}

#[test]
fn an_import_that_is_killed_twice_and_run_again_ends_as_one_that_was_not() {
    let house = House::new("resume");
    let file = pipe(&house);
    let (mut child, mut feed) = start(&house, &file);
    for id in 0..1_500 {
        feed.write_all(row(id).as_bytes()).unwrap();
    }
    // A batch is stored, and the import waits for rows that do not come.
    wait_for(&mut child, "a batch was stored", || count(&house, "venues") == 1_000);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(feed);
    assert_eq!((count(&house, "venues"), count(&house, "points")), (1_000, 2_000));

    // Killed in the middle of a batch: its venues are entered, its points must wait.
    let (mut child, mut feed) = start(&house, &file);
    let lock = Lock::take(&house);
    for id in 0..2_000 {
        feed.write_all(row(id).as_bytes()).unwrap();
    }
    wait_for(&mut child, "it waited for the points", || {
        count(&house, "pg_locks where not granted and relation = 'points'::regclass") == 1
    });
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    drop(lock);
    assert!(!ended.success());
    drop(feed);

    std::fs::remove_file(&file).unwrap();
    let whole: String = (0..ROWS).map(row).collect();
    let text = format!("id,name,lat,lng,point,organisation\n{whole}");
    let file = house.file("venues.csv", text.as_bytes());
    let said = house.run(&["venues", "import", &file, "--set", "x", "--division", "410105"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!((number(&said, "accepted"), number(&said, "already there")), (2_500, 1_000), "{}", said.out);

    let other = House::new("resume_whole");
    let file = other.file("venues.csv", text.as_bytes());
    assert_eq!(other.run(&["venues", "import", &file, "--set", "x", "--division", "410105"]).code, 0);
    let expected = content(&other);
    assert_eq!(expected.len(), ROWS);
    assert!(content(&house) == expected, "the two registers differ");
    assert_eq!(house.run(&["audit", "verify"]).code, 0);
}
