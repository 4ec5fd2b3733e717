//! Random histories through the whole pipeline, against the domain over all stays and against an oracle
//! that counts minute by minute.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use placecode::domain::access::Role;
use placecode::domain::case::{CaseDates, CaseKind};
use placecode::domain::exposure::{Candidate, Question, TrailStay, exposures};
use placecode::domain::grading::{Dwell, grade};
use placecode::domain::rule_pack::RulePack;
use placecode::domain::scan::{Direction, Presence, Scan};
use placecode::domain::span::Span;
use placecode::domain::stay::Stay;
use placecode::domain::venue::Granularity;
use placecode::domain::visitor::Visitor;
use placecode::store::scans;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::drain::{accepted, scan};
use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::new_venue;

const PEOPLE: u32 = 6;
const ROUNDS: u32 = 12;
/// How far back scans lie, in minutes; the infectious period begins within it.
const BACK: i64 = 60 * 60;

/// A point as the oracle knows it.
struct At {
    point: i64,
    venue: uuid::Uuid,
    granularity: Granularity,
}

/// Two venues close together: one with a room and a hall, one with a floor and a carriage.
async fn places(app: &TestApp) -> Vec<At> {
    let inspector = app.staff(Role::Inspector, "410000").await;
    let mut places = Vec::new();
    for points in [
        [("room", Granularity::Room), ("hall", Granularity::Hall)],
        [("floor", Granularity::Floor), ("vehicle", Granularity::Vehicle)],
    ] {
        let mut venue = new_venue("综合体", "mall");
        venue["points"] =
            points.iter().map(|(word, _)| json!({ "name": word, "granularity": word })).collect();
        let made = inspector.post("/v1/venues", &venue).await.expect(201);
        for (point, (_, granularity)) in made["points"].as_array().unwrap().iter().zip(points) {
            let venue = made["id"].as_str().unwrap().parse().unwrap();
            places.push(At { point: point["id"].as_i64().unwrap(), venue, granularity });
        }
    }
    places
}

/// Who, where, how many minutes ago, leaving or coming, how sure.
type Drawn = (u32, usize, i64, bool, usize);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec((0..PEOPLE, 0usize..4, 1i64..BACK, any::<bool>(), 0usize..4), 20..120)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_exactly_whom_the_domain_and_a_count_of_minutes_find() {
    let app = TestApp::start().await;
    let places = places(&app).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let pack = RulePack::parse(include_str!("../../../policies/baseline-1.toml")).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut classes = BTreeMap::new();
    for round in 0..ROUNDS {
        let drawn = drawn().new_tree(&mut runner).unwrap().current();
        let mut scans: Vec<Scan> = Vec::new();
        for (who, at, ago, leaving, presence) in drawn {
            let visitor = app.visitor(round * 100 + who);
            let presence =
                [Presence::Contradicted, Presence::Unproven, Presence::Plausible, Presence::Verified]
                    [presence];
            let direction = if leaving { Direction::Exit } else { Direction::Entry };
            let new = Scan { presence, direction, ..scan(&app, visitor, places[at].point, ago) };
            // Two scans in one minute make stays of a second, which no minute can count.
            if !scans.iter().any(|old| old.visitor == visitor && old.occurred_at == new.occurred_at) {
                scans.push(new);
            }
        }
        app.app.intake.append(&accepted(&scans)).await.unwrap();
        app.settle().await;

        let case = app.case(&investigator, round * 100).await;
        let run = app.run(&investigator, &case).await;
        let found = contacts(&investigator, run["id"].as_str().unwrap()).await;
        let infectious = Span::new(time(&run["infectious_from"]), time(&run["infectious_until"])).unwrap();
        let stays = all_stays(&app).await;
        assert_eq!(found, by_domain(app.visitor(round * 100), infectious, &stays, &places, &pack));
        let counted = by_minutes(app.visitor(round * 100), infectious, &stays, &places);
        let found: BTreeMap<String, String> = found.into_iter().map(|(who, class, _)| (who, class)).collect();
        assert_eq!(found, counted, "round {round}");
        for class in found.into_values() {
            *classes.entry(class).or_insert(0) += 1;
        }
    }
    assert_eq!(classes.len(), 3, "the histories show too little: {classes:?}");
}

fn time(value: &serde_json::Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn contacts(investigator: &Client, run: &str) -> Vec<(String, String, i64)> {
    let contacts = investigator.get(&format!("/v1/runs/{run}/contacts?purpose=review")).await.expect(200);
    let mut found: Vec<_> = contacts
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            let text = |part: &str| c[part].as_str().unwrap().to_owned();
            (text("visitor"), text("class"), c["together_secs"].as_i64().unwrap())
        })
        .collect();
    found.sort();
    found
}

