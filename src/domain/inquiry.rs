//! The whole way from a case to its contacts, step by step, whoever brings the stays: memory or a database.
//!
//! 1. [`Tracing::new`]: everybody who met the case.
//! 2. [`Tracing::dwell_wanted`], [`Tracing::grade`]: where they were before, as far as a companion rule asks.
//! 3. While [`Tracing::secondary_wanted`] names contacts: their stays become a trail ([`Tracing::secondary_trail`]),
//!    around which is searched as around the case's, and [`Tracing::meet`] takes in who met them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::exposure::{Around, Candidate, Exposure, Question, TrailStay, With, exposures, exposures_around};
use super::grading::{Contact, Dwell, companions, grade, is_source};
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
    /// when no class asks. Stays that only overlap the time are wanted too, contradicted ones are not.
    pub fn dwell_wanted(&self) -> Vec<(Visitor, Span)> {
        let mut wanted: Vec<_> = companions(self.question, &self.found.exposures).into_iter().collect();
        wanted.sort_unstable();
        wanted
    }

    /// Grades who met the case. Call it once, before anything about contacts of contacts.
    pub fn grade(&mut self, dwell: Dwell) {
        self.dwell = dwell;
        self.found.contacts = grade(self.question, &self.found.exposures, &self.dwell);
    }

    /// Whose contacts must be looked for next, and in which time: from the first exposure of each on, until the end
    /// of the infectious period. Empty when nobody is left to ask about, and the answer stands.
    pub fn secondary_wanted(&self) -> Vec<(Visitor, Span)> {
        let is_new = |contact: &&Contact| {
            self.asked.get(&contact.visitor).is_none_or(|since| *since > contact.first_at)
        };
        let sources = self.found.contacts.iter().filter(|contact| is_source(self.question, contact));
        let since = |contact: &Contact| Span::new(contact.first_at, self.question.infectious.until());
        sources.filter(is_new).filter_map(|contact| Some((contact.visitor, since(contact).ok()?))).collect()
    }

    /// The stays of those who are wanted as something to search around: for the searches, take
    /// `Question { trail, ..question }` with the `at` of each. `stays` may hold too many.
    pub fn secondary_trail(&self, stays: &[Candidate], places: &Places) -> Vec<ContactStay> {
        let wanted: HashMap<Visitor, Span> = self.secondary_wanted().into_iter().collect();
        let proven = stays.iter().filter(|candidate| candidate.stay.presence > Presence::Contradicted);
        proven
            .filter_map(|candidate| contact_stay(candidate, wanted.get(&candidate.stay.visitor)?, places))
            .collect()
    }

    /// Takes in who met the contacts that were wanted, and grades anew. `candidates` may hold too many.
    pub fn meet(&mut self, trail: &[ContactStay], candidates: &[Candidate]) {
        let wanted: HashMap<Visitor, Span> = self.secondary_wanted().into_iter().collect();
        // Who was asked about before is asked again only about an earlier time; the new answer holds the old one.
        let again = |with| matches!(with, With::Contact(contact, ..) if wanted.contains_key(&contact));
        self.found.exposures.retain(|exposure| !again(exposure.with));
        let around =
            trail.iter().filter(|stay| wanted.contains_key(&stay.visitor)).filter_map(ContactStay::around);
        self.found.exposures.extend(exposures_around(self.question, around, candidates));
        self.asked.extend(wanted.into_iter().map(|(contact, span)| (contact, span.from())));
        self.found.contacts = grade(self.question, &self.found.exposures, &self.dwell);
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

impl ContactStay {
    fn around(&self) -> Option<Around<'_>> {
        let with = With::Contact(self.visitor, self.at.point?, self.stay_from);
        Some(Around { with, visitor: self.visitor, presence: self.presence, at: &self.at })
    }
}

/// The part of a contact's stay in which it may have infected others; `None` where too little is known of the place.
fn contact_stay(candidate: &Candidate, wanted: &Span, places: &Places) -> Option<ContactStay> {
    let Candidate { stay, venue, row } = candidate;
    let span = stay.span.overlap(wanted)?;
    let place = places.get(&stay.point)?;
    let at = TrailStay {
        id: stay.id,
        point: Some(stay.point),
        venue: Some(*venue),
        cell: stay.cell,
        granularity: place.granularity,
        category: place.category.clone(),
        row: *row,
        span,
    };
    Some(ContactStay { visitor: stay.visitor, stay_from: stay.span.from(), presence: stay.presence, at })
}

/// Everything from one set of stays in memory: the reference for all other ways. `all` are all stays there are, those
/// of the case too; `places` is needed for contacts of contacts alone.
pub fn trace(question: &Question<'_>, all: &[Candidate], places: &Places) -> Traced {
    let mut tracing = Tracing::new(question, all);
    let dwell = dwell_of(all, &tracing.dwell_wanted());
    tracing.grade(dwell);
    while !tracing.secondary_wanted().is_empty() {
        let trail = tracing.secondary_trail(all, places);
        tracing.meet(&trail, all);
    }
    tracing.done()
}

fn dwell_of(all: &[Candidate], wanted: &[(Visitor, Span)]) -> Dwell {
    let wanted: HashMap<Visitor, Span> = wanted.iter().copied().collect();
    let mut dwell = Dwell::default();
    for Candidate { stay, .. } in all {
        let asked = wanted.get(&stay.visitor).is_some_and(|span| span.overlap(&stay.span).is_some());
        if asked && stay.presence > Presence::Contradicted {
            dwell.stays.entry(stay.visitor).or_default().push((stay.cell, stay.span));
        }
    }
    dwell
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

#[cfg(test)]
#[path = "inquiry_tests.rs"]
mod tests;
