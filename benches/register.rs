//! The register in bulk, against what the same machine does without it, in one run: an import by the command of an
//! operator against bare inserts of the same rows, and an export against the bare text of the same rows.
//!
//! `cargo bench --bench register -- 50000` takes another number of venues.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark ends where it fails, and prints")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Double, Text, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use placecode::domain::keyring::Keyring;
use placecode::embedded::Servers;
use placecode::roles::{Cli, run};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

/// Each measurement is made so often; the median counts.
const ROUNDS: usize = 3;
const BATCH: usize = 1_000;
const POINTS: usize = 2;

fn main() {
    let count = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(20_000);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-register");
    drop(std::fs::remove_dir_all(&folder));
    let servers = Servers::start(&folder, &|line| println!("{line}")).unwrap();
    let keys = folder.join("bench-keys.toml");
    std::fs::write(&keys, Keyring::new([1; 32], [2; 32]).to_toml()).unwrap();
    let rows = rows(count);
    let file = folder.join("venues.csv");
    std::fs::write(&file, table(&rows)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut bare, mut imported, mut exported, mut plain) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let name = format!("bench_{round}");
        servers.ensure_database(&name).unwrap();
        let house =
            Place { url: servers.database_url(&name), redis: servers.redis_url(), keys: keys.clone() };
        runtime.block_on(async {
            placecode::store::migrate(&house.url).await.unwrap();
            bare.push(bare_insert(&house.url, &rows).await);
            let import =
                ["venues", "import", file.to_str().unwrap(), "--set", "bench", "--division", "410105"];
            imported.push(house.play(&import).await);
            assert_eq!(house.count("venues").await, i64::try_from(count).unwrap());
            assert_eq!(house.count("points").await, i64::try_from(count * POINTS).unwrap());
            let out = folder.join("out.csv");
            let out = out.to_str().unwrap();
            plain.push(house.plain_text(Path::new(out)).await);
            exported.push(house.play(&["venues", "export", "--format", "csv", "--out", out]).await);
        });
    }
    servers.stop();
    drop(std::fs::remove_dir_all(&folder));
    println!("{count} venues with {POINTS} points each, medians of {ROUNDS}");
    let (bare, imported) = (median(&mut bare), median(&mut imported));
    let (plain, exported) = (median(&mut plain), median(&mut exported));
    println!(
        "bare insert, no index: {:>8.2} s {:>8.0} venues a second",
        bare.as_secs_f64(),
        rate(count, bare)
    );
    println!(
        "import:                {:>8.2} s {:>8.0} venues a second",
        imported.as_secs_f64(),
        rate(count, imported)
    );
    println!("times the bare insert  {:>8.1}", imported.as_secs_f64() / bare.as_secs_f64());
    println!(
        "rows as plain text:    {:>8.2} s {:>8.0} venues a second",
        plain.as_secs_f64(),
        rate(count, plain)
    );
    println!(
        "export:                {:>8.2} s {:>8.0} venues a second",
        exported.as_secs_f64(),
        rate(count, exported)
    );
    println!("times the plain text   {:>8.1}", exported.as_secs_f64() / plain.as_secs_f64());
}

/// A synthetic venue of Zhengzhou.
struct Row {
    id: usize,
    name: String,
    lat_deg: f64,
    lng_deg: f64,
    category: &'static str,
    address: String,
    organisation: String,
}

fn rows(count: usize) -> Vec<Row> {
    let mut rng = StdRng::seed_from_u64(7);
    let kinds = ["restaurant", "shop", "office", "pharmacy", "school", "bus", "wet_market", "bank"];
    let row = |id: usize| Row {
        id,
        name: format!("样例场所{id}"),
        lat_deg: rng.random_range(34.3..34.9),
        lng_deg: rng.random_range(112.8..114.1),
        category: kinds.get(id % kinds.len()).copied().unwrap_or("other"),
        address: format!("样例路{}号", id % 997),
        organisation: format!("样例公司{}", id % (count / 3).max(1)),
    };
    (0..count).map(row).collect()
}

