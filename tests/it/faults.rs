//! Law 4 on the running service: parts of it die under load, and every promise is kept. Law 9 under a clock that
//! lies: a worker forty days ahead drops nothing.

#[path = "../../benches/faults/harness.rs"]
#[expect(dead_code, reason = "the matrix of the benchmark uses the rest")]
pub(crate) mod harness;

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use placecode::app::App;
use placecode::clock::Clock;
use placecode::pipeline::run::Step;

use self::harness::fault::matrix;
use self::harness::load::Load;
use self::harness::round::play;
use self::harness::stage::{Plan, Stage};
use crate::support::{TestApp, servers};

const TRIED: [&str; 5] =
    ["kill-service", "kill-worker", "kill-redis", "kill-postgres", "kill-redis+postgres"];
const WINDOW: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_no_promised_scan_is_lost_or_doubled() {
    let folder = servers::folder();
    std::fs::create_dir_all(&folder).unwrap();
    harness::ground::sweep(&folder);
    let plan = Plan {
        folder: folder.join(format!("faults-{}", std::process::id())),
        tools: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tools"),
        program: PathBuf::from(env!("CARGO_BIN_EXE_placecode")),
        small_disks: false,
    };
    let mut stage = Stage::open(&plan).await.unwrap();
    let load = Load::new(stage.city.clone(), stage.services);
    for trial in matrix().iter().filter(|trial| TRIED.contains(&trial.name.as_str())) {
        let report = play(&mut stage, &load, trial, 7, WINDOW).await.unwrap();
        assert!(report.is_good(), "{}: {report:#?}; logs in {}", trial.name, stage.logs.display());
        assert!(report.findings.acknowledged > 0, "{}: nobody was promised anything", trial.name);
        // A service that is killed breaks off what it was answering. The others may die unnoticed.
        if trial.name.starts_with("kill-service") {
            let hurt = report.requests.busy + report.requests.not_sent + report.requests.unknown;
            assert!(hurt > 0, "{}: nobody noticed", trial.name);
        }
    }
    std::fs::remove_dir_all(&stage.logs).unwrap();
}

/// A worker on the same data whose clock is so much ahead.
async fn worker_ahead(app: &TestApp, by: TimeDelta) -> App {
    App::build(app.config.clone(), Clock::fixed(app.now() + by)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_clock_leaps_drops_no_day() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 30).await;
    for _ in 0..3 {
        app.settle().await;
        app.pass(24 * 60);
    }
    app.settle().await;
    let kept = "(select count(*) from scans) + (select count(*) from stays)
                + (select coalesce(sum(stays), 0) from stay_packs)";
    assert_eq!(app.number(kept).await, 2);

    // Beside a worker that is right, however often both look.
    let ahead = worker_ahead(&app, TimeDelta::days(40)).await;
    for _ in 0..5 {
        Step::Expire.take(&ahead).await.unwrap();
        ahead.clock.advance(TimeDelta::hours(9));
        app.settle().await;
    }
    // Alone, for less than the day in which somebody can put it right.
    for _ in 0..23 {
        Step::Expire.take(&ahead).await.unwrap();
        ahead.clock.advance(TimeDelta::hours(1));
    }
    assert_eq!(app.number(kept).await, 2);

    // Put right again, and days that are really over go.
    for _ in 0..26 {
        app.settle().await;
        assert_eq!(app.number(kept).await, 2);
        app.pass(24 * 60);
    }
    app.settle().await;
    assert_eq!(app.number(kept).await, 0);
}
