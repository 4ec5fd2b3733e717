//! The floor: sorted columns in memory, one thread. Nothing can answer faster on this machine.

use crate::city::{City, LONGEST, Visit};

/// Minutes together in one meeting that make a contact, in seconds.
pub(crate) const TOGETHER: u32 = 15 * 60;

/// Somebody who was together with the case for long enough: what every engine is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Met {
    pub(crate) person: u32,
    pub(crate) meetings: u32,
    pub(crate) secs: u32,
    longest: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// An answer in six numbers, by which answers are found equal: contacts, and the sums of their meetings, seconds, first
/// and last moments and numbers.
pub(crate) type Sums = [i128; 6];

pub(crate) struct Floor {
    /// Where the stays of each point begin.
    starts: Vec<usize>,
    from: Vec<u32>,
    until: Vec<u32>,
    person: Vec<u32>,
}

impl Floor {
    pub(crate) fn new(city: &City) -> Self {
        let starts =
            (0..=city.points).map(|point| city.visits.partition_point(|v| v.point < point)).collect();
        let column = |of: fn(&Visit) -> u32| city.visits.iter().map(of).collect();
        Self { starts, from: column(|v| v.from), until: column(|v| v.until), person: column(|v| v.person) }
    }

    /// Everybody who was together with the case, the longest first.
    pub(crate) fn contacts(&self, trail: &[Visit], buffer: &mut Vec<Met>) -> usize {
        buffer.clear();
        for own in trail {
            let (start, end) = (self.starts[own.point as usize], self.starts[own.point as usize + 1]);
            let from = &self.from[start..end];
            let first = start + from.partition_point(|at| *at < own.from.saturating_sub(LONGEST));
            let last = start + from.partition_point(|at| *at < own.until);
            for nth in first..last {
                let (begun, ended) = (self.from[nth].max(own.from), self.until[nth].min(own.until));
                if begun < ended && self.person[nth] != own.person {
                    let (person, secs) = (self.person[nth], ended - begun);
                    buffer.push(Met { person, meetings: 1, secs, longest: secs, first: begun, last: ended });
                }
            }
        }
        buffer.sort_unstable_by_key(|met| met.person);
        buffer.dedup_by(|next, kept| {
            let same = next.person == kept.person;
            if same {
                kept.meetings += 1;
                kept.secs += next.secs;
                kept.longest = kept.longest.max(next.longest);
                kept.first = kept.first.min(next.first);
                kept.last = kept.last.max(next.last);
            }
            same
        });
        buffer.retain(|met| met.longest >= TOGETHER);
        buffer.sort_unstable_by_key(|met| (std::cmp::Reverse(met.secs), met.person));
        buffer.len()
    }
}

pub(crate) fn sums(found: &[Met]) -> Sums {
    let mut sums = [0; 6];
    for met in found {
        let parts = [1, met.meetings, met.secs, met.first, met.last, met.person];
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += i128::from(part));
    }
    sums
}
