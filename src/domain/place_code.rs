//! The signed text in the QR code of one point, and the same text typed by hand.
//!
//! 104 bits: version (4), key slot (4), point (40), generation (8), then the first 48 bits of an
//! HMAC-SHA-256 over all of these. Written as 21 symbols of Crockford's base 32, whose last bit is
//! always zero. The form is frozen: posters outlive releases.

use std::fmt;

use subtle::ConstantTimeEq;

use super::keyring::{Key, Keyring};
use super::venue::PointId;

/// How many symbols a place code has.
pub const SYMBOLS: usize = 21;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LABEL: &str = "placecode/place-code/1";
const VERSION: u8 = 1;

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
}

impl PlaceCode {
    /// The text, signed with the ring's current key; `None` when the ring has none.
    pub fn sign(&self, keys: &Keyring) -> Option<SignedCode> {
        let (slot, key) = keys.current()?;
        let mut bytes = [0; 13];
        let [first, rest @ ..] = &mut bytes;
        *first = (VERSION << 4) | slot;
        let body = self.point.to_bytes().into_iter().chain([self.generation]);
        rest.iter_mut().zip(body).for_each(|(to, from)| *to = from);
        let (body, mac) = bytes.split_at(7);
        let mac = sign(key, body, mac.len());
        bytes.iter_mut().skip(7).zip(mac).for_each(|(to, from)| *to = from);
        Some(SignedCode(encode(&bytes)))
    }

    /// Reads and verifies a text: letters of either case, `I` and `L` read as 1, `O` as 0, hyphens
    /// ignored, as a person would type it from the poster.
    pub fn parse(text: &str, keys: &Keyring) -> Result<Self, InvalidPlaceCode> {
        let bytes = decode(text)?;
        let (body, mac) = bytes.split_at(7);
        let [first, p0, p1, p2, p3, p4, generation] = body.try_into().unwrap_or([0; 7]);
        if first >> 4 != VERSION {
            return Err(InvalidPlaceCode::Version);
        }
        let key = keys.slot(first & 0x0F).ok_or(InvalidPlaceCode::Check)?;
        if !bool::from(sign(key, body, mac.len()).ct_eq(mac)) {
            return Err(InvalidPlaceCode::Check);
        }
        Ok(Self { point: PointId::from_bytes([p0, p1, p2, p3, p4]), generation })
    }
}

/// A signed place code as it is printed: 21 symbols in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCode(String);

impl SignedCode {
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

fn sign(key: &Key, body: &[u8], length: usize) -> Vec<u8> {
    key.mac(LABEL, &[body]).into_iter().take(length).collect()
}

fn encode(bytes: &[u8; 13]) -> String {
    let number = bytes.iter().fold(0u128, |number, byte| (number << 8) | u128::from(*byte)) << 1;
    (0..SYMBOLS)
        .rev()
        .map(|place| ((number >> (5 * place)) & 31) as usize)
        .filter_map(|digit| ALPHABET.get(digit).map(|symbol| char::from(*symbol)))
        .collect()
}

fn decode(text: &str) -> Result<[u8; 13], InvalidPlaceCode> {
    let mut number: u128 = 0;
    let mut count = 0;
    for symbol in text.trim().chars().filter(|c| *c != '-') {
        count += 1;
        if count > SYMBOLS {
            return Err(InvalidPlaceCode::Length);
        }
        number = (number << 5) | value_of(symbol).ok_or(InvalidPlaceCode::Symbol(symbol))?;
    }
    if count < SYMBOLS {
        return Err(InvalidPlaceCode::Length);
    }
    if number & 1 == 1 {
        return Err(InvalidPlaceCode::Check);
    }
    let mut bytes = [0; 13];
    bytes.iter_mut().zip((number >> 1).to_be_bytes().into_iter().skip(3)).for_each(|(to, from)| *to = from);
    Ok(bytes)
}

fn value_of(symbol: char) -> Option<u128> {
    let symbol = match symbol.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == symbol).map(|value| value as u128)
}

#[cfg(test)]
mod tests {
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
