//! Whether a poster is in use: a point's scans of a week beside what its own past lets expect.

use serde::{Deserialize, Serialize};

use super::numbered::Numbered;

/// How many days before the week in question make the baseline: four of each weekday.
pub const BASELINE_DAYS: u16 = 28;

/// The week that is judged, in days.
pub const WEEK_DAYS: u16 = 7;

/// Fewer days of baseline than this say nothing.
const BASELINE_DAYS_MIN: u16 = 7;

/// A week this improbable under its baseline calls for a look: once in a thousand weeks by chance.
const IMPROBABLE: f64 = 0.001;

/// From here on half of what is expected is less probable than [`IMPROBABLE`] (Chernoff's bound gives
/// 0.0005), so that nothing need be summed.
const MANY: f64 = 50.0;

/// A poster counts as moved from this many contradicted scans of a week on, when they are half of all.
const CONTRADICTED_MIN: u32 = 10;

/// How a point is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Usage {
    /// As its past lets expect.
    InUse = 0,
    /// Too young to have a past.
    New = 1,
    /// Less than half of what is expected, and not by chance.
    Quiet = 2,
    /// Not a scan, where many were.
    Dead = 3,
    /// Most of those whose phone tells where they are, are elsewhere.
    Moved = 4,
    /// Never scanned since it hangs.
    NeverUsed = 5,
}

impl Numbered for Usage {
    const ALL: &'static [Self] =
        &[Self::InUse, Self::New, Self::Quiet, Self::Dead, Self::Moved, Self::NeverUsed];

    fn number(self) -> i16 {
        self as i16
    }
}

/// What was counted at a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Scans of the last seven days.
    pub week: u32,
    /// Those of them whose presence is contradicted.
    pub contradicted: u32,
    /// Scans of the days before that.
    pub baseline: u32,
    /// How many days before the last seven the point was there, [`BASELINE_DAYS`] at most.
    pub baseline_days: u16,
}

impl Counted {
    /// The scans that the baseline lets expect in a week; each weekday stands in it equally often, once it
    /// is complete.
    pub fn expected(&self) -> f64 {
        if self.baseline_days == 0 {
            return 0.0;
        }
        f64::from(self.baseline) * f64::from(WEEK_DAYS) / f64::from(self.baseline_days)
    }

    /// The judgement.
    pub fn judge(&self) -> Usage {
        let expected = self.expected();
        if self.contradicted >= CONTRADICTED_MIN && self.contradicted * 2 >= self.week {
            Usage::Moved
        } else if self.baseline_days < BASELINE_DAYS_MIN {
            Usage::New
        } else if self.baseline == 0 && self.week == 0 {
            Usage::NeverUsed
        } else if f64::from(self.week) * 2.0 >= expected || !is_improbable(self.week, expected) {
            Usage::InUse
        } else if self.week == 0 {
            Usage::Dead
        } else {
            Usage::Quiet
        }
    }
}

/// Whether so few are improbable where `expected` are, when they come independently (Poisson). Called
/// for less than half of what is expected.
fn is_improbable(count: u32, expected: f64) -> bool {
    if expected >= MANY {
        return true;
    }
    let mut term = (-expected).exp();
    let mut sum = term;
    for k in 1..=count {
        term *= expected / f64::from(k);
        sum += term;
    }
    sum < IMPROBABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(week: u32, baseline: u32) -> Usage {
        Counted { week, contradicted: 0, baseline, baseline_days: 28 }.judge()
    }

    #[test]
    fn a_poster_is_judged_by_its_own_past() {
        assert_eq!(judged(90, 400), Usage::InUse);
        assert_eq!(judged(40, 400), Usage::Quiet);
        assert_eq!(judged(0, 400), Usage::Dead);
        assert_eq!(judged(0, 0), Usage::NeverUsed);
        assert_eq!(judged(3, 0), Usage::InUse, "it has come to life");
    }

    #[test]
    fn chance_is_no_reason_for_a_visit() {
        // Five are expected: none at all still happens in seven weeks of a thousand.
        assert_eq!(judged(0, 20), Usage::InUse);
        assert_eq!(judged(0, 28), Usage::Dead, "seven are expected: once in 1,096 weeks");
        assert_eq!(judged(4, 48), Usage::InUse);
        assert_eq!(judged(1, 48), Usage::Quiet);
    }

    #[test]
    fn a_young_point_has_no_past() {
        let young = Counted { week: 0, contradicted: 0, baseline: 300, baseline_days: 6 };
        assert_eq!(young.judge(), Usage::New);
        let older = Counted { week: 20, contradicted: 0, baseline: 20, baseline_days: 7 };
        assert_eq!((older.judge(), older.expected()), (Usage::InUse, 20.0));
    }

    #[test]
    fn phones_elsewhere_mean_a_poster_that_was_moved() {
        let counted = |contradicted| Counted { week: 20, contradicted, baseline: 80, baseline_days: 28 };
        assert_eq!(counted(10).judge(), Usage::Moved);
        assert_eq!(counted(9).judge(), Usage::InUse);
    }

    #[test]
    fn the_bound_for_many_holds() {
        let mut term = (-MANY).exp();
        let mut sum = term;
        for k in 1..25 {
            term *= MANY / f64::from(k);
            sum += term;
        }
        assert!(sum < IMPROBABLE, "{sum}");
    }
}
