//! The whole way from a case to its contacts, step by step, whoever brings the stays: memory or a database.
//!
//! 1. [`Tracing::new`]: everybody who met the case.
//! 2. [`Tracing::dwell_wanted`], [`Tracing::grade`]: where they were before, as far as a companion rule asks.
//! 3. While [`Tracing::secondary_wanted`] names contacts: their stays become a trail ([`Tracing::secondary_trail`]),
//!    around which is searched as around the case's, and [`Tracing::meet`] takes in who met them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::exposure::{Candidate, Exposure, Question, TrailStay, exposures};
use super::grading::{Contact, Dwell, grade};
use super::rule_pack::Class;
use super::scan::Presence;
use super::span::Span;
use super::venue::{Granularity, PointId};
use super::visitor::Visitor;

/// What is known of a point where a contact was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// How close together people are there.
    pub granularity: Granularity,
    /// The category of its venue.
    pub category: Arc<str>,
}

/// The places of points; at a point that is missing nobody meets a contact.
pub type Places = HashMap<PointId, Place>;

/// A stay of a contact, in which others may have met it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactStay {
    /// The contact.
    pub visitor: Visitor,
    /// When the stay of that contact began, before it was cut to the time since the contact's first exposure.
    pub stay_from: DateTime<Utc>,
    /// What proves that the contact was there.
    pub presence: Presence,
    /// Where and when, as for a stay of the case. The point is always known.
    pub at: TrailStay,
}

/// What a question found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    /// All meetings: with the case, in order of time, then with contacts.
    pub exposures: Vec<Exposure>,
    /// Who became a contact by them; `evidence` are indices into `exposures`.
    pub contacts: Vec<Contact>,
}

/// A question on its way. Borrow the question, bring what it wants, take the answer.
#[derive(Debug)]
pub struct Tracing<'a> {
    question: &'a Question<'a>,
    dwell: Dwell,
    found: Traced,
    asked: HashMap<Visitor, DateTime<Utc>>,
}

impl<'a> Tracing<'a> {
    /// Begins with all stays that may have met the case; more than those do no harm.
    pub fn new(question: &'a Question<'a>, candidates: &[Candidate]) -> Self {
        let found = Traced { exposures: exposures(question, candidates), contacts: Vec::new() };
        Self { question, dwell: Dwell::default(), found, asked: HashMap::new() }
    }

    /// Whose stays, in which time, a companion rule asks for: the case's and those of who may be a companion. Empty
    /// when no class asks. Stays that only overlap the time are wanted too.
    pub fn dwell_wanted(&self) -> Vec<(Visitor, Span)> {
        Vec::new()
    }

    /// Grades who met the case. Call it once, before anything about contacts of contacts.
    pub fn grade(&mut self, dwell: Dwell) {
        self.dwell = dwell;
        self.found.contacts = grade(self.question, &self.found.exposures, &self.dwell);
    }

    /// Whose contacts must be looked for next, and in which time: from the first exposure of each on, until the end
    /// of the infectious period. Empty when nobody is left to ask about, and the answer stands.
    pub fn secondary_wanted(&self) -> Vec<(Visitor, Span)> {
        Vec::new()
    }

    /// The stays of those who were last wanted as something to search around: for the searches, take
    /// `Question { trail, ..question }` with the `at` of each. `stays` may hold too many.
    pub fn secondary_trail(&self, _stays: &[Candidate], _places: &Places) -> Vec<ContactStay> {
        Vec::new()
    }

    /// Takes in who met the contacts that were wanted, and grades anew. `candidates` may hold too many.
    pub fn meet(&mut self, _trail: &[ContactStay], _candidates: &[Candidate]) {
        self.asked.clear();
    }

    /// Everything that was met so far.
    pub fn exposures(&self) -> &[Exposure] {
        &self.found.exposures
    }

    /// The contacts so far.
    pub fn contacts(&self) -> &[Contact] {
        &self.found.contacts
    }

    /// How many contacts of each class there would be if each class with a time threshold asked for so many minutes
    /// instead. Contacts of contacts that nobody asked about are not among them.
    pub fn sensitivity(&self, mins: &[u32]) -> Vec<(u32, BTreeMap<Class, usize>)> {
        sensitivity(self.question, &self.found.exposures, &self.dwell, mins)
    }

    /// The answer.
    pub fn done(self) -> Traced {
        self.found
    }
}

/// Everything from one set of stays in memory: the reference for all other ways. `all` are all stays there are, those
/// of the case too; `places` is needed for contacts of contacts alone.
pub fn trace(question: &Question<'_>, all: &[Candidate], _places: &Places) -> Traced {
    let mut tracing = Tracing::new(question, all);
    tracing.grade(Dwell::default());
    tracing.done()
}

/// See [`Tracing::sensitivity`].
pub fn sensitivity(
    question: &Question<'_>,
    exposures: &[Exposure],
    dwell: &Dwell,
    mins: &[u32],
) -> Vec<(u32, BTreeMap<Class, usize>)> {
    let asking = |mins: &u32| {
        let mut pack = question.pack.clone();
        pack.classes
            .iter_mut()
            .filter(|rule| rule.together_mins > 0)
            .for_each(|rule| rule.together_mins = *mins);
        let mut counts = BTreeMap::new();
        for contact in grade(&Question { pack: &pack, ..*question }, exposures, dwell) {
            *counts.entry(contact.class).or_default() += 1;
        }
        (*mins, counts)
    };
    mins.iter().map(asking).collect()
}
