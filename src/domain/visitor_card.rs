//! A card that a visitor without a phone carries: 16 symbols, printed, written down or told by heart.
//!
//! Fourteen symbols are random (70 bits), two are the check. The card names nobody by itself: who it
//! belongs to, the register of cards knows by its keyed hash. The check catches every wrong symbol and
//! every two symbols that are swapped, so that a slip of the typist is told from a card that is unknown.

use std::fmt;

use chrono::TimeDelta;

use super::keyring::Key;
use super::symbols::{ALPHABET, value_of};

/// How many symbols a card has.
pub const SYMBOLS: usize = 16;

/// How long a card is good for: as long as the printed codes that are handed to people without a phone.
pub const LIFE: TimeDelta = TimeDelta::days(180);

/// How many cards of one visitor may be in use: one to carry, one at home, one with whoever cares for them.
pub const OPEN_MAX: i64 = 3;

const LABEL: &str = "placecode/visitor-card/1";

/// A prime below 32²: whole numbers that leave [`REST`] are cards. No wrong symbol and no swap of two keeps
/// the rest, because neither a difference of two symbols nor of two places' weights is a multiple of it.
const PRIME: u128 = 1021;

/// Not zero, or a card of sixteen zeros would be one.
const REST: u128 = 1;

/// A card. Its `Debug` prints nothing: whoever knows the text can be scanned in with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VisitorCard(u128);

/// Why a text is no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCard {
    /// Too short or too long.
    #[error("a card has {SYMBOLS} symbols")]
    Length,
    /// A symbol outside the alphabet.
    #[error("a symbol cannot stand on a card")]
    Symbol,
    /// Wrongly typed.
    #[error("the card does not check: a symbol is wrong, or two are swapped")]
    Check,
}

impl VisitorCard {
    /// A new card from random bytes, of which 70 bits count.
    pub fn new(random: [u8; 9]) -> Self {
        let number = random.iter().fold(0u128, |number, byte| (number << 8) | u128::from(*byte));
        let body = (number & ((1 << 70) - 1)) << 10;
        let check = (PRIME + REST - body % PRIME) % PRIME;
        Self(body | check)
    }

    /// Reads a text as a camera reads it or a person types it: letters of either case, `I` and `L` as 1, `O`
    /// as 0, hyphens and spaces anywhere.
    pub fn parse(text: &str) -> Result<Self, InvalidCard> {
        let mut number: u128 = 0;
        let mut count = 0;
        for symbol in text.chars().filter(|symbol| !matches!(symbol, '-' | ' ')) {
            count += 1;
            if count > SYMBOLS {
                return Err(InvalidCard::Length);
            }
            number = (number << 5) | value_of(symbol).ok_or(InvalidCard::Symbol)?;
        }
        if count < SYMBOLS {
            return Err(InvalidCard::Length);
        }
        if number % PRIME == REST { Ok(Self(number)) } else { Err(InvalidCard::Check) }
    }

    /// In groups, for a person to type: `XXXX-XXXX-XXXX-XXXX`.
    pub fn typed(&self) -> String {
        let mut text = String::with_capacity(SYMBOLS + 3);
        for place in 0..SYMBOLS {
            if place > 0 && place % 4 == 0 {
                text.push('-');
            }
            let digit = ((self.0 >> (5 * (SYMBOLS - 1 - place))) & 31) as usize;
            text.extend(ALPHABET.get(digit).map(|symbol| char::from(*symbol)));
        }
        text
    }

    /// What is kept of a card: without the key, the table names no card.
    pub fn hash(&self, key: &Key) -> [u8; 32] {
        key.mac(LABEL, &[&self.0.to_be_bytes()])
    }
}

impl fmt::Debug for VisitorCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VisitorCard(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_card_is_read_as_people_type_it() {
        let card = VisitorCard::new([7, 1, 200, 3, 44, 5, 0, 255, 9]);
        let text = card.typed();
        assert_eq!(text.len(), 19);
        let plain = text.replace('-', "");
        let lower = plain.to_lowercase().replace('1', "l").replace('0', "o");
        for typed in [&text, &plain, &lower, &format!(" {} ", text.replace('-', " "))] {
            assert_eq!(VisitorCard::parse(typed), Ok(card), "{typed}");
        }
        assert_eq!(VisitorCard::parse(&plain[1..]), Err(InvalidCard::Length));
        assert_eq!(VisitorCard::parse(&format!("{plain}0")), Err(InvalidCard::Length));
        assert_eq!(
            VisitorCard::parse(&plain.replacen(char::is_alphanumeric, "U", 1)),
            Err(InvalidCard::Symbol)
        );
        assert_eq!(VisitorCard::parse(&"0".repeat(16)), Err(InvalidCard::Check));
        assert_eq!(format!("{card:?}"), "VisitorCard(…)");
        assert_ne!(card.hash(&Key::new([1; 32])), card.hash(&Key::new([2; 32])));
    }

    proptest! {
        #[test]
        fn every_wrong_symbol_and_every_swap_is_told(random: [u8; 9], at in 0usize..16, to in 0usize..32, with in 0usize..16) {
            let plain: Vec<char> = VisitorCard::new(random).typed().replace('-', "").chars().collect();
            let read = |symbols: &[char]| VisitorCard::parse(&symbols.iter().collect::<String>());
            let mut wrong = plain.clone();
            wrong[at] = char::from(ALPHABET[to]);
            prop_assert_eq!(read(&wrong).is_ok(), wrong == plain);
            let mut swapped = plain.clone();
            swapped.swap(at, with);
            prop_assert_eq!(read(&swapped).is_ok(), swapped == plain);
        }
    }
}
