//! Which stays meet which: the trail by point, venue and companion cell.

use chrono::TimeDelta;
use h3o::CellIndex;
use uuid::Uuid;

use super::window::{After, Shared, Window, of_case, of_visitor};
use super::{Candidate, Question, Relation, TrailStay, With, grid_cell, grid_cells};
use crate::domain::local_day::by_days;
use crate::domain::rule_pack::RulePack;
use crate::domain::scan::Presence;
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

/// A stay around which others are looked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Around<'a> {
    /// As evidence names it.
    pub(in crate::domain) with: With,
    /// Whose it is; nobody meets himself.
    pub(in crate::domain) visitor: Visitor,
    /// What proves it.
    pub(in crate::domain) presence: Presence,
    /// Where and when.
    pub(in crate::domain) at: &'a TrailStay,
}

/// Two stays that met, small enough to be sorted by the thousand before an exposure is made of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit<'a> {
    pub(super) around: &'a Around<'a>,
    pub(super) candidate: &'a Candidate,
    pub(super) relation: Relation,
    pub(super) shared: Shared,
    /// For `after_case`: when the case had left.
    pub(super) left: Option<i64>,
}

/// A stay around which others are looked for, as the time rule sees it.
struct Source<'a> {
    around: &'a Around<'a>,
    window: Window,
    /// The time after leaving that some class asks for.
    after: Option<After>,
}

/// All meetings, in order of time.
pub(super) fn hits<'a>(
    question: &Question<'_>,
    around: &'a [Around<'a>],
    candidates: &'a [Candidate],
) -> Vec<Hit<'a>> {
    let sources = sources(question, around);
    let index = Index::new(question.pack, &sources);
    let mut found = Vec::new();
    for candidate in candidates {
        let stay = &candidate.stay;
        if stay.visitor == question.case || stay.presence == Presence::Contradicted {
            continue;
        }
        let mut window = None;
        for (source, relation) in index.near(candidate) {
            if source.around.visitor == stay.visitor {
                continue;
            }
            let time = &question.pack.time;
            let made = *window.get_or_insert_with(|| of_visitor(time, question.offset, &stay.span));
            let Some(visitor) = made else { break };
            let hit = Hit { around: source.around, candidate, relation, shared: (0, 0), left: None };
            meet(question, source, &visitor, hit, &mut found);
        }
    }
    found.sort_unstable_by(|one, other| {
        one.shared.cmp(&other.shared).then_with(|| one.key().cmp(&other.key()))
    });
    found.dedup_by(|one, other| one.shared == other.shared && one.key() == other.key());
    found
}

impl Hit<'_> {
    /// What tells it from all others of the same time.
    fn key(&self) -> impl Ord + use<> {
        let stay = &self.candidate.stay;
        (stay.point, stay.visitor, stay.span.from(), self.around.with, self.relation)
    }
}

fn meet<'a>(
    question: &Question<'_>,
    source: &Source<'_>,
    visitor: &Window,
    hit: Hit<'a>,
    found: &mut Vec<Hit<'a>>,
) {
    let time = &question.pack.time;
    if hit.relation == Relation::AfterCase {
        let shared = source.after.and_then(|after| visitor.meet_after(&after));
        found.extend(shared.map(|shared| Hit { shared, left: Some(source.window.until), ..hit }));
    } else if let Some(shared) = source.window.meet(visitor, time.ends) {
        let clock = time.split_days.map(|clock| clock.offset(question.offset));
        found.extend(by_days(shared, clock).map(|shared| Hit { shared, ..hit }));
    }
}

fn sources<'a>(question: &Question<'_>, around: &'a [Around<'a>]) -> Vec<Source<'a>> {
    let window = |around: &'a Around<'a>| {
        let window = of_case(&question.pack.time, &question.infectious, &around.at.span)?;
        Some(Source { around, window, after: None })
    };
    let mut sources: Vec<Source<'a>> = around.iter().filter_map(window).collect();
    let longest = TimeDelta::minutes(question.pack.after_case_mins().into());
    if let Some(longest) = longest.num_microseconds().filter(|longest| *longest > 0) {
        let place = |source: &Source<'_>| (source.around.visitor, source.around.at.point);
        sources.sort_by_key(place);
        for there in sources.chunk_by_mut(|one, other| place(one) == place(other)) {
            set_after(there, longest);
        }
    }
    sources
}

