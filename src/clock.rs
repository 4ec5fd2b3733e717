//! The only place that asks the time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time: the machine's, or one that a test or the demo sets.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that moves only when it is set.
    Fixed(Arc<AtomicI64>),
    /// The machine's clock, so many microseconds ahead or behind: the demo plays two weeks with it.
    Shifted(Arc<AtomicI64>),
}

/// How often a clock that follows a file looks at it.
const FOLLOW_EVERY: Duration = Duration::from_millis(10);

impl Clock {
    /// A clock that stands at `at`.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.timestamp_micros())))
    }

    /// The machine's clock, or, when a file is given, that clock shifted by the microseconds that the
    /// file names. All roles of a demo follow the same file, so that they agree.
    pub fn following(file: Option<PathBuf>) -> Self {
        let Some(file) = file else { return Self::System };
        let shift = Arc::new(AtomicI64::new(read_shift(&file).unwrap_or_default()));
        let follower = Arc::downgrade(&shift);
        std::thread::spawn(move || {
            while let Some(shift) = follower.upgrade() {
                if let Some(micros) = read_shift(&file) {
                    shift.store(micros, Ordering::SeqCst);
                }
                drop(shift);
                std::thread::sleep(FOLLOW_EVERY);
            }
        });
        Self::Shifted(shift)
    }

    /// The time, to the microsecond, which is what Postgres keeps.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match self {
            Self::System => Utc::now().timestamp_micros(),
            Self::Fixed(micros) => micros.load(Ordering::SeqCst),
            Self::Shifted(micros) => Utc::now().timestamp_micros() + micros.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Whether it is the machine's own, which other machines' clocks can be compared with.
    pub fn is_the_machines(&self) -> bool {
        matches!(self, Self::System)
    }

    /// Moves a fixed clock forward; the others move by themselves.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Fixed(micros) = self {
            micros.fetch_add(by.num_microseconds().unwrap_or_default(), Ordering::SeqCst);
        }
    }
}

fn read_shift(file: &Path) -> Option<i64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_stands_until_it_is_moved() {
        let noon = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = Clock::fixed(noon);
        clock.clone().advance(TimeDelta::minutes(5));
        assert_eq!(clock.now(), noon + TimeDelta::minutes(5));
    }
}
