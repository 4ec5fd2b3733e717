//! What came of the requests, and how long they took.

use std::collections::BTreeMap;
use std::time::Duration;

/// What one connection, or all of them, saw.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    /// In microseconds, of the requests that were answered as hoped.
    latencies: Vec<u32>,
    /// The numbers of the scans that were acknowledged.
    pub(crate) acknowledged: Vec<u64>,
    /// Answers by status, those of exchanges apart.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Exchanges of an assertion for a token, by status.
    pub(crate) exchanges: BTreeMap<u16, u64>,
    /// Requests whose connection broke, twice.
    pub(crate) broken: u64,
    /// Requests that were not answered in time.
    pub(crate) late: u64,
    /// Requests that were due, but for which the client had no place to wait.
    pub(crate) unsent: u64,
    /// The first answer that was not hoped for.
    pub(crate) complaint: Option<String>,
}

impl Tally {
    pub(crate) fn took(&mut self, time: Duration) {
        self.latencies.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn complain(&mut self, status: u16, body: &[u8]) {
        if self.complaint.is_none() {
            self.complaint = Some(format!("{status} {}", String::from_utf8_lossy(body)));
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.acknowledged.extend(other.acknowledged);
        for (own, others) in [(&mut self.statuses, other.statuses), (&mut self.exchanges, other.exchanges)] {
            for (status, count) in others {
                *own.entry(status).or_default() += count;
            }
        }
        self.broken += other.broken;
        self.late += other.late;
        self.unsent += other.unsent;
        self.complaint = self.complaint.take().or(other.complaint);
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// Answers by status, and what had none.
    pub(crate) fn describe(&self) -> String {
        let statuses = |of: &BTreeMap<u16, u64>| {
            let each: Vec<_> = of.iter().map(|(status, count)| format!("{status}: {count}")).collect();
            each.join(", ")
        };
        let mut parts = vec![format!("answers {}", statuses(&self.statuses))];
        if !self.exchanges.is_empty() {
            parts.push(format!("exchanges {}", statuses(&self.exchanges)));
        }
        for (name, count) in [("broken", self.broken), ("late", self.late), ("unsent", self.unsent)] {
            if count > 0 {
                parts.push(format!("{name} {count}"));
            }
        }
        parts.extend(self.complaint.iter().map(|complaint| format!("first: {complaint}")));
        parts.join("; ")
    }

    pub(crate) fn latencies(mut self) -> Latencies {
        self.latencies.sort_unstable();
        Latencies(self.latencies)
    }
}

/// Latencies in order, in microseconds.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    /// The latency that so many in a thousand do not exceed, in milliseconds.
    fn millis(&self, per_mille: usize) -> f64 {
        let rank = (self.0.len() * per_mille).div_ceil(1000).max(1) - 1;
        self.0.get(rank).map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }

    pub(crate) fn describe(&self) -> String {
        let [p50, p99, p999, max] = [500, 990, 999, 1000].map(|per_mille| self.millis(per_mille));
        format!("p50 {p50:.2} p99 {p99:.2} p99.9 {p999:.2} max {max:.2} ms")
    }
}

/// One round of a closed loop.
#[derive(Debug)]
pub(crate) struct Round {
    /// A second.
    pub(crate) rate: f64,
    pub(crate) latencies: Latencies,
    pub(crate) answers: String,
}

impl Round {
    pub(crate) fn of(tally: Tally, took: Duration) -> Self {
        let answers = tally.describe();
        Self { rate: rate(tally.accepted(), took), answers, latencies: tally.latencies() }
    }

    pub(crate) fn describe(&self) -> String {
        format!("{:>8.0} a second, {}; {}", self.rate, self.latencies.describe(), self.answers)
    }
}

/// The median rate of some rounds.
pub(crate) fn median(rounds: &[Round]) -> f64 {
    let mut rates: Vec<f64> = rounds.iter().map(|round| round.rate).collect();
    middle(&mut rates)
}

pub(crate) fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "a count of rows")]
pub(crate) fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
