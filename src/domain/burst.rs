//! Whether a photo of a printed code goes round: a burst of scans that nothing proves, beside the point's own past.
//!
//! The counts are of the hour that runs and of the one before it, so that a burst across the hour is seen whole. They
//! are compared with the same two hours of the days before, which are complete: early in an hour that asks a little
//! more, never less.

use serde::{Deserialize, Serialize};

use super::numbered::Numbered;

/// How many hours are judged together: the running one and the last.
pub const HOURS: i64 = 2;

/// How many days before make the past: four of each weekday.
pub const PAST_DAYS: u16 = 28;

/// Fewer days than this are no past: not every weekday stands in them.
const PAST_DAYS_MIN: u16 = 7;

/// What one contradicted scan weighs in unproven ones. Somebody without a position may be there all the same; somebody
/// who is elsewhere has the code from a photo, and most photos are scanned by phones that tell nothing.
pub const CONTRADICTED_WEIGHT: u32 = 3;

/// Less doubt than this calls nobody out: it is ten contradicted scans, or thirty without any proof, which is a family
/// party or a coach that arrives.
pub const DOUBT_MIN: u32 = 30;

/// Contradicted scans that are enough by themselves.
const CONTRADICTED_MIN: u32 = DOUBT_MIN / CONTRADICTED_WEIGHT;

/// How many times as much as usual is a burst. A point that has thirty such scans by chance where ten are usual does so
/// once in a million times (Poisson), and few feasts bring three times as many people.
const TIMES: f64 = 3.0;

/// What a point without a past must show where nobody is elsewhere: a new poster in a busy place has as many in its
/// first hours, and is seldom photographed in its first week.
const YOUNG_DOUBT_MIN: u32 = 200;

/// An alarm that was closed is not raised again for the hours that it counted, unless there is this much more.
const AGAIN_TIMES: u32 = 2;

/// What was counted at a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All scans.
    pub scans: u32,
    /// Those whose visitor's phone was elsewhere.
    pub contradicted: u32,
    /// Visitors' own scans of the printed code without any proof.
    pub unproven: u32,
}

impl Counts {
    /// How much speaks for a photo.
    pub fn doubt(&self) -> u32 {
        self.unproven.saturating_add(self.contradicted.saturating_mul(CONTRADICTED_WEIGHT))
    }

    /// Whether there is so much more doubt than when an alarm was closed that it must be raised again.
    pub fn is_worse_than(&self, closed: &Self) -> bool {
        self.doubt() >= closed.doubt().saturating_mul(AGAIN_TIMES)
    }
}

/// The same hours of the days before, as sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Of all days.
    pub days: Counts,
    /// How many days the point was there, [`PAST_DAYS`] at most.
    pub day_count: u16,
    /// Of the days of this weekday among them.
    pub weekdays: Counts,
}

/// What a point's past lets expect of such hours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usual {
    /// All scans.
    pub scans: f64,
    /// Contradicted ones.
    pub contradicted: f64,
    /// Unproven ones.
    pub unproven: f64,
}

impl Past {
    /// What is usual; `None` when there is too little past. The larger of all days and this weekday counts, since a
    /// market is held on one day of the week.
    pub fn usual(&self) -> Option<Usual> {
        if self.day_count < PAST_DAYS_MIN {
            return None;
        }
        let days = f64::from(self.day_count.min(PAST_DAYS));
        let weekdays = f64::from(self.day_count.min(PAST_DAYS) / 7);
        let mean = |of: fn(&Counts) -> u32| {
            (f64::from(of(&self.days)) / days).max(f64::from(of(&self.weekdays)) / weekdays)
        };
        Some(Usual {
            scans: mean(|counts| counts.scans),
            contradicted: mean(|counts| counts.contradicted),
            unproven: mean(|counts| counts.unproven),
        })
    }
}

/// What speaks for a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Sign {
    /// Many of those who scan are elsewhere.
    Elsewhere = 0,
    /// Many more scans without any proof than usual.
    Unproven = 1,
}

impl Numbered for Sign {
    const ALL: &'static [Self] = &[Self::Elsewhere, Self::Unproven];

    fn number(self) -> i16 {
        self as i16
    }
}

/// What became of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum AlarmState {
    /// It waits for an inspector.
    Open = 0,
    /// The code was replaced at once.
    Rotated = 1,
    /// The inspector knows why there were so many.
    Dismissed = 2,
}

impl Numbered for AlarmState {
    const ALL: &'static [Self] = &[Self::Open, Self::Rotated, Self::Dismissed];

    fn number(self) -> i16 {
        self as i16
    }
}

