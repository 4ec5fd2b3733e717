//! A case: who was positive, and when that person could infect others.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::local_day::day_start;
use super::numbered::Numbered;
use super::rule_pack::RulePack;
use super::span::Span;

/// What a health authority reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum CaseKind {
    /// Ill, and the laboratory says so.
    Confirmed = 0,
    /// Ill, the laboratory has not said so yet.
    Suspected = 1,
    /// Not ill, but the laboratory found it.
    Asymptomatic = 2,
}

impl Numbered for CaseKind {
    const ALL: &'static [Self] = &[Self::Confirmed, Self::Suspected, Self::Asymptomatic];

    fn number(self) -> i16 {
        self as i16
    }
}

/// The dates of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseDates {
    /// First symptom; an asymptomatic case has none.
    pub onset_at: Option<DateTime<Utc>>,
    /// First positive sample.
    pub sampled_at: DateTime<Utc>,
    /// When the person was isolated; until then others may be infected.
    pub isolated_at: Option<DateTime<Utc>>,
}

/// Why the dates of a case contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCase {
    /// A case with symptoms needs the day they began.
    #[error("a confirmed or suspected case needs `onset_at`; without symptoms it is asymptomatic")]
    NoOnset,
    /// An asymptomatic case has no onset.
    #[error("an asymptomatic case has no `onset_at`")]
    Onset,
    /// Something lies in the future.
    #[error("`{0}` lies in the future")]
    Future(&'static str),
    /// Mistyped, or beyond what a database can keep.
    #[error("`{0}` lies before the year 2000")]
    Past(&'static str),
    /// The infectious period would have no sensible end.
    #[error(
        "more than {PERIOD_DAYS_MAX} days lie between onset or sample and isolation; give the right `isolated_at`"
    )]
    Period,
}

/// The beginning of the year 2000 in seconds of the Unix epoch; no case or stay is older.
pub const EARLIEST_SECS: i64 = 946_684_800;

/// The longest time between onset or sample and isolation, or now where there was no isolation.
pub const PERIOD_DAYS_MAX: i64 = 60;

impl CaseDates {
    /// Checks the dates against the kind of case and the time of the report.
    pub fn check(&self, kind: CaseKind, now: DateTime<Utc>) -> Result<(), InvalidCase> {
        match (kind, self.onset_at) {
            (CaseKind::Confirmed | CaseKind::Suspected, None) => return Err(InvalidCase::NoOnset),
            (CaseKind::Asymptomatic, Some(_)) => return Err(InvalidCase::Onset),
            (CaseKind::Confirmed | CaseKind::Suspected, Some(_)) | (CaseKind::Asymptomatic, None) => {}
        }
        let dates = [
            ("onset_at", self.onset_at),
            ("sampled_at", Some(self.sampled_at)),
            ("isolated_at", self.isolated_at),
        ];
        for (name, date) in dates {
            if date.is_some_and(|date| date > now) {
                return Err(InvalidCase::Future(name));
            }
            if date.is_some_and(|date| date.timestamp() < EARLIEST_SECS) {
                return Err(InvalidCase::Past(name));
            }
        }
        let first = self.onset_at.unwrap_or(self.sampled_at).min(self.sampled_at);
        let period = self.isolated_at.unwrap_or(now) - first;
        if period > TimeDelta::days(PERIOD_DAYS_MAX) { Err(InvalidCase::Period) } else { Ok(()) }
    }

    /// When the case could infect others: from some days before onset (or before the sample, where
    /// there is no onset) until isolation, or until `now` where there was none yet.
    pub fn infectious(&self, before_onset: TimeDelta, before_sample: TimeDelta, now: DateTime<Utc>) -> Span {
        let from = self.onset_at.map_or(self.sampled_at - before_sample, |onset| onset - before_onset);
        let until = self.isolated_at.unwrap_or(now);
        Span::new(from, until).unwrap_or(Span::lasting(from, 1))
    }
}

