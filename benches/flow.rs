//! Scans to stays, against a bare insert of the same rows in one run. `tracing` measures what follows.
//!
//! `cargo bench --bench flow -- 500000` takes another number of scans.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark ends where it fails, and prints")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use placecode::domain::catalogue::Catalogue;
use placecode::domain::exposure::grid_cell;
use placecode::domain::position::{POINT_RESOLUTION, Position, cell_to_i64};
use placecode::domain::scan::{Direction, Method, Presence, Scan};
use placecode::domain::venue::{Granularity, PointId};
use placecode::domain::visitor::Visitor;
use placecode::embedded::Servers;
use placecode::pipeline::settle_stays::{Changes, Rules, store};
use placecode::store::partitions;
use placecode::store::register::{self, OrganisationRow, PointRow, VenueRow};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

const POINTS: u64 = 2_000;
const DAYS: i64 = 14;
const BATCH: usize = 5_000;

fn main() {
    let count = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(200_000);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    drop(std::fs::remove_dir_all(&folder));
    let servers = Servers::start(&folder, &|line| println!("{line}")).unwrap();
    servers.ensure_database("bench").unwrap();
    let url = servers.database_url("bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        placecode::store::migrate(&url).await.unwrap();
        let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
        measure(&mut conn, count).await;
    });
    servers.stop();
    drop(std::fs::remove_dir_all(&folder));
}

async fn measure(conn: &mut AsyncPgConnection, count: usize) {
    let catalogue = Catalogue::shipped().unwrap();
    enter_register(conn).await;
    let scans = scans(count);
    println!("{count} scans of {} visitors at {POINTS} points over {DAYS} days", visitors(count));
    let bare = bare_insert(conn, &scans).await;
    let drained = drain(conn, &catalogue, &scans).await;
    println!("bare insert, no index:   {:>9.0} rows a second", rate(count, bare));
    println!("scans to stays:          {:>9.0} scans a second", rate(count, drained));
    println!("ratio to the bare insert {:>9.2}", bare.as_secs_f64() / drained.as_secs_f64());
}

/// Points with a heavy tail: the tenth point is a tenth as crowded as the first.
fn scans(count: usize) -> Vec<Scan> {
    let mut rng = StdRng::seed_from_u64(7);
    let begin: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
    let cell = Position::new(34.75, 113.63).unwrap().cell(POINT_RESOLUTION);
    let mut scans: Vec<Scan> = (0..count)
        .map(|_| {
            let rank = f64::from(u32::try_from(POINTS).unwrap()).powf(rng.random_range(0.0..1.0));
            let minute = rng.random_range(0..DAYS * 24 * 60);
            let at = begin + TimeDelta::minutes(minute) + TimeDelta::seconds(rng.random_range(0..60));
            Scan {
                id: Uuid::from_u128(rng.random()),
                visitor: Visitor::from_uuid(Uuid::from_u128(
                    rng.random_range(0..visitors(count) as u128) << 64 | 1,
                )),
                point: PointId::new(num(rank)).unwrap(),
                cell,
                occurred_at: at,
                received_at: at,
                direction: Direction::Entry,
                method: Method::Own,
                presence: Presence::Plausible,
                party: None,
                corrects: None,
            }
        })
        .collect();
    scans.sort_by_key(|scan| scan.occurred_at);
    scans
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank between 1 and the points"
)]
fn num(rank: f64) -> u64 {
    rank as u64
}

fn visitors(count: usize) -> usize {
    (count / 10).max(10)
}

#[expect(clippy::cast_precision_loss, reason = "a count of rows")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

async fn enter_register(conn: &mut AsyncPgConnection) {
    let now: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    let organisation = OrganisationRow {
        id: Uuid::from_u128(1),
        legal_name: "bench".into(),
        credit_code: None,
        created_at: now,
        kind: 0,
    };
    register::insert_organisation(conn, &organisation).await.unwrap();
    let cell = Position::new(34.75, 113.63).unwrap().cell(POINT_RESOLUTION);
    let venue = VenueRow {
        id: Uuid::from_u128(2),
        organisation_id: organisation.id,
        source_ref: None,
        name: "bench".into(),
        category: "other".into(),
        division: "410105".into(),
        address: "bench".into(),
        lat_deg: 34.75,
        lng_deg: 113.63,
        cell: cell_to_i64(cell),
        contact_name: String::new(),
        contact_phone: String::new(),
        capacity: None,
        state: 1,
        state_reason: String::new(),
        created_at: now,
        short_name: String::new(),
        street: String::new(),
        superior: String::new(),
        outline: None,
        cells: Vec::new(),
    };
    register::insert_venues(conn, std::slice::from_ref(&venue)).await.unwrap();
    let point = |id: u64| PointRow {
        id: id.cast_signed(),
        venue_id: venue.id,
        name: format!("{id}"),
        granularity: Granularity::Hall as i16,
        cell: cell_to_i64(cell),
        grid_cell: grid_cell(cell).map_or(0, cell_to_i64),
        generation: 1,
        previous_until: None,
        revoked_at: None,
        created_at: now,
        lat_deg: None,
        lng_deg: None,
        is_mobile: false,
        expires_at: None,
        row_no: None,
        seat: None,
    };
    let rows: Vec<PointRow> = (0..=POINTS).map(point).collect();
    register::insert_points(conn, &rows).await.unwrap();
}

/// The same rows into a table without index or constraint: the least that Postgres can do durably.
async fn bare_insert(conn: &mut AsyncPgConnection, scans: &[Scan]) -> Duration {
    conn.batch_execute("create table bare (visitor uuid, occurred_at timestamptz, id uuid, point_id bigint)")
        .await
        .unwrap();
    let started = Instant::now();
    for batch in scans.chunks(BATCH) {
        sql_query("insert into bare select * from unnest($1, $2, $3, $4)")
            .bind::<Array<SqlUuid>, _>(batch.iter().map(|s| s.visitor.to_uuid()).collect::<Vec<_>>())
            .bind::<Array<Timestamptz>, _>(batch.iter().map(|s| s.occurred_at).collect::<Vec<_>>())
            .bind::<Array<SqlUuid>, _>(batch.iter().map(|s| s.id).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(batch.iter().map(|s| s.point.to_i64()).collect::<Vec<_>>())
            .execute(conn)
            .await
            .unwrap();
    }
    started.elapsed()
}

async fn drain(conn: &mut AsyncPgConnection, catalogue: &Catalogue, scans: &[Scan]) -> Duration {
    let offset = FixedOffset::east_opt(8 * 3600).unwrap();
    let started = Instant::now();
    for batch in scans.chunks(BATCH) {
        conn.transaction::<_, anyhow::Error, _>(async |conn| {
            let day = |scan: Option<&Scan>| scan.unwrap().occurred_at.date_naive();
            partitions::ensure(conn, day(batch.first()), day(batch.last())).await?;
            Ok(store(conn, Rules { catalogue, offset }, batch, Changes::Traced).await?)
        })
        .await
        .unwrap();
    }
    started.elapsed()
}
