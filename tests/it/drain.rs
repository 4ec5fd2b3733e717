//! Law 4: an accepted scan is never lost and never counted twice. Law 5: scanning waits for nobody.

mod cluster;
mod kills;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use placecode::config::Config;
use placecode::domain::catalogue::Catalogue;
use placecode::domain::numbered::Numbered;
use placecode::domain::position::{POINT_RESOLUTION, Position};
use placecode::domain::scan::{Direction, Method, Presence, Scan};
use placecode::domain::span::Span;
use placecode::domain::stay::{Stay, stays_of};
use placecode::domain::venue::PointId;
use placecode::domain::visitor::Visitor;
use placecode::intake::IntakeError;
use placecode::intake::log::Accepted;
use placecode::pipeline::run::Step;
use placecode::pipeline::{Outcome, drain};
use placecode::store::scans;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use uuid::Uuid;

use crate::support::people::{Place, near};
use crate::support::{Replica, TestApp};

/// A scan as taking one would make it.
pub fn scan(app: &TestApp, visitor: Visitor, point: i64, minutes_ago: i64) -> Scan {
    let occurred_at = app.now() - TimeDelta::minutes(minutes_ago);
    Scan {
        id: Uuid::now_v7(),
        visitor,
        point: PointId::from_i64(point).unwrap(),
        cell: Position::new(34.7466, 113.6253).unwrap().cell(POINT_RESOLUTION),
        occurred_at,
        received_at: occurred_at,
        direction: Direction::Entry,
        method: Method::Own,
        presence: Presence::Plausible,
        party: None,
        corrects: None,
    }
}

pub fn accepted(scans: &[Scan]) -> Vec<Accepted> {
    scans.iter().map(|scan| Accepted { scan: scan.clone(), window: None }).collect()
}

/// A log entry that nobody can read.
async fn append_raw(app: &TestApp, shard: i16, record: &[u8]) {
    let mut conn = app.app.intake.conn().await.unwrap();
    let key = format!("{}:{{{shard}}}:log", app.config.redis_prefix);
    redis::cmd("XADD").arg(key).arg("*").arg("s").arg(record).query_async::<String>(&mut conn).await.unwrap();
}

