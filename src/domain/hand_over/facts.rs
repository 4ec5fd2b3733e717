//! What is told of somebody's meetings: rounded, no moment twice, and nothing of the case but how long it had been ill.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use super::{EXPOSURES_MAX, HandedExposure, InfectiousDay, Since, Slot, local_date};
use crate::domain::case::CaseDates;
use crate::domain::exposure::Relation;
use crate::domain::letter::slot;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::venue::Granularity;

/// A meeting with the case, as the run kept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// How near.
    pub relation: Relation,
    /// For `after_case`: when the case had left.
    pub left_at: Option<DateTime<Utc>>,
    /// When.
    pub span: Span,
    /// The category of the place, where it is known.
    pub category: Option<String>,
    /// How close together people are there.
    pub granularity: Granularity,
    /// What proves it.
    pub presence: Presence,
    /// How the end of the visitor's stay is known.
    pub ended_by: EndedBy,
    /// Rows between the two.
    pub rows_apart: Option<u16>,
    /// The name of the place.
    pub place: String,
}

/// The facts of one visitor's meetings with a case, in order of time. A moment at which the case was met in two ways
/// is told once, in the nearer one, so that the minutes never add up to more than there were, though slots are wider
/// than meetings.
pub fn facts(meetings: &[Meeting], dates: &CaseDates, offset: FixedOffset) -> Vec<HandedExposure> {
    let mut ordered: Vec<&Meeting> = meetings.iter().collect();
    ordered.sort_by_key(|one| (one.relation, std::cmp::Reverse(one.presence), one.span));
    let mut told: Vec<Span> = Vec::new();
    let mut facts: Vec<(DateTime<Utc>, HandedExposure)> = Vec::new();
    for meeting in ordered {
        let left = without(meeting.span, &told);
        let (Some(first), Some(last)) = (left.first(), left.last()) else { continue };
        let whole = first.hull(last);
        let secs = left.iter().filter(|part| !part.is_moment()).map(Span::secs).sum();
        facts.push((whole.from(), fact(meeting, whole, secs, dates, offset)));
        told.extend(left);
    }
    facts.sort_by_key(|(from, _)| *from);
    facts.truncate(EXPOSURES_MAX);
    facts.into_iter().map(|(_, fact)| fact).collect()
}

fn fact(meeting: &Meeting, whole: Span, secs: i64, dates: &CaseDates, offset: FixedOffset) -> HandedExposure {
    let (from, until) = slot(whole.from(), whole.until());
    let (since, began) = match dates.onset_at {
        Some(onset) => (Since::Onset, onset),
        None => (Since::Sample, dates.sampled_at),
    };
    let date = local_date(whole.from(), offset);
    let after_mins = meeting.left_at.map(|left| {
        let secs = (whole.from() - left).max(TimeDelta::zero()).num_seconds();
        u32::try_from(secs.saturating_add(59) / 60).unwrap_or(u32::MAX)
    });
    HandedExposure {
        relation: Some(meeting.relation),
        after_mins,
        minutes: u32::try_from(secs / 60).ok(),
        date: Some(date),
        slot: Some(Slot { from, until }),
        infectious_day: Some(InfectiousDay { since, days: (date - local_date(began, offset)).num_days() }),
        category: meeting.category.clone(),
        granularity: Some(meeting.granularity),
        presence: Some(meeting.presence),
        ended_by: Some(meeting.ended_by),
        rows_apart: meeting.rows_apart,
        place: Some(meeting.place.clone()),
    }
}

/// What of a span no other holds, in order.
fn without(span: Span, others: &[Span]) -> Vec<Span> {
    let mut left = vec![span];
    for other in others {
        let cut = |part: Span| {
            let before = Span::new(part.from(), part.until().min(other.from())).ok();
            let after = Span::new(part.from().max(other.until()), part.until()).ok();
            [before, after].into_iter().flatten()
        };
        left = left
            .into_iter()
            .flat_map(|part| if part.overlap(other).is_some() { cut(part).collect() } else { vec![part] })
            .collect();
    }
    left
}
