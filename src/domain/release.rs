//! What a proposed run needs before it goes out: whose words, a chief's among them, and room in the hour.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

/// How many words a release takes, of people who are not the proposer and have reviewed nothing of the run.
pub const WORDS_NEEDED: usize = 2;

/// With more contacts than this changed by hand, and more than [`CHANGED_SHARE`] of those who have a colour, a run
/// takes a chief.
pub const CHANGED_MAX: i64 = 3;

/// One of so many contacts: a fifth. A design value.
pub const CHANGED_SHARE: i64 = 5;

/// An officer's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Whose.
    pub officer: Uuid,
    /// Whether they are a releasing officer or a chief still.
    pub is_officer: bool,
    /// Whether it was given as a chief.
    pub is_chief: bool,
}

/// What is known of a proposed run when it is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// How many people it would colour.
    pub people: i64,
    /// How many of them red.
    pub red: i64,
    /// The words that were given.
    pub words: Vec<Word>,
    /// Who proposed it, reviewed contacts of it or escalated a place in it: their words do not count.
    pub barred: Vec<Uuid>,
    /// How many contacts a review has promoted, demoted or left out, one by one.
    pub changed: i64,
    /// How many contacts have a colour, by the rules or after the reviews.
    pub coloured: i64,
    /// What asks for a chief whatever the numbers are: the pack, for a class that is proposed, or an escalation.
    pub asked: Vec<ChiefBecause>,
    /// How many contacts were reviewed unlike their equals.
    pub unequal: i64,
    /// How many contacts are something else than was computed or reviewed.
    pub altered: i64,
    /// How many people of the same division were let go within the last hour.
    pub last_hour: i64,
    /// Whether a chief has let this run go beyond the hour's bound.
    pub is_lifted: bool,
    /// Whether the emergency stop is on.
    pub is_stopped: bool,
}

/// The bounds on releases, in people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From so many in one run on, an officer confirms the number.
    pub warning: i64,
    /// More than so many in one run take a chief.
    pub cap: i64,
    /// So many in one division and hour.
    pub block_hour: i64,
}

/// Why a run takes a chief officer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChiefBecause {
    /// It colours more people than the cap.
    Size,
    /// Too large a share of it was changed by hand.
    Reviews,
    /// The rule pack asks for it.
    Pack,
    /// A whole place was escalated.
    Escalation,
}

/// What holds a proposed run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Held {
    /// The emergency stop is on.
    Stopped,
    /// Contacts were reviewed unlike their equals.
    Unequal {
        /// How many.
        people: i64,
    },
    /// Contacts are something else than was computed or reviewed: somebody has changed them by hand.
    Altered {
        /// How many.
        people: i64,
    },
    /// Words are missing.
    Words {
        /// How many count so far.
        given: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Red takes a releasing officer or a chief among the words.
    ReleasingOfficer,
    /// A chief's word is missing.
    Chief {
        /// Why it takes one.
        because: Vec<ChiefBecause>,
    },
    /// The division has let enough people go this hour.
    Hour {
        /// How many within the last hour.
        released: i64,
        /// How many there may be.
        at_most: i64,
    },
}

impl Proposal {
    /// The words that count: of two people one each, and none of whoever had a hand in the run.
    fn counted(&self) -> Vec<Word> {
        let mut seen = BTreeSet::new();
        let counts = |word: &&Word| !self.barred.contains(&word.officer) && seen.insert(word.officer);
        self.words.iter().filter(counts).copied().collect()
    }

    /// Why it takes a chief; nothing where it takes none.
    pub fn chief_because(&self, limits: &Limits) -> Vec<ChiefBecause> {
        let by_hand = self.changed > CHANGED_MAX && self.changed * CHANGED_SHARE > self.coloured;
        let size = (self.people > limits.cap).then_some(ChiefBecause::Size);
        let reviews = by_hand.then_some(ChiefBecause::Reviews);
        size.into_iter().chain(reviews).chain(self.asked.iter().copied()).collect()
    }

    /// Whether an officer must confirm how many people it colours.
    pub fn needs_confirmation(&self, limits: &Limits) -> bool {
        self.people >= limits.warning
    }

