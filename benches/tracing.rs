//! One case and ten thousand, traced against what else could answer, in one run on one machine: sorted arrays in memory,
//! the best plain SQL plan, `DuckDB`. All answers are compared: the same contacts, meetings, seconds, first and last.
//!
//! ```text
//! cargo bench --bench tracing                      20 million stays, some ten minutes, 12 GB of disk
//! cargo bench --bench tracing -- --quick           500 thousand
//! cargo bench --bench tracing -- --stays 5000000   another number
//! cargo bench --bench tracing -- --scale           one case as the table grows, a quarter and four times as large too
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark ends where it fails, and prints"
)]

#[path = "tracing/city.rs"]
mod city;
#[path = "tracing/duck.rs"]
mod duck;
#[path = "tracing/floor.rs"]
mod floor;
#[path = "tracing/house.rs"]
mod house;
#[path = "tracing/many.rs"]
mod many;
#[path = "tracing/ours.rs"]
mod ours;
#[path = "tracing/plain.rs"]
mod plain;
#[path = "tracing/times.rs"]
mod times;

use std::path::{Path, PathBuf};
use std::time::Instant;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use placecode::domain::position::cell_to_i64;
use placecode::domain::stay_pack::pack;
use placecode::embedded::Servers;
use placecode::pipeline::pack::pack_day;

use crate::city::{City, DAYS, FREQUENT_STAYS, Visit, at, cell, point, span, visitor};
use crate::floor::{Floor, Sums};
use crate::house::Db;
use crate::ours::day_of;
use crate::plain::Plain;
use crate::times::Times;

const USUAL: u32 = 20_000_000;
const QUICK: u32 = 500_000;
/// How many cases are traced one by one.
const CASES: u32 = 200;
/// How many cases are traced before time is taken.
const WARM: usize = 20;
/// How many cases a batch has.
const MANY: u32 = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().position(|own| own == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Some(at) = given(many::CHILD) {
        return runtime.block_on(many::child(&arguments[at + 1], Path::new(&arguments[at + 2])));
    }
    let number = given("--stays").map(|at| arguments[at + 1].parse().unwrap());
    let stays = number.unwrap_or(if given("--quick").is_some() { QUICK } else { USUAL });
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tracing");
    drop(std::fs::remove_dir_all(folder.join("data")));
    std::fs::create_dir_all(&folder).unwrap();
    let servers = Servers::start(&folder.join("data"), &|line| println!("{line}")).unwrap();
    if given("--scale").is_some() {
        runtime.block_on(scale(&servers, stays));
    } else {
        runtime.block_on(measure(&servers, &folder, stays));
    }
    servers.stop();
    drop(std::fs::remove_dir_all(folder.join("data")));
}

/// All that is measured but the growth.
async fn measure(servers: &Servers, folder: &Path, stays: u32) {
    let city = say_city(stays);
    let trails = city.trails(CASES);
    let db = Db::new(servers, "tracing").await;
    ours::enter_register(&db, &city).await;
    println!("\n-- bytes a stay --");
    let rows = load_and_pack(&db, &city).await;
    bytes(&db, &city, rows).await;
    let plain = Plain::load(&db, &city).await;
    println!(
        "{:<44} {:>9.1}",
        "plain table with its covering index",
        db.bytes("plain%").await as f64 / city.visits.len() as f64
    );

    println!(
        "\n-- one case, {} of them, warm --{:>30} {:>12} {:>11}",
        trails.len(),
        "median",
        "p95",
        "× floor"
    );
    let floor = Floor::new(&city);
    let (floors, answers) = floor_times(&floor, &trails);
    floors.line("sorted arrays in memory, one thread (floor)", &floors);
    let ours = one_by_one(&db, &trails, &answers, &floors).await;
    let mut sql = Times::default();
    for (nth, trail) in trails.iter().chain(&trails).enumerate() {
        let (sums, took) = plain.one(trail).await;
        assert_eq!(sums, answers[nth % trails.len()], "plain SQL finds the same");
        if nth >= trails.len() {
            sql.add(took);
        }
    }
    sql.line("plain SQL, daily partitions, covering index", &floors);
    println!("{:<44} {:>9.1} times as fast as plain SQL", "  ours", sql.median() / ours.median());
    duckdb(folder, &city, &trails, &answers, &floors, &ours);
    many::measure(folder, &db, &city, &floor);
}

fn say_city(stays: u32) -> City {
    let began = Instant::now();
    let city = City::new(stays);
    println!(
        "{} stays of {} people at {} points over {DAYS} days, drawn in {:.0} s; cases have {FREQUENT_STAYS} stays",
        city.visits.len(),
        city.people,
        city.points,
        began.elapsed().as_secs_f64()
    );
    city
}

/// Rows of `stays` day by day, each packed by the step of the pipeline. Tells how large the rows of one day were.
async fn load_and_pack(db: &Db, city: &City) -> (i64, usize) {
    let mut conn = AsyncPgConnection::establish(&db.url).await.unwrap();
    ours::make_days(&mut conn).await;
    let (mut rows, mut packing) = ((0, 0), 0.0);
    for day in 0..DAYS {
        let own = || city.visits.iter().filter(move |visit| visit.from / 86_400 == day);
        let table = format!("stays_{}", day_of(day).format("%Y%m%d"));
        db.copy(&table, own(), |row, visit: &Visit| {
            row.long(point(visit.point).to_i64());
            row.time(at(visit.from));
            row.uuid(visitor(visit.person).to_uuid());
            row.uuid(visitor(visit.person).to_uuid());
            row.time(at(visit.until));
            row.long(cell_to_i64(cell(visit.point)));
            row.small(0);
            row.small(2);
        })
        .await;
        rows = (db.bytes(&table).await, own().count());
        let began = Instant::now();
        while !pack_day(&mut conn, day_of(day), ours::later()).await.unwrap() {}
        packing += began.elapsed().as_secs_f64();
    }
    println!("packed {:.0} stays a second", city.visits.len() as f64 / packing);
    rows
}

