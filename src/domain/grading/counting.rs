//! Which exposures count for a class, and whether they are enough.

use std::collections::HashMap;

use chrono::TimeDelta;
use h3o::CellIndex;
use uuid::Uuid;

use super::amount::Amount;
use super::{Dwell, Sources};
use crate::domain::exposure::{Exposure, Question, Relation, Shared, With, grid_cell, grid_cells};
use crate::domain::rule_pack::{ClassRule, Companion};
use crate::domain::scan::Presence;
use crate::domain::span::{Span, union};
use crate::domain::visitor::Visitor;

/// What of one visitor's exposures counts for a class.
#[derive(Default)]
pub(super) struct Met {
    /// Indices into all exposures.
    pub(super) evidence: Vec<usize>,
    /// The times together, so that no moment stands twice.
    pub(super) joined: Vec<Shared>,
    /// How many seconds they count.
    pub(super) secs: i64,
    times: Vec<Shared>,
}

/// One class, ready to look at visitor after visitor.
pub(super) struct Counting<'a> {
    rule: &'a ClassRule,
    amount: Amount<'a>,
    /// For contacts of contacts: whose contacts count.
    sources: Option<&'a Sources>,
    grid: Option<Grid<'a>>,
}

impl ClassRule {
    /// Whether the class is for cases of this kind.
    pub(super) fn counts_kind(&self, question: &Question<'_>) -> bool {
        self.index_kinds.as_ref().unwrap_or(&question.pack.index_kinds).contains(&question.kind)
    }
}

impl<'a> Counting<'a> {
    /// Without `dwell`, everybody counts as having been in the grid for long.
    pub(super) fn new(
        question: &'a Question<'a>,
        rule: &'a ClassRule,
        dwell: Option<&'a Dwell>,
        sources: Option<&'a Sources>,
    ) -> Self {
        let grid = dwell.zip(rule.companion).map(|(dwell, rule)| Grid::new(question, rule, dwell));
        Self { rule, amount: Amount::new(question, rule), sources, grid }
    }

    /// Whether the exposures of one visitor, `own` by index, meet the class; `met` then says which.
    pub(super) fn is_met(&self, own: &[(Visitor, usize)], exposures: &[Exposure], met: &mut Met) -> bool {
        met.evidence.clear();
        met.times.clear();
        for (_, at) in own {
            let Some(exposure) = exposures.get(*at) else { continue };
            if let Some(time) = self.counts(exposure) {
                met.evidence.push(*at);
                met.times.push(time);
            }
        }
        if met.times.is_empty() || !self.meets_often(&met.evidence, exposures) {
            return false;
        }
        met.joined.clone_from(&met.times);
        if !self.amount.is_reached(&mut met.times) {
            return false;
        }
        self.amount.join(&mut met.joined);
        met.secs = self.amount.secs(&met.joined);
        true
    }

    /// Whether the case was met in enough different stays of the visitor.
    fn meets_often(&self, evidence: &[usize], exposures: &[Exposure]) -> bool {
        self.rule.meetings_min.is_none_or(|least| {
            let met = evidence.iter().filter_map(|at| exposures.get(*at));
            let mut stays: Vec<_> = met.map(|exposure| (exposure.stay_point, exposure.stay_from)).collect();
            stays.sort_unstable();
            stays.dedup();
            stays.len() >= usize::try_from(least).unwrap_or(usize::MAX)
        })
    }

