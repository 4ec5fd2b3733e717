//! (e) A load that grows tenfold within a moment and falls back: what is refused, how long people wait, how long the
//! log takes to be stored, and that nothing is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::house::House;
use crate::load::reserve;
use crate::mix::Mix;
use crate::open::{Gauge, Phase, Target, open};
use crate::options::Options;
use crate::service::Service;

/// How often the backlog is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Below so much of a second's scans the log counts as drained: some are always on their way.
const BACKLOG_SECS: f64 = 0.5;

/// Plays the jump around the sustained rate. Gives how many scans were lost or doubled.
pub(crate) fn measure(house: &House, options: &Options, sustained: f64) -> usize {
    let mut service = Service::start(house, options, "jump");
    service.start_worker();
    service.warm_up();
    let phases = phases(options, sustained);
    let count = due(&phases);
    let first = reserve(count);
    let mix = Mix::new(&house.city, service.flavour(), first, count);
    let gauge = Gauge::default();
    gauge.acknowledged.store(service.acknowledged.len() as u64, Ordering::Relaxed);
    let target = Target { server: service.address, connections: options.connections * 2, gauge: &gauge };
    let began = Instant::now();
    let is_over = AtomicBool::new(false);
    let (tallies, backlog) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(house, &gauge, &is_over, began));
        let tallies = open(&mix, target, &phases, first..first + count, began);
        is_over.store(true, Ordering::Relaxed);
        (tallies, watch.join().unwrap())
    });
    for (phase, tally) in phases.iter().zip(tallies) {
        service.acknowledged.extend(&tally.acknowledged);
        let (accepted, answers) = (tally.accepted(), tally.describe());
        println!(
            "(e) {}, {:.0} a second for {} s: accepted {accepted}; {}; {answers}",
            phase.name,
            phase.rate,
            phase.lasts.as_secs(),
            tally.latencies().describe()
        );
    }
    print_backlog(&backlog, &phases);
    service.wait_until_stored();
    let compared = service.compare();
    println!(
        "(e) all stored {:.2} s after the beginning: {}",
        began.elapsed().as_secs_f64(),
        compared.describe()
    );
    service.stop();
    compared.wrong()
}

/// How many scans are due in all, and some to spare, since they come by chance.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of scans")]
fn due(phases: &[Phase]) -> u64 {
    let due: f64 = phases.iter().map(|phase| phase.rate * phase.lasts.as_secs_f64()).sum();
    (due * 1.1) as u64 + 1_000
}

fn phases(options: &Options, sustained: f64) -> [Phase; 3] {
    let (jump, steady) = (options.limit(), options.limit() / 3);
    let rate = options.steady.map_or(sustained / 10.0, f64::from);
    [
        Phase { name: "steady", rate, lasts: steady },
        Phase { name: "ten times", rate: rate * 10.0, lasts: jump },
        Phase { name: "steady again", rate, lasts: steady },
    ]
}

/// How much was waiting at a moment.
struct Backlog {
    secs: f64,
    /// Scans that were due and had no answer.
    unanswered: u64,
    /// Scans that were acknowledged and not stored.
    undrained: u64,
}

/// Looks at what the drain has counted, since counting rows again and again would be a load of its own.
fn watch(house: &House, gauge: &Gauge, is_over: &AtomicBool, began: Instant) -> Vec<Backlog> {
    let db = house.connect("round_jump");
    let mut seen = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let acknowledged = gauge.acknowledged.load(Ordering::Relaxed);
        let stored = db.number("select coalesce(sum(drained), 0)::bigint from log_positions");
        let stored = u64::try_from(stored).unwrap();
        seen.push(Backlog {
            secs: began.elapsed().as_secs_f64(),
            unanswered: gauge.unanswered.load(Ordering::Relaxed),
            undrained: acknowledged.saturating_sub(stored),
        });
        std::thread::sleep(LOOK_EVERY);
    }
    seen
}

fn print_backlog(backlog: &[Backlog], phases: &[Phase; 3]) {
    let [steady, jump, _] = phases;
    let ends = (steady.lasts + jump.lasts).as_secs_f64();
    let small = steady.rate * BACKLOG_SECS;
    let most = |of: fn(&Backlog) -> u64| backlog.iter().map(of).max().unwrap_or_default();
    let (unanswered, undrained) = (most(|look| look.unanswered), most(|look| look.undrained));
    #[expect(clippy::cast_precision_loss, reason = "counts of scans")]
    let is_small = |look: &&Backlog| (look.unanswered + look.undrained) as f64 <= small;
    let drained = backlog.iter().filter(|look| look.secs >= ends).find(is_small);
    let drained = drained.map_or("not drained when the load ended".to_owned(), |look| {
        format!("drained {:.2} s after the jump ended", look.secs - ends)
    });
    println!("(e) waiting at the most: {unanswered} for an answer, {undrained} in the log; {drained}");
}