/// Every stay of everybody in every round: the queries of a run must choose among them.
async fn all_stays(app: &TestApp) -> Vec<Stay> {
    let whole = Span::lasting(app.now() - TimeDelta::days(9), 20 * 24 * 3600);
    let everybody = (0..ROUNDS).flat_map(|round| (0..PEOPLE).map(move |who| round * 100 + who));
    let wanted: Vec<_> = everybody.map(|number| (app.visitor(number), whole)).collect();
    let mut conn = app.app.store.conn().await.unwrap();
    scans::within(&mut conn, &wanted).await.unwrap().into_iter().filter_map(|known| known.stay).collect()
}

fn at<'a>(places: &'a [At], stay: &Stay) -> &'a At {
    places.iter().find(|at| at.point == stay.point.to_i64()).unwrap()
}

fn candidate(stay: &Stay, places: &[At]) -> Candidate {
    Candidate { stay: stay.clone(), venue: at(places, stay).venue, row: None }
}

fn by_domain(
    case: Visitor,
    infectious: Span,
    stays: &[Stay],
    places: &[At],
    pack: &RulePack,
) -> Vec<(String, String, i64)> {
    let trail: Vec<TrailStay> = stays
        .iter()
        .filter(|stay| stay.visitor == case && stay.presence != Presence::Contradicted)
        .map(|stay| TrailStay {
            id: stay.id,
            point: Some(stay.point),
            venue: Some(at(places, stay).venue),
            cell: stay.cell,
            granularity: at(places, stay).granularity,
            category: "mall".into(),
            row: None,
            span: stay.span,
        })
        .collect();
    let candidates: Vec<Candidate> = stays.iter().map(|stay| candidate(stay, places)).collect();
    let dates = CaseDates { onset_at: None, sampled_at: infectious.until(), isolated_at: None };
    let offset = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
    let (kind, trail) = (CaseKind::Confirmed, trail.as_slice());
    let question = Question { case, kind, dates, infectious, trail, pack, offset };
    let met = exposures(&question, &candidates);
    let word = |class| json!(class).as_str().unwrap().to_owned();
    let graded = grade(&question, &met, &Dwell::default());
    let mut found: Vec<_> =
        graded.iter().map(|c| (c.visitor.to_hex(), word(c.class), c.together_secs)).collect();
    found.sort();
    found
}

/// The baseline pack as a person would count it with pencil and paper.
fn by_minutes(case: Visitor, infectious: Span, stays: &[Stay], places: &[At]) -> BTreeMap<String, String> {
    let mut others: Vec<Visitor> =
        stays.iter().map(|stay| stay.visitor).filter(|other| *other != case).collect();
    others.sort();
    others.dedup();
    let mut found = BTreeMap::new();
    let certain = |who: Visitor| -> Vec<&Stay> {
        stays.iter().filter(|stay| stay.visitor == who && stay.presence > Presence::Contradicted).collect()
    };
    let mine = certain(case);
    for other in others {
        let theirs = certain(other);
        let pairs = mine.iter().flat_map(|mine| theirs.iter().map(move |theirs| (mine, theirs)));
        let pairs: Vec<_> = pairs.filter(|(mine, theirs)| mine.point == theirs.point).collect();
        let mut close = vec![false; 2 * usize::try_from(BACK).unwrap()];
        let (mut aboard, mut same) = (close.clone(), close.clone());
        let begin = infectious.from();
        for minute in 0..close.len() {
            let now = begin + TimeDelta::minutes(i64::try_from(minute).unwrap());
            if !infectious.contains(now) {
                break;
            }
            for (mine, theirs) in &pairs {
                if mine.span.contains(now) && theirs.span.contains(now) {
                    let granularity = at(places, mine).granularity;
                    same[minute] = true;
                    aboard[minute] |= granularity == Granularity::Vehicle;
                    close[minute] |=
                        granularity == Granularity::Room && theirs.presence >= Presence::Plausible;
                }
            }
        }
        let class = if longest(&close) >= 60 {
            "close"
        } else if aboard.contains(&true) {
            "same_vehicle"
        } else if most_in_a_day(&same) >= 15 {
            "exposed_place"
        } else {
            continue;
        };
        found.insert(other.to_hex(), class.to_owned());
    }
    found
}

/// The most minutes that any 24 hours hold; a minute comes in at the front as another leaves at the end.
fn most_in_a_day(minutes: &[bool]) -> usize {
    let (mut held, mut most) = (0, 0);
    for (at, together) in minutes.iter().enumerate() {
        held += usize::from(*together);
        held -= usize::from(at >= 24 * 60 && minutes[at - 24 * 60]);
        most = most.max(held);
    }
    most
}

/// The longest row of minutes without a gap.
fn longest(minutes: &[bool]) -> usize {
    minutes.split(|together| !together).map(<[bool]>::len).max().unwrap_or(0)
}
