//! What a pack's boundary rule makes of a stay, step by step.
//!
//! The case's stay: too short → dropped; cut to the infectious period; its beginning alone, where no more is known;
//! grace and linger added; rounded. The visitor's: too short → dropped; its beginning alone; rounded; cut at midnight.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use crate::domain::local_day::next_midnight;
use crate::domain::rule_pack::{Clock, Ends, KnownTime, RoundHow, Rounding, TimeRule};
use crate::domain::span::Span;

/// Microseconds in a minute.
const MINUTE: i64 = 60_000_000;
/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// A time as a boundary rule sees it, in microseconds since the Unix epoch; `until` is never before `from`. Whether
/// the ends belong to it is for [`Ends`] to say, but a point in time holds itself under every rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) until: i64,
    is_point: bool,
}

/// What two windows share, `from..until` in microseconds since the Unix epoch; the same instant twice for a moment.
pub(in crate::domain) type Shared = (i64, i64);

impl Window {
    pub(super) fn new(from: i64, until: i64) -> Self {
        Self { from, until: until.max(from), is_point: false }
    }

    fn point(at: i64) -> Self {
        Self { from: at, until: at, is_point: true }
    }

    fn of(span: &Span) -> Self {
        Self::new(span.from().timestamp_micros(), span.until().timestamp_micros())
    }

    /// What both share: time, or where the ends or a point allow it, a moment.
    pub(super) fn meet(&self, other: &Self, ends: Ends) -> Option<Shared> {
        let shared = (self.from.max(other.from), self.until.min(other.until));
        let met = match shared.0.cmp(&shared.1) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.holds(shared.0, ends) && other.holds(shared.0, ends),
            std::cmp::Ordering::Greater => false,
        };
        met.then_some(shared)
    }

    /// Whether an instant belongs to the window.
    fn holds(&self, at: i64, ends: Ends) -> bool {
        match ends {
            _ if self.is_point => self.from == at,
            Ends::HalfOpen => self.from <= at && at < self.until,
            Ends::Closed => self.from <= at && at <= self.until,
            Ends::Open => self.from < at && at < self.until,
        }
    }

    /// What a visitor shares with the time after the case had left: time, a point in it, or for who came just as it
    /// was over, its last moment. Who only touches its beginning was there with the case, and not after it.
    pub(super) fn meet_after(&self, after: &After) -> Option<Shared> {
        let shared = (self.from.max(after.left), self.until.min(after.end));
        let is_there = self.is_point || self.from < self.until;
        let inside = self.is_point && after.left <= self.from && self.from < after.end;
        let just = is_there && self.from == after.end && !after.is_back;
        (shared.0 < shared.1 || inside || just).then_some(shared)
    }
}

/// The time after the case had left, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct After {
    pub(super) left: i64,
    pub(super) end: i64,
    /// Whether it ends because the case came back.
    pub(super) is_back: bool,
}

/// Where a stay of the case was infectious, as the rule has it. `None` where it counts nothing.
pub(super) fn of_case(rule: &TimeRule, infectious: &Span, stay: &Span) -> Option<Window> {
    if infectious.is_moment() || is_short(stay, rule.case_stay_min_mins) {
        return None;
    }
    let there = match rule.case {
        KnownTime::Stay => Window::of(&stay.overlap(infectious)?),
        KnownTime::Arrival => {
            infectious.contains(stay.from()).then(|| Window::point(stay.from().timestamp_micros()))?
        }
    };
    let longer = with_linger(rule, with_grace(rule, there), there.until - there.from);
    Some(rule.round_case.map_or(longer, |round| rounded(round, longer)))
}

/// What the rule makes of a visitor's stay. `None` where it counts nothing.
pub(super) fn of_visitor(rule: &TimeRule, offset: FixedOffset, stay: &Span) -> Option<Window> {
    if is_short(stay, rule.visitor_stay_min_mins) {
        return None;
    }
    let there = match rule.visitor {
        KnownTime::Stay => Window::of(stay),
        KnownTime::Arrival => Window::point(stay.from().timestamp_micros()),
    };
    let there = rule.round_visitor.map_or(there, |round| rounded(round, there));
    Some(rule.visitor_until_midnight.map_or(there, |clock| until_midnight(there, clock, offset)))
}

/// Stays are as short as they were before anything was done to them.
fn is_short(stay: &Span, mins: u32) -> bool {
    stay.duration() < TimeDelta::minutes(mins.into())
}

fn with_grace(rule: &TimeRule, there: Window) -> Window {
    let (before, after) = (i64::from(rule.grace_before_secs), i64::from(rule.grace_after_secs));
    let longer = before + after > 0;
    Window {
        from: there.from - before * SECOND,
        until: there.until + after * SECOND,
        is_point: there.is_point && !longer,
    }
}

/// `length` is how long the case was there, without the grace.
fn with_linger(rule: &TimeRule, there: Window, length: i64) -> Window {
    let most = |max_mins: u32| i64::from(max_mins) * MINUTE;
    let linger =
        rule.linger.map_or(0, |rule| (length * i64::from(rule.percent) / 100).min(most(rule.max_mins)));
    Window { until: there.until + linger, ..there }
}

fn rounded(round: Rounding, there: Window) -> Window {
    let step = (i64::from(round.mins) * MINUTE).max(1);
    let down = |at: i64| at - at.rem_euclid(step);
    let up = |at: i64| down(at + step - 1);
    let nearest = |at: i64| down(at + step / 2 + step % 2);
    let (from, until) = match round.how {
        RoundHow::Down => (down(there.from), down(there.until)),
        RoundHow::Up => (up(there.from), up(there.until)),
        RoundHow::Nearest => (nearest(there.from), nearest(there.until)),
        RoundHow::Outward => (down(there.from), up(there.until)),
        RoundHow::Touched => (down(there.from), down(there.until) + step),
        RoundHow::KeepLength => {
            let length = nearest(there.until - there.from);
            let of_first = down(there.from) + step - there.from;
            let of_last = there.until - down(there.until);
            if of_last > of_first {
                (down(there.until) + step - length, down(there.until) + step)
            } else {
                (down(there.from), down(there.from) + length)
            }
        }
    };
    Window { from, until, is_point: there.is_point && from == until }
}

fn until_midnight(there: Window, clock: Clock, offset: FixedOffset) -> Window {
    Window { until: there.until.min(next_midnight(there.from, clock.offset(offset))), ..there }
}

/// An instant from microseconds since the Unix epoch.
pub(in crate::domain) fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// What is shared as a span, a moment where it has no length.
pub(in crate::domain) fn span((from, until): Shared) -> Span {
    Span::new(instant(from), instant(until)).unwrap_or(Span::moment(instant(from)))
}

#[cfg(test)]
#[path = "window_tests.rs"]
pub(super) mod tests;
