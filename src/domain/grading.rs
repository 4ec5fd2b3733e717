//! Exposures become classes, by a rule pack.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use h3o::CellIndex;

use super::exposure::{Exposure, Question};
use super::rule_pack::{Class, ClassRule, Colour};
use super::span::{Span, union};
use super::visitor::Visitor;

/// Somebody who was exposed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub visitor: Visitor,
    /// The strongest class that is met.
    pub class: Class,
    /// Which of the rules of that class, where there are several.
    pub rule: Option<String>,
    /// 0: met the case itself; 1: met a contact of the case, and so on.
    pub depth: u8,
    /// The colour that the pack proposes for it.
    pub colour: Colour,
    /// Seconds together, no moment counted twice.
    pub together_secs: i64,
    /// How many meetings.
    pub meetings: usize,
    /// When the first meeting began.
    pub first_at: DateTime<Utc>,
    /// When the last meeting ended.
    pub last_at: DateTime<Utc>,
    /// Which exposures met the rule of the class, as indices into the exposures that were graded.
    pub evidence: Vec<usize>,
}

/// Where the case and those who met it in the companion grid were before, for as long as a pack asks.
#[derive(Clone, Debug, Default)]
pub struct Dwell {
    /// The stays of each, with their cells.
    pub stays: HashMap<Visitor, Vec<(CellIndex, Span)>>,
}

/// Grades every exposed visitor: the first class of the pack whose rule is met. Visitors who meet none
/// are left out. The result is ordered by class, then by time together, the longest first.
pub fn grade(question: &Question<'_>, exposures: &[Exposure], _dwell: &Dwell) -> Vec<Contact> {
    let mut by_visitor: BTreeMap<Visitor, Vec<usize>> = BTreeMap::new();
    for (at, exposure) in exposures.iter().enumerate() {
        by_visitor.entry(exposure.visitor).or_default().push(at);
    }
    let mut contacts: Vec<Contact> = by_visitor
        .into_iter()
        .filter_map(|(visitor, own)| {
            let rule_met = |rule: &ClassRule| evidence(exposures, &own, rule).map(|met| (rule.clone(), met));
            let (rule, met) = question.pack.classes.iter().find_map(rule_met)?;
            Some(contact(visitor, exposures, &rule, met))
        })
        .collect();
    contacts.sort_by_key(|contact| (contact.class as i16, -contact.together_secs, contact.visitor));
    contacts
}

/// The exposures that count for a rule, when together they meet it.
fn evidence(exposures: &[Exposure], own: &[usize], rule: &ClassRule) -> Option<Vec<usize>> {
    let counts = |at: &usize| exposures.get(*at).is_some_and(|exposure| counts(exposure, rule));
    let met: Vec<usize> = own.iter().copied().filter(counts).collect();
    let spans = met.iter().filter_map(|at| exposures.get(*at)).map(|exposure| exposure.span).collect();
    let spans = union(spans);
    let needed = TimeDelta::minutes(rule.together_mins.into());
    let longest = match rule.within_hours {
        None => spans.iter().map(Span::duration).max(),
        Some(hours) => longest_within(&spans, TimeDelta::hours(hours.into())),
    };
    // No meeting at all is `None` and never meets a rule, not even one that asks for zero minutes.
    longest.filter(|longest| *longest >= needed).map(|_| met)
}

fn counts(exposure: &Exposure, rule: &ClassRule) -> bool {
    rule.relations.contains(&exposure.relation)
        && rule.granularities.contains(&exposure.granularity)
        && exposure.presence >= rule.presence_min
}

/// The most time that any window of that width holds. The best window begins where a span begins or
/// ends where one ends, so only those are tried.
fn longest_within(spans: &[Span], width: TimeDelta) -> Option<TimeDelta> {
    let windows = spans.iter().flat_map(|span| [span.from(), span.until() - width]);
    windows.filter_map(|from| Span::new(from, from + width).ok()).map(|window| held(spans, &window)).max()
}

fn held(spans: &[Span], window: &Span) -> TimeDelta {
    spans.iter().filter_map(|span| span.overlap(window)).map(|part| part.duration()).sum()
}

fn contact(visitor: Visitor, exposures: &[Exposure], rule: &ClassRule, evidence: Vec<usize>) -> Contact {
    let spans: Vec<Span> = evidence.iter().filter_map(|at| exposures.get(*at)).map(|e| e.span).collect();
    let joined = union(spans);
    let first_at = joined.first().map_or(DateTime::UNIX_EPOCH, Span::from);
    let last_at = joined.last().map_or(DateTime::UNIX_EPOCH, Span::until);
    Contact {
        visitor,
        class: rule.class,
        rule: rule.rule.clone(),
        depth: 0,
        colour: rule.colour,
        together_secs: joined.iter().map(Span::secs).sum(),
        meetings: joined.len(),
        first_at,
        last_at,
        evidence,
    }
}

#[cfg(test)]
#[path = "grading_tests.rs"]
mod tests;