async fn everything(app: &TestApp) -> (Vec<serde_json::Value>, Vec<serde_json::Value>) {
    let scans = app.rows("select * from scans order by visitor, occurred_at, id").await;
    (scans, app.rows("select * from stays order by visitor, from_at, id").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_sent_again_is_one_scan() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let person = app.person(1).await;
    let at = app.now() - TimeDelta::minutes(5);
    let scan = json!({ "id": Uuid::now_v7(), "code": teahouse.code, "occurred_at": at });
    for _ in 0..3 {
        person.post("/v1/scans", &scan).await.expect(201);
        app.pass(1);
    }
    app.settle().await;
    person.post("/v1/scans", &scan).await.expect(201);
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 1);
    assert_eq!(app.number("select sum(drained) from log_positions").await, 1);
    // Without its time, a retry would be another scan; so an id needs one.
    let timeless = json!({ "id": Uuid::now_v7(), "code": teahouse.code });
    assert!(person.post("/v1/scans", &timeless).await.problem(422).starts_with("occurred_at"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_drained_again_changes_nothing() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let batch: Vec<Scan> = (0..40)
        .map(|n| scan(&app, app.visitor(u32::try_from(n % 7).unwrap()), teahouse.point, 10 * n))
        .collect();
    app.app.intake.append(&accepted(&batch)).await.unwrap();
    app.settle().await;
    let before = everything(&app).await;
    assert_eq!(before.0.len(), 40);

    // Killed between the commit and the removal: the same entries come again.
    app.app.intake.append(&accepted(&batch)).await.unwrap();
    app.settle().await;
    assert_eq!(everything(&app).await, before);
    // Killed in the middle of the transaction, and computed again in another order.
    let mut conn = app.app.store.conn().await.unwrap();
    let reversed: Vec<Scan> = batch.iter().rev().cloned().collect();
    let (catalogue, offset) = (&app.app.catalogue, app.config.local_offset);
    assert_eq!(drain::store(&mut conn, catalogue, offset, &reversed).await.unwrap(), 0);
    assert_eq!(everything(&app).await, before);
    assert_eq!(app.number("select sum(drained) from log_positions").await, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_is_kept_and_blocks_nothing() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let one = scan(&app, app.visitor(1), teahouse.point, 10);
    for shard in app.app.intake.shards() {
        append_raw(&app, shard, b"no scan at all").await;
    }
    app.app.intake.append(&accepted(&[one])).await.unwrap();
    append_raw(&app, 0, &[]).await;
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 1);
    assert_eq!(app.number("select count(*) from dead_entries").await, 5);
    assert_eq!(app.number("select count(*) from dead_entries where entry = 'no scan at all'").await, 4);
    for shard in app.app.intake.shards() {
        assert_eq!(app.app.intake.length(shard).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_visitors_who_send_the_same_id_have_a_stay_each() {
    let app = TestApp::start_with(&["--log-shards", "1"]).await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let one = scan(&app, app.visitor(1), teahouse.point, 30);
    let two = Scan { visitor: app.visitor(2), ..one.clone() };
    app.app.intake.append(&accepted(&[one.clone(), two.clone()])).await.unwrap();
    app.settle().await;
    assert_eq!(app.number("select count(distinct visitor) from stays").await, 2);
    // Also when one of them leaves later.
    let left = Scan { id: Uuid::now_v7(), direction: Direction::Exit, occurred_at: app.now(), ..two };
    app.app.intake.append(&accepted(&[left])).await.unwrap();
    app.settle().await;
    let stays = app.rows("select ended_by from stays order by ended_by").await;
    assert_eq!(stays, [json!({ "ended_by": 0 }), json!({ "ended_by": 3 })]);
}

/// What one random case is made of: visitor, place, minutes ago, direction, presence.
type Drawn = (u32, usize, i64, usize, usize);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec((0u32..4, 0usize..4, 0i64..3600, 0usize..3, 0usize..4), 1..60)
}

#[tokio::test(flavor = "multi_thread")]
async fn stays_follow_from_all_scans_whatever_the_order_in_which_they_came() {
    let app = TestApp::start_with(&["--drain-batch", "3"]).await;
    let mut places: Vec<(Place, &str)> = Vec::new();
    for category in ["teahouse", "school", "metro_station", "ktv"] {
        places.push((app.venue(category, category).await, category));
    }
    let mut runner = TestRunner::deterministic();
    let mut drained = 0;
    for round in 0..25 {
        let case = drawn().new_tree(&mut runner).unwrap().current();
        let scans: Vec<Scan> = case
            .iter()
            .map(|(who, at, ago, direction, presence)| Scan {
                direction: [Direction::Entry, Direction::Exit, Direction::Passing][*direction],
                presence: Presence::ALL[*presence],
                ..scan(&app, app.visitor(round * 10 + who), places[*at].0.point, *ago)
            })
            .collect();
        let order = Just((0..scans.len()).collect::<Vec<_>>()).prop_shuffle();
        let order = order.new_tree(&mut runner).unwrap().current();
        let arriving: Vec<Scan> = order.iter().map(|at| scans[*at].clone()).collect();
        let width = (1usize..9).new_tree(&mut runner).unwrap().current();
        for (nth, batch) in arriving.chunks(width).enumerate() {
            app.app.intake.append(&accepted(batch)).await.unwrap();
            // Some clients did not hear the answer and send again.
            app.app.intake.append(&accepted(&batch[..1])).await.unwrap();
            if nth % 2 == 0 {
                Step::Drain.take(&app.app).await.unwrap();
            }
        }
        while Step::Drain.take(&app.app).await.unwrap() != Outcome::Idle {}
        drained += scans.len();
        assert_eq!(stored(&app, round).await, expected(&app, &places, &scans), "{scans:#?}");
        assert_eq!(app.number("select count(*) from scans").await, i64::try_from(drained).unwrap());
    }
}

async fn stored(app: &TestApp, round: u32) -> Vec<Stay> {
    let whole = Span::lasting(app.now() - TimeDelta::days(9), 20 * 24 * 3600);
    let wanted: Vec<_> = (0..4).map(|who| (app.visitor(round * 10 + who), whole)).collect();
    let mut conn = app.app.store.conn().await.unwrap();
    let mut stays = scans::stays_beginning_within(&mut conn, &wanted).await.unwrap();
    stays.sort_by_key(|stay| (stay.visitor, stay.span.from(), stay.id));
    stays
}

fn expected(app: &TestApp, places: &[(Place, &str)], scans: &[Scan]) -> Vec<Stay> {
    let catalogue = Catalogue::shipped().unwrap();
    let mut by_visitor: BTreeMap<Visitor, Vec<_>> = BTreeMap::new();
    for scan in scans {
        let (_, category) = places.iter().find(|(place, _)| place.point == scan.point.to_i64()).unwrap();
        by_visitor.entry(scan.visitor).or_default().push((scan.clone(), catalogue.get(category).unwrap()));
    }
    let own = by_visitor.into_values().flat_map(|scans| stays_of(scans, app.config.local_offset));
    let mut stays: Vec<Stay> = own.collect();
    stays.sort_by_key(|stay| (stay.visitor, stay.span.from(), stay.id));
    stays
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_are_taken_while_postgres_is_away_and_appear_later() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    // The register's copy in Redis is all that a service needs that starts without Postgres.
    let lonely = Replica::start(&app, |config| config.database_url += "_gone").await;
    let ready = app.client(None).at(lonely.address).get("/readyz").await.expect(200);
    assert_eq!(ready, json!({ "postgres": false, "redis": true }));
    let mut ids = BTreeSet::new();
    for number in 1..=5 {
        let person = app.person(number).await.at(lonely.address);
        let scan = json!({ "id": Uuid::now_v7(), "code": teahouse.code, "occurred_at": app.now(), "phone_cell": near() });
        let receipt = person.post("/v1/scans", &scan).await.expect(201);
        assert_eq!(receipt["venue"], "老茶馆");
        ids.insert(receipt["id"].as_str().unwrap().to_owned());
        // What needs Postgres says so, and when to ask again.
        let answer = person.get("/v1/me/stays").await;
        answer.problem(503);
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(app.number("select count(*) from scans").await, 0);
    app.settle().await;
    let rows = app.rows("select id from scans").await;
    let stored: BTreeSet<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(stored, ids);
    // The pipeline without Postgres fails and loses nothing.
    assert!(Step::Drain.take(&lonely.app).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_scans_are_kept_in_postgres_and_drained_from_there() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 30).await;
    let nowhere = |config: &mut Config| config.redis_url = "redis+unix:///nowhere/redis.sock".into();
    let lonely = Replica::start(&app, nowhere).await;
    let person = app.person(2).await.at(lonely.address);
    let scan = json!({ "id": Uuid::now_v7(), "code": teahouse.code, "occurred_at": app.now() });
    for _ in 0..2 {
        assert_eq!(person.post("/v1/scans", &scan).await.expect(201)["venue"], "老茶馆");
    }
    assert_eq!(app.number("select count(*) from inbox").await, 2, "a retry waits beside the first");
    // A worker that cannot reach Redis either drains what is in Postgres.
    while Step::Drain.take(&lonely.app).await.unwrap() != Outcome::Idle {}
    assert_eq!(app.number("select count(*) from scans").await, 1);
    assert_eq!(app.number("select count(*) from inbox").await, 0);
    // Sent once more when Redis is back, by way of the log, it is the same scan.
    app.person(2).await.post("/v1/scans", &scan).await.expect(201);
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 2);
    assert_eq!(app.number("select count(*) from stays").await, 2);
    // Reads go on.
    assert_eq!(
        app.person(1).await.at(lonely.address).get("/v1/me/stays").await.expect(200)[0]["venue"],
        "老茶馆"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_and_postgres_away_a_scan_is_refused_clearly() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    // The service knows the place before both go away.
    let lonely =
        Replica::start(&app, |config| config.redis_url = "redis+unix:///nowhere/redis.sock".into()).await;
    let person = app.person(1).await.at(lonely.address);
    let scan = || json!({ "id": Uuid::now_v7(), "code": teahouse.code, "occurred_at": app.now() });
    person.post("/v1/scans", &scan()).await.expect(201);
    app.sql("alter table inbox rename to inbox_away").await.unwrap();
    let answer = person.post("/v1/scans", &scan()).await;
    assert!(answer.problem(503).contains("send it again with the same id"));
    assert_eq!(answer.headers["retry-after"], "5");
    app.sql("alter table inbox_away rename to inbox").await.unwrap();
    person.post("/v1/scans", &scan()).await.expect(201);
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbox_refuses_scans_for_now() {
    let app = TestApp::start_with(&["--inbox-max", "1"]).await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let lonely =
        Replica::start(&app, |config| config.redis_url = "redis+unix:///nowhere/redis.sock".into()).await;
    let person = app.person(1).await.at(lonely.address);
    let scan = || json!({ "id": Uuid::now_v7(), "code": teahouse.code, "occurred_at": app.now() });
    person.post("/v1/scans", &scan()).await.expect(201);
    person.post("/v1/scans", &scan()).await.expect(201);
    person.post("/v1/scans", &scan()).await.problem(503);
    app.settle().await;
    person.post("/v1/scans", &scan()).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_refuses_scans_for_now() {
    let app = TestApp::start_with(&["--log-shards", "1", "--log-mb-max", "1"]).await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let many: Vec<Scan> = (0..10_000).map(|n| scan(&app, app.visitor(n % 99), teahouse.point, 5)).collect();
    let mut taken = 0;
    let refused = loop {
        match app.app.intake.append(&accepted(&many)).await {
            Ok(()) => taken += many.len(),
            Err(refused) => break refused,
        }
        assert!(taken < 100_000, "a shard of one MiB holds some ten thousand scans");
    };
    assert!(matches!(refused, IntakeError::Full));
    let person = app.person(1).await;
    let one = json!({ "id": Uuid::now_v7(), "code": teahouse.code, "occurred_at": app.now() });
    assert!(person.post("/v1/scans", &one).await.problem(503).starts_with("too many scans wait"));
    app.settle().await;
    person.post("/v1/scans", &one).await.expect(201);
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans").await, 10_001);
}
