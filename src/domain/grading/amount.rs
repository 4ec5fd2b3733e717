//! How much time together there is, as a class counts it: joined, sampled, weighed and added up.

use chrono::FixedOffset;

use crate::domain::exposure::{Question, Shared};
use crate::domain::local_day::{by_days, day_number};
use crate::domain::rule_pack::{ClassRule, Clock, Ends, Sampling, TimeRule, Within};

/// Microseconds in a minute.
const MINUTE: i64 = 60_000_000;

/// What a minute counts where nothing weighs it, in hundredths.
const WHOLE: i64 = 100;

/// How a class counts the times together of one visitor. All amounts are microseconds times hundredths.
pub(super) struct Amount<'a> {
    rule: &'a ClassRule,
    time: &'a TimeRule,
    offset: FixedOffset,
    /// The end of the infectious period, in microseconds.
    end: i64,
    weights: Option<Weights>,
}

/// How much a minute counts on each local day since onset or sample.
pub(super) struct Weights {
    /// The number of the day of onset or sample.
    day: i64,
    offset: FixedOffset,
    by_day: Vec<(i64, i64)>,
}

impl Weights {
    /// `None` where every minute counts one: those with a contact do, because the weights are the case's.
    fn of(question: &Question<'_>, rule: &ClassRule) -> Option<Self> {
        let infectious = &question.pack.infectious;
        let onset = question.dates.onset_at;
        let table = match onset {
            Some(_) => infectious.weight_percent.as_ref(),
            None => infectious.weight_percent_sample.as_ref().or(infectious.weight_percent.as_ref()),
        };
        let table = table.filter(|_| rule.secondary.is_none())?;
        let offset = question.pack.time.split_days.unwrap_or(Clock::Local).offset(question.offset);
        let begin = onset.unwrap_or(question.dates.sampled_at).timestamp_micros();
        let by_day =
            table.iter().filter_map(|(day, percent)| Some((day.parse().ok()?, (*percent).into()))).collect();
        Some(Self { day: day_number(begin, offset), offset, by_day })
    }

    fn at(&self, micros: i64) -> i64 {
        let day = day_number(micros, self.offset) - self.day;
        self.by_day.iter().find(|(known, _)| *known == day).map_or(0, |(_, percent)| *percent)
    }
}

impl<'a> Amount<'a> {
    pub(super) fn new(question: &Question<'a>, rule: &'a ClassRule) -> Self {
        Self {
            rule,
            time: &question.pack.time,
            offset: question.offset,
            end: question.infectious.until().timestamp_micros(),
            weights: Weights::of(question, rule),
        }
    }

    /// Whether any part of a meeting weighs something; what weighs nothing is no evidence.
    pub(super) fn weighs(&self, meeting: Shared) -> bool {
        self.weights.is_none() || self.pieces(meeting).any(|(_, _, weight)| weight > 0)
    }

    /// Joins meetings that touch or overlap, so that no moment counts twice; cut days stay apart. Sorts them.
    pub(super) fn join(&self, meetings: &mut Vec<Shared>) {
        let cut = self.time.split_days.map(|clock| clock.offset(self.offset));
        meetings.sort_unstable();
        meetings.dedup_by(|next, last| {
            let apart = |cut| day_number(last.0, cut) != day_number(next.0, cut);
            let joins = touches(*last, *next) && !cut.is_some_and(apart);
            if joins {
                last.1 = last.1.max(next.1);
            }
            joins
        });
    }

    /// Whether these meetings together are as much as the class asks for. No meeting at all never is, not even for
    /// a class that asks for zero minutes.
    pub(super) fn is_reached(&self, meetings: &mut Vec<Shared>) -> bool {
        if self.rule.joined || self.time.sampling.is_some() {
            self.join(meetings);
        }
        if let Some(sampling) = self.time.sampling {
            *meetings = self.sampled(sampling, meetings);
        }
        let amounts = meetings.iter().map(|meeting| self.weighed(*meeting));
        let most = match (self.rule.within_hours, self.rule.within) {
            (Some(hours), _) => self.most_within(meetings, i64::from(hours) * 60 * MINUTE),
            (None, None | Some(Within::Meeting)) => amounts.max(),
            (None, Some(Within::Period)) => (!meetings.is_empty()).then(|| amounts.sum()),
            (None, Some(Within::DayUtc)) => self.most_in_a_day(meetings, Clock::Utc),
            (None, Some(Within::DayLocal)) => self.most_in_a_day(meetings, Clock::Local),
        };
        let needed = i64::from(self.rule.together_mins) * MINUTE * WHOLE;
        most.is_some_and(|most| if self.rule.more_than { most > needed } else { most >= needed })
    }

