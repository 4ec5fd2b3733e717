//! The open loop: scans are due at times of their own, whatever becomes of the others, and a scan's time counts from
//! when it was due. So a service that stands still for a second is charged with all who came in that second.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

use crate::load::{Client, THREADS};
use crate::mix::Mix;
use crate::tally::Tally;
use crate::wire::Line;

/// How many scans may wait for a connection in one thread of the client.
const WAITING_MAX: usize = 200_000;
/// How long a scan may wait for one; visitors do not stand there for ever.
const WAITING_LIMIT: Duration = Duration::from_secs(30);

/// A time with a steady rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    /// Scans a second.
    pub(crate) rate: f64,
    pub(crate) lasts: Duration,
}

/// Where and over how many connections a load goes.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) server: SocketAddr,
    pub(crate) connections: usize,
    /// For whoever looks on.
    pub(crate) gauge: &'a Gauge,
}

/// How a load stands at the moment.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Scans that were acknowledged.
    pub(crate) acknowledged: AtomicU64,
    /// Scans that are due and have no answer yet.
    pub(crate) unanswered: AtomicU64,
}

/// A scan that is due.
struct Due {
    number: u64,
    at: Instant,
    phase: usize,
}

/// The scans of one thread that wait for a connection.
#[derive(Default)]
struct Queue {
    waiting: RefCell<VecDeque<Due>>,
    news: Notify,
    is_over: std::cell::Cell<bool>,
}

/// Plays the phases one after the other from `began` on, with numbers from the range; gives what came of each phase,
/// told by when a scan was due.
pub(crate) fn open(
    mix: &Mix<'_>,
    target: Target<'_>,
    phases: &[Phase],
    numbers: Range<u64>,
    began: Instant,
) -> Vec<Tally> {
    let next = AtomicU64::new(numbers.start);
    let work = |thread: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let own = (0..target.connections).filter(|number| number % THREADS == thread);
        let queue = Queue::default();
        runtime.block_on(async {
            let clients = join_all(own.map(|number| {
                let line = Line::new(target.server, number);
                serve(&queue, Client::new(mix, line), phases.len(), target.gauge)
            }));
            let fresh = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < numbers.end);
            let seed = u64::try_from(thread).unwrap_or_default();
            let (unsent, tallies) =
                tokio::join!(arrive(&queue, (phases, began), seed, target.gauge, fresh), clients);
            tallies.into_iter().chain([unsent]).fold(tallies_of(phases.len()), merge)
        })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(tallies_of(phases.len()), merge)
    })
}

fn tallies_of(phases: usize) -> Vec<Tally> {
    (0..phases).map(|_| Tally::default()).collect()
}

fn merge(mut all: Vec<Tally>, one: Vec<Tally>) -> Vec<Tally> {
    for (own, other) in all.iter_mut().zip(one) {
        own.add(other);
    }
    all
}

/// Puts scans into the queue when they are due, at random times with the phase's rate. The clock of the runtime goes
/// by milliseconds, so a scan leaves up to one late; that counts as the service's time.
async fn arrive(
    queue: &Queue,
    (phases, began): (&[Phase], Instant),
    seed: u64,
    gauge: &Gauge,
    fresh: impl Fn() -> Option<u64>,
) -> Vec<Tally> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut tallies = tallies_of(phases.len());
    let mut begins = began;
    for (phase, (about, tally)) in phases.iter().zip(&mut tallies).enumerate() {
        let pause = mean_pause(about.rate);
        let mut at = begins;
        begins += about.lasts;
        loop {
            at += Duration::from_secs_f64(-pause * (1.0 - rng.random_range(0.0..1.0_f64)).ln());
            if at >= begins {
                break;
            }
            if at > Instant::now() {
                tokio::time::sleep_until(at.into()).await;
            }
            let Some(number) = fresh() else { break };
            let mut waiting = queue.waiting.borrow_mut();
            if waiting.len() < WAITING_MAX {
                waiting.push_back(Due { number, at, phase });
                queue.news.notify_one();
                gauge.unanswered.fetch_add(1, Ordering::Relaxed);
            } else {
                tally.unsent += 1;
            }
        }
    }
    queue.is_over.set(true);
    queue.news.notify_waiters();
    tallies
}

/// Seconds between two scans of one thread, on average.
#[expect(clippy::cast_precision_loss, reason = "a handful of threads")]
fn mean_pause(rate: f64) -> f64 {
    THREADS as f64 / rate
}

/// One connection: takes what is due, one after the other.
async fn serve(queue: &Queue, mut client: Client<'_>, phases: usize, gauge: &Gauge) -> Vec<Tally> {
    let mut tallies = tallies_of(phases);
    loop {
        let due = queue.waiting.borrow_mut().pop_front();
        let Some(due) = due else {
            if queue.is_over.get() {
                return tallies;
            }
            queue.news.notified().await;
            continue;
        };
        let Some(tally) = tallies.get_mut(due.phase) else { continue };
        if due.at.elapsed() > WAITING_LIMIT {
            tally.unsent += 1;
            gauge.unanswered.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        std::mem::swap(&mut client.tally, tally);
        let before = client.tally.accepted();
        client.perform(due.number, due.at).await;
        gauge.acknowledged.fetch_add(client.tally.accepted() - before, Ordering::Relaxed);
        gauge.unanswered.fetch_sub(1, Ordering::Relaxed);
        std::mem::swap(&mut client.tally, tally);
    }
}
