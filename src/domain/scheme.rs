//! The colours of an issuing system. Local codes have three; the national code has four, and says with orange what is
//! a close contact.

use serde::{Deserialize, Serialize};

use super::numbered::Numbered;
use super::rule_pack::{Class, Colour};

/// The rule that stands for the national code's orange in `policies/national-code-1.toml`.
const ORANGE_RULE: &str = "orange";

/// How many colours an issuing system has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Scheme {
    /// Green, yellow, red.
    #[default]
    Three = 0,
    /// Green, yellow, orange, red.
    Four = 1,
}

impl Numbered for Scheme {
    const ALL: &'static [Self] = &[Self::Three, Self::Four];

    fn number(self) -> i16 {
        self as i16
    }
}

/// A colour in the words of an issuing system. Ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Nothing is known.
    Green,
    /// Exposed.
    Yellow,
    /// A close contact, in a scheme of four.
    Orange,
    /// Under control; in the national code a case itself.
    Red,
}

impl Scheme {
    /// The word for a colour by a rule pack. In a scheme of four, red is a confirmed or suspected case, whom no letter
    /// is about; so a close contact whom a pack makes red is orange there, and so is whom a pack without orange makes
    /// yellow by a rule of that name. Green stays green in every scheme.
    pub fn shown(self, class: Class, colour: Colour, rule: Option<&str>) -> Shown {
        match (self, colour) {
            (_, Colour::Green) => Shown::Green,
            (Self::Four, Colour::Yellow) if rule == Some(ORANGE_RULE) => Shown::Orange,
            (Self::Four, Colour::Red) if class == Class::Close || rule == Some(ORANGE_RULE) => Shown::Orange,
            (_, Colour::Yellow) => Shown::Yellow,
            (_, Colour::Red) => Shown::Red,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_colours_are_those_of_the_pack() {
        for class in Class::ALL {
            for rule in [None, Some(ORANGE_RULE), Some("sealed-coach")] {
                let shown = |colour| Scheme::Three.shown(*class, colour, rule);
                assert_eq!(
                    Colour::ALL.iter().map(|colour| shown(*colour)).collect::<Vec<_>>(),
                    [Shown::Green, Shown::Yellow, Shown::Red]
                );
            }
        }
    }

    #[test]
    fn a_close_contact_is_orange_among_four() {
        let shown = |class, colour, rule| Scheme::Four.shown(class, colour, rule);
        assert_eq!(shown(Class::Close, Colour::Red, None), Shown::Orange);
        assert_eq!(shown(Class::Close, Colour::Yellow, Some(ORANGE_RULE)), Shown::Orange);
        assert_eq!(shown(Class::Close, Colour::Yellow, None), Shown::Yellow, "as after a downgrade");
        assert_eq!(shown(Class::ExposedPlace, Colour::Yellow, None), Shown::Yellow);
        assert_eq!(shown(Class::SameVehicle, Colour::Red, None), Shown::Red);
        for class in Class::ALL {
            assert_eq!(shown(*class, Colour::Green, Some(ORANGE_RULE)), Shown::Green);
        }
    }
}
