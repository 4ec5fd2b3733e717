//! What Postgres said not long ago, for when it is away: scanning goes on for some minutes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// How long an answer is good while Postgres cannot be asked: a restart takes less, and a card
/// that was ended meanwhile is not taken for longer.
pub const GOOD_FOR: TimeDelta = TimeDelta::minutes(5);

/// How many answers of one kind are remembered. A full memory is emptied: nothing depends on what is lost.
const ANSWERS_MAX: usize = 50_000;

/// Answers by what was asked, with when they were given.
type Answers<K, V> = HashMap<K, (DateTime<Utc>, V)>;

/// Answers of one kind. Clones share them.
#[derive(Debug)]
pub struct Remembered<K, V>(Arc<Mutex<Answers<K, V>>>);

impl<K, V> Clone for Remembered<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// Keeps an answer.
    pub fn keep(&self, key: K, value: V, now: DateTime<Utc>) {
        let mut answers = self.lock();
        if answers.len() >= ANSWERS_MAX {
            answers.clear();
        }
        answers.insert(key, (now, value));
    }

    /// The answer, when one was given not too long ago.
    pub fn recall(&self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let answers = self.lock();
        answers.get(key).filter(|(at, _)| now - *at <= GOOD_FOR).map(|(_, value)| value.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Answers<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_for_five_minutes() {
        let at = |mins: i64| DateTime::from_timestamp(1_700_000_000 + 60 * mins, 0).unwrap();
        let remembered = Remembered::default();
        remembered.clone().keep(1, "one", at(0));
        assert_eq!(remembered.recall(&1, at(5)), Some("one"));
        assert_eq!(remembered.recall(&1, at(6)), None);
        assert_eq!(remembered.recall(&2, at(0)), None);
        remembered.keep(1, "other", at(6));
        assert_eq!(remembered.recall(&1, at(6)), Some("other"));
    }
}
