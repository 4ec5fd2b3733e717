//! Exposures: which stays of others met the stays of a case, where and for how long.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Utc};
use h3o::{CellIndex, Resolution};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::case::{CaseDates, CaseKind};
use super::numbered::Numbered;
use super::rule_pack::RulePack;
use super::scan::Presence;
use super::span::Span;
use super::stay::{EndedBy, Stay};
use super::venue::{Granularity, PointId};
use super::visitor::Visitor;

/// The resolution of the companion grid: a hexagon of 0.74 km² for the official 800 m × 800 m, taken
/// with its six neighbours because a border may run through a venue.
pub const GRID_RESOLUTION: Resolution = Resolution::Eight;

/// How two stays are near each other. Ordered by closeness.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Relation {
    /// At the same point.
    SamePoint = 0,
    /// At another point of the same venue.
    SameVenue = 1,
    /// In the same cell of the companion grid, or next to it.
    NearbyCell = 2,
    /// At the same point after the case had left.
    AfterCase = 3,
}

impl Numbered for Relation {
    const ALL: &'static [Self] = &[Self::SamePoint, Self::SameVenue, Self::NearbyCell, Self::AfterCase];

    fn number(self) -> i16 {
        self as i16
    }
}

/// One stay of the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailStay {
    /// Its place in the case's trail.
    pub id: Uuid,
    /// Where; unknown where an investigator knows no more than the venue or the address. What is unknown is the same
    /// as nothing, and so grades nobody upward.
    pub point: Option<PointId>,
    /// The venue of that point; unknown where no more is known than the address.
    pub venue: Option<Uuid>,
    /// The cell of that point.
    pub cell: CellIndex,
    /// How close together people are there.
    pub granularity: Granularity,
    /// The category of the venue.
    pub category: Arc<str>,
    /// The row in a vehicle, where it is known.
    pub row: Option<u16>,
    /// When.
    pub span: Span,
}

/// A stay of somebody else that may have met the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The stay.
    pub stay: Stay,
    /// The venue of its point.
    pub venue: Uuid,
    /// The row in a vehicle that its point belongs to.
    pub row: Option<u16>,
}

/// What is asked: who met this case, by these rules.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who is the case.
    pub case: Visitor,
    /// What kind of case.
    pub kind: CaseKind,
    /// Its dates.
    pub dates: CaseDates,
    /// When it was infectious.
    pub infectious: Span,
    /// Where it was.
    pub trail: &'a [TrailStay],
    /// By which rules.
    pub pack: &'a RulePack,
    /// How far the local clock is ahead of UTC.
    pub offset: FixedOffset,
}

/// With whom a visitor was together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum With {
    /// The case, in this stay of its trail.
    Case(Uuid),
    /// A contact, in the stay at that point that began then.
    Contact(Visitor, PointId, DateTime<Utc>),
}

/// One meeting: the evidence that every colour rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// With whom.
    pub with: With,
    /// The visitor's stay, which its point, its beginning and the visitor name.
    pub stay_point: PointId,
    /// When the visitor's stay began.
    pub stay_from: DateTime<Utc>,
    /// Who was exposed.
    pub visitor: Visitor,
    /// How near.
    pub relation: Relation,
    /// How close together people are at the case's point.
    pub granularity: Granularity,
    /// The category of the case's venue.
    pub category: Arc<str>,
    /// Rows between the two, where both are known.
    pub rows_apart: Option<u16>,
    /// How the end of the visitor's stay is known.
    pub ended_by: EndedBy,
    /// The time that both were there.
    pub span: Span,
    /// What proves the visitor's presence.
    pub presence: Presence,
}

/// All meetings between a case's trail, within its infectious period, and the stays of others. A
/// contradicted stay meets nobody.
pub fn exposures(question: &Question<'_>, candidates: &[Candidate]) -> Vec<Exposure> {
    let relations = question.pack.relations();
    let relations = relations.as_slice();
    let index = TrailIndex::new(question.infectious, question.trail, relations);
    let mut found = Vec::new();
    for candidate in candidates {
        let stay = &candidate.stay;
        if stay.visitor == question.case || stay.presence == Presence::Contradicted {
            continue;
        }
        for (at, span) in index.near(candidate) {
            let relation = relation(at, candidate).filter(|relation| relations.contains(relation));
            if let (Some(relation), Some(shared)) = (relation, span.overlap(&stay.span)) {
                found.push(Exposure {
                    with: With::Case(at.id),
                    stay_point: stay.point,
                    stay_from: stay.span.from(),
                    visitor: stay.visitor,
                    relation,
                    granularity: at.granularity,
                    category: at.category.clone(),
                    rows_apart: at.row.zip(candidate.row).map(|(one, other)| one.abs_diff(other)),
                    ended_by: stay.ended_by,
                    span: shared,
                    presence: stay.presence,
                });
            }
        }
    }
    found.sort_by_key(|e| (e.span.from(), e.stay_point, e.visitor, e.stay_from, e.with));
    found
}

/// How near a candidate is to a stay of the case; `None` when it is not.
pub fn relation(at: &TrailStay, candidate: &Candidate) -> Option<Relation> {
    if at.point == Some(candidate.stay.point) {
        Some(Relation::SamePoint)
    } else if at.venue == Some(candidate.venue) {
        Some(Relation::SameVenue)
    } else if grid_cells(at.cell).contains(&grid_cell(candidate.stay.cell)?) {
        Some(Relation::NearbyCell)
    } else {
        None
    }
}

/// The cell of the companion grid that a point's cell lies in.
pub fn grid_cell(cell: CellIndex) -> Option<CellIndex> {
    cell.parent(GRID_RESOLUTION)
}

/// The companion cell of a point's cell and its neighbours.
pub fn grid_cells(cell: CellIndex) -> Vec<CellIndex> {
    grid_cell(cell).map(|centre| centre.grid_disk(1)).unwrap_or_default()
}

/// The trail by point, or whole where a relation reaches beyond the point.
struct TrailIndex<'a> {
    by_point: HashMap<PointId, Vec<(&'a TrailStay, Span)>>,
    all: Vec<(&'a TrailStay, Span)>,
    wide: bool,
}

impl<'a> TrailIndex<'a> {
    fn new(infectious: Span, trail: &'a [TrailStay], relations: &[Relation]) -> Self {
        let infectious_part = |at: &'a TrailStay| Some((at, at.span.overlap(&infectious)?));
        let all: Vec<_> = trail.iter().filter_map(infectious_part).collect();
        let mut by_point: HashMap<_, Vec<_>> = HashMap::new();
        for entry in &all {
            if let Some(point) = entry.0.point {
                by_point.entry(point).or_default().push(*entry);
            }
        }
        Self { by_point, all, wide: relations.iter().any(|relation| *relation != Relation::SamePoint) }
    }

    fn near(&self, candidate: &Candidate) -> impl Iterator<Item = (&'a TrailStay, Span)> {
        let same_point = self.by_point.get(&candidate.stay.point).map_or(&[][..], Vec::as_slice);
        let entries = if self.wide { self.all.as_slice() } else { same_point };
        entries.iter().copied()
    }
}

#[cfg(test)]
#[path = "exposure_tests.rs"]
mod tests;
