//! Backward: where several cases were, and when they were there together.
//!
//! What gathers more of them than chance stands in [`cluster`], who may have infected whom in [`source`].

pub mod cluster;
pub mod source;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::span::{Span, union};
use super::venue::{Granularity, PointId};

/// How many cases are looked at together at the most.
pub const CASES_MAX: usize = 500;

/// One stay of one of the cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseStay {
    /// Which of the cases, by its place in their list.
    pub case: usize,
    /// Where; unknown where an investigator knows no more than the venue or the address.
    pub point: Option<PointId>,
    /// The venue of that point.
    pub venue: Option<Uuid>,
    /// How close together people are there.
    pub granularity: Granularity,
    /// When.
    pub span: Span,
    /// Whether a scan tells it. What others told stands in no count of scans.
    pub is_scanned: bool,
}

/// Where cases may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// At one point.
    Point(PointId),
    /// At any points of one venue.
    Venue(Uuid),
}

/// A place that two cases or more have been to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonPlace {
    /// Where.
    pub place: Place,
    /// Which cases, in the order of their list.
    pub cases: Vec<usize>,
    /// Pairs of cases that were there at the same time.
    pub together_pairs: usize,
    /// Pairs that missed each other by no more than the window.
    pub near_pairs: usize,
    /// Pairs that were there at different times only.
    pub apart_pairs: usize,
    /// Seconds that the pairs shared, summed.
    pub together_secs: i64,
    /// When the first of them came.
    pub first_at: DateTime<Utc>,
    /// When the last of them left.
    pub last_at: DateTime<Utc>,
}

/// The stays of each case at one place, joined.
type Visits = BTreeMap<usize, Vec<Span>>;

/// Every place that two cases or more have been to: those where most were together first, then those where most
/// missed each other by no more than `window`, then those that most have been to. A venue of which they know one
/// point only is told as that point.
pub fn common_places(stays: &[CaseStay], window: TimeDelta) -> Vec<CommonPlace> {
    let mut visits: BTreeMap<Place, Visits> = BTreeMap::new();
    let mut points: BTreeMap<Uuid, BTreeSet<Option<PointId>>> = BTreeMap::new();
    for stay in stays {
        let places = [stay.point.map(Place::Point), stay.venue.map(Place::Venue)];
        for place in places.into_iter().flatten() {
            visits.entry(place).or_default().entry(stay.case).or_default().push(stay.span);
        }
        if let Some(venue) = stay.venue {
            points.entry(venue).or_default().insert(stay.point);
        }
    }
    let is_one_point = |place: &Place| match place {
        Place::Point(_) => false,
        Place::Venue(venue) => {
            points.get(venue).is_some_and(|points| points.len() == 1 && !points.contains(&None))
        }
    };
    let mut found: Vec<CommonPlace> = visits
        .into_iter()
        .filter(|(place, visits)| visits.len() > 1 && !is_one_point(place))
        .filter_map(|(place, visits)| common_place(place, visits, window))
        .collect();
    found.sort_by(|one, other| {
        let key = |place: &CommonPlace| (place.together_pairs, place.near_pairs, place.cases.len());
        key(other).cmp(&key(one)).then(one.place.cmp(&other.place))
    });
    found
}

fn common_place(place: Place, visits: Visits, window: TimeDelta) -> Option<CommonPlace> {
    let visits: Vec<(usize, Vec<Span>)> =
        visits.into_iter().map(|(case, spans)| (case, union(spans))).collect();
    let spans = || visits.iter().flat_map(|(_, spans)| spans);
    let mut found = CommonPlace {
        place,
        cases: visits.iter().map(|(case, _)| *case).collect(),
        together_pairs: 0,
        near_pairs: 0,
        apart_pairs: 0,
        together_secs: 0,
        first_at: spans().map(Span::from).min()?,
        last_at: spans().map(Span::until).max()?,
    };
    for (at, (_, one)) in visits.iter().enumerate() {
        for (_, other) in visits.iter().skip(at + 1) {
            let (shared, gap) = compare(one, other);
            if shared > TimeDelta::zero() {
                found.together_pairs += 1;
                found.together_secs += shared.num_seconds();
            } else if gap.is_some_and(|gap| gap <= window) {
                found.near_pairs += 1;
            } else {
                found.apart_pairs += 1;
            }
        }
    }
    Some(found)
}

/// How long two were there together, and the least time between the one's leaving and the other's coming. Both are
/// sorted and disjoint, so whichever ends first has met all that it can meet.
fn compare(one: &[Span], other: &[Span]) -> (TimeDelta, Option<TimeDelta>) {
    let (mut ones, mut others) = (one.iter().peekable(), other.iter().peekable());
    let (mut shared, mut least) = (TimeDelta::zero(), None);
    while let (Some(a), Some(b)) = (ones.peek(), others.peek()) {
        let gap = (a.from() - b.until()).max(b.from() - a.until()).max(TimeDelta::zero());
        least = Some(least.map_or(gap, |least: TimeDelta| least.min(gap)));
        shared += a.overlap(b).map_or(TimeDelta::zero(), |span| span.duration());
        if a.until() <= b.until() {
            ones.next();
        } else {
            others.next();
        }
    }
    (shared, least)
}

#[cfg(test)]
#[path = "backward/tests.rs"]
mod tests;
