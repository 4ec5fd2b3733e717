//! Closed days are packed, and nobody can tell from any answer.

mod runs;

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use diesel_async::AsyncConnection;
use placecode::domain::catalogue::Catalogue;
use placecode::domain::scan::{Direction, Method, Presence, Scan};
use placecode::domain::span::Span;
use placecode::domain::stay::{Stay, stays_of};
use placecode::domain::stay_pack::closed_before;
use placecode::domain::visitor::Visitor;
use placecode::pipeline::Outcome;
use placecode::pipeline::pack::pack_day;
use placecode::pipeline::run::Step;
use placecode::pipeline::settle_stays::{Changes, Rules, store};
use placecode::store::findings::{Reach, Search, candidates};
use placecode::store::{StoreError, packing, partitions, stay_packs, stays};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use uuid::Uuid;

use crate::drain::scan;
use crate::support::TestApp;
use crate::support::people::Place;

const VISITORS: u32 = 12;
const DAYS: i64 = 3;

/// Two places, and scans of a dozen people there over some days.
struct Past {
    app: TestApp,
    places: Vec<Place>,
    scans: Vec<Scan>,
    days: Vec<NaiveDate>,
}

impl Past {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let places = vec![app.venue("老茶馆", "teahouse").await, app.venue("超市", "supermarket").await];
        let today = app.now().date_naive();
        let days: Vec<NaiveDate> = (4..=4 + DAYS + 1).map(|ago| today - TimeDelta::days(ago)).collect();
        let mut past = Self { app, places, scans: Vec::new(), days };
        let scans = past.some_scans(150);
        past.store(&scans).await;
        past
    }

    /// Scans of some days ago, to the microsecond, some of them twice in one instant, some taken back.
    fn some_scans(&self, count: usize) -> Vec<Scan> {
        let one = (0..VISITORS, 0..2usize, 0..DAYS * 24 * 60, 0..60_000_000i64, 0..20u8);
        let mut runner = TestRunner::deterministic();
        let drawn = prop::collection::vec(one, count).new_tree(&mut runner).unwrap().current();
        let mut scans = Vec::new();
        for (who, place, minutes, micros, kind) in drawn {
            let minutes = 5 * 24 * 60 + minutes;
            let mut own = scan(&self.app, self.app.visitor(who), self.places[place].point, minutes);
            own.occurred_at += TimeDelta::microseconds(micros);
            own.received_at = own.occurred_at;
            own.presence = if kind == 0 { Presence::Contradicted } else { Presence::Plausible };
            let twin = Scan { id: Uuid::now_v7(), ..own.clone() };
            let void = Scan {
                id: Uuid::now_v7(),
                direction: Direction::Void,
                method: Method::Staff,
                corrects: Some(own.id),
                ..own.clone()
            };
            match kind {
                1 => own.direction = Direction::Exit,
                // Staff handed it in, took it back and handed it in again.
                2 => {
                    own.method = Method::Staff;
                    scans.extend([twin, void]);
                }
                // Forged beside true: two stays of one instant, which only their ids tell apart.
                3 => scans.push(Scan { presence: Presence::Contradicted, ..twin }),
                _ => {}
            }
            scans.push(own);
        }
        scans
    }

    async fn store(&mut self, scans: &[Scan]) {
        let catalogue = Catalogue::shipped().unwrap();
        let rules = Rules { catalogue: &catalogue, offset: self.app.config.local_offset };
        let mut conn = self.app.app.store.conn().await.unwrap();
        partitions::ensure(&mut conn, self.days[self.days.len() - 1], self.days[0]).await.unwrap();
        for batch in scans.chunks(40) {
            conn.transaction::<_, StoreError, _>(async |conn| {
                store(conn, rules, batch, Changes::Untraced).await
            })
            .await
            .unwrap();
        }
        self.scans.extend_from_slice(scans);
    }

    async fn pack(&self) {
        let mut conn = self.app.app.store.conn().await.unwrap();
        for day in &self.days {
            assert!(pack_day(&mut conn, *day, self.app.now()).await.unwrap());
        }
    }

    /// What the scans say, reckoned without any table.
    fn expected(&self) -> Vec<Stay> {
        let catalogue = Catalogue::shipped().unwrap();
        let mut by_visitor: BTreeMap<Visitor, Vec<_>> = BTreeMap::new();
        for scan in &self.scans {
            let word = if scan.point.to_i64() == self.places[0].point { "teahouse" } else { "supermarket" };
            by_visitor.entry(scan.visitor).or_default().push((scan.clone(), catalogue.get(word).unwrap()));
        }
        let offset = self.app.config.local_offset;
        sorted(by_visitor.into_values().flat_map(|scans| stays_of(scans, offset)).collect())
    }

    /// What every visitor is told.
    async fn own_stays(&self) -> Vec<Stay> {
        let mut conn = self.app.app.store.conn().await.unwrap();
        let mut found = Vec::new();
        for who in 0..VISITORS {
            let whole = Span::lasting(self.app.now() - TimeDelta::days(12), 12 * 24 * 3600);
            let own = stays::of_visitor(&mut conn, self.app.visitor(who), whole, 1000).await.unwrap();
            found.extend(own.into_iter().map(|placed| placed.stay));
        }
        sorted(found)
    }

    /// What a run is given for windows of many lengths, some of which overlap, without ids.
    async fn candidates(&self, reach: impl Fn(&Place) -> Reach) -> Vec<Stay> {
        let mut searches = Vec::new();
        for (nth, place) in (0..).zip(self.places.iter().cycle().take(40)) {
            let from = self.app.now() - TimeDelta::minutes(5 * 24 * 60 + nth * 97);
            searches.push(Search {
                reach: reach(place),
                from,
                until: from + TimeDelta::minutes(20 + nth * 3),
            });
        }
        let mut conn = self.app.app.store.conn().await.unwrap();
        let found = candidates(&mut conn, &searches, TimeDelta::days(2)).await.unwrap();
        let nameless =
            found.into_iter().map(|candidate| Stay { id: Uuid::nil(), ..candidate.stay }).collect();
        sorted(nameless)
    }

    async fn count(&self) -> (i64, i64) {
        stay_packs::count(&mut self.app.app.store.conn().await.unwrap()).await.unwrap()
    }
}

