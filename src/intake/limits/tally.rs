//! Counting scans in the process first, and in Redis only those who scan much.
//!
//! A scan costs a hash and a short lock for each limit that it is under: there is no question to Redis in its
//! way. Whoever has used more than an eighth of a limit in one process ([`SHARE`]) is counted in Redis from then
//! on: a task gathers the increments of a tenth of a second ([`TELL_EVERY`]) into one pipeline for each shard,
//! and the totals that come back tell what was used at the other replicas.
//!
//! So a limit can be overshot. With `n` replicas at most
//! `limit + n × (limit / 8 + what comes in within a tenth of a second and one answer of Redis)` pass in a
//! minute: each replica keeps to itself what is below the share, and hears of the others that late. Nobody is
//! refused who kept to the limit: what may have been counted already is never told again.
//!
//! While Redis is away each process goes on by what it has counted itself. Memory is bounded: a process counts
//! two million at most in a minute ([`SLICES`] × [`COUNTED_MAX`], some 100 MiB); who comes after those passes
//! uncounted until the minute ends.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::super::{Intake, IntakeError};
use super::Counted;
use crate::domain::keyring::Key;

/// The period of all limits that are counted here.
pub const MINUTE_SECS: i64 = 60;

/// Which part of a limit a process keeps to itself: an eighth.
pub const SHARE: u32 = 8;

/// How often Redis is told.
pub const TELL_EVERY: Duration = Duration::from_millis(100);

/// Into how many slices, each with a lock of its own, the counts are cut.
const SLICES: u64 = 64;

/// How many one slice counts in a minute.
const COUNTED_MAX: usize = 32_768;

/// How many increments go into one pipeline.
const BLOCK: usize = 1000;

/// So many scans in each minute; 0 for any number.
#[derive(Clone, Copy, Debug)]
pub struct PerMinute {
    /// By what they are counted.
    pub name: &'static str,
    /// How many.
    pub count_max: u32,
}

/// What was counted in this minute. Clones share it.
#[derive(Clone, Debug)]
pub struct Tally(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slices: Vec<Mutex<Slice>>,
    /// Keyed anew in each process, so that nobody can choose whose counts fall together.
    hasher: RandomState,
    key: Key,
}

#[derive(Debug, Default)]
struct Slice {
    minute: i64,
    /// By hash, what was counted in this process.
    own: HashMap<u64, u32>,
    /// The same of those who have used their share.
    shared: HashMap<u64, Shared>,
    /// Which of them Redis has to be told of.
    untold: Vec<u64>,
}

#[derive(Debug)]
struct Shared {
    name: &'static str,
    counted: Counted,
    told: u32,
    others: u32,
    waits: bool,
}

/// An increment on its way to Redis.
#[derive(Debug, Clone, Copy)]
struct Increment {
    hash: u64,
    minute: i64,
    name: &'static str,
    counted: Counted,
    more: u32,
    own: u32,
}

