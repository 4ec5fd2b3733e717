//! How an assignment stands: it follows from the set of its letters alone, whatever their order and however often each
//! arrives.

use uuid::Uuid;

use crate::domain::letter::LetterKind;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Colour;

/// Whether an assignment still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum Ending {
    /// It holds, until it expires by the clock.
    Open = 0,
    /// Its days are over.
    Expired = 1,
    /// What it rested on was taken back.
    Withdrawn = 2,
    /// The condition that ends it was met.
    Ended = 3,
}

impl Numbered for Ending {
    const ALL: &'static [Self] = &[Self::Open, Self::Expired, Self::Withdrawn, Self::Ended];

    fn number(self) -> i16 {
        self as i16
    }
}

impl Ending {
    /// An end outweighs what is open, and what was wrong from the beginning outweighs what is over.
    pub(super) fn weight(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Expired => 1,
            Self::Ended => 2,
            Self::Withdrawn => 3,
        }
    }
}

impl From<LetterKind> for Ending {
    fn from(kind: LetterKind) -> Self {
        match kind {
            LetterKind::Assigned | LetterKind::Extended | LetterKind::Downgraded => Self::Open,
            LetterKind::Expired => Self::Expired,
            LetterKind::Ended => Self::Ended,
            LetterKind::Withdrawn => Self::Withdrawn,
        }
    }
}

/// What is known about one assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether it holds.
    pub(super) ending: Ending,
    /// The place of the letter whose words count among those about the visitor.
    pub(super) sequence: i64,
    /// That letter.
    pub(super) letter: Uuid,
    /// The weakest colour that any of its letters named: an assignment only becomes weaker.
    pub(super) colour: Colour,
}

impl Standing {
    /// What one letter says.
    pub(super) fn of(kind: LetterKind, sequence: i64, letter: Uuid, colour: Colour) -> Self {
        Self { ending: kind.into(), sequence, letter, colour }
    }

    /// What both together say. It does not ask which came first, and saying the same twice adds nothing.
    ///
    /// An end is final, whether `assigned` comes before or after `withdrawn`. Among letters that leave it open, the
    /// newest one counts; the colour is the weakest of all, so that one lost and sent again later darkens nothing.
    pub(super) fn with(self, other: Self) -> Self {
        let rank = |it: &Self| (it.ending.weight(), it.sequence, it.letter);
        let counts = if rank(&other) > rank(&self) { other } else { self };
        Self { colour: self.colour.min(other.colour), ..counts }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [LetterKind; 6] = [
        LetterKind::Assigned,
        LetterKind::Extended,
        LetterKind::Downgraded,
        LetterKind::Ended,
        LetterKind::Withdrawn,
        LetterKind::Expired,
    ];

    fn all(letters: &[Standing]) -> Option<Standing> {
        letters.iter().copied().reduce(Standing::with)
    }

    fn letter(kind: LetterKind, sequence: i64, colour: Colour) -> Standing {
        Standing::of(kind, sequence, Uuid::from_u128(sequence.unsigned_abs().into()), colour)
    }

    /// Letters as a service writes them: sequences rise, and now and then two have the same one by mistake.
    fn letters() -> impl Strategy<Value = Vec<Standing>> {
        // Most letters leave it open, or every list would end at once.
        let one = (0_usize..14, 0_usize..3, any::<u128>());
        prop::collection::vec(one, 1..9).prop_map(|all| {
            (1_i64..)
                .zip(all)
                .map(|(at, (kind, colour, id))| {
                    let kind = KINDS.get(kind).copied().unwrap_or(LetterKind::Downgraded);
                    Standing::of(kind, at - at % 3 / 2, Uuid::from_u128(id), Colour::ALL[colour])
                })
                .collect()
        })
    }

    proptest! {
        /// Shuffled, each up to three times, cut anywhere into envelopes of which one is lost and sent again at the
        /// end: the same in the end.
        #[test]
        fn the_end_depends_on_the_set_of_letters_alone(
            (sent, arrived, lost) in letters().prop_flat_map(|sent| {
                let thrice = [sent.clone(), sent.clone(), sent.clone()].concat();
                let len = thrice.len();
                (Just(sent), Just(thrice).prop_shuffle(), (0..len, 0..len))
            })
        ) {
            let (from, to) = (lost.0.min(lost.1), lost.0.max(lost.1));
            let resent = [&arrived[..from], &arrived[to..], &arrived[from..to]].concat();
            prop_assert_eq!(all(&arrived), all(&sent));
            prop_assert_eq!(all(&resent), all(&sent));
            // Half of them seen, in whatever order, is never weaker or longer gone than all of them.
            let half = all(&arrived[..arrived.len().div_ceil(2)]).unwrap();
            let whole = all(&sent).unwrap();
            prop_assert!(whole.colour <= half.colour && whole.ending.weight() >= half.ending.weight());
        }

        #[test]
        fn what_has_ended_stays_so_and_the_newest_open_word_counts(sent in letters()) {
            let whole = all(&sent).unwrap();
            let weight = sent.iter().map(|letter| letter.ending.weight()).max().unwrap();
            prop_assert_eq!(whole.ending.weight(), weight);
            if whole.ending == Ending::Open {
                prop_assert_eq!(Some(whole.sequence), sent.iter().map(|letter| letter.sequence).max());
            }
            prop_assert_eq!(Some(whole.colour), sent.iter().map(|letter| letter.colour).min());
        }
    }

    #[test]
    fn what_was_withdrawn_never_comes_back() {
        let withdrawn = letter(LetterKind::Withdrawn, 2, Colour::Yellow);
        for (kind, sequence) in [(LetterKind::Assigned, 1), (LetterKind::Assigned, 3), (LetterKind::Ended, 4)]
        {
            assert_eq!(withdrawn.with(letter(kind, sequence, Colour::Red)), withdrawn);
        }
    }

    #[test]
    fn a_weaker_colour_is_not_taken_back_by_an_older_letter_or_a_mistaken_newer_one() {
        let weaker = letter(LetterKind::Downgraded, 2, Colour::Yellow);
        assert_eq!(weaker.with(letter(LetterKind::Assigned, 1, Colour::Red)), weaker);
        let longer = weaker.with(letter(LetterKind::Extended, 3, Colour::Red));
        assert_eq!((longer.sequence, longer.colour), (3, Colour::Yellow));
    }
}
