//! What was done to a log that does not verify: the first entry that is wrong, and how.

use std::collections::VecDeque;
use std::fmt;

use data_encoding::HEXLOWER;

use super::audit::{Entry, GENESIS, Verifier, hex};
use super::audit_heads::Head;

/// How many entries around a broken one are looked at, so that a moved entry is told from a forged one.
pub const AROUND: usize = 64;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Something in it was changed.
    Altered,
    /// It is gone.
    Removed,
    /// It stands elsewhere.
    Moved,
    /// It was never written by the service.
    Added,
    /// It is gone, with everything after it.
    CutOff,
    /// It, or one of those after it, is another than when a head was published; the hashes were computed anew.
    Rewritten,
    /// The table that remembers the end of the log says something else than the log.
    HeadMoved,
}

/// The first broken link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was done.
    pub deed: Deed,
    /// To which entry.
    pub from: i64,
    /// Up to which entry, where it is more than one or not known more exactly.
    pub until: i64,
}

impl Finding {
    fn one(deed: Deed, entry: i64) -> Self {
        Self { deed, from: entry, until: entry }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deed, from, until } = *self;
        let (which, were, are) = if from == until {
            (format!("entry {from}"), "was", "is")
        } else {
            (format!("entries {from} to {until}"), "were", "are")
        };
        match deed {
            Deed::Altered => write!(f, "{which} {were} altered"),
            Deed::Removed => write!(f, "{which} {were} removed"),
            Deed::Moved => write!(f, "{which} {were} moved to another place"),
            Deed::Added => write!(f, "{which} {were} added by somebody else than the service"),
            Deed::CutOff => write!(f, "{which} {are} cut off at the end of the log"),
            Deed::Rewritten => write!(
                f,
                "{which} {were} rewritten with consistent hashes: the published head over entry {until} says something else"
            ),
            Deed::HeadMoved => {
                write!(
                    f,
                    "{which}: the table that remembers the end of the log was changed; the log itself follows"
                )
            }
        }
    }
}

/// Walks a log, with what is known of it from elsewhere.
#[derive(Debug)]
pub struct Walk {
    verifier: Verifier,
    recent: VecDeque<Entry>,
    heads: VecDeque<Head>,
    vouched: i64,
}

impl Walk {
    /// A walk that holds the log against published heads, whose signatures are verified already.
    pub fn new(mut heads: Vec<Head>) -> Self {
        heads.retain(|head| head.seq > 0);
        heads.sort_by_key(|head| head.seq);
        Self { verifier: Verifier::default(), recent: VecDeque::new(), heads: heads.into(), vouched: 0 }
    }

    /// Checks the next entries. `ahead` are those that come after them, as far as they were read: what is wrong
    /// with an entry is told by what follows it.
    pub fn add(&mut self, entries: Vec<Entry>, ahead: &[Entry]) -> Result<(), Finding> {
        let mut entries = entries.into_iter();
        while let Some(entry) = entries.next() {
            if self.verifier.add(&entry).is_err() {
                let after: Vec<Entry> = std::iter::once(entry)
                    .chain(entries)
                    .chain(ahead.iter().cloned())
                    .take(AROUND + 1)
                    .collect();
                return Err(search(self.recent.make_contiguous(), &after));
            }
            self.hold_against_heads(&entry)?;
            self.recent.push_back(entry);
            if self.recent.len() > AROUND {
                self.recent.pop_front();
            }
        }
        Ok(())
    }

    fn hold_against_heads(&mut self, entry: &Entry) -> Result<(), Finding> {
        while self.heads.front().is_some_and(|head| head.seq == entry.seq) {
            let Some(head) = self.heads.pop_front() else { break };
            if head.hash != entry.hash {
                return Err(Finding { deed: Deed::Rewritten, from: self.vouched + 1, until: entry.seq });
            }
            self.vouched = entry.seq;
        }
        Ok(())
    }

    /// How many entries were good, and the hash of the last.
    pub fn reached(&self) -> (i64, String) {
        self.verifier.head()
    }

