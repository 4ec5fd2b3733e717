//! A burst of appeals over HTTP against the running service, beside what the same service and disk do else in one run:
//! authenticated reads, bare inserts that are each fsynced, and scans that go on meanwhile.
//!
//! `cargo bench --bench appeals -- 29000` submits another number of appeals.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark ends where it fails, and prints"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use clap::Parser;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use placecode::app::App;
use placecode::clock::Clock;
use placecode::config::Config;
use placecode::domain::keyring::Keyring;
use placecode::domain::place_code::PlaceCode;
use placecode::domain::token::VisitorToken;
use placecode::domain::venue::PointId;
use placecode::domain::visitor::Visitor;
use placecode::embedded::{Durability, Options, Servers};
use placecode::http::serve::{bind, serve};
use placecode::http::web::Web;
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

/// What broke a city's service: 29,000 in eight hours.
const NEEDED_PER_SEC: f64 = 29_000.0 / (8.0 * 3600.0);

/// How many appeal at once.
const CONNECTIONS: usize = 32;

/// Scans a second that go on beside the burst.
const SCANS_PER_SEC: u32 = 100;

/// How long scans are measured by themselves.
const ALONE: Duration = Duration::from_secs(5);

const POINT: u64 = 7;

#[derive(Parser)]
struct Wrapper {
    #[command(flatten)]
    config: Config,
}

fn main() {
    let count = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(10_000);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-appeals");
    drop(std::fs::remove_dir_all(&folder));
    let mut wanted = Options::new(&folder);
    wanted.durability = Durability::Full;
    let servers = Servers::start_with(&wanted, &|line| println!("{line}")).unwrap();
    servers.ensure_database("bench").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&servers, count));
    drop(runtime);
    servers.stop();
    drop(std::fs::remove_dir_all(&folder));
}

/// The service, and everybody who may appeal.
struct House {
    http: Client,
    base: String,
    app: App,
    people: Vec<Person>,
    code: String,
}

struct Person {
    token: String,
    assignment: Uuid,
}

async fn measure(servers: &Servers, count: usize) {
    let url = servers.database_url("bench");
    placecode::store::migrate(&url).await.unwrap();
    let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
    conn.batch_execute(&everybody(count)).await.unwrap();
    let (end, ended) = watch::channel(false);
    let house = Arc::new(house(servers, &url, count, ended).await);
    until_known(&house).await;
    println!("{count} appeals, {CONNECTIONS} at once, {SCANS_PER_SEC} scans a second beside them");

    let bare = bare_inserts(&mut conn, 500).await;
    println!("bare insert, fsynced, one after the other {bare:>9.0} a second");
    let reads = count.min(3_000);
    let read = many(&house, reads, |house, nth| {
        let path = format!("/v1/me/appeals/{}", Uuid::nil());
        house.http.get(format!("{}{path}", house.base)).bearer_auth(&house.people[nth].token)
    });
    let read = read.await;
    println!("authenticated read, nothing found         {}", read.line());
    let alone = scans(&house, ALONE, Arc::default()).await;
    println!("scans alone                               {}", alone.line());

    let done = Arc::new(AtomicBool::new(false));
    let beside = tokio::spawn({
        let (house, done) = (house.clone(), done.clone());
        async move { scans(&house, Duration::from_secs(3600), done).await }
    });
    let appeals = many(&house, count, |house, nth| {
        let person = &house.people[nth];
        let body = json!({ "reason": "not_there", "text": "我当天没有到过那里,有单位打卡记录。" });
        let path = format!("/v1/me/assignments/{}/appeals", person.assignment);
        let key = format!("bench-{nth}");
        let request = house.http.post(format!("{}{path}", house.base)).bearer_auth(&person.token);
        request.header("idempotency-key", key).json(&body)
    });
    let appeals = appeals.await;
    done.store(true, Ordering::Relaxed);
    let beside = beside.await.unwrap();
    println!("appeals                                   {}", appeals.line());
    println!("scans beside them                         {}", beside.line());
    assert_eq!(appeals.taken, count, "every appeal was taken");
    println!("ratio to 29,000 in eight hours            {:>9.0}", appeals.rate() / NEEDED_PER_SEC);
    println!("ratio to the bare insert                  {:>9.2}", appeals.rate() / bare);
    println!("ratio to the authenticated read           {:>9.2}", appeals.rate() / read.rate());
    println!("p99 of scans, beside to alone             {:>9.2}", beside.at(0.99) / alone.at(0.99));
    end.send(true).unwrap();
}