    /// How many seconds joined meetings are, sampled and rounded, and not weighed.
    pub(super) fn secs(&self, joined: &[Shared]) -> i64 {
        let secs = |(from, until): &Shared| self.length(until - from) / 1_000_000;
        match self.time.sampling {
            Some(sampling) => self.sampled(sampling, joined).iter().map(secs).sum(),
            None => joined.iter().map(secs).sum(),
        }
    }

    /// A meeting cut where its weight changes: from, until and weight of each piece.
    fn pieces(&self, meeting: Shared) -> impl Iterator<Item = (i64, i64, i64)> {
        let weights = self.weights.as_ref();
        let weight = move |at| weights.map_or(WHOLE, |weights| weights.at(at));
        by_days(meeting, weights.map(|weights| weights.offset))
            .map(move |(from, until)| (from, until, weight(from)))
    }

    fn weighed(&self, meeting: Shared) -> i64 {
        self.pieces(meeting).map(|(from, until, weight)| self.length(until - from) * weight).sum()
    }

    /// A length as the pack rounds it.
    fn length(&self, length: i64) -> i64 {
        let step = i64::from(self.time.round_meeting_secs) * 1_000_000;
        if step == 0 { length } else { (length + step / 2) / step * step }
    }

    fn most_in_a_day(&self, meetings: &[Shared], clock: Clock) -> Option<i64> {
        let clock = clock.offset(self.offset);
        let parts = meetings.iter().flat_map(|meeting| by_days(*meeting, Some(clock)));
        let mut by_day: Vec<(i64, i64)> =
            parts.map(|part| (day_number(part.0, clock), self.weighed(part))).collect();
        by_day.sort_unstable();
        by_day
            .chunk_by(|one, other| one.0 == other.0)
            .map(|day| day.iter().map(|(_, amount)| amount).sum())
            .max()
    }

    /// The most that any window of that width holds. The best window begins where a piece begins or ends where one
    /// ends, so only those are tried.
    fn most_within(&self, meetings: &[Shared], width: i64) -> Option<i64> {
        let pieces: Vec<_> = meetings.iter().flat_map(|meeting| self.pieces(*meeting)).collect();
        let held = |from: i64| {
            let part = |(begin, end, weight): &(i64, i64, i64)| {
                ((*end).min(from + width) - (*begin).max(from)).max(0) * weight
            };
            pieces.iter().map(part).sum::<i64>()
        };
        pieces.iter().flat_map(|(from, until, _)| [*from, until - width]).map(held).max()
    }

    /// The frames that count, joined. A frame begins with a sample that was together, has enough of them, and its
    /// last sample lies before the infectious period ends.
    fn sampled(&self, rule: Sampling, meetings: &[Shared]) -> Vec<Shared> {
        let every = i64::from(rule.every_mins.max(1)) * MINUTE;
        let samples = i64::from(rule.frame_mins.checked_div(rule.every_mins).unwrap_or(0));
        let mut hits: Vec<i64> =
            meetings.iter().flat_map(|meeting| samples_in(*meeting, every, self.time.ends)).collect();
        hits.dedup();
        let others = usize::try_from(rule.needed).unwrap_or(usize::MAX).saturating_sub(1);
        let counts = |at: usize, first: i64| {
            let enough = hits.get(at.saturating_add(others)).is_some_and(|hit| *hit < first + samples);
            enough && (first + samples - 1) * every < self.end
        };
        let frames = hits.iter().enumerate().filter(|(at, first)| counts(*at, **first));
        let mut found = frames.map(|(_, first)| (first * every, (first + samples) * every)).collect();
        self.join(&mut found);
        found
    }
}

/// Whether two meetings, the one that begins earlier first, are one. A moment touches what begins or ends with it.
fn touches(earlier: Shared, later: Shared) -> bool {
    later.0 <= earlier.1
}

/// The numbers of the samples that lie in a meeting; a moment is one when it lies on the grid.
fn samples_in((from, until): Shared, every: i64, ends: Ends) -> std::ops::RangeInclusive<i64> {
    let before = |at: i64| -(-at).div_euclid(every) - 1;
    match ends {
        _ if from == until => before(from) + 1..=until.div_euclid(every),
        Ends::HalfOpen => before(from) + 1..=before(until),
        Ends::Closed => before(from) + 1..=until.div_euclid(every),
        Ends::Open => from.div_euclid(every) + 1..=before(until),
    }
}

#[cfg(test)]
#[path = "amount_tests.rs"]
mod tests;
