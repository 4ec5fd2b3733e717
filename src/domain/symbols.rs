//! 104 bits as 21 symbols that a person can type: what printed and rotating codes share.
//!
//! Crockford's base 32: no `I`, `L`, `O` and `U`. The last of the 105 bits is always zero.

use super::keyring::Key;
use super::place_code::{InvalidPlaceCode, SYMBOLS};

/// The symbols by their value.
pub(super) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many of the bytes say something; the rest is the check.
pub(super) const BODY_BYTES: usize = 7;

/// The bytes of a code: version (4 bits), key slot (4), point (40), one byte whose meaning the version
/// gives, check (48).
pub(super) type CodeBytes = [u8; 13];

/// Puts a code together: the body, then the first 48 bits of the MAC over it and over `more`, which is
/// not written down.
pub(super) fn seal(body: [u8; BODY_BYTES], key: &Key, label: &str, more: &[u8]) -> CodeBytes {
    let mut bytes = [0; 13];
    let mac = key.mac(label, &[&body, more]);
    bytes.iter_mut().zip(body.into_iter().chain(mac)).for_each(|(to, from)| *to = from);
    bytes
}

/// The bytes as text, in upper case.
pub(super) fn encode(bytes: &CodeBytes) -> String {
    let number = bytes.iter().fold(0u128, |number, byte| (number << 8) | u128::from(*byte)) << 1;
    (0..SYMBOLS)
        .rev()
        .map(|place| ((number >> (5 * place)) & 31) as usize)
        .filter_map(|digit| ALPHABET.get(digit).map(|symbol| char::from(*symbol)))
        .collect()
}

/// The bytes from text as a camera reads it or a person types it: letters of either case, `I` and `L`
/// read as 1, `O` as 0, space around it, hyphens, and a single space between the groups of a poster.
pub(super) fn decode(text: &str) -> Result<CodeBytes, InvalidPlaceCode> {
    let mut number: u128 = 0;
    let mut count = 0;
    let mut before = ' ';
    for symbol in text.trim().chars() {
        let between_groups = symbol == ' ' && before != ' ' && matches!(count, 5 | 10 | 15);
        before = symbol;
        if symbol == '-' || between_groups {
            continue;
        }
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

/// The value of a symbol, as a person writes it.
pub(super) fn value_of(symbol: char) -> Option<u128> {
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

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let bytes = [0x10, 0, 0x07, 0x5b, 0xcd, 0x15, 7, 1, 2, 3, 4, 5, 6];
        let text = encode(&bytes);
        let groups = |between: &str| [&text[..5], &text[5..10], &text[10..15], &text[15..]].join(between);
        for typed in [&text, &groups("-"), &groups(" "), &groups(" - "), &format!("\t {text}\u{3000}\n")] {
            assert_eq!(decode(typed), Ok(bytes), "{typed}");
        }
        let wrong = |symbol| Err(InvalidPlaceCode::Symbol(symbol));
        assert_eq!(decode(&groups("  ")), wrong(' '));
        assert_eq!(decode(&groups("\t")), wrong('\t'));
        assert_eq!(decode(&groups("\u{3000}")), wrong('\u{3000}'));
        assert_eq!(decode(&format!("{} {}", &text[..3], &text[3..])), wrong(' '));
    }
}
