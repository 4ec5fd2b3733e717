//! How an assignment stands after a letter: the same in whatever order letters arrive.

use crate::domain::letter::LetterKind;
use crate::domain::numbered::Numbered;

/// Whether an assignment still holds. Ordered: it only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub(super) enum Ending {
    /// It holds, until it expires by the clock.
    Open = 0,
    /// Its days are over.
    Expired = 1,
    /// What it rested on was taken back.
    Withdrawn = 2,
}

impl Numbered for Ending {
    const ALL: &'static [Self] = &[Self::Open, Self::Expired, Self::Withdrawn];

    fn number(self) -> i16 {
        self as i16
    }
}

impl From<LetterKind> for Ending {
    fn from(kind: LetterKind) -> Self {
        match kind {
            LetterKind::Assigned | LetterKind::Extended | LetterKind::Downgraded => Self::Open,
            LetterKind::Expired | LetterKind::Ended => Self::Expired,
            LetterKind::Withdrawn => Self::Withdrawn,
        }
    }
}

/// What is known about one assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The newest letter that counted.
    pub(super) sequence: i64,
    /// Whether it holds.
    pub(super) ending: Ending,
}

/// How an assignment stands after a letter, or `None` when the letter is stale and changes nothing.
///
/// An end is final and does not ask for the order: whether `assigned` comes before or after `withdrawn`,
/// the assignment has ended. Among letters that leave it open, the newest one counts.
pub(super) fn after(known: Option<Standing>, sequence: i64, kind: LetterKind) -> Option<Standing> {
    let ending = Ending::from(kind);
    let Some(known) = known else {
        return Some(Standing { sequence, ending });
    };
    let ends = ending > known.ending;
    let renews = known.ending == Ending::Open && sequence > known.sequence;
    (ends || renews).then_some(Standing { sequence: sequence.max(known.sequence), ending })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [LetterKind; 3] = [LetterKind::Assigned, LetterKind::Withdrawn, LetterKind::Expired];

    fn all(letters: &[(i64, LetterKind)]) -> Option<Standing> {
        letters.iter().fold(None, |known, (sequence, kind)| after(known, *sequence, *kind).or(known))
    }

    /// What a visitor sees: nothing once it has ended, else the content of the newest letter.
    fn shown(letters: &[(i64, LetterKind)]) -> Option<i64> {
        all(letters).filter(|standing| standing.ending == Ending::Open).map(|standing| standing.sequence)
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            (sent, arrived) in prop::collection::vec(0_usize..8, 1..8).prop_flat_map(|kinds| {
                // Most letters assign, or every list would end at once.
                let kind = |at: &usize| KINDS.get(*at).copied().unwrap_or(LetterKind::Assigned);
                let sent: Vec<_> = (1_i64..).zip(kinds.iter().map(kind)).collect();
                let twice = sent.iter().chain(&sent).copied().collect::<Vec<_>>();
                (Just(sent), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(shown(&arrived), shown(&sent));
            prop_assert_eq!(all(&arrived).map(|it| it.ending), all(&sent).map(|it| it.ending));
        }
    }

    #[test]
    fn what_was_withdrawn_never_comes_back() {
        let withdrawn = after(None, 2, LetterKind::Withdrawn);
        assert_eq!(after(withdrawn, 1, LetterKind::Assigned), None);
        assert_eq!(after(withdrawn, 3, LetterKind::Assigned), None);
        assert_eq!(after(withdrawn, 4, LetterKind::Expired), None);
    }
}