/// Whether an alarm is to be raised, and why.
pub fn judge(now: &Counts, usual: Option<&Usual>) -> Option<Sign> {
    let many_elsewhere = now.contradicted >= CONTRADICTED_MIN;
    let Some(usual) = usual else {
        let burst = (now.doubt() >= YOUNG_DOUBT_MIN).then_some(Sign::Unproven);
        return if many_elsewhere { Some(Sign::Elsewhere) } else { burst };
    };
    if many_elsewhere && f64::from(now.contradicted) >= TIMES * usual.contradicted {
        return Some(Sign::Elsewhere);
    }
    // A photo adds scans. Where they only changed their kind, an app has stopped telling where its phone is.
    let beyond = f64::from(now.scans) - usual.scans;
    let unproven = if beyond * 2.0 >= f64::from(now.unproven) { now.unproven } else { 0 };
    let doubt = Counts { unproven, ..*now }.doubt();
    let usual_doubt = usual.unproven + f64::from(CONTRADICTED_WEIGHT) * usual.contradicted;
    (doubt >= DOUBT_MIN && f64::from(doubt) >= TIMES * usual_doubt).then_some(Sign::Unproven)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(scans: u32, contradicted: u32, unproven: u32) -> Counts {
        Counts { scans, contradicted, unproven }
    }

    /// A point that had so many in these hours of each of 28 days.
    fn usual(scans: u32, contradicted: u32, unproven: u32) -> Usual {
        let sum = |days: u32| counts(scans * days, contradicted * days, unproven * days);
        Past { days: sum(28), day_count: 28, weekdays: sum(4) }.usual().unwrap()
    }

    #[test]
    fn ten_from_elsewhere_are_enough_where_none_are_usual() {
        assert_eq!(judge(&counts(10, 10, 0), Some(&usual(5, 0, 5))), Some(Sign::Elsewhere));
        assert_eq!(judge(&counts(9, 9, 0), Some(&usual(5, 0, 5))), None);
        assert_eq!(judge(&counts(10, 10, 0), None), Some(Sign::Elsewhere));
        // A large station has some every hour, whose phones are wrong about where they are.
        assert_eq!(judge(&counts(4000, 12, 500), Some(&usual(4000, 8, 500))), None);
    }

    #[test]
    fn a_burst_is_three_times_the_usual_and_never_a_few() {
        assert_eq!(judge(&counts(30, 0, 30), Some(&usual(10, 0, 10))), Some(Sign::Unproven));
        assert_eq!(judge(&counts(29, 0, 29), Some(&usual(0, 0, 0))), None);
        assert_eq!(judge(&counts(100, 0, 100), Some(&usual(100, 0, 100))), None);
        assert_eq!(judge(&counts(290, 0, 290), Some(&usual(100, 0, 100))), None);
        assert_eq!(judge(&counts(300, 0, 300), Some(&usual(100, 0, 100))), Some(Sign::Unproven));
        // Few from elsewhere make some without proof more suspicious.
        assert_eq!(judge(&counts(18, 6, 12), Some(&usual(2, 0, 2))), Some(Sign::Unproven));
    }

    #[test]
    fn an_app_that_stops_telling_positions_is_no_photo() {
        assert_eq!(judge(&counts(400, 0, 380), Some(&usual(390, 0, 20))), None);
        assert_eq!(judge(&counts(700, 0, 330), Some(&usual(390, 0, 20))), Some(Sign::Unproven));
    }

    #[test]
    fn a_new_poster_is_judged_by_those_elsewhere_or_by_very_many() {
        assert_eq!(judge(&counts(199, 0, 199), None), None);
        assert_eq!(judge(&counts(200, 0, 200), None), Some(Sign::Unproven));
        let week =
            |day_count| Past { days: counts(70, 0, 70), day_count, weekdays: counts(10, 0, 10) }.usual();
        assert_eq!(week(6), None);
        assert_eq!(week(7), Some(Usual { scans: 10.0, contradicted: 0.0, unproven: 10.0 }));
    }

    #[test]
    fn a_market_is_measured_by_its_own_weekday() {
        let past = Past { days: counts(400, 0, 400), day_count: 28, weekdays: counts(400, 0, 400) };
        assert_eq!(judge(&counts(120, 0, 120), past.usual().as_ref()), None);
        assert_eq!(judge(&counts(300, 0, 300), past.usual().as_ref()), Some(Sign::Unproven));
    }

    #[test]
    fn what_was_closed_comes_back_when_it_has_doubled() {
        let closed = counts(40, 5, 25);
        assert!(!closed.is_worse_than(&closed));
        assert!(!counts(79, 5, 64).is_worse_than(&closed));
        assert!(counts(80, 5, 65).is_worse_than(&closed));
    }

    proptest! {
        /// What is judged never falls below the bound that the candidates are looked up by.
        #[test]
        fn no_alarm_without_the_least_doubt(now in (0u32..50, 0u32..50, 0u32..50), past in (0u32..500, 0u32..500, 0u32..500), days in 0u16..40) {
            let now = counts(now.0 + now.1 + now.2, now.1, now.2);
            let past = Past { days: counts(past.0, past.1, past.2), day_count: days, weekdays: counts(past.0, past.1, past.2) };
            let judged = judge(&now, past.usual().as_ref());
            prop_assert!(judged.is_none() || now.doubt() >= DOUBT_MIN);
        }
    }
}
