//! When to stop calling an issuing system that fails, and how to find out that it works again.

use chrono::{DateTime, TimeDelta, Utc};

/// So many envelopes fail in a row before the circuit opens: a restart costs one or two.
pub const FAILURES_MAX: i32 = 5;

/// How long the first probe is waited for; each further one twice as long.
pub const WAIT_FIRST: TimeDelta = TimeDelta::seconds(2);

/// The longest wait between two probes.
pub const WAIT_MAX: TimeDelta = TimeDelta::minutes(5);

/// How an issuing system has answered of late. Default is closed: letters go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circuit {
    /// How many envelopes failed in a row.
    pub failures: i32,
    /// Since when it is open; `None` while it is closed.
    pub opened_at: Option<DateTime<Utc>>,
    /// While it is open: when one envelope may go as a probe.
    pub probe_at: Option<DateTime<Utc>>,
}

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Everything that is due.
    All,
    /// One small envelope, to see whether it arrives.
    Probe,
    /// Nothing yet.
    Nothing,
}

impl Circuit {
    /// What may be sent now.
    pub fn passage(&self, now: DateTime<Utc>) -> Passage {
        match (self.opened_at, self.probe_at) {
            (None, _) => Passage::All,
            (Some(_), Some(probe_at)) if probe_at > now => Passage::Nothing,
            (Some(_), _) => Passage::Probe,
        }
    }

    /// A probe is under way, and no other goes before `until`.
    #[must_use]
    pub fn probing(self, until: DateTime<Utc>) -> Self {
        Self { probe_at: Some(until), ..self }
    }

    /// An envelope was answered.
    #[must_use]
    pub fn answered(self) -> Self {
        Self::default()
    }

    /// An envelope failed. `chance`, about one, spreads the probes of many systems that failed together.
    #[must_use]
    pub fn failed(self, now: DateTime<Utc>, chance: f64) -> Self {
        let failures = self.failures.saturating_add(1);
        if failures < FAILURES_MAX && self.opened_at.is_none() {
            return Self { failures, ..self };
        }
        let doublings = u32::try_from(failures - FAILURES_MAX).unwrap_or(0).min(16);
        let wait = (WAIT_FIRST * (1 << doublings)).min(WAIT_MAX);
        let wait = wait.to_std().unwrap_or_default().mul_f64(chance.clamp(0.5, 1.5));
        let probe_at = now + TimeDelta::from_std(wait).unwrap_or(WAIT_MAX);
        Self { failures, opened_at: self.opened_at.or(Some(now)), probe_at: Some(probe_at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_with_one_answer() {
        let mut circuit = Circuit::default();
        for _ in 1..FAILURES_MAX {
            circuit = circuit.failed(at(0), 1.0);
            assert_eq!(circuit.passage(at(0)), Passage::All);
        }
        assert_eq!(circuit.answered().failed(at(0), 1.0).failures, 1, "only failures in a row count");
        circuit = circuit.failed(at(0), 1.0);
        assert_eq!(circuit.opened_at, Some(at(0)));
        assert_eq!(circuit.passage(at(1)), Passage::Nothing);
        assert_eq!(circuit.passage(at(2)), Passage::Probe);
        assert_eq!(circuit.probing(at(60)).passage(at(2)), Passage::Nothing, "one probe at a time");
        assert_eq!(circuit.probing(at(60)).passage(at(60)), Passage::Probe, "whose sender may have died");
        assert_eq!(circuit.probing(at(60)).answered(), Circuit::default());
    }

    #[test]
    fn probes_become_rarer_up_to_a_bound() {
        let mut circuit = Circuit { failures: FAILURES_MAX - 1, ..Circuit::default() };
        let mut waits = Vec::new();
        for _ in 0..40 {
            circuit = circuit.failed(at(1000), 1.0);
            waits.push((circuit.probe_at.unwrap() - at(1000)).num_seconds());
        }
        assert_eq!(waits[..4], [2, 4, 8, 16]);
        assert_eq!(waits[39], WAIT_MAX.num_seconds());
        assert_eq!(circuit.opened_at, Some(at(1000)));
        let early = Circuit { failures: FAILURES_MAX, ..circuit }.failed(at(1000), 0.8);
        assert_eq!((early.probe_at.unwrap() - at(1000)).num_milliseconds(), 3200);
    }
}
