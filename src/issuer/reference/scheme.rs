//! The colours that this platform shows: three, or four as the national code has them.

use serde::Serialize;

use crate::config::IssuerScheme;
use crate::domain::letter::Letter;
use crate::domain::rule_pack::{Class, Colour};

/// A colour as it is shown. Ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shown {
    Green,
    Yellow,
    /// With four colours: a close contact, who would be red with three.
    Orange,
    Red,
}

/// What the platform shows for one assignment.
pub(super) fn shown(scheme: IssuerScheme, letter: &Letter) -> Shown {
    match (letter.colour, scheme, letter.class) {
        (Colour::Green, ..) => Shown::Green,
        (Colour::Yellow, ..) => Shown::Yellow,
        (Colour::Red, IssuerScheme::Four, Class::Close) => Shown::Orange,
        (Colour::Red, ..) => Shown::Red,
    }
}

/// What the platform shows for a colour that an assignment of this letter once had.
pub(super) fn once_shown(scheme: IssuerScheme, letter: &Letter, colour: Colour) -> Shown {
    shown(scheme, &Letter { colour, ..letter.clone() })
}

/// The strongest of all that is open.
pub(super) fn strongest<'a>(scheme: IssuerScheme, open: impl Iterator<Item = &'a Letter>) -> Shown {
    open.map(|letter| shown(scheme, letter)).max().unwrap_or(Shown::Green)
}
