//! Whether two sides hold the same assignments: counts and digests by bucket first, then entry by entry.
//!
//! Both sides compute this from their own tables at one instant. An assignment counts while its days are not over; an
//! open one has the sequence of the newest letter that counted, its colour and its last day, and an ended one says no
//! more than that it has ended, because nothing that comes after an end changes it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::rule_pack::Colour;
use super::visitor::Visitor;

/// The only type of message of a reconciliation.
pub const RECONCILIATION: &str = "placecode.reconciliation.v1";

/// How many entries one answer holds at the most.
pub const ENTRIES_MAX: usize = 2000;

/// How often each issuing system is compared with.
pub const EVERY: TimeDelta = TimeDelta::hours(24);

/// How long after a comparison that failed the next is tried.
pub const AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// What one side holds of one assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose.
    pub visitor: Visitor,
    /// Which.
    pub assignment: Uuid,
    /// What it says; `None` once it has ended.
    pub open: Option<Open>,
}

/// What an open assignment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The sequence of the newest letter about it that counted.
    pub sequence: i64,
    /// Its colour by the rule pack.
    pub colour: Colour,
    /// When it ends by itself; whole seconds count.
    pub expires_at: DateTime<Utc>,
}

impl Held {
    /// What its order and its place follow from.
    pub fn key(&self) -> (Uuid, Uuid) {
        (self.visitor.to_uuid(), self.assignment)
    }

    /// Its line in the digest.
    fn line(&self) -> String {
        let (visitor, assignment) = (self.visitor.to_hex(), self.assignment);
        match self.open {
            None => format!("{visitor} {assignment} ended\n"),
            Some(open) => {
                let (colour, until) = (word(open.colour), open.expires_at.timestamp());
                format!("{visitor} {assignment} open {} {colour} {until}\n", open.sequence)
            }
        }
    }
}

fn word(colour: Colour) -> &'static str {
    match colour {
        Colour::Green => "green",
        Colour::Yellow => "yellow",
        Colour::Red => "red",
    }
}

/// Which of the 256 buckets a visitor is in: the first byte of the pseudonym.
pub fn bucket_of(visitor: Visitor) -> u8 {
    u8::try_from(visitor.to_uuid().as_u128() >> 120).unwrap_or_default()
}

/// The first and the last pseudonym that the buckets `from..=until` can hold.
pub fn range_of(from: u8, until: u8) -> (Uuid, Uuid) {
    let first = u128::from(from) << 120;
    let last = (u128::from(until) << 120) | ((1 << 120) - 1);
    (Uuid::from_u128(first), Uuid::from_u128(last))
}

/// How many assignments a bucket holds, and what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The first byte of the pseudonyms in it.
    pub bucket: u8,
    /// How many assignments.
    pub count: u64,
    /// SHA-256 over the sorted lines, in hexadecimal digits.
    pub digest: String,
}

/// The buckets of what one side holds; empty ones are left out.
pub fn buckets(mut held: Vec<Held>) -> Vec<Bucket> {
    held.sort_by_key(Held::key);
    let mut all: BTreeMap<u8, (u64, Sha256)> = BTreeMap::new();
    for one in &held {
        let (count, digest) = all.entry(bucket_of(one.visitor)).or_default();
        *count += 1;
        digest.update(one.line());
    }
    let finished = |(bucket, (count, digest)): (u8, (u64, Sha256))| Bucket {
        bucket,
        count,
        digest: HEXLOWER.encode(&digest.finalize()),
    };
    all.into_iter().map(finished).collect()
}

/// How many assignments all buckets hold.
pub fn total(buckets: &[Bucket]) -> u64 {
    buckets.iter().map(|bucket| bucket.count).sum()
}

/// One digest over the digests of all buckets.
pub fn whole(buckets: &[Bucket]) -> String {
    let mut digest = Sha256::new();
    for bucket in buckets {
        digest.update(format!("{} {} {}\n", bucket.bucket, bucket.count, bucket.digest));
    }
    HEXLOWER.encode(&digest.finalize())
}

/// The buckets in which two sides differ.
pub fn differing(ours: &[Bucket], theirs: &[Bucket]) -> BTreeSet<u8> {
    let only = |these: &[Bucket], those: &[Bucket]| -> Vec<u8> {
        these.iter().filter(|one| !those.contains(one)).map(|one| one.bucket).collect()
    };
    only(ours, theirs).into_iter().chain(only(theirs, ours)).collect()
}

/// In what way an assignment stands otherwise on the other side.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Drift {
    /// They do not hold it.
    Missing = 0,
    /// They hold what we have not told them, or what is not ours at all.
    Unknown = 1,
    /// It has ended on one side and not on the other.
    State = 2,
    /// They show another colour.
    Colour = 3,
    /// An older or newer letter, or another last day.
    Letter = 4,
}

impl super::numbered::Numbered for Drift {
    const ALL: &'static [Self] = &[Self::Missing, Self::Unknown, Self::State, Self::Colour, Self::Letter];

    fn number(self) -> i16 {
        self as i16
    }
}