/// The time after the case had left each of its stays at one point, until it came back. Where another of its stays
/// goes on, it had not left.
fn set_after(there: &mut [Source<'_>], longest: i64) {
    let windows: Vec<Window> = there.iter().map(|source| source.window).collect();
    for source in there {
        let left = source.window.until;
        let still_there = windows.iter().any(|other| other.from <= left && left < other.until);
        let back = windows.iter().map(|other| other.from).filter(|from| *from > left).min();
        let end = back.map_or(left + longest, |back| back.min(left + longest));
        source.after = (!still_there).then_some(After { left, end, is_back: back == Some(end) });
    }
}

/// The sources by each place that some class asks for.
struct Index<'s, 'a> {
    by_point: Lookup<'s, 'a, PointId>,
    by_venue: Lookup<'s, 'a, Uuid>,
    by_cell: Lookup<'s, 'a, CellIndex>,
    together: bool,
    after: bool,
}

impl<'s, 'a> Index<'s, 'a> {
    fn new(pack: &RulePack, sources: &'s [Source<'a>]) -> Self {
        let relations = pack.relations();
        let asks = |relation| relations.contains(&relation);
        let (together, after) = (asks(Relation::SamePoint), asks(Relation::AfterCase));
        Self {
            by_point: Lookup::new(together || after, sources, |at| at.point),
            by_venue: Lookup::new(asks(Relation::SameVenue), sources, |at| at.venue),
            by_cell: Lookup::new(asks(Relation::NearbyCell), sources, |at| grid_cells(at.cell)),
            together,
            after,
        }
    }

    /// The sources near a candidate, each by the closest relation, and by `after_case` beside it.
    fn near(&self, candidate: &Candidate) -> impl Iterator<Item = (&'s Source<'a>, Relation)> {
        let (point, venue) = (candidate.stay.point, candidate.venue);
        let at_point = self.by_point.at(Some(point));
        let at_venue = self.by_venue.at(Some(venue));
        let in_cell = self.by_cell.at(grid_cell(candidate.stay.cell));
        let elsewhere = move |source: &&Source<'_>| source.around.at.point != Some(point);
        let far = move |source: &&Source<'_>| elsewhere(source) && source.around.at.venue != Some(venue);
        let together = at_point.clone().filter(|_| self.together).map(|at| (at, Relation::SamePoint));
        let after = at_point.filter(|_| self.after).map(|at| (at, Relation::AfterCase));
        let venue = at_venue.filter(elsewhere).map(|at| (at, Relation::SameVenue));
        let cell = in_cell.filter(far).map(|at| (at, Relation::NearbyCell));
        together.chain(after).chain(venue).chain(cell)
    }
}

/// Sources by a place, found by halving: a trail has few, and this asks for no hashing.
struct Lookup<'s, 'a, K>(Vec<(K, &'s Source<'a>)>);

impl<'s, 'a, K: Copy + Ord> Lookup<'s, 'a, K> {
    fn new<P>(asked: bool, sources: &'s [Source<'a>], places: impl Fn(&TrailStay) -> P) -> Self
    where
        P: IntoIterator<Item = K>,
    {
        let keyed =
            |source: &'s Source<'a>| places(source.around.at).into_iter().map(move |place| (place, source));
        let mut entries: Vec<_> = sources.iter().filter(|_| asked).flat_map(keyed).collect();
        entries.sort_by_key(|(place, _)| *place);
        Self(entries)
    }

    fn at(&self, place: Option<K>) -> impl Iterator<Item = &'s Source<'a>> + Clone {
        let from = place.map_or(self.0.len(), |place| self.0.partition_point(|(key, _)| *key < place));
        let rest = self.0.get(from..).unwrap_or_default();
        rest.iter().take_while(move |(key, _)| Some(*key) == place).map(|(_, source)| *source)
    }
}
