//! Where and when somebody was exposed, as that person is told it: enough to remember the visit and to appeal, too
//! little to tell who the case was.

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

use super::letter::slot;
use super::small_count::SHOWN_FROM;
use super::span::Span;

/// How exactly a meeting is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The point, and whole quarters of an hour.
    Quarter,
    /// The venue, and a quarter of the local day: only few people were at the point.
    PartOfDay,
}

/// The longest time that counts others, from the beginning of a slot: a crowd of a whole day tells nothing of one slot.
const COUNTED_MAX: TimeDelta = TimeDelta::hours(6);

/// The slot of a meeting that is told where enough people were at the point, and over which they are counted.
pub fn quarter(meeting: &Span) -> Span {
    let (from, until) = slot(meeting.from(), meeting.until());
    Span::new(from, until.min(from + COUNTED_MAX)).unwrap_or(*meeting)
}

/// How a meeting is told when `others` were at the point in its [`quarter`] beside the visitor who asks.
pub fn told(others: usize) -> Told {
    let is_crowd = u64::try_from(others).is_ok_and(|others| others >= SHOWN_FROM);
    if is_crowd { Told::Quarter } else { Told::PartOfDay }
}

/// When a meeting was, as it is told.
pub fn told_time(meeting: &Span, told: Told, offset: FixedOffset) -> (DateTime<Utc>, DateTime<Utc>) {
    match told {
        Told::Quarter => slot(meeting.from(), meeting.until()),
        Told::PartOfDay => (part_begin(meeting.from(), offset), part_end(meeting.until(), offset)),
    }
}

const PART: TimeDelta = TimeDelta::hours(6);

/// The last of midnight, six, noon and eighteen o'clock by the local clock.
fn part_begin(at: DateTime<Utc>, offset: FixedOffset) -> DateTime<Utc> {
    let local = at.with_timezone(&offset).naive_local();
    let midnight = local.date().and_time(NaiveTime::MIN);
    let parts = (local - midnight).num_hours() / PART.num_hours();
    let begin = midnight + PART * i32::try_from(parts).unwrap_or_default();
    begin.and_local_timezone(offset).single().map_or(at, |begin| begin.with_timezone(&Utc))
}

fn part_end(at: DateTime<Utc>, offset: FixedOffset) -> DateTime<Utc> {
    let begin = part_begin(at, offset);
    if begin == at { at } else { begin + PART }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn china() -> FixedOffset {
        FixedOffset::east_opt(8 * 3600).unwrap()
    }

    fn span(from: &str, until: &str) -> Span {
        Span::new(from.parse().unwrap(), until.parse().unwrap()).unwrap()
    }

    #[test]
    fn where_few_were_only_the_part_of_the_day_is_told() {
        let meeting = span("2026-03-16T01:07:11Z", "2026-03-16T01:40:00Z");
        assert_eq!([0, 4, 5].map(told), [Told::PartOfDay, Told::PartOfDay, Told::Quarter]);
        let shown = |told| {
            let (from, until) = told_time(&meeting, told, china());
            (from.to_rfc3339(), until.to_rfc3339())
        };
        let parts = ("2026-03-15T22:00:00+00:00".to_owned(), "2026-03-16T04:00:00+00:00".to_owned());
        assert_eq!(shown(Told::PartOfDay), parts);
        let quarters = ("2026-03-16T01:00:00+00:00".to_owned(), "2026-03-16T01:45:00+00:00".to_owned());
        assert_eq!(shown(Told::Quarter), quarters);
    }

    proptest! {
        #[test]
        fn what_is_told_holds_the_meeting_and_is_the_same_for_all_of_a_part(from in 0i64..1_000_000, secs in 1i64..40_000) {
            let at = |secs| DateTime::from_timestamp(1_773_000_000 + secs, 0).unwrap();
            let meeting = Span::new(at(from), at(from + secs)).unwrap();
            for told in [Told::Quarter, Told::PartOfDay] {
                let (begin, end) = told_time(&meeting, told, china());
                prop_assert!(begin <= meeting.from() && end >= meeting.until());
                let again = told_time(&Span::new(begin, end).unwrap(), told, china());
                prop_assert_eq!(again, (begin, end), "widening twice changes nothing");
            }
        }
    }
}