/// An assignment that does not stand alike on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose, as the side says that holds it.
    pub visitor: Visitor,
    /// Which.
    pub assignment: Uuid,
    /// In what way.
    pub drift: Drift,
    /// Whether they hold it open.
    pub open_there: bool,
}

/// Compares what both sides hold, one by one.
pub fn compare(ours: &[Held], theirs: &[Held]) -> Vec<Found> {
    let by_key = |held: &[Held]| held.iter().map(|one| (one.key(), *one)).collect::<BTreeMap<_, _>>();
    let (ours, theirs) = (by_key(ours), by_key(theirs));
    let mut found = Vec::new();
    for (key, own) in &ours {
        let other = theirs.get(key);
        if let Some(drift) = drift(own, other) {
            let open_there = other.is_some_and(|other| other.open.is_some());
            found.push(Found { visitor: own.visitor, assignment: own.assignment, drift, open_there });
        }
    }
    for (_, other) in theirs.iter().filter(|(key, _)| !ours.contains_key(*key)) {
        let (visitor, assignment) = (other.visitor, other.assignment);
        found.push(Found { visitor, assignment, drift: Drift::Unknown, open_there: other.open.is_some() });
    }
    found
}

fn drift(own: &Held, other: Option<&Held>) -> Option<Drift> {
    let Some(other) = other else { return Some(Drift::Missing) };
    match (own.open, other.open) {
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => Some(Drift::State),
        (Some(own), Some(other)) if own.colour != other.colour => Some(Drift::Colour),
        (Some(own), Some(other)) => {
            let same =
                own.sequence == other.sequence && own.expires_at.timestamp() == other.expires_at.timestamp();
            (!same).then_some(Drift::Letter)
        }
    }
}

/// Whether an issuing system is to be compared with again. `last` is the end of the last attempt, and whether it
/// failed; without one, the day begins when the system was entered.
pub fn is_due(last: Option<(DateTime<Utc>, bool)>, entered_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    match last {
        None => now - entered_at >= EVERY,
        Some((ended_at, failed)) => now - ended_at >= if failed { AGAIN_AFTER } else { EVERY },
    }
}

/// What is asked of the other side: its buckets, or the entries of one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Always `placecode.reconciliation.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The instant for which both sides say what they hold.
    pub at: DateTime<Utc>,
    /// The buckets of who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<Bucket>>,
    /// The bucket whose entries are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u8>,
    /// Of these only what comes after this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
}

/// Where a page of entries begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The visitor of the last entry that was seen: 32 hexadecimal digits.
    pub visitor: String,
    /// Its assignment.
    pub assignment: Uuid,
}

/// The buckets of who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Buckets {
    /// The instant that was asked about.
    pub at: DateTime<Utc>,
    /// Its buckets; empty ones are left out.
    pub buckets: Vec<Bucket>,
    /// Those that differ from what who asked has sent.
    pub differing: Vec<u8>,
}

/// The entries of one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Entries {
    /// In the order of visitor and assignment.
    pub entries: Vec<Entry>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

/// What one side holds of one assignment, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Entry {
    /// Whose: 32 hexadecimal digits.
    pub visitor: String,
    /// Which.
    pub assignment: Uuid,
    /// Whether it is open; nothing else is said of one that has ended.
    pub open: bool,
    /// The newest letter that counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// Its colour by the rule pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

impl From<&Held> for Entry {
    fn from(held: &Held) -> Self {
        Self {
            visitor: held.visitor.to_hex(),
            assignment: held.assignment,
            open: held.open.is_some(),
            sequence: held.open.map(|open| open.sequence),
            colour: held.open.map(|open| open.colour),
            expires_at: held.open.map(|open| open.expires_at),
        }
    }
}

impl Entry {
    /// What it says; `None` when it does not say what an entry must.
    pub fn held(&self) -> Option<Held> {
        let open = if self.open {
            let (sequence, colour, expires_at) = (self.sequence?, self.colour?, self.expires_at?);
            Some(Open { sequence, colour, expires_at })
        } else {
            None
        };
        Some(Held { visitor: Visitor::from_hex(&self.visitor)?, assignment: self.assignment, open })
    }
}

/// One assignment that a system found to stand otherwise with itself than with the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Which.
    pub assignment: Uuid,
    /// In what way; `missing` is what it does not hold, `unknown` what the service did not name.
    pub drift: Drift,
}

/// What a system that takes its letters itself came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The instant for which it compared.
    pub at: DateTime<Utc>,
    /// What it holds.
    pub buckets: Vec<Bucket>,
    /// What stands otherwise.
    pub found: Vec<Difference>,
}

/// A page of what one side holds in one bucket.
pub fn page(mut held: Vec<Held>, after: Option<(Uuid, Uuid)>) -> Entries {
    held.sort_by_key(Held::key);
    let mut rest = held.iter().filter(|one| after.is_none_or(|after| one.key() > after));
    let entries: Vec<Entry> = rest.by_ref().take(ENTRIES_MAX).map(Entry::from).collect();
    Entries { entries, more: rest.next().is_some() }
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
