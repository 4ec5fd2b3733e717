//! What the client knows: every scan that it sent, and every answer with its time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use placecode::domain::visitor::Visitor;
use uuid::Uuid;

/// What one request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The service promised that the scan will not be lost.
    Acknowledged,
    /// Refused for now (a status from 500), which promises nothing: it may be stored all the same, once.
    Busy(u16),
    /// Refused for good (a status of 400 to 499): it must not be stored.
    Refused(u16),
    /// No connection, so the service never saw it.
    NotSent,
    /// The connection broke or no answer came in time: it may be stored, once.
    Unknown,
}

/// One scan, and the answers to all requests that carried it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub visitor: Visitor,
    pub point: i64,
    pub occurred_at: DateTime<Utc>,
    pub acknowledged: bool,
    /// Whether any answer left open if the scan is stored.
    pub open: bool,
}

#[derive(Default)]
struct Book {
    entries: HashMap<Uuid, Entry>,
    answers: Vec<(Instant, Answer)>,
    refusals: BTreeMap<String, usize>,
}

/// The ledger of one round.
#[derive(Default)]
pub struct Ledger(Mutex<Book>);

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a scan before it is sent for the first time.
    pub fn enter(&self, id: Uuid, visitor: Visitor, point: i64, occurred_at: DateTime<Utc>) {
        let entry = Entry { visitor, point, occurred_at, acknowledged: false, open: false };
        self.book().entries.insert(id, entry);
    }

    /// Notes the answer to one request that carried these scans; what is of an earlier round is none of
    /// this ledger's scans, but its answer counts.
    pub fn note(&self, ids: &[Uuid], answer: Answer, at: Instant) {
        let mut book = self.book();
        book.answers.push((at, answer));
        for id in ids {
            if let Some(entry) = book.entries.get_mut(id) {
                match answer {
                    Answer::Acknowledged => entry.acknowledged = true,
                    Answer::Busy(_) | Answer::Unknown => entry.open = true,
                    Answer::Refused(_) | Answer::NotSent => {}
                }
            }
        }
    }

    /// All scans.
    pub fn entries(&self) -> HashMap<Uuid, Entry> {
        self.book().entries.clone()
    }

    /// The first promise after a moment.
    pub fn first_acknowledged_after(&self, moment: Instant) -> Option<Instant> {
        let book = self.book();
        let promised =
            book.answers.iter().filter(|(at, answer)| *answer == Answer::Acknowledged && *at > moment);
        promised.map(|(at, _)| *at).min()
    }

    /// How many requests came to each answer.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, answer) in &self.book().answers {
            match answer {
                Answer::Acknowledged => counts.acknowledged += 1,
                Answer::Busy(_) => counts.busy += 1,
                Answer::Refused(_) => counts.refused += 1,
                Answer::NotSent => counts.not_sent += 1,
                Answer::Unknown => counts.unknown += 1,
            }
        }
        counts
    }

    /// Notes in what words something was not promised.
    pub fn note_refusal(&self, words: String) {
        *self.book().refusals.entry(words).or_default() += 1;
    }

    /// In what words something was not promised, and how often.
    pub fn refusals(&self) -> BTreeMap<String, usize> {
        self.book().refusals.clone()
    }

    /// The longest time from one promise to the next in which something was asked and refused.
    pub fn longest_refusal(&self, begun: Instant) -> Duration {
        let mut answers = self.book().answers.clone();
        answers.sort_by_key(|(at, _)| *at);
        let (mut since, mut refused, mut longest) = (begun, false, Duration::ZERO);
        for (at, answer) in answers {
            if answer == Answer::Acknowledged {
                if refused {
                    longest = longest.max(at.duration_since(since));
                }
                (since, refused) = (at, false);
            } else {
                refused = true;
                longest = longest.max(at.duration_since(since));
            }
        }
        longest
    }
}

/// How many requests came to each answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub acknowledged: usize,
    pub busy: usize,
    pub refused: usize,
    pub not_sent: usize,
    pub unknown: usize,
}