fn table(rows: &[Row]) -> String {
    let mut text =
        "id,name,lat,lng,category,address,capacity,organisation,contact_name,contact_phone,point\n"
            .to_owned();
    for row in rows {
        let Row { id, name, lat_deg, lng_deg, category, address, organisation } = row;
        writeln!(text, "{id},{name},{lat_deg},{lng_deg},{category},{address},50,{organisation},某经理,0371-00000000,前门;后门")
            .unwrap();
    }
    text
}

/// Where the commands work.
struct Place {
    url: String,
    redis: String,
    keys: PathBuf,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = sql_types::BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl Place {
    /// Runs a command as the command line would.
    async fn play(&self, args: &[&str]) -> Duration {
        let keys = self.keys.to_string_lossy();
        let place = ["--database-url", &self.url, "--redis-url", &self.redis, "--keys-file", &keys];
        let cli = Cli::try_parse_from([&["placecode"], args, &place].concat()).unwrap();
        let started = Instant::now();
        let code = run(cli).await;
        assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
        started.elapsed()
    }

    async fn count(&self, table: &str) -> i64 {
        let mut conn = AsyncPgConnection::establish(&self.url).await.unwrap();
        sql_query(format!("select count(*) as n from {table}"))
            .get_result::<Count>(&mut conn)
            .await
            .unwrap()
            .n
    }

    /// Every venue with its points as one line that Postgres makes, into a file: the least that an export can do.
    async fn plain_text(&self, out: &Path) -> Duration {
        let mut conn = AsyncPgConnection::establish(&self.url).await.unwrap();
        let started = Instant::now();
        let lines: Vec<Line> = sql_query(
            "select concat_ws(',', v.*, string_agg(p.name, ';')) as line
             from venues v join points p on p.venue_id = v.id group by v.id order by v.id",
        )
        .load(&mut conn)
        .await
        .unwrap();
        let lines: Vec<String> = lines.into_iter().map(|line| line.line).collect();
        std::fs::write(out, lines.join("\n")).unwrap();
        started.elapsed()
    }
}

/// The same rows into tables without index, constraint or trigger: the least that Postgres can do durably.
async fn bare_insert(url: &str, rows: &[Row]) -> Duration {
    let mut conn = AsyncPgConnection::establish(url).await.unwrap();
    conn.batch_execute(
        "create table bare_venues (id uuid, source text, name text, category text, address text, organisation text,
             lat double precision, lng double precision);
         create table bare_points (id bigint, venue_id uuid, name text)",
    )
    .await
    .unwrap();
    let started = Instant::now();
    for batch in rows.chunks(BATCH) {
        let ids: Vec<Uuid> = batch.iter().map(|_| Uuid::now_v7()).collect();
        let texts = |of: fn(&Row) -> String| batch.iter().map(of).collect::<Vec<_>>();
        conn.batch_execute("begin").await.unwrap();
        sql_query("insert into bare_venues select * from unnest($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind::<Array<SqlUuid>, _>(&ids)
            .bind::<Array<Text>, _>(texts(|row| format!("bench:{}", row.id)))
            .bind::<Array<Text>, _>(texts(|row| row.name.clone()))
            .bind::<Array<Text>, _>(texts(|row| row.category.to_owned()))
            .bind::<Array<Text>, _>(texts(|row| row.address.clone()))
            .bind::<Array<Text>, _>(texts(|row| row.organisation.clone()))
            .bind::<Array<Double>, _>(batch.iter().map(|row| row.lat_deg).collect::<Vec<_>>())
            .bind::<Array<Double>, _>(batch.iter().map(|row| row.lng_deg).collect::<Vec<_>>())
            .execute(&mut conn)
            .await
            .unwrap();
        let owners: Vec<Uuid> = ids.iter().flat_map(|id| [*id; POINTS]).collect();
        let doors = ["前门", "后门"];
        sql_query("insert into bare_points select * from unnest($1, $2, $3)")
            .bind::<Array<BigInt>, _>(
                owners.iter().map(|_| rand::random_range(0..1_i64 << 40)).collect::<Vec<_>>(),
            )
            .bind::<Array<SqlUuid>, _>(&owners)
            .bind::<Array<Text>, _>(ids.iter().flat_map(|_| doors).collect::<Vec<_>>())
            .execute(&mut conn)
            .await
            .unwrap();
        conn.batch_execute("commit").await.unwrap();
    }
    started.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a count of rows")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