    /// Up to which entry published heads vouch for what was read.
    pub fn vouched(&self) -> i64 {
        self.vouched
    }

    /// Checks that nothing is missing at the end: that the log reaches the last published head, and ends where
    /// `end` (number and hash of the last entry) says, where that is known.
    pub fn end(&self, end: Option<&(i64, String)>) -> Result<(), Finding> {
        let (last, hash) = self.reached();
        let published = self.heads.back().map_or(0, |head| head.seq);
        let known = published.max(end.map_or(0, |end| end.0));
        if known > last {
            return Err(Finding { deed: Deed::CutOff, from: last + 1, until: known });
        }
        match end {
            Some((seq, _)) if *seq < last => Err(Finding { deed: Deed::Added, from: seq + 1, until: last }),
            Some((_, own)) if *own != hash => Err(Finding::one(Deed::HeadMoved, last)),
            Some(_) | None => Ok(()),
        }
    }
}

/// Which number an entry had when it was written, looked for around the one that it has now.
fn origin(entry: &Entry) -> Option<i64> {
    let prev: [u8; 32] = HEXLOWER.decode(entry.prev.as_bytes()).ok()?.try_into().ok()?;
    let reach = i64::try_from(AROUND).unwrap_or(i64::MAX);
    let around =
        (1..=reach).flat_map(|step| [entry.seq.saturating_add(step), entry.seq.saturating_sub(step)]);
    let was = |seq: &i64| hex(&Entry { seq: *seq, ..entry.clone() }.hash_of(&prev)) == entry.hash;
    std::iter::once(entry.seq).chain(around).find(was)
}

/// What was done, from the good entries before the broken one and those from it on.
fn search(before: &[Entry], after: &[Entry]) -> Finding {
    let next = before.last().map_or(1, |last| last.seq + 1);
    let Some(first) = after.first() else { return Finding::one(Deed::CutOff, next) };
    if first.seq != next {
        return out_of_order(next, first, after);
    }
    let last_hash = before.last().map_or_else(|| hex(&GENESIS), |last| last.hash.clone());
    let then = after.get(1);
    // What follows the entry remembers the one before it: it was put between them.
    if then.is_some_and(|then| then.prev == last_hash && first.hash != last_hash) {
        let comes_later = origin(first).is_some_and(|seq| seq > next);
        return Finding::one(if comes_later { Deed::Moved } else { Deed::Added }, next);
    }
    if first.prev == last_hash {
        return Finding::one(Deed::Altered, next);
    }
    // It remembers an entry further back: those between were added.
    let further = |entry: &&Entry| entry.hash == first.prev;
    if let Some(known) = before.iter().rev().skip(1).find(further) {
        return Finding { deed: Deed::Added, from: known.seq + 1, until: next - 1 };
    }
    if first.prev == hex(&GENESIS) && !before.is_empty() {
        return Finding { deed: Deed::Added, from: 1, until: next - 1 };
    }
    match origin(first) {
        Some(seq) if seq == next => {
            let holds = then.is_none_or(|then| then.prev == first.hash);
            Finding::one(Deed::Altered, if holds && next > 1 { next - 1 } else { next })
        }
        Some(_) if after.iter().skip(1).any(|entry| origin(entry) == Some(next)) => {
            Finding::one(Deed::Moved, next)
        }
        Some(seq) if seq > next => Finding { deed: Deed::Removed, from: next, until: seq - 1 },
        Some(_) => Finding::one(Deed::Added, next),
        None => Finding::one(Deed::Altered, next),
    }
}

/// What was done where another number stands than the next.
fn out_of_order(next: i64, first: &Entry, after: &[Entry]) -> Finding {
    if first.seq > next && after.iter().any(|entry| entry.seq == next) {
        return Finding::one(Deed::Moved, next);
    }
    if first.seq < next || origin(first) != Some(first.seq) {
        return Finding::one(Deed::Added, first.seq);
    }
    Finding { deed: Deed::Removed, from: next, until: first.seq - 1 }
}

#[cfg(test)]
mod tests;
