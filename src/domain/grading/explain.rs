//! Why each rule of a pack is met by what is known of one visitor, or why not.

use super::Dwell;
use super::counting::{Counting, Met};
use crate::domain::exposure::{Exposure, Question, With};
use crate::domain::rule_pack::ClassRule;
use crate::domain::scan::Presence;
use crate::domain::visitor::Visitor;

/// What one rule says of one visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is met.
    Met,
    /// It is for cases of other kinds.
    OtherCases,
    /// It is for those who met a contact of the case.
    ContactsOfContacts,
    /// No meeting was of a relation, at a place of a granularity and a category that it counts.
    OtherPlaces,
    /// No meeting was within the rows that it counts, or the rows are not known.
    Rows,
    /// Nothing proves the presence as well as it asks for.
    Presence,
    /// The end of no stay is known in a way that it counts.
    EndUnknown,
    /// What counts is shorter: so many seconds, of so many that are needed.
    TooShort {
        /// The most that counts, in seconds.
        most_secs: i64,
        /// What it asks for, in seconds.
        needed_secs: i64,
    },
    /// There were fewer meetings than it asks for, or neither was in the grid for long enough, or the days weigh nothing.
    TooLittle,
}

/// A rule and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The rule.
    pub rule: &'a ClassRule,
    /// What it says.
    pub verdict: Verdict,
}

/// Judges one visitor by every rule of the pack, in its order. `exposures` are all of that visitor's.
pub fn explain<'a>(question: &Question<'a>, exposures: &[Exposure], dwell: &Dwell) -> Vec<Judged<'a>> {
    let judged = |rule: &'a ClassRule| Judged { rule, verdict: verdict(question, rule, exposures, dwell) };
    question.pack.classes.iter().map(judged).collect()
}

/// A test of one exposure, and what it means when none passes.
type Hurdle<'a> = (Box<dyn Fn(&Exposure) -> bool + 'a>, Verdict);

fn verdict(question: &Question<'_>, rule: &ClassRule, exposures: &[Exposure], dwell: &Dwell) -> Verdict {
    if !rule.counts_kind(question) {
        return Verdict::OtherCases;
    }
    if rule.secondary.is_some() {
        return Verdict::ContactsOfContacts;
    }
    let mut left: Vec<&Exposure> =
        exposures.iter().filter(|exposure| matches!(exposure.with, With::Case(_))).collect();
    for (passes, otherwise) in hurdles(rule) {
        left.retain(|exposure| passes(exposure));
        if left.is_empty() {
            return otherwise;
        }
    }
    let own: Vec<(Visitor, usize)> = exposures.iter().map(|exposure| exposure.visitor).zip(0..).collect();
    let counting = Counting::new(question, rule, Some(dwell), None);
    if counting.is_met(&own, exposures, &mut Met::default()) {
        return Verdict::Met;
    }
    let most_secs = counting.most_secs(exposures);
    let needed_secs = i64::from(rule.together_mins) * 60;
    if most_secs < needed_secs || rule.more_than && most_secs == needed_secs {
        Verdict::TooShort { most_secs, needed_secs }
    } else {
        Verdict::TooLittle
    }
}

fn hurdles(rule: &ClassRule) -> [Hurdle<'_>; 4] {
    let place = |exposure: &Exposure| {
        let category = |known: &Vec<String>| known.iter().any(|one| **one == *exposure.category);
        rule.relations.contains(&exposure.relation)
            && rule.granularities.contains(&exposure.granularity)
            && rule.categories.as_ref().is_none_or(category)
    };
    let row = |exposure: &Exposure| {
        rule.rows_apart_max.is_none_or(|most| exposure.rows_apart.is_some_and(|rows| rows <= most))
    };
    let proven = |exposure: &Exposure| exposure.presence >= rule.presence_min.max(Presence::Unproven);
    let ended =
        |exposure: &Exposure| rule.ended_by.as_ref().is_none_or(|known| known.contains(&exposure.ended_by));
    [
        (Box::new(place), Verdict::OtherPlaces),
        (Box::new(row), Verdict::Rows),
        (Box::new(proven), Verdict::Presence),
        (Box::new(ended), Verdict::EndUnknown),
    ]
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