/// When a case could infect others by a pack's rules: from some days before onset (or before the sample, where
/// there is no onset) until the first of isolation, so many days after onset, and `now`. With `whole_days` it begins
/// with the local day and ends with it. A [`Span::moment`], in which nobody is met, where it would end before it begins.
pub fn infectious(dates: &CaseDates, pack: &RulePack, now: DateTime<Utc>, offset: FixedOffset) -> Span {
    let rule = &pack.infectious;
    let days = |days: u32| TimeDelta::days(days.into());
    let begin = dates.onset_at.unwrap_or(dates.sampled_at);
    let before = if dates.onset_at.is_some() { rule.before_onset_days } else { rule.before_sample_days };
    let (from, last) = if rule.whole_days {
        let today = day_start(begin, offset);
        (today - days(before), rule.after_days.map(|after| today + days(after) + days(1)))
    } else {
        (begin - days(before), rule.after_days.map(|after| begin + days(after)))
    };
    let until = [dates.isolated_at, last].into_iter().flatten().fold(now, DateTime::min);
    Span::new(from, until).unwrap_or(Span::moment(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        "2026-03-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(day)
    }

    #[test]
    fn the_infectious_period_begins_before_onset_or_sample() {
        let (two, four) = (TimeDelta::days(2), TimeDelta::days(4));
        let ill = CaseDates { onset_at: Some(day(10)), sampled_at: day(12), isolated_at: Some(day(13)) };
        assert_eq!(ill.infectious(two, four, day(20)), Span::new(day(8), day(13)).unwrap());
        let well = CaseDates { onset_at: None, sampled_at: day(12), isolated_at: None };
        assert_eq!(well.infectious(two, four, day(20)), Span::new(day(8), day(20)).unwrap());
    }

    #[test]
    fn a_pack_bounds_the_infectious_period() {
        use crate::domain::exposure::fixtures::{class, pack};
        let china = FixedOffset::east_opt(8 * 3600).unwrap();
        let noon = |of: i64| day(of) + TimeDelta::hours(12);
        let ill = CaseDates { onset_at: Some(noon(10)), sampled_at: noon(12), isolated_at: None };
        let well = CaseDates { onset_at: None, ..ill };
        let of = |dates: &CaseDates, keys: &str| {
            infectious(dates, &pack(keys, "", &[class("close", "")]), noon(30), china)
        };
        assert_eq!(of(&ill, ""), Span::new(noon(8), noon(30)).unwrap());
        assert_eq!(of(&well, "after_days = 10"), Span::new(noon(10), noon(22)).unwrap());
        let isolated = CaseDates { isolated_at: Some(noon(13)), ..ill };
        assert_eq!(of(&isolated, "after_days = 10"), Span::new(noon(8), noon(13)).unwrap());
        // Whole days of the local clock, which is eight hours ahead: from midnight until the end of the tenth day after.
        let midnight = |of: i64| day(of) - TimeDelta::hours(8);
        assert_eq!(
            of(&ill, "whole_days = true; after_days = 10"),
            Span::new(midnight(8), midnight(21)).unwrap()
        );
        let before = CaseDates { isolated_at: Some(noon(1)), ..ill };
        assert!(of(&before, "").is_moment());
    }

    #[test]
    fn dates_that_contradict_the_kind_are_refused() {
        let dates = CaseDates { onset_at: None, sampled_at: day(12), isolated_at: None };
        assert_eq!(dates.check(CaseKind::Confirmed, day(20)), Err(InvalidCase::NoOnset));
        assert_eq!(dates.check(CaseKind::Asymptomatic, day(20)), Ok(()));
        assert_eq!(dates.check(CaseKind::Asymptomatic, day(11)), Err(InvalidCase::Future("sampled_at")));
        assert_eq!(dates.check(CaseKind::Asymptomatic, day(103)), Err(InvalidCase::Period));
        let isolated = CaseDates { isolated_at: Some(day(14)), ..dates };
        assert_eq!(isolated.check(CaseKind::Asymptomatic, day(9000)), Ok(()));
        let ill = CaseDates { onset_at: Some(day(1)), ..dates };
        assert_eq!(ill.check(CaseKind::Asymptomatic, day(20)), Err(InvalidCase::Onset));
    }
}