/// A case, its run, and so many people whom it met and whose yellow code was let go.
fn everybody(count: usize) -> String {
    format!(
        "begin; set local session_replication_role = replica;
         insert into organisations (id, legal_name, created_at, kind) values ('00000000-0000-4000-8000-000000000001', 'bench', now(), 0);
         insert into venues (id, organisation_id, name, category, division, address, lat_deg, lng_deg, cell, contact_name,
                             contact_phone, state, state_reason, created_at, short_name, street, superior, cells)
         values ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'bench', 'other', '410105', 'bench',
                 34.75, 113.63, {cell}, '', '', 1, '', now(), '', '', '', '{{}}');
         insert into points (id, venue_id, name, granularity, cell, grid_cell, generation, created_at, is_mobile)
         values ({POINT}, '00000000-0000-4000-8000-000000000002', 'bench', 3, {cell}, {cell}, 1, now(), false);
         insert into rule_packs (id, version, body, loaded_at) values ('baseline', 1, '', now());
         insert into cases (id, visitor, kind, sampled_at, authority, division, reported_by, reported_at)
         values ('00000000-0000-4000-8000-00000000000a', gen_random_uuid(), 0, now(), 'bench', '410100', gen_random_uuid(), now());
         insert into runs (id, case_id, pack_id, pack_version, state, purpose, requested_by, requested_at)
         values ('00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-00000000000a', 'baseline', 1, 5, 'bench',
                 gen_random_uuid(), now());
         insert into assignments (id, run_id, case_id, visitor, class, colour, colour_now, pack_id, pack_version, division, state,
                                  last_exposure_at, expires_at, proposed_at)
         select md5('assignment ' || n)::uuid, '00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-00000000000a',
                md5('visitor ' || n)::uuid, 3, 1, 1, 'baseline', 1, '410100', 2, now(), now() + interval '7 days', now()
         from generate_series(0, {count} - 1) n;
         insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor)
         select id, kind + 1, kind, kind, 1, last_exposure_at, expires_at, proposed_at, 'bench'
         from assignments, generate_series(0, 2) kind;
         commit; analyze assignments; analyze assignment_events;
         create table bare (id uuid primary key, at timestamptz not null)",
        cell = placecode::domain::position::cell_to_i64(cell()),
    )
}

fn cell() -> h3o::CellIndex {
    let place = placecode::domain::position::Position::new(34.75, 113.63).unwrap();
    place.cell(placecode::domain::position::POINT_RESOLUTION)
}

async fn house(servers: &Servers, url: &str, count: usize, ended: watch::Receiver<bool>) -> House {
    let keys = servers.folder().join("bench-keys.toml");
    std::fs::write(&keys, Keyring::new([1; 32], [2; 32]).to_toml()).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let arguments = [
        "bench",
        "--database-url",
        url,
        "--redis-url",
        &servers.redis_url(),
        "--keys-file",
        &keys.display().to_string(),
        "--public-url",
        &format!("http://{address}/"),
        "--scans-per-visitor",
        "1000000",
    ];
    let config = Wrapper::parse_from(arguments).config;
    let app = App::build(config, Clock::System).await.unwrap();
    let served = app.clone();
    std::thread::spawn(move || {
        let serving = async move { serve(Web::new(served), listener, ended).await.unwrap() };
        actix_web::rt::System::new().block_on(serving);
    });
    let mut conn = app.store.conn().await.unwrap();
    let rows = own_assignments(&mut conn, count).await;
    drop(conn);
    let expires_at = app.clock.now() + TimeDelta::hours(12);
    let person = |(assignment, visitor): (Uuid, Uuid)| {
        let visitor = Visitor::from_uuid(visitor);
        let token = VisitorToken { visitor, channel: "bench".into(), expires_at, colour: None };
        Person { token: token.seal(app.keys.token()), assignment }
    };
    let people = rows.into_iter().map(person).collect();
    let point = PlaceCode { point: PointId::new(POINT).unwrap(), generation: 1 };
    let code = point.sign(&app.keys).unwrap().to_string();
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = Client::builder().no_proxy().build().unwrap();
    House { http, base: format!("http://{address}"), app, people, code }
}

