//! The boundary rule of a pack: how times are cut, rounded and compared before anything is counted.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Provenance;

/// How times are cut, rounded and compared. The default is ours: half-open, to the microsecond.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeRule {
    /// Whether the ends belong to a stay.
    pub ends: Ends,
    /// What is known of the visitor's stay.
    pub visitor: VisitorTime,
    /// Stays of the case shorter than this, as they were before rounding, count nothing.
    pub case_stay_min_mins: u32,
    /// Stays of visitors shorter than this count nothing.
    pub visitor_stay_min_mins: u32,
    /// The case counts as there so long before.
    pub grace_before_secs: u32,
    /// The case counts as there so long after.
    pub grace_after_secs: u32,
    /// The case counts as there after leaving, the longer the longer it was there: an aerosol that decays.
    pub linger: Option<Linger>,
    /// How the case's stays are rounded, after the grace was added.
    pub round_case: Option<Rounding>,
    /// How the visitors' stays are rounded.
    pub round_visitor: Option<Rounding>,
    /// The case's stays are cut at midnight of this clock, and each part counts by itself.
    pub split_days: Option<Clock>,
    /// Presence is sampled, and a frame counts when enough samples of it were together.
    pub sampling: Option<Sampling>,
    /// Where this comes from.
    pub source: Option<Provenance>,
}

/// Whether the ends belong to a stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// The beginning does, the end does not: who comes as the other leaves shares nothing.
    #[default]
    HalfOpen,
    /// Both do: who comes as the other leaves has met the other, for no time.
    Closed,
    /// Neither does.
    Open,
}

/// What is known of the visitor's stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitorTime {
    /// From and until.
    #[default]
    Stay,
    /// The moment of the scan alone: it meets a stay of the case that it lies in.
    Arrival,
}

/// After leaving, the case counts as there for a share of its stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linger {
    /// Hundredths of the stay.
    pub percent: u32,
    /// Never longer than this.
    pub max_mins: u32,
}

/// Times are rounded to a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounding {
    /// The step of the grid, from midnight UTC.
    pub mins: u32,
    /// Which way.
    pub how: RoundHow,
}

/// Which way a stay is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundHow {
    /// Both ends to the step before.
    Down,
    /// Both ends to the step after.
    Up,
    /// Both ends to the nearest step, from the middle on up.
    Nearest,
    /// The beginning to the step before, the end to the step after: every step that was touched.
    Outward,
    /// As many steps as the nearest number to its length, laid where the stay touches more of its first or last step.
    KeepLength,
}

/// By which clock days are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Universal time.
    Utc,
    /// The city's.
    Local,
}

/// Presence is looked at from time to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Minutes from sample to sample, from midnight UTC.
    pub every_mins: u32,
    /// How long a frame is that slides from sample to sample.
    pub frame_mins: u32,
    /// How many samples of a frame must have been together for the frame to count.
    pub needed: u32,
}

impl TimeRule {
    /// How far outside a stay of the case this rule may still see somebody together with it: before and after.
    pub fn slack(&self) -> (TimeDelta, TimeDelta) {
        let steps: u32 =
            [self.round_case, self.round_visitor].iter().flatten().map(|round| 2 * round.mins).sum();
        let samples = self.sampling.map_or(0, |sampling| sampling.frame_mins);
        let around = TimeDelta::minutes(i64::from(steps) + i64::from(samples));
        let linger = TimeDelta::minutes(self.linger.map_or(0, |linger| linger.max_mins).into());
        let touch = TimeDelta::microseconds(1);
        (
            around + touch + TimeDelta::seconds(self.grace_before_secs.into()),
            around + touch + TimeDelta::seconds(self.grace_after_secs.into()) + linger,
        )
    }
}
