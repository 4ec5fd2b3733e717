//! The boundary rules by their definitions, walking minute by minute; slow, and knows nothing of the engine.
//!
//! Time is a row of ticks, two a minute: tick `2 m` is the instant of minute `m`, and `2 m + 1` stands for all that
//! lies between it and the next. So what belongs to a stay can be counted, ends and all.

use std::collections::BTreeSet;

use super::fixtures::{at, local};
use super::*;
use crate::domain::rule_pack::{Clock, Ends, KnownTime, RoundHow, Rounding, TimeRule};

/// Ticks. What lies between two minutes is odd.
pub(super) type Ticks = BTreeSet<i64>;

/// A stay between two minutes; `is_point` where it is an instant by nature and not by rounding.
#[derive(Clone, Copy, Debug)]
pub(super) struct There {
    pub(super) from: i64,
    pub(super) until: i64,
    is_point: bool,
}

fn minute(moment: DateTime<Utc>) -> i64 {
    (moment - at(0)).num_minutes()
}

/// The whole minutes of a set of ticks.
pub(super) fn minutes(ticks: &Ticks) -> i64 {
    i64::try_from(ticks.iter().filter(|tick| **tick % 2 != 0).count()).unwrap()
}

impl There {
    pub(super) fn ticks(&self, ends: Ends) -> Ticks {
        let (from, until) = (2 * self.from, 2 * self.until);
        match ends {
            _ if self.is_point => Ticks::from([from]),
            Ends::HalfOpen => (from..until).collect(),
            Ends::Closed => (from..=until).collect(),
            Ends::Open => (from + 1..until).collect(),
        }
    }
}

/// On which day of a clock a minute lies.
pub(super) fn day(minute: i64, clock: Clock) -> String {
    match clock {
        Clock::Utc => at(minute).date_naive().to_string(),
        Clock::Local => at(minute).with_timezone(&local()).date_naive().to_string(),
    }
}

/// The grid begins at midnight UTC, which is minute 120.
fn on_grid(minute: i64, step: i64) -> bool {
    (minute - 120) % step == 0
}

fn walk(mut minute: i64, by: i64, until: impl Fn(i64) -> bool) -> i64 {
    while !until(minute) {
        minute += by;
    }
    minute
}

fn round(rule: Rounding, there: There) -> There {
    let step = i64::from(rule.mins);
    let before = |minute| walk(minute, -1, |minute| on_grid(minute, step));
    let after = |minute| walk(minute, 1, |minute| on_grid(minute, step));
    let nearest = |minute| {
        let (low, high) = (before(minute), after(minute));
        if minute - low < high - minute { low } else { high }
    };
    let (from, until) = match rule.how {
        RoundHow::Down => (before(there.from), before(there.until)),
        RoundHow::Up => (after(there.from), after(there.until)),
        RoundHow::Nearest => (nearest(there.from), nearest(there.until)),
        RoundHow::Outward => (before(there.from), after(there.until)),
        RoundHow::Touched => (before(there.from), after(there.until + 1)),
        RoundHow::KeepLength => {
            let length = there.until - there.from;
            let steps = (0..=length).find(|steps| {
                2 * (length - steps * step).abs() <= step && 2 * (length - steps * step) != step
            });
            let length = steps.unwrap() * step;
            let of_first = after(there.from + 1) - there.from;
            let of_last = there.until - before(there.until);
            let end = after(there.until + 1);
            if of_last > of_first {
                (end - length, end)
            } else {
                (before(there.from), before(there.from) + length)
            }
        }
    };
    There { from, until, is_point: there.is_point && from == until }
}

pub(super) fn case_there(rule: &TimeRule, infectious: &Span, stay: &Span) -> Option<There> {
    let (from, until) = (minute(stay.from()), minute(stay.until()));
    if until - from < i64::from(rule.case_stay_min_mins) {
        return None;
    }
    let inside: Vec<i64> = (from..until).filter(|minute| infectious.contains(at(*minute))).collect();
    let (first, last) = (*inside.first()?, *inside.last()? + 1);
    let mut there = match rule.case {
        KnownTime::Stay => There { from: first, until: last, is_point: false },
        KnownTime::Arrival if first == from => There { from, until: from, is_point: true },
        KnownTime::Arrival => return None,
    };
    let length = there.until - there.from;
    let linger = rule.linger.map_or(0, |linger| {
        (0..=i64::from(linger.max_mins))
            .rev()
            .find(|mins| mins * 100 <= length * i64::from(linger.percent))
            .unwrap()
    });
    let (before, after) = (rule.grace_before_secs / 60, rule.grace_after_secs / 60);
    there.from -= i64::from(before);
    there.until += i64::from(after) + linger;
    there.is_point &= before + after == 0;
    Some(rule.round_case.map_or(there, |how| round(how, there)))
}

pub(super) fn visitor_there(rule: &TimeRule, stay: &Span) -> Option<There> {
    let (from, until) = (minute(stay.from()), minute(stay.until()));
    if until - from < i64::from(rule.visitor_stay_min_mins) {
        return None;
    }
    let there = match rule.visitor {
        KnownTime::Stay => There { from, until, is_point: false },
        KnownTime::Arrival => There { from, until: from, is_point: true },
    };
    let mut there = rule.round_visitor.map_or(there, |how| round(how, there));
    if let Some(clock) = rule.visitor_until_midnight {
        let same_day = |minute: &i64| day(*minute, clock) == day(there.from, clock);
        there.until =
            (there.from..there.until).take_while(same_day).last().map_or(there.from, |last| last + 1);
    }
    Some(there)
}

/// The ticks after the case had left, for at most so many minutes, the last instant among them, and until it was back; none where it was still there.
pub(super) fn after_case(windows: &[There], left: There, mins: i64) -> Ticks {
    let is_there = |tick: i64| {
        windows.iter().any(|there| {
            2 * there.from <= tick && tick < 2 * there.until
                || 2 * there.from == tick && tick > 2 * left.until
        })
    };
    (2 * left.until..=2 * (left.until + mins)).take_while(|tick| !is_there(*tick)).collect()
}