async fn own_assignments(conn: &mut AsyncPgConnection, count: usize) -> Vec<(Uuid, Uuid)> {
    use diesel::prelude::*;
    use diesel_async::RunQueryDsl;
    use placecode::store::schema::assignments;
    let limit = i64::try_from(count).unwrap();
    let all = assignments::table.select((assignments::id, assignments::visitor)).limit(limit);
    all.load(conn).await.unwrap()
}

/// Waits until the service has heard of the point.
async fn until_known(house: &House) {
    let started = Instant::now();
    while scan(house, 0).send().await.is_ok_and(|answer| answer.status() != StatusCode::CREATED) {
        assert!(started.elapsed() < Duration::from_secs(60), "the service does not take scans");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn scan(house: &House, nth: usize) -> reqwest::RequestBuilder {
    let body = json!({ "id": Uuid::now_v7(), "code": house.code, "occurred_at": house.app.clock.now() });
    let person = &house.people[nth % house.people.len()];
    house.http.post(format!("{}/v1/scans", house.base)).bearer_auth(&person.token).json(&body)
}

/// How long each request took, and how many were taken.
#[derive(Default)]
struct Round {
    took: Vec<Duration>,
    taken: usize,
    whole: Duration,
}

impl Round {
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    fn rate(&self) -> f64 {
        self.took.len() as f64 / self.whole.as_secs_f64()
    }

    /// So much of all requests took no longer, in milliseconds.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    fn at(&self, share: f64) -> f64 {
        let rank = (self.took.len() as f64 * share) as usize;
        self.took[rank.min(self.took.len() - 1)].as_secs_f64() * 1000.0
    }

    fn line(&self) -> String {
        format!(
            "{:>9.0} a second, p50 {:.1} ms, p99 {:.1} ms, taken {} of {}",
            self.rate(),
            self.at(0.5),
            self.at(0.99),
            self.taken,
            self.took.len()
        )
    }

    fn add(&mut self, took: Duration, status: StatusCode) {
        self.took.push(took);
        self.taken += usize::from(status.is_success());
    }

    fn ended(mut self, started: Instant) -> Self {
        self.whole = started.elapsed();
        self.took.sort_unstable();
        self
    }
}

/// Sends `count` requests, so many at once.
async fn many(
    house: &Arc<House>,
    count: usize,
    request: impl Fn(&House, usize) -> reqwest::RequestBuilder + Send + Sync + Copy + 'static,
) -> Round {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (house, next) = (house.clone(), next.clone());
        senders.spawn(async move {
            let mut round = Round::default();
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= count {
                    return round;
                }
                let begun = Instant::now();
                let answer = request(&house, nth).send().await.unwrap();
                let status = answer.status();
                answer.bytes().await.unwrap();
                round.add(begun.elapsed(), status);
            }
        });
    }
    let mut whole = Round::default();
    while let Some(round) = senders.join_next().await {
        let round = round.unwrap();
        whole.took.extend(round.took);
        whole.taken += round.taken;
    }
    whole.ended(started)
}

/// Scans at a steady pace until it is `done`, or for so long.
async fn scans(house: &Arc<House>, most: Duration, done: Arc<AtomicBool>) -> Round {
    let started = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / SCANS_PER_SEC);
    let mut under_way = JoinSet::new();
    let mut nth = 0;
    while started.elapsed() < most && !done.load(Ordering::Relaxed) {
        pace.tick().await;
        let house = house.clone();
        nth += 1;
        under_way.spawn(async move {
            let begun = Instant::now();
            let status = scan(&house, nth).send().await.unwrap().status();
            (begun.elapsed(), status)
        });
    }
    let mut round = Round::default();
    while let Some(one) = under_way.join_next().await {
        let (took, status) = one.unwrap();
        round.add(took, status);
    }
    round.ended(started)
}

/// Rows a second that one connection commits one by one: the least that a durable write costs here.
#[expect(clippy::cast_precision_loss, reason = "a count of rows")]
async fn bare_inserts(conn: &mut AsyncPgConnection, count: usize) -> f64 {
    let started = Instant::now();
    for _ in 0..count {
        conn.batch_execute("insert into bare values (gen_random_uuid(), now())").await.unwrap();
    }
    count as f64 / started.elapsed().as_secs_f64()
}