impl Tally {
    /// Counts, and tells Redis on the runtime of the caller for as long as somebody counts.
    pub fn start(intake: &Intake, key: &Key) -> Self {
        let tally = Self::new(key);
        let (intake, counts) = (intake.clone(), Arc::downgrade(&tally.0));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TELL_EVERY).await;
                let Some(inner) = counts.upgrade() else { return };
                Self(inner).tell(&intake).await;
            }
        });
        tally
    }

    fn new(key: &Key) -> Self {
        let slices = (0..SLICES).map(|_| Mutex::default()).collect();
        Self(Arc::new(Inner { slices, hasher: RandomState::new(), key: key.clone() }))
    }

    /// Counts so many scans and says whether they are within the limit; those that are not do not count.
    pub fn take(&self, limit: PerMinute, who: &[u8], scans: u32, now: DateTime<Utc>) -> bool {
        let PerMinute { name, count_max } = limit;
        if count_max == 0 {
            return true;
        }
        let hash = self.0.hasher.hash_one((name, who));
        let Some(mut slice) = self.slice(hash) else { return true };
        slice.enter(now.timestamp().div_euclid(MINUTE_SECS));
        let share = count_max / SHARE;
        let own = match slice.own.get(&hash) {
            Some(own) => *own,
            None if slice.own.len() < COUNTED_MAX => 0,
            None => return true,
        };
        let others = if own > share { slice.shared.get(&hash).map_or(0, |shared| shared.others) } else { 0 };
        let wanted = own.saturating_add(scans);
        if wanted.saturating_add(others) > count_max {
            return false;
        }
        slice.own.insert(hash, wanted);
        if wanted > share {
            slice.share(hash, name, || Counted::of(&self.0.key, name, who));
        }
        true
    }

    fn slice(&self, hash: u64) -> Option<MutexGuard<'_, Slice>> {
        let index = usize::try_from(hash % SLICES).ok()?;
        Some(self.0.slices.get(index)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells Redis what it has not been told, and hears what was used elsewhere.
    async fn tell(&self, intake: &Intake) {
        let mut by_shard: BTreeMap<i16, Vec<Increment>> = BTreeMap::new();
        for slice in &self.0.slices {
            for increment in slice.lock().unwrap_or_else(PoisonError::into_inner).increments() {
                by_shard.entry(intake.shard_of(increment.counted.0)).or_default().push(increment);
            }
        }
        let ways = by_shard.values().map(async |increments| {
            for block in increments.chunks(BLOCK) {
                // What may have been counted is not told again: counting it twice would refuse somebody who
                // kept to the limit.
                let Ok(totals) = intake.add_up(block).await else { return };
                self.learn(block, &totals);
            }
        });
        join_all(ways).await;
    }

    fn learn(&self, told: &[Increment], totals: &[u64]) {
        for (increment, total) in told.iter().zip(totals) {
            let Some(mut slice) = self.slice(increment.hash) else { continue };
            if slice.minute != increment.minute {
                continue;
            }
            if let Some(shared) = slice.shared.get_mut(&increment.hash) {
                let total = u32::try_from(*total).unwrap_or(u32::MAX);
                shared.others = shared.others.max(total.saturating_sub(increment.own));
            }
        }
    }
}

impl Slice {
    /// Forgets the minutes before. A clock that was set back begins anew, but not one that a request read just
    /// before the minute ended.
    fn enter(&mut self, minute: i64) {
        if minute > self.minute || minute < self.minute - 1 {
            self.minute = minute;
            self.own.clear();
            self.shared.clear();
            self.untold.clear();
        }
    }

    /// Has Redis told of somebody.
    fn share(&mut self, hash: u64, name: &'static str, counted: impl FnOnce() -> Counted) {
        let shared = self.shared.entry(hash).or_insert_with(|| Shared {
            name,
            counted: counted(),
            told: 0,
            others: 0,
            waits: false,
        });
        if !shared.waits {
            shared.waits = true;
            self.untold.push(hash);
        }
    }

    fn increments(&mut self) -> Vec<Increment> {
        let untold = std::mem::take(&mut self.untold);
        let increment = |hash: u64| {
            let (own, shared) = (*self.own.get(&hash)?, self.shared.get_mut(&hash)?);
            let more = own.saturating_sub(shared.told);
            (shared.told, shared.waits) = (own, false);
            Some(Increment {
                hash,
                minute: self.minute,
                name: shared.name,
                counted: shared.counted,
                more,
                own,
            })
        };
        untold.into_iter().filter_map(increment).collect()
    }
}

