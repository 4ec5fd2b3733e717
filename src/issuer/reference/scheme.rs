//! What this platform shows for what letters say, in its own scheme of colours.

use crate::domain::letter::Letter;
use crate::domain::rule_pack::Colour;
use crate::domain::scheme::{Scheme, Shown};

/// What the platform shows for one assignment. It follows from class, rule and colour by the scheme of this platform, so
/// that a service that takes it for another kind of platform changes nothing.
pub(super) fn shown(scheme: Scheme, letter: &Letter) -> Shown {
    once_shown(scheme, letter, letter.colour)
}

/// What it shows for a colour that an assignment of this letter once had.
pub(super) fn once_shown(scheme: Scheme, letter: &Letter, colour: Colour) -> Shown {
    scheme.shown(letter.class, colour, letter.rule.as_deref())
}

/// The strongest of all that is open.
pub(super) fn strongest<'a>(scheme: Scheme, open: impl Iterator<Item = &'a Letter>) -> Shown {
    open.map(|letter| shown(scheme, letter)).max().unwrap_or(Shown::Green)
}
