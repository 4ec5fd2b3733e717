//! Exposures become classes, by a rule pack.

mod amount;
mod counting;

use std::collections::HashMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use h3o::CellIndex;

use self::counting::{Counting, Met};
use super::exposure::{Exposure, Question, instant, span};
use super::rule_pack::{Class, ClassRule, Colour, Secondary};
use super::span::Span;
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
    /// Seconds together, no moment counted twice: as sampled and rounded by the pack, but not weighed.
    pub together_secs: i64,
    /// How many meetings, joined where they touch or overlap.
    pub meetings: usize,
    /// When the first meeting began.
    pub first_at: DateTime<Utc>,
    /// When the last meeting ended.
    pub last_at: DateTime<Utc>,
    /// Which exposures met the rule of the class, as indices into the exposures that were graded.
    pub evidence: Vec<usize>,
}

/// Where the case and those who met it in the companion grid were before, for as long as a pack asks. Who is missing
/// was nowhere. Contradicted stays do not belong here.
#[derive(Clone, Debug, Default)]
pub struct Dwell {
    /// The stays of each, with their cells.
    pub stays: HashMap<Visitor, Vec<(CellIndex, Span)>>,
}

/// The contacts that a class of contacts of contacts looks at, each with the moment of its first exposure.
type Sources = HashMap<Visitor, DateTime<Utc>>;

/// Grades every exposed visitor, class by class in the order of the pack: whoever meets a class and has none yet gets
/// it. A class of contacts of contacts looks at those who have one of its classes by then, step by step. Visitors who
/// meet no class are left out. The result is ordered by class, then by time together, the longest first.
pub fn grade(question: &Question<'_>, exposures: &[Exposure], dwell: &Dwell) -> Vec<Contact> {
    let mut grading = Grading::new(question, exposures, dwell);
    for rule in question.pack.classes.iter().filter(|rule| rule.counts_kind(question)) {
        match &rule.secondary {
            None => grading.apply(rule, 0, None),
            Some(secondary) => grading.apply_steps(rule, secondary),
        }
    }
    let mut contacts = grading.found;
    contacts.sort_by_key(|contact| (contact.class as i16, -contact.together_secs, contact.visitor));
    contacts
}

/// Those who may be companions if they or the case were in the grid for long, each with the time in which that must be
/// known; and the case with the whole of it. Nobody where no class asks.
pub(super) fn companions(question: &Question<'_>, exposures: &[Exposure]) -> HashMap<Visitor, Span> {
    let dwell = Dwell::default();
    let grading = Grading::new(question, exposures, &dwell);
    let mut wanted: HashMap<Visitor, Span> = HashMap::new();
    for rule in question.pack.classes.iter().filter(|rule| rule.counts_kind(question)) {
        let Some(companion) = &rule.companion else { continue };
        let counting = Counting::new(question, rule, None, None);
        let mut met = Met::default();
        for group in &grading.groups {
            if !counting.is_met(grading.own(group), exposures, &mut met) {
                continue;
            }
            for exposure in met.evidence.iter().filter_map(|at| exposures.get(*at)) {
                let before = companion.before(&exposure.span);
                for who in [exposure.visitor, question.case] {
                    wanted.entry(who).and_modify(|span| *span = span.hull(&before)).or_insert(before);
                }
            }
        }
    }
    wanted
}

/// Whether some class looks at the contacts of this contact.
pub(super) fn is_source(question: &Question<'_>, contact: &Contact) -> bool {
    question.pack.classes.iter().filter(|rule| rule.counts_kind(question)).any(|rule| {
        let same_rule = rule.class == contact.class && rule.rule == contact.rule;
        rule.secondary.as_ref().is_some_and(|secondary| match contact.depth {
            0 => secondary.of.contains(&contact.class),
            depth => same_rule && depth < secondary.depth,
        })
    })
}

/// All exposures by visitor, and who has a class.
struct Grading<'a> {
    question: &'a Question<'a>,
    exposures: &'a [Exposure],
    dwell: &'a Dwell,
    order: Vec<(Visitor, usize)>,
    groups: Vec<Group>,
    found: Vec<Contact>,
}

/// The exposures of one visitor: a range of the order.
struct Group {
    visitor: Visitor,
    own: Range<usize>,
    is_graded: bool,
}

impl<'a> Grading<'a> {
    fn new(question: &'a Question<'a>, exposures: &'a [Exposure], dwell: &'a Dwell) -> Self {
        let mut order: Vec<(Visitor, usize)> = exposures.iter().map(|one| one.visitor).zip(0..).collect();
        order.sort_unstable();
        let mut groups: Vec<Group> = Vec::new();
        for (at, (visitor, _)) in order.iter().enumerate() {
            match groups.last_mut() {
                Some(last) if last.visitor == *visitor => last.own.end = at + 1,
                _ => groups.push(Group { visitor: *visitor, own: at..at + 1, is_graded: false }),
            }
        }
        Self { question, exposures, dwell, order, groups, found: Vec::new() }
    }

    fn own(&self, group: &Group) -> &[(Visitor, usize)] {
        self.order.get(group.own.clone()).unwrap_or_default()
    }

    /// Gives a class to all who meet it and have none yet.
    fn apply(&mut self, rule: &ClassRule, depth: u8, sources: Option<&Sources>) {
        let counting = Counting::new(self.question, rule, Some(self.dwell), sources);
        let mut met = Met::default();
        for group in self.groups.iter_mut().filter(|group| !group.is_graded) {
            let own = self.order.get(group.own.clone()).unwrap_or_default();
            if counting.is_met(own, self.exposures, &mut met) {
                group.is_graded = true;
                self.found.push(contact(group.visitor, rule, depth, &met));
            }
        }
    }

    /// Step by step: first the contacts of the case's contacts, then the contacts of those.
    fn apply_steps(&mut self, rule: &ClassRule, secondary: &Secondary) {
        let of_case = |contact: &&Contact| contact.depth == 0 && secondary.of.contains(&contact.class);
        let mut sources = first_exposures(self.found.iter().filter(of_case));
        for depth in 1..=secondary.depth {
            let before = self.found.len();
            self.apply(rule, depth, Some(&sources));
            sources = first_exposures(self.found.iter().skip(before));
        }
    }
}

fn first_exposures<'c>(contacts: impl Iterator<Item = &'c Contact>) -> Sources {
    contacts.map(|contact| (contact.visitor, contact.first_at)).collect()
}

fn contact(visitor: Visitor, rule: &ClassRule, depth: u8, met: &Met) -> Contact {
    let last = met.joined.iter().max_by_key(|time| time.1).map(|time| span(*time).until());
    Contact {
        visitor,
        class: rule.class,
        rule: rule.rule.clone(),
        depth,
        colour: rule.colour,
        together_secs: met.secs,
        meetings: met.joined.len(),
        first_at: met.joined.first().map_or(DateTime::UNIX_EPOCH, |time| instant(time.0)),
        last_at: last.unwrap_or(DateTime::UNIX_EPOCH),
        evidence: met.evidence.clone(),
    }
}

#[cfg(test)]
#[path = "grading_tests.rs"]
mod tests;