impl Intake {
    /// Adds increments, all of one shard, and gives the totals in their order.
    async fn add_up(&self, increments: &[Increment]) -> Result<Vec<u64>, IntakeError> {
        let mut conn = self.conn().await?;
        let mut pipeline = redis::pipe();
        for one in increments {
            let key = self.limit_key(one.name, one.counted, one.minute);
            pipeline.incr(&key, one.more).expire(&key, MINUTE_SECS * 2).ignore();
        }
        Ok(pipeline.query_async(&mut conn).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: PerMinute = PerMinute { name: "scan", count_max: 16 };

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn tally() -> Tally {
        Tally::new(&Key::new([1; 32]))
    }

    fn untold(tally: &Tally) -> Vec<Increment> {
        tally.0.slices.iter().flat_map(|slice| slice.lock().unwrap().increments()).collect()
    }

    #[test]
    fn a_limit_holds_for_its_minute_and_for_nobody_else() {
        let tally = tally();
        for _ in 0..16 {
            assert!(tally.take(LIMIT, b"a", 1, at(600)));
        }
        assert!(!tally.take(LIMIT, b"a", 1, at(659)));
        assert!(tally.take(LIMIT, b"b", 1, at(659)));
        assert!(tally.take(PerMinute { name: "address", ..LIMIT }, b"a", 1, at(659)));
        assert!(tally.take(LIMIT, b"a", 1, at(660)));
        // A request that read the clock just before the minute ended counts in the new one.
        for _ in 0..15 {
            assert!(tally.take(LIMIT, b"a", 1, at(659)));
        }
        assert!(!tally.take(LIMIT, b"a", 1, at(660)));
        assert!(tally.take(LIMIT, b"a", 1, at(0)), "the clock was set back");
    }

    #[test]
    fn rows_are_taken_all_or_none_and_without_a_limit_always() {
        let tally = tally();
        assert!(tally.take(LIMIT, b"a", 10, at(0)));
        assert!(!tally.take(LIMIT, b"a", 7, at(0)));
        assert!(tally.take(LIMIT, b"a", 6, at(0)));
        assert!(!tally.take(LIMIT, b"b", u32::MAX, at(0)));
        assert!(tally.take(PerMinute { count_max: 0, ..LIMIT }, b"a", u32::MAX, at(0)));
    }

    #[test]
    fn redis_is_told_of_those_only_who_have_used_their_share_and_then_of_all() {
        let tally = tally();
        for _ in 0..2 {
            assert!(tally.take(LIMIT, b"a", 1, at(0)));
        }
        assert!(untold(&tally).is_empty());
        for _ in 0..3 {
            assert!(tally.take(LIMIT, b"a", 1, at(0)));
        }
        let told = untold(&tally);
        assert_eq!(told.iter().map(|one| (one.more, one.own)).collect::<Vec<_>>(), [(5, 5)]);
        assert!(untold(&tally).is_empty());
        assert!(tally.take(LIMIT, b"a", 2, at(0)));
        assert_eq!(untold(&tally).first().map(|one| (one.more, one.own)), Some((2, 7)));
    }

    #[test]
    fn what_was_used_elsewhere_counts_within_its_minute() {
        let tally = tally();
        assert!(tally.take(LIMIT, b"a", 5, at(0)));
        let told = untold(&tally);
        tally.learn(&told, &[14]);
        assert!(!tally.take(LIMIT, b"a", 3, at(0)), "5 here and 9 elsewhere");
        assert!(tally.take(LIMIT, b"a", 2, at(0)));
        assert!(tally.take(LIMIT, b"a", 5, at(60)));
        tally.learn(&told, &[14]);
        assert!(tally.take(LIMIT, b"a", 11, at(60)), "the answer was about the minute before");
    }

    #[test]
    fn memory_is_bounded_and_whoever_is_not_counted_passes() {
        let tally = tally();
        let counted = usize::try_from(SLICES).unwrap() * COUNTED_MAX;
        for who in 0..u32::try_from(counted + counted / 8).unwrap() {
            assert!(tally.take(LIMIT, &who.to_be_bytes(), 1, at(0)));
        }
        for slice in &tally.0.slices {
            assert!(slice.lock().unwrap().own.len() <= COUNTED_MAX);
        }
    }
}
