//! The closed loop: connections that each send the next scan as soon as the last one is answered.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use placecode::clock::Clock;
use serde::Deserialize;

use crate::mix::{BATCH_ROWS, Kind, Mix};
use crate::tally::Tally;
use crate::wire::{Answer, Line};

/// Threads of the client, each with connections and a runtime of its own: one alone could be what is measured.
pub(crate) const THREADS: usize = 2;

/// Numbers of scans are given out once in a run.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// So many numbers that nobody else has.
pub(crate) fn reserve(count: u64) -> u64 {
    NUMBERS.fetch_add(count, Ordering::Relaxed)
}

/// What came of a closed loop.
pub(crate) struct Sent {
    pub(crate) tally: Tally,
    /// When the first request left.
    pub(crate) began: Instant,
    /// How long until the last answer was there.
    pub(crate) took: Duration,
}

/// Sends `count` requests, or as many as `limit` allows.
pub(crate) fn closed(
    mix: &Mix<'_>,
    server: SocketAddr,
    connections: usize,
    numbers: std::ops::Range<u64>,
    limit: Duration,
) -> Sent {
    let next = AtomicU64::new(numbers.start);
    let began = Instant::now();
    let work = |thread: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let own = (0..connections).filter(|number| number % THREADS == thread);
        let connection = async |number| {
            let mut client = Client::new(mix, Line::new(server, number));
            while began.elapsed() < limit {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    break;
                }
                client.perform(number, Instant::now()).await;
            }
            client.tally
        };
        let tallies = runtime.block_on(join_all(own.map(connection)));
        tallies.into_iter().fold(Tally::default(), |mut all, one| {
            all.add(one);
            all
        })
    };
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        for thread in threads {
            tally.add(thread.join().unwrap());
        }
    });
    Sent { tally, began, took: began.elapsed() }
}

/// One connection with what it saw.
pub(crate) struct Client<'a> {
    mix: &'a Mix<'a>,
    line: Line,
    request: Vec<u8>,
    pub(crate) tally: Tally,
}

#[derive(Deserialize)]
struct Issued {
    token: String,
}

#[derive(Deserialize)]
struct Taken {
    accepted: u64,
}

impl<'a> Client<'a> {
    pub(crate) fn new(mix: &'a Mix<'a>, line: Line) -> Self {
        Self { mix, line, request: Vec::with_capacity(1024), tally: Tally::default() }
    }

    /// Makes one scan (or one batch of them) that was due at `due`, from when its time is counted.
    pub(crate) async fn perform(&mut self, number: u64, due: Instant) {
        if self.mix.kind(number) == Kind::Batch
            && let Some(batch) = self.mix.batch()
        {
            let answer = self.line.call(&batch.request).await;
            if self.note(answer, 200) {
                self.take_batch(batch.first, due);
            }
            return;
        }
        let mut token = None;
        if self.mix.exchange(number, &mut self.request) {
            let answer = self.line.call(&self.request).await;
            let Answer::Status(status) = answer else {
                self.note(answer, 201);
                return;
            };
            *self.tally.exchanges.entry(status).or_default() += 1;
            match serde_json::from_slice::<Issued>(self.line.body()) {
                Ok(issued) => token = Some(issued.token),
                Err(_) => return self.tally.complain(status, self.line.body()),
            }
        }
        self.mix.own(number, token.as_deref(), Clock::System.now(), &mut self.request);
        let answer = self.line.call(&self.request).await;
        if self.note(answer, 201) {
            self.tally.acknowledged.push(number);
            self.tally.took(due.elapsed());
        }
    }

    /// Counts an answer; whether it is the one that was hoped for.
    fn note(&mut self, answer: Answer, hoped: u16) -> bool {
        match answer {
            Answer::Status(status) => {
                *self.tally.statuses.entry(status).or_default() += 1;
                if status != hoped {
                    self.tally.complain(status, self.line.body());
                }
                return status == hoped;
            }
            Answer::Late => self.tally.late += 1,
            Answer::Broken => self.tally.broken += 1,
        }
        false
    }

    fn take_batch(&mut self, first: u64, due: Instant) {
        match serde_json::from_slice::<Taken>(self.line.body()) {
            Ok(taken) if taken.accepted == BATCH_ROWS => {
                self.tally.acknowledged.extend(first..first + BATCH_ROWS);
                self.tally.took(due.elapsed());
            }
            // Which of the rows stand does not matter: the rows are made so that all do.
            Ok(_) | Err(_) => self.tally.complain(200, self.line.body()),
        }
    }
}
