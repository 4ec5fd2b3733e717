//! An identity as somebody types it, made comparable. It lives as long as a request and is never kept.

use crate::domain::visitor::IdentityKind;

/// A kind of document and its number. It has no `Debug`, so that it cannot be printed.
pub(super) struct Identity {
    pub(super) kind: IdentityKind,
    pub(super) number: String,
}

/// The kinds that can be chosen, in the order in which they are offered.
pub(super) const KINDS: [IdentityKind; 6] = [
    IdentityKind::ResidentCard,
    IdentityKind::HongKongMacauPermit,
    IdentityKind::TaiwanPermit,
    IdentityKind::Passport,
    IdentityKind::ResidencePermit,
    IdentityKind::Other,
];

/// Why an identity is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidIdentity {
    #[error("`kind` must be 10, 14, 15, 20, 34 or 99")]
    Kind,
    #[error("`number` must be 4 to 32 letters, digits and hyphens")]
    Number,
    #[error("the number of a resident identity card has 17 digits and a check digit that fits")]
    CheckDigit,
}

impl Identity {
    /// Reads what a trusted front-end has verified.
    pub(super) fn parse(kind: u8, number: &str) -> Result<Self, InvalidIdentity> {
        let kind = KINDS.into_iter().find(|known| *known as u8 == kind).ok_or(InvalidIdentity::Kind)?;
        let number = plain(number);
        let fits = (4..=32).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits { Ok(Self { kind, number }) } else { Err(InvalidIdentity::Number) }
    }

    /// Reads what a person has typed: a slip would make it the code of somebody else, so the check digit
    /// must fit where there is one.
    pub(super) fn typed(kind: u8, number: &str) -> Result<Self, InvalidIdentity> {
        let identity = Self::parse(kind, number)?;
        if identity.kind == IdentityKind::ResidentCard && !check_digit_fits(&identity.number) {
            return Err(InvalidIdentity::CheckDigit);
        }
        Ok(identity)
    }
}

/// Without spaces, in capitals, and with the full-width letters and digits of Chinese keyboards as plain ones.
fn plain(number: &str) -> String {
    const FULL_WIDTH_TO_PLAIN: u32 = 0xFEE0;
    let narrow = |c: char| match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - FULL_WIDTH_TO_PLAIN).unwrap_or(c),
        other => other,
    };
    number.chars().filter(|c| !c.is_whitespace()).map(narrow).map(|c| c.to_ascii_uppercase()).collect()
}

/// The check of GB 11643-1999, which is that of ISO 7064 MOD 11-2.
fn check_digit_fits(number: &str) -> bool {
    const LENGTH: usize = 18;
    let value = |(at, c): (usize, char)| match c {
        'X' if at == LENGTH - 1 => Some(10),
        digit => digit.to_digit(10),
    };
    let sum = number.chars().enumerate().map(value).try_fold(0, |sum, value| Some((sum * 2 + value?) % 11));
    number.len() == LENGTH && sum == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(number: &str) -> Result<String, InvalidIdentity> {
        Identity::typed(10, number).map(|identity| identity.number)
    }

    /// The numbers are the examples that the standard gives.
    #[test]
    fn slips_of_the_finger_are_found() {
        assert_eq!(typed("11010519491231002X").as_deref(), Ok("11010519491231002X"));
        assert_eq!(typed("440524188001010014").as_deref(), Ok("440524188001010014"));
        assert_eq!(typed("110105194912310021"), Err(InvalidIdentity::CheckDigit));
        assert_eq!(typed("11010519491231020X"), Err(InvalidIdentity::CheckDigit));
        assert_eq!(typed("X1010519491231002X"), Err(InvalidIdentity::CheckDigit));
        assert_eq!(typed(""), Err(InvalidIdentity::Number));
    }

    #[test]
    fn full_width_digits_spaces_and_small_letters_mean_the_same() {
        assert_eq!(typed("１１０１０５ 19491231 ００２x").as_deref(), Ok("11010519491231002X"));
        assert!(Identity::parse(20, "e12345678").is_ok_and(|identity| identity.number == "E12345678"));
        assert_eq!(Identity::parse(11, "E12345678").err(), Some(InvalidIdentity::Kind));
        assert_eq!(Identity::parse(99, "a@b.example").err(), Some(InvalidIdentity::Number));
    }
}