    /// What holds it; nothing when it may go out.
    pub fn held_by(&self, limits: &Limits) -> Vec<Held> {
        let words = self.counted();
        let because = self.chief_because(limits);
        let mut held = Vec::new();
        if self.is_stopped {
            held.push(Held::Stopped);
        }
        if self.unequal > 0 {
            held.push(Held::Unequal { people: self.unequal });
        }
        if self.altered > 0 {
            held.push(Held::Altered { people: self.altered });
        }
        if words.len() < WORDS_NEEDED {
            held.push(Held::Words { given: words.len(), needed: WORDS_NEEDED });
        }
        if self.red > 0 && !words.iter().any(|word| word.is_officer) {
            held.push(Held::ReleasingOfficer);
        }
        if !because.is_empty() && !words.iter().any(|word| word.is_chief) {
            held.push(Held::Chief { because });
        }
        // A run that colours nobody takes nothing of the hour.
        if !self.is_lifted && self.people > 0 && self.last_hour + self.people > limits.block_hour {
            held.push(Held::Hour { released: self.last_hour, at_most: limits.block_hour });
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { warning: 200, cap: 500, block_hour: 2000 };

    fn word(officer: u128, is_chief: bool) -> Word {
        Word { officer: Uuid::from_u128(officer), is_officer: true, is_chief }
    }

    fn ready() -> Proposal {
        Proposal {
            people: 20,
            red: 5,
            words: vec![word(1, false), word(2, false)],
            coloured: 20,
            ..Proposal::default()
        }
    }

    #[test]
    fn two_officers_who_had_no_hand_in_it_let_a_run_go() {
        assert_eq!(ready().held_by(&LIMITS), []);
        let held = |words: Vec<Word>, barred: &[u128]| {
            let barred = barred.iter().map(|id| Uuid::from_u128(*id)).collect();
            Proposal { words, barred, ..ready() }.held_by(&LIMITS)
        };
        let missing = |given| vec![Held::Words { given, needed: 2 }];
        assert_eq!(held(vec![], &[]), [missing(0), vec![Held::ReleasingOfficer]].concat());
        assert_eq!(held(vec![word(1, false), word(1, false)], &[]), missing(1), "one person's word twice");
        assert_eq!(
            held(vec![word(1, false), word(2, true)], &[1]),
            missing(1),
            "the proposer's or a reviewer's"
        );
        assert_eq!(held(vec![word(1, false), word(2, true), word(3, false)], &[1]), []);
    }

    #[test]
    fn red_takes_somebody_who_is_an_officer_still() {
        let former = |id| Word { is_officer: false, ..word(id, false) };
        let run = Proposal { words: vec![former(1), former(2)], ..ready() };
        assert_eq!(run.held_by(&LIMITS), [Held::ReleasingOfficer]);
        assert_eq!(Proposal { red: 0, ..run.clone() }.held_by(&LIMITS), []);
        assert_eq!(Proposal { words: vec![former(1), word(2, false)], ..run }.held_by(&LIMITS), []);
    }

    #[test]
    fn size_reviews_the_pack_and_a_whole_place_take_a_chief() {
        let because = |run: Proposal| run.chief_because(&LIMITS);
        assert_eq!(because(Proposal { people: 500, ..ready() }), []);
        assert_eq!(because(Proposal { people: 501, ..ready() }), [ChiefBecause::Size]);
        for why in [ChiefBecause::Pack, ChiefBecause::Escalation] {
            assert_eq!(because(Proposal { asked: vec![why], ..ready() }), [why]);
        }
        for (changed, coloured, asks) in [(3, 3, false), (4, 20, false), (4, 19, true), (5, 24, true)] {
            assert_eq!(
                because(Proposal { changed, coloured, ..ready() }).is_empty(),
                !asks,
                "{changed} of {coloured}"
            );
        }
        let large = Proposal { people: 501, ..ready() };
        assert_eq!(large.held_by(&LIMITS), [Held::Chief { because: vec![ChiefBecause::Size] }]);
        let with_chief = Proposal { words: vec![word(1, false), word(2, true)], ..large.clone() };
        assert_eq!(with_chief.held_by(&LIMITS), []);
        // A chief who had a hand in it does not count.
        let words = vec![word(1, false), word(2, false), word(3, true)];
        let barred = Proposal { words, barred: vec![Uuid::from_u128(3)], ..large };
        assert_eq!(barred.held_by(&LIMITS), [Held::Chief { because: vec![ChiefBecause::Size] }]);
    }

    #[test]
    fn the_hour_the_stop_and_unequal_reviews_hold_whatever_words_there_are() {
        let run = Proposal { last_hour: 1980, ..ready() };
        assert_eq!(run.held_by(&LIMITS), []);
        let full = Proposal { last_hour: 1981, ..ready() };
        assert_eq!(full.held_by(&LIMITS), [Held::Hour { released: 1981, at_most: 2000 }]);
        assert_eq!(Proposal { is_lifted: true, ..full.clone() }.held_by(&LIMITS), []);
        assert_eq!(Proposal { people: 0, ..full.clone() }.held_by(&LIMITS), []);
        let stopped = Proposal { is_stopped: true, is_lifted: true, ..full };
        assert_eq!(stopped.held_by(&LIMITS), [Held::Stopped]);
        assert_eq!(Proposal { unequal: 2, ..ready() }.held_by(&LIMITS), [Held::Unequal { people: 2 }]);
        assert_eq!(Proposal { altered: 1, ..ready() }.held_by(&LIMITS), [Held::Altered { people: 1 }]);
    }

    #[test]
    fn many_people_are_confirmed_by_their_number() {
        assert!(!Proposal { people: 199, ..ready() }.needs_confirmation(&LIMITS));
        assert!(Proposal { people: 200, ..ready() }.needs_confirmation(&LIMITS));
    }
}
