//! Exposures: which stays of others met the stays of a case, where and for how long.

mod index;
mod window;

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Utc};
use h3o::{CellIndex, Resolution};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use self::index::Around;
use self::index::{Hit, hits};
pub(super) use self::window::{Shared, instant, span};
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
    /// The time that both were there; a [`Span::moment`] where they met for no time.
    pub span: Span,
    /// For `after_case`: when the case had left.
    pub left_at: Option<DateTime<Utc>>,
    /// What proves the presence of the visitor, and of the contact where it was met; the weaker counts.
    pub presence: Presence,
}

/// All meetings between a case's trail, within its infectious period, and the stays of others, by the time rule of
/// the pack, in order of time. A contradicted stay meets nobody. The order of the candidates changes nothing, and a
/// stay that is brought twice counts once.
pub fn exposures(question: &Question<'_>, candidates: &[Candidate]) -> Vec<Exposure> {
    let (visitor, presence) = (question.case, Presence::Verified);
    let around = question.trail.iter().map(|at| Around { with: With::Case(at.id), visitor, presence, at });
    exposures_around(question, around, candidates)
}

/// All meetings with those who stand in `around`, be they the case or contacts. The case is never met as a visitor.
pub(super) fn exposures_around<'a>(
    question: &Question<'_>,
    around: impl Iterator<Item = Around<'a>>,
    candidates: &[Candidate],
) -> Vec<Exposure> {
    let around: Vec<_> = around.collect();
    hits(question, &around, candidates).into_iter().map(exposure).collect()
}

fn exposure(hit: Hit<'_>) -> Exposure {
    let Hit { around, candidate, relation, shared, left } = hit;
    let Candidate { stay, row, .. } = candidate;
    Exposure {
        with: around.with,
        stay_point: stay.point,
        stay_from: stay.span.from(),
        visitor: stay.visitor,
        relation,
        granularity: around.at.granularity,
        category: around.at.category.clone(),
        rows_apart: around.at.row.zip(*row).map(|(one, other)| one.abs_diff(other)),
        ended_by: stay.ended_by,
        span: span(shared),
        left_at: left.map(instant),
        presence: stay.presence.min(around.presence),
    }
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

#[cfg(test)]
pub(super) mod fixtures;
#[cfg(test)]
mod oracle;

#[cfg(test)]
#[path = "exposure_tests.rs"]
mod tests;