    /// The time that counts of an exposure, in microseconds; `None` when it does not count.
    fn counts(&self, exposure: &Exposure) -> Option<Shared> {
        let rule = self.rule;
        let place = rule.relations.contains(&exposure.relation)
            && rule.granularities.contains(&exposure.granularity)
            && rule
                .categories
                .as_ref()
                .is_none_or(|known| known.iter().any(|one| **one == *exposure.category));
        let row = rule.rows_apart_max.is_none_or(|most| exposure.rows_apart.is_some_and(|rows| rows <= most));
        let proof = exposure.presence >= rule.presence_min.max(Presence::Unproven)
            && rule.ended_by.as_ref().is_none_or(|known| known.contains(&exposure.ended_by));
        if !(place && row && proof) {
            return None;
        }
        let time = self.since_exposed(exposure, time_of(&exposure.span))?;
        let time = self.soon_after(exposure, time)?;
        let stayed = self.grid.as_ref().is_none_or(|grid| grid.is_met(exposure));
        (stayed && self.amount.weighs(time)).then_some(time)
    }

    /// A class of the case's contacts counts exposures to the case; one of contacts of contacts those to the contacts
    /// it looks at, since the first exposure of each.
    fn since_exposed(&self, exposure: &Exposure, (from, until): Shared) -> Option<Shared> {
        match (exposure.with, self.sources) {
            (With::Case(_), None) => Some((from, until)),
            (With::Contact(contact, ..), Some(sources)) => {
                let first = sources.get(&contact)?.timestamp_micros();
                (from >= first || until > first).then_some((from.max(first), until))
            }
            _ => None,
        }
    }

    /// Of a time after the case had left, what this class asks for: who came just as it was over was there for a moment.
    fn soon_after(&self, exposure: &Exposure, (from, until): Shared) -> Option<Shared> {
        if exposure.relation != Relation::AfterCase {
            return Some((from, until));
        }
        let mins = TimeDelta::minutes(self.rule.after_case_mins?.into());
        let end = (exposure.left_at? + mins).timestamp_micros();
        (from <= end).then_some((from, until.min(end)))
    }
}

/// The time of a span in microseconds; a moment has no length.
fn time_of(span: &Span) -> Shared {
    let from = span.from().timestamp_micros();
    (from, if span.is_moment() { from } else { span.until().timestamp_micros() })
}

/// Where the case and others were before, by companion cell.
struct Grid<'a> {
    rule: Companion,
    dwell: &'a Dwell,
    /// By stay of the trail: its cells, and when the case was in them.
    trail: HashMap<Uuid, (Vec<CellIndex>, Vec<Span>)>,
}

impl<'a> Grid<'a> {
    fn new(question: &Question<'_>, rule: Companion, dwell: &'a Dwell) -> Self {
        let mut trail = HashMap::new();
        for at in question.trail {
            let cells = grid_cells(at.cell);
            let own = question.trail.iter().map(|at| (at.cell, at.span));
            let there = within(&cells, own.chain(stays_of(dwell, question.case)));
            trail.insert(at.id, (cells, there));
        }
        Self { rule, dwell, trail }
    }

    /// Whether one of the two was in the cells of the case's stay for longer than the rule asks, before the meeting
    /// ended. What is unknown is too short.
    fn is_met(&self, exposure: &Exposure) -> bool {
        let With::Case(id) = exposure.with else { return false };
        let Some((cells, case)) = self.trail.get(&id) else { return false };
        let before = self.rule.before(&exposure.span);
        let needed = TimeDelta::hours(self.rule.stay_hours.into());
        let long = |there: &[Span]| {
            let parts = there.iter().filter_map(|span| span.overlap(&before));
            parts.map(|part| part.duration()).sum::<TimeDelta>() > needed
        };
        long(case) || long(&within(cells, stays_of(self.dwell, exposure.visitor)))
    }
}

fn stays_of(dwell: &Dwell, visitor: Visitor) -> impl Iterator<Item = (CellIndex, Span)> {
    dwell.stays.get(&visitor).into_iter().flatten().copied()
}

/// When somebody was in these companion cells, no moment twice.
fn within(cells: &[CellIndex], stays: impl Iterator<Item = (CellIndex, Span)>) -> Vec<Span> {
    let inside = |cell: CellIndex| grid_cell(cell).is_some_and(|cell| cells.contains(&cell));
    union(stays.filter(|(cell, _)| inside(*cell)).map(|(_, span)| span).collect())
}
