//! The two arrows that do the work, against what the same machine does without them, in one run:
//! scans to stays against a bare insert of the same rows, and one case traced against sorted arrays in memory.
//!
//! `cargo bench --bench flow -- 500000` takes another number of scans.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark ends where it fails, and prints")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use placecode::domain::case::{CaseDates, CaseKind};
use placecode::domain::catalogue::Catalogue;
use placecode::domain::exposure::{Question, TrailStay, exposures, grid_cell};
use placecode::domain::grading::{Dwell, grade};
use placecode::domain::position::{POINT_RESOLUTION, Position, cell_to_i64};
use placecode::domain::rule_pack::RulePack;
use placecode::domain::scan::{Direction, Method, Presence, Scan};
use placecode::domain::span::Span;
use placecode::domain::stay::Stay;
use placecode::domain::venue::{Granularity, PointId};
use placecode::domain::visitor::Visitor;
use placecode::embedded::Servers;
use placecode::pipeline::settle_stays::{Changes, Rules, store};
use placecode::pipeline::trace::searches;
use placecode::store::findings::candidates;
use placecode::store::partitions;
use placecode::store::register::{self, OrganisationRow, PointRow, VenueRow};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

const POINTS: u64 = 2_000;
const DAYS: i64 = 14;
const BATCH: usize = 5_000;
const CASES: usize = 25;

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
    conn.batch_execute("vacuum analyze stays").await.unwrap();
    trace(conn).await;
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

/// Cases are the visitors with most stays, so that the result is large.
async fn trace(conn: &mut AsyncPgConnection) {
    let pack = RulePack::parse(include_str!("../policies/baseline-1.toml")).unwrap();
    let begin: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    let period = Span::new(begin, begin + TimeDelta::days(DAYS + 2)).unwrap();
    let floor = Floor::load(conn, period).await;
    let mut by_visitor: Vec<(&Visitor, &Vec<Stay>)> = floor.by_visitor.iter().collect();
    by_visitor.sort_by_key(|(visitor, stays)| (std::cmp::Reverse(stays.len()), **visitor));
    let (mut ours, mut floors, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for (visitor, stays) in by_visitor.into_iter().take(CASES) {
        let trail: Vec<TrailStay> = stays.iter().map(trail_stay).collect();
        let started = Instant::now();
        let (kind, dates) =
            (CaseKind::Confirmed, CaseDates { onset_at: None, sampled_at: begin, isolated_at: None });
        let (trail, pack, offset) = (trail.as_slice(), &pack, FixedOffset::east_opt(8 * 3600).unwrap());
        let question = Question { case: *visitor, kind, dates, infectious: period, trail, pack, offset };
        let found = candidates(conn, &searches(&question), TimeDelta::days(2)).await.unwrap();
        let met = exposures(&question, &found);
        let contacts = grade(&question, &met, &Dwell::default());
        ours.push(started.elapsed());
        let started = Instant::now();
        let together = floor.contacts(*visitor, stays);
        floors.push(started.elapsed());
        sizes.push(contacts.len());
        assert!(contacts.len() <= together.len(), "the floor counts everybody who overlaps");
    }
    sizes.sort_unstable();
    println!("one case: {} contacts (median of {CASES})", sizes.get(CASES / 2).copied().unwrap_or_default());
    println!("sorted arrays in memory: {:>9.3} ms", millis(&mut floors));
    println!("traced and graded:       {:>9.3} ms", millis(&mut ours));
    println!("ratio to the floor       {:>9.1}", millis(&mut ours) / millis(&mut floors));
}

fn millis(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1000.0
}

fn trail_stay(stay: &Stay) -> TrailStay {
    TrailStay {
        id: stay.id,
        point: Some(stay.point),
        venue: Some(Uuid::from_u128(2)),
        cell: stay.cell,
        granularity: Granularity::Hall,
        category: "other".into(),
        row: None,
        span: stay.span,
    }
}

/// All stays in memory, by point in order of time: nothing can answer faster on this machine.
struct Floor {
    by_visitor: HashMap<Visitor, Vec<Stay>>,
    by_point: HashMap<PointId, Vec<Stay>>,
}

impl Floor {
    async fn load(conn: &mut AsyncPgConnection, period: Span) -> Self {
        let everywhere: Vec<_> = (0..=POINTS)
            .map(|point| placecode::store::findings::Search {
                reach: placecode::store::findings::Reach::Point(point.cast_signed()),
                from: period.from(),
                until: period.until(),
            })
            .collect();
        let (mut by_visitor, mut by_point) = (HashMap::<_, Vec<Stay>>::new(), HashMap::<_, Vec<Stay>>::new());
        for candidate in candidates(conn, &everywhere, TimeDelta::days(2)).await.unwrap() {
            by_visitor.entry(candidate.stay.visitor).or_default().push(candidate.stay.clone());
            by_point.entry(candidate.stay.point).or_default().push(candidate.stay);
        }
        for stays in by_point.values_mut() {
            stays.sort_by_key(|stay| stay.span.from());
        }
        Self { by_visitor, by_point }
    }

    /// Everybody who overlaps, with the seconds together.
    fn contacts(&self, visitor: Visitor, trail: &[Stay]) -> HashMap<Visitor, i64> {
        let mut together = HashMap::new();
        for own in trail {
            let others = self.by_point.get(&own.point).map_or(&[][..], Vec::as_slice);
            let first =
                others.partition_point(|stay| stay.span.from() < own.span.from() - TimeDelta::days(2));
            for other in others.iter().skip(first).take_while(|stay| stay.span.from() < own.span.until()) {
                if let Some(shared) = own.span.overlap(&other.span).filter(|_| other.visitor != visitor) {
                    *together.entry(other.visitor).or_default() += shared.secs();
                }
            }
        }
        together
    }
}
