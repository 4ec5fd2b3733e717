//! Times of many rounds, and what is said of them.

use std::time::Duration;

#[derive(Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1000.0);
    }

    pub(crate) fn add_millis(&mut self, millis: f64) {
        self.0.push(millis);
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(50)
    }

    fn at(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
            .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// One line: median, p95, and the ratio to the floor.
    pub(crate) fn line(&self, what: &str, floor: &Self) {
        let (median, p95) = (self.median(), self.at(95));
        println!("{what:<44} {median:>9.3} ms {p95:>9.3} ms {:>8.1} ×", median / floor.median());
    }
}

/// The most memory that this process has had, in MiB.
pub(crate) fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
