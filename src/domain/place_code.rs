//! The signed text in the QR code of one point, and the same text typed by hand.
//!
//! 104 bits: version (4), key slot (4), point (40), generation (8), then the first 48 bits of an
//! HMAC-SHA-256 over all of these. Written as 21 symbols of Crockford's base 32, whose last bit is
//! always zero. The form is frozen: posters outlive releases.

use std::fmt;

use subtle::ConstantTimeEq;

use super::keyring::Keyring;
use super::symbols::{BODY_BYTES, CodeBytes, decode, encode, seal};
use super::venue::PointId;

/// How many symbols a place code has.
pub const SYMBOLS: usize = 21;

const LABEL: &str = "placecode/place-code/1";
/// The version of printed codes.
pub(super) const VERSION: u8 = 1;

/// What a genuine place code says. Whether it is still in force, the register knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceCode {
    /// The point where the poster hangs.
    pub point: PointId,
    /// Counts the reprints of one point; a rotation raises it.
    pub generation: u8,
}

/// Why a text is no place code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlaceCode {
    /// Too short or too long.
    #[error("a place code has {SYMBOLS} symbols")]
    Length,
    /// A symbol outside the alphabet.
    #[error("`{0}` cannot stand in a place code")]
    Symbol(char),
    /// A version that this release does not know.
    #[error("this place code is of a version that is not known here")]
    Version,
    /// Signed with a key that is not on the ring, wrongly typed, or forged.
    #[error("the place code does not check: a symbol is wrong, two are swapped, or it is not genuine")]
    Check,
    /// As [`InvalidPlaceCode::Check`], or a code of a screen so old that nobody can tell any more.
    #[error(
        "the code of this screen does not check: it is wrongly typed, not genuine, or of more than 72 hours ago"
    )]
    Screen,
}

impl PlaceCode {
    /// The text, signed with the ring's current key; `None` when the ring has none.
    pub fn sign(&self, keys: &Keyring) -> Option<SignedCode> {
        let (slot, key) = keys.current()?;
        let [p0, p1, p2, p3, p4] = self.point.to_bytes();
        let body = [(VERSION << 4) | slot, p0, p1, p2, p3, p4, self.generation];
        Some(SignedCode::of(&seal(body, key, LABEL, &[])))
    }

    /// Reads and verifies a text: letters of either case, `I` and `L` read as 1, `O` as 0, hyphens
    /// ignored, as a person would type it from the poster.
    pub fn parse(text: &str, keys: &Keyring) -> Result<Self, InvalidPlaceCode> {
        Self::verify(&decode(text)?, keys)
    }

    /// Verifies what a text said.
    pub(super) fn verify(bytes: &CodeBytes, keys: &Keyring) -> Result<Self, InvalidPlaceCode> {
        let body = bytes.first_chunk::<BODY_BYTES>().ok_or(InvalidPlaceCode::Length)?;
        let [first, p0, p1, p2, p3, p4, generation] = *body;
        if first >> 4 != VERSION {
            return Err(InvalidPlaceCode::Version);
        }
        let key = keys.slot(first & 0x0F).ok_or(InvalidPlaceCode::Check)?;
        if !bool::from(seal(*body, key, LABEL, &[]).ct_eq(bytes)) {
            return Err(InvalidPlaceCode::Check);
        }
        Ok(Self { point: PointId::from_bytes([p0, p1, p2, p3, p4]), generation })
    }
}

/// A signed code as it is printed or shown: 21 symbols in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCode(String);

impl SignedCode {
    pub(super) fn of(bytes: &CodeBytes) -> Self {
        Self(encode(bytes))
    }

    /// In groups, for a person to type: `XXXXX-XXXXX-XXXXX-XXXXXX`.
    pub fn typed(&self) -> String {
        let mut text = self.0.clone();
        for at in [15, 10, 5] {
            text.insert(at, '-');
        }
        text
    }

    /// The text of the QR code: the scheme in lower case because some cameras know no other, all
    /// else in upper case because the denser alphanumeric mode of QR knows no other.
    pub fn url(&self, base: &url::Url) -> String {
        let host = base.as_str().trim_end_matches('/');
        let host = host.strip_prefix(base.scheme()).unwrap_or(host);
        format!("{}{}/{}", base.scheme(), host.to_uppercase(), self.0)
    }
}

impl fmt::Display for SignedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::symbols::ALPHABET;
    use super::*;
    use proptest::prelude::*;

    fn ring() -> Keyring {
        Keyring::new([1; 32], [2; 32])
    }

    fn code(point: u64, generation: u8) -> PlaceCode {
        PlaceCode { point: PointId::new(point).unwrap(), generation }
    }

    #[test]
    fn old_posters_stay_valid_for_ever() {
        let golden = "2000EPYD2M3VZ8XYCTFKC";
        assert_eq!(code(123_456_789, 7).sign(&ring()).unwrap().to_string(), golden);
        assert_eq!(PlaceCode::parse(golden, &ring()), Ok(code(123_456_789, 7)));
    }

    #[test]
    fn the_text_of_the_qr_code_is_upper_case_but_for_its_scheme() {
        let signed = code(5, 1).sign(&ring()).unwrap();
        let url = signed.url(&url::Url::parse("https://p.example.cn/").unwrap());
        assert_eq!(url, format!("https://P.EXAMPLE.CN/{signed}"));
    }

    #[test]
    fn foreign_and_mistyped_texts_are_refused() {
        let signed = code(5, 1).sign(&ring()).unwrap().to_string();
        let foreign = Keyring::new([1; 32], [3; 32]);
        assert_eq!(PlaceCode::parse(&signed, &foreign), Err(InvalidPlaceCode::Check));
        assert_eq!(PlaceCode::parse(&signed[..20], &ring()), Err(InvalidPlaceCode::Length));
        assert_eq!(PlaceCode::parse(&format!("{signed}0"), &ring()), Err(InvalidPlaceCode::Length));
        assert_eq!(
            PlaceCode::parse(&signed.replacen('0', "О", 1), &ring()),
            Err(InvalidPlaceCode::Symbol('О'))
        );
        assert_eq!(PlaceCode::parse(&format!("F{}", &signed[1..]), &ring()), Err(InvalidPlaceCode::Version));
    }

    proptest! {
        #[test]
        fn every_code_survives_printing_and_typing(point in 0u64..(1 << 40), generation: u8) {
            let code = code(point, generation);
            let signed = code.sign(&ring()).unwrap();
            prop_assert_eq!(PlaceCode::parse(&signed.typed().to_lowercase(), &ring()), Ok(code));
        }

        #[test]
        fn one_wrong_or_two_swapped_symbols_are_caught(point in 0u64..(1 << 40), at in 0usize..20, other in 0usize..32) {
            let good = code(point, 1).sign(&ring()).unwrap().to_string();
            let mut wrong = good.clone().into_bytes();
            wrong[at] = ALPHABET[other];
            let mut swapped = good.clone().into_bytes();
            swapped.swap(at, at + 1);
            for bad in [wrong, swapped] {
                let bad = String::from_utf8(bad).unwrap();
                prop_assert!(bad == good || PlaceCode::parse(&bad, &ring()).is_err());
            }
        }
    }
}