fn sorted(mut stays: Vec<Stay>) -> Vec<Stay> {
    stays.sort_by_key(|stay| (stay.visitor, stay.span.from(), stay.id, stay.point, stay.span.until()));
    stays
}

fn at(place: &Place) -> Reach {
    Reach::Point(place.point)
}

fn around(place: &Place) -> Reach {
    Reach::Venue(place.venue.parse().unwrap())
}

const ROWS: &str = "select count(*) from stays";
const PACKED: &str = "select coalesce(sum(stays), 0) from stay_packs";

#[tokio::test(flavor = "multi_thread")]
async fn packing_changes_no_answer() {
    let past = Past::new().await;
    let expected = past.expected();
    assert!(expected.len() > 80, "{}", expected.len());
    let before = (past.own_stays().await, past.candidates(at).await, past.candidates(around).await);
    assert_eq!(before.0, expected);
    assert!(before.1.len() > 20, "{}", before.1.len());
    let count = past.count().await;
    assert_eq!(usize::try_from(count.0).unwrap(), expected.len());
    assert!(count.1 > 0);

    past.pack().await;
    assert_eq!((past.app.number(ROWS).await, past.app.number(PACKED).await), (0, count.0));
    let after = (past.own_stays().await, past.candidates(at).await, past.candidates(around).await);
    assert_eq!(after.0, before.0, "what visitors are told, ids among it");
    assert_eq!(after.1, before.1);
    assert_eq!(after.2, before.2);
    assert_eq!(past.count().await, count);
    // Once more changes nothing.
    past.pack().await;
    assert_eq!(past.own_stays().await, before.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_that_come_to_packed_days_change_what_they_must() {
    let mut past = Past::new().await;
    past.pack().await;
    let packed = past.app.number(PACKED).await;
    // A moment at the teahouse ends what was at the supermarket; a void takes a scan of staff back.
    let taken =
        past.scans.iter().find(|scan| scan.method == Method::Staff && scan.corrects.is_none()).unwrap();
    let void = Scan {
        id: Uuid::now_v7(),
        direction: Direction::Void,
        corrects: Some(taken.id),
        received_at: past.app.now(),
        ..taken.clone()
    };
    let mut late = vec![void];
    for minutes in [5 * 24 * 60 + 700, 6 * 24 * 60 + 100, 6 * 24 * 60 + 900] {
        late.push(scan(&past.app, past.app.visitor(1), past.places[0].point, minutes));
    }
    past.store(&late).await;
    assert_eq!(past.own_stays().await, past.expected());
    let (rows, left) = (past.app.number(ROWS).await, past.app.number(PACKED).await);
    assert!(rows > 0 && left > 0 && left < packed, "{rows} rows, {left} of {packed} packed");
    assert_eq!(rows + left, past.count().await.0);
    assert_eq!(usize::try_from(past.count().await.0).unwrap(), past.expected().len());
    assert!(past.app.number("select count(*) from packed_days where opened_at is not null").await > 0);
    // The same scans again are nothing new.
    let mut scans = std::mem::take(&mut past.scans);
    past.store(&late).await;
    std::mem::swap(&mut past.scans, &mut scans);
    assert_eq!(past.own_stays().await, past.expected());

    past.pack().await;
    assert_eq!(past.app.number(ROWS).await, 0);
    assert_eq!(past.own_stays().await, past.expected());
    assert_eq!(past.app.number("select count(*) from packed_days where opened_at is not null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_imported_over_packed_days_is_right() {
    let mut past = Past::new().await;
    past.pack().await;
    let mut history = past.some_scans(60);
    for scan in &mut history {
        scan.id = Uuid::now_v7();
        scan.occurred_at += TimeDelta::minutes(11);
    }
    history.retain(|scan| scan.direction != Direction::Void);
    past.store(&history).await;
    assert_eq!(past.own_stays().await, past.expected());
    past.pack().await;
    assert_eq!((past.app.number(ROWS).await, past.own_stays().await), (0, past.expected()));
}

#[tokio::test(flavor = "multi_thread")]
async fn packing_that_is_cut_off_loses_nothing() {
    let past = Past::new().await;
    let before = past.count().await;
    let mut conn = past.app.app.store.conn().await.unwrap();
    for day in &past.days {
        let cut = conn
            .transaction::<(), StoreError, _>(async |conn| {
                assert!(pack_day(conn, *day, past.app.now()).await?);
                Err(StoreError::Corrupt("killed here"))
            })
            .await;
        assert!(cut.is_err());
    }
    assert_eq!((past.app.number(ROWS).await, past.app.number(PACKED).await), (before.0, 0));
    assert_eq!(past.own_stays().await, past.expected());
    assert_eq!(past.app.number("select count(*) from packed_days").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_somebody_writes_or_reads_is_left_for_later() {
    let past = Past::new().await;
    let day = past.days[2];
    let span = Span::lasting(day.and_hms_opt(1, 0, 0).unwrap().and_utc(), 60);
    let mut conn = past.app.app.store.conn().await.unwrap();
    let mut other = past.app.app.store.conn().await.unwrap();
    conn.transaction::<_, StoreError, _>(async |conn| {
        assert_eq!(packing::open(conn, &[span]).await?, []);
        assert!(!pack_day(&mut other, day, past.app.now()).await?);
        assert!(pack_day(&mut other, day - TimeDelta::days(1), past.app.now()).await?);
        Ok(())
    })
    .await
    .unwrap();
    conn.transaction::<_, StoreError, _>(async |conn| {
        stay_packs::count(conn).await?;
        assert!(!pack_day(&mut other, day, past.app.now()).await?);
        Ok(())
    })
    .await
    .unwrap();
    assert!(pack_day(&mut other, day, past.app.now()).await.unwrap());
    conn.transaction::<_, StoreError, _>(async |conn| {
        assert_eq!(packing::open(conn, &[span]).await?, [day]);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(past.own_stays().await, past.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_packed_when_they_are_closed_and_dropped_when_their_time_is_over() {
    let app = TestApp::start_with(&["--retention-days", "10"]).await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 30).await;
    app.settle().await;
    let (day, mut packed_after) = (app.now().date_naive(), None);
    let shown = app.person(1).await.get("/v1/me/stays").await.expect(200);
    assert_eq!(shown.as_array().unwrap().len(), 1);
    for passed in 1..=10 {
        app.pass(24 * 60);
        app.settle().await;
        let closed = closed_before(app.now(), app.config.local_offset).date_naive() > day;
        assert_eq!(app.number(PACKED).await, i64::from(closed), "after {passed} days");
        assert_eq!(app.number(ROWS).await, i64::from(!closed), "after {passed} days");
        assert_eq!(app.person(1).await.get("/v1/me/stays").await.expect(200), shown);
        if closed {
            packed_after.get_or_insert(passed);
        }
    }
    assert_eq!(packed_after, Some(6));
    app.pass(24 * 60);
    app.settle().await;
    assert_eq!(app.number(PACKED).await, 0);
    assert_eq!(app.person(1).await.get("/v1/me/stays").await.expect(200), json!([]));
    let noted = format!("select count(*) from packed_days where day = '{day}'");
    assert_eq!(app.number(&noted).await, 0);
    let audited = format!(
        "select count(*) from audit_entries where action = 'retention.dropped' and detail like '%stay_packs_{}%'",
        day.format("%Y%m%d")
    );
    assert_eq!(app.number(&audited).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_was_imported_rests_a_day_before_it_is_packed() {
    let past = Past::new().await;
    let mut conn = past.app.app.store.conn().await.unwrap();
    let imported = past.days[past.days.len() - 1];
    past.app.pass(3 * 24 * 60);
    partitions::note_imported(&mut conn, &[imported], past.app.now()).await.unwrap();
    let is_packed = format!("select count(*) from packed_days where day = '{imported}'");
    while Step::Pack.take(&past.app.app).await.unwrap() != Outcome::Idle {}
    assert_eq!(past.app.number(&is_packed).await, 0);
    assert!(past.app.number(PACKED).await > 0, "the other days are packed");
    past.app.pass(24 * 60);
    while Step::Pack.take(&past.app.app).await.unwrap() != Outcome::Idle {}
    assert_eq!(past.app.number(&is_packed).await, 1);
    assert_eq!(past.app.number(ROWS).await, 0);
}