async fn bytes(db: &Db, city: &City, rows: (i64, usize)) {
    let line = |what: &str, bytes: i64, stays: usize| {
        println!("{what:<44} {:>9.1}", bytes as f64 / stays as f64);
    };
    line("rows of an open day, with their index", rows.0, rows.1);
    let packed = usize::try_from(db.number("select sum(stays)::bigint from stay_packs").await).unwrap();
    assert_eq!(packed, city.visits.len(), "every stay is packed");
    line("packed: heap, toast and index", db.bytes("stay_packs%").await, packed);
    line(
        "  of that the packs themselves",
        db.number("select sum(length(body))::bigint from stay_packs").await,
        packed,
    );
    let (mut fine, mut count) = (0, 0);
    let one_point = |visits: &[Visit]| {
        let micros = |visit: &Visit| {
            chrono::TimeDelta::microseconds((u64::from(visit.person) * 7919 % 1_000_000).cast_signed())
        };
        let moved = |visit: &Visit| {
            let span = span(visit);
            let length = span.duration();
            let from = span.from() + micros(visit);
            ours::packed(visit, placecode::domain::span::Span::new(from, from + length).unwrap())
        };
        pack(visits.iter().map(moved).collect()).iter().map(|pack| pack.body.len()).sum::<usize>()
    };
    let day: Vec<Visit> = city.visits.iter().filter(|visit| visit.from < 86_400).copied().collect();
    for visits in day.chunk_by(|one, next| one.point == next.point) {
        fine += one_point(visits);
        count += visits.len();
    }
    line("  the same, if they began to the microsecond", i64::try_from(fine).unwrap(), count);
}

/// The floor's times, and its answers, by which all others are judged.
fn floor_times(floor: &Floor, trails: &[Vec<Visit>]) -> (Times, Vec<Sums>) {
    let (mut times, mut buffer, mut answers) = (Times::default(), Vec::new(), Vec::new());
    let mut contacts = 0;
    for (nth, trail) in trails.iter().chain(trails).enumerate() {
        let began = Instant::now();
        contacts += floor.contacts(trail, &mut buffer);
        if nth >= trails.len() {
            times.add(began.elapsed());
        } else {
            answers.push(floor::sums(&buffer));
        }
    }
    println!("contacts of a case, on average: {}", contacts / trails.len() / 2);
    (times, answers)
}

/// Case after case on one connection; each is compared.
async fn one_by_one(db: &Db, trails: &[Vec<Visit>], answers: &[Sums], floors: &Times) -> Times {
    let mut conn = AsyncPgConnection::establish(&db.url).await.unwrap();
    db.run("checkpoint").await;
    let pack = ours::rules();
    let (mut times, mut reading) = (Times::default(), Times::default());
    for (nth, trail) in trails.iter().take(WARM).chain(trails).enumerate() {
        let asked = ours::asked(trail);
        let began = Instant::now();
        let (contacts, read) = ours::one(&mut conn, &asked, &pack).await;
        let took = began.elapsed();
        if let Some(nth) = nth.checked_sub(WARM.min(trails.len())) {
            times.add(took);
            reading.add(read);
            assert_eq!(ours::sums(&contacts), answers[nth], "we find the same");
        }
    }
    times.line("ours: packs, exposures, grades", floors);
    reading.line("  of that the candidates", floors);
    times
}

fn duckdb(folder: &Path, city: &City, trails: &[Vec<Visit>], answers: &[Sums], floors: &Times, ours: &Times) {
    match duck::measure(folder, city, trails) {
        Err(why) => println!("DuckDB is skipped: {why}"),
        Ok(found) => {
            let mut times = Times::default();
            for ((took, sums), answer) in found.iter().zip(answers) {
                assert_eq!(sums, answer, "DuckDB finds the same");
                times.add_millis(*took);
            }
            assert_eq!(found.len(), answers.len());
            times.line("DuckDB, native table", floors);
            println!("{:<44} {:>9.1} times as fast as DuckDB", "  ours", times.median() / ours.median());
        }
    }
}

/// One case as the table grows, at the same density.
async fn scale(servers: &Servers, stays: u32) {
    println!("{:<44} {:>12} {:>12} {:>10}", "one case as the table grows", "median", "p95", "× first");
    let mut first: Option<Times> = None;
    for stays in [stays / 4, stays, stays * 4] {
        let name = format!("scale_{stays}");
        let (trails, answers, floors) = {
            let city = City::new(stays);
            let db = Db::new(servers, &name).await;
            ours::enter_register(&db, &city).await;
            let mut conn = AsyncPgConnection::establish(&db.url).await.unwrap();
            ours::make_days(&mut conn).await;
            for day in 0..DAYS {
                ours::store_packed(&mut conn, &city, day).await;
            }
            let trails = city.trails(CASES);
            let (floors, answers) = floor_times(&Floor::new(&city), &trails);
            (trails, answers, floors)
        };
        let db = Db::new(servers, &name).await;
        let times = one_by_one(&db, &trails, &answers, &floors).await;
        times.line(&format!("{stays} stays, against the first"), first.as_ref().unwrap_or(&times));
        first.get_or_insert(times);
        drop(db);
    }
}
