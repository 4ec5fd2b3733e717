//! A half-open span of time `[from, until)`, to the microsecond; and the moment, which counts no time.

use chrono::{DateTime, TimeDelta, Utc};

/// Time `[from, until)`: `from` belongs to it, `until` does not. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// Why two instants do not make a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a span must end after it begins")]
pub struct EmptySpan;

impl Span {
    /// The span between two instants.
    pub fn new(from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Self, EmptySpan> {
        if from < until { Ok(Self { from, until }) } else { Err(EmptySpan) }
    }

    /// The span that begins at `from` and lasts `secs` seconds, one at least.
    pub fn lasting(from: DateTime<Utc>, secs: u32) -> Self {
        Self { from, until: from + TimeDelta::seconds(i64::from(secs.max(1))) }
    }

    /// A meeting of no length, as rules with closed ends and points in time know it: the shortest span there is,
    /// one microsecond, which counts no time. So a span is never empty, and nobody who only touches is together.
    pub fn moment(at: DateTime<Utc>) -> Self {
        Self { from: at, until: at + TimeDelta::microseconds(1) }
    }

    /// Whether it stands for a moment.
    pub fn is_moment(&self) -> bool {
        self.duration() == TimeDelta::microseconds(1)
    }

    /// The first instant inside.
    pub fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// The first instant after it.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// How long it is.
    pub fn duration(&self) -> TimeDelta {
        self.until - self.from
    }

    /// Its length in whole seconds, rounded down.
    pub fn secs(&self) -> i64 {
        self.duration().num_seconds()
    }

    /// Whether the instant lies inside.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.until
    }

    /// The time that both share; `None` when they share none, also when one begins where the other ends.
    pub fn overlap(&self, other: &Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.until.min(other.until)).ok()
    }

    /// The shortest span that holds both.
    #[must_use]
    pub fn hull(&self, other: &Self) -> Self {
        Self { from: self.from.min(other.from), until: self.until.max(other.until) }
    }
}

/// Joins spans that touch or overlap, so that no moment is counted twice. The result is sorted.
pub fn union(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn span(from: i64, until: i64) -> Span {
        Span::new(at(from), at(until)).unwrap()
    }

    #[test]
    fn a_span_that_ends_where_it_begins_is_refused() {
        assert_eq!(Span::new(at(5), at(5)), Err(EmptySpan));
        assert_eq!(Span::new(at(6), at(5)), Err(EmptySpan));
    }

    #[test]
    fn spans_that_only_touch_share_nothing() {
        assert_eq!(span(0, 10).overlap(&span(10, 20)), None);
        assert_eq!(span(0, 11).overlap(&span(10, 20)), Some(span(10, 11)));
    }

    proptest! {
        #[test]
        fn overlap_is_what_counting_seconds_says(a in 0i64..50, b in 1i64..50, c in 0i64..50, d in 1i64..50) {
            let (x, y) = (span(a, a + b), span(c, c + d));
            let counted = (0..120).filter(|s| x.contains(at(*s)) && y.contains(at(*s))).count();
            prop_assert_eq!(x.overlap(&y).map_or(0, |o| o.secs()), i64::try_from(counted).unwrap());
            prop_assert_eq!(x.overlap(&y), y.overlap(&x));
        }

        #[test]
        fn union_keeps_each_second_once(parts in prop::collection::vec((0i64..60, 1i64..20), 0..12)) {
            let spans: Vec<Span> = parts.iter().map(|(f, l)| span(*f, f + l)).collect();
            let joined = union(spans.clone());
            for s in 0..100 {
                let before = spans.iter().any(|x| x.contains(at(s)));
                let after = joined.iter().filter(|x| x.contains(at(s))).count();
                prop_assert_eq!(usize::from(before), after);
            }
        }
    }
}
