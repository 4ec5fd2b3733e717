//! The boundary rule of a pack: how times are cut, rounded and compared before anything is counted.

use chrono::{FixedOffset, Offset, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Provenance;

/// How times are cut, rounded and compared. The default is ours: half-open, to the microsecond.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeRule {
    /// Whether the ends belong to a stay.
    pub ends: Ends,
    /// What is known of the case's stay.
    pub case: KnownTime,
    /// What is known of the visitor's stay.
    pub visitor: KnownTime,
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
    /// The visitors' stays, rounded, are cut at the next midnight of this clock, and the rest counts nothing.
    pub visitor_until_midnight: Option<Clock>,
    /// Meetings are cut at midnight of this clock, and each part counts by itself.
    pub split_days: Option<Clock>,
    /// The length of each meeting is rounded to so many seconds, from the middle on up; 0 leaves it. Not for sliding windows.
    pub round_meeting_secs: u32,
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

/// What is known of a stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownTime {
    /// From and until.
    #[default]
    Stay,
    /// The moment of the scan alone: it meets a stay of the other that it lies in.
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
    /// The beginning to the step before, the end to the step after its own, also when it lies on the grid.
    Touched,
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

/// Presence is looked at from time to time. A frame of samples counts whole, from its first sample on, when that
/// sample and enough others of it were together, and all of them lie within the infectious period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Minutes from sample to sample, from midnight UTC.
    pub every_mins: u32,
    /// How long a frame is that slides from sample to sample.
    pub frame_mins: u32,
    /// How many samples of a frame must have been together for the frame to count, its first among them.
    pub needed: u32,
}

impl Clock {
    /// How far this clock is ahead of UTC, where the city's is so far ahead.
    pub fn offset(self, city: FixedOffset) -> FixedOffset {
        match self {
            Self::Utc => Utc.fix(),
            Self::Local => city,
        }
    }
}

impl TimeRule {
    /// How far outside a stay of the case this rule may still see somebody together with it: before and after.
    pub fn slack(&self) -> (TimeDelta, TimeDelta) {
        let linger = TimeDelta::minutes(self.linger.map_or(0, |linger| linger.max_mins).into());
        let around = rounding_slack(self.round_case) + self.visitor_slack();
        (
            around + TimeDelta::seconds(self.grace_before_secs.into()),
            around + TimeDelta::seconds(self.grace_after_secs.into()) + linger,
        )
    }

    /// How far a visitor's stay may lie from what this rule makes of it, and the microsecond of a touch.
    pub fn visitor_slack(&self) -> TimeDelta {
        rounding_slack(self.round_visitor) + TimeDelta::microseconds(1)
    }
}

/// Rounding moves no end further than one step.
fn rounding_slack(round: Option<Rounding>) -> TimeDelta {
    TimeDelta::minutes(round.map_or(0, |round| round.mins).into())
}
