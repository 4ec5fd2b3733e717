//! The code that somebody shows to a scanner: signed, with the colour inside, good for a minute and a half and once.
//!
//! `HC1.` and base 64 of: colour (1 byte), seconds of its end (4), nonce (8), visitor under a mask (16), Ed25519 signature
//! of the channel's key over a label and all of these (64). Whoever photographs it learns the colour and no pseudonym.

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey};
use uuid::Uuid;

use crate::domain::keyring::Key;
use crate::domain::scheme::Shown;
use crate::domain::visitor::Visitor;

/// How long a code is good: to find it, to hold it up and to be scanned.
pub(super) const LIFE: TimeDelta = TimeDelta::seconds(90);

const PREFIX: &str = "HC1.";
const LABEL: &[u8] = b"placecode/issuer/shown-code/1\0";
const MASK_LABEL: &str = "placecode/issuer/shown-code/mask/1";
const SAID_BYTES: usize = 1 + 4 + 8 + 16;
const SIGNATURE_BYTES: usize = 64;

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShownCode {
    /// Who shows it.
    pub(super) visitor: Visitor,
    /// What was shown when it was made.
    pub(super) shown: Shown,
    /// When it ends.
    pub(super) expires_at: DateTime<Utc>,
    /// Tells it from all others.
    pub(super) nonce: [u8; 8],
}

/// Why a text is no code that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidCode {
    /// Not of this form at all.
    Form,
    /// Of this form, and not signed by this platform.
    Forged,
    /// Genuine, and its time is over.
    Expired,
}

impl ShownCode {
    /// The code as text, which becomes a QR code.
    pub(super) fn sign(&self, key: &SigningKey, mask: &Key) -> String {
        let expires = u32::try_from(self.expires_at.timestamp()).unwrap_or_default().to_be_bytes();
        let visitor = covered(mask, self.nonce, expires, self.visitor.to_uuid().into_bytes());
        let said = [&[colour_byte(self.shown)][..], &expires, &self.nonce, &visitor].concat();
        let signature = key.sign(&[LABEL, &said].concat()).to_bytes();
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&[&said[..], &signature].concat()))
    }

    /// Reads a code that a scanner has seen.
    pub(super) fn open(
        text: &str,
        key: &SigningKey,
        mask: &Key,
        now: DateTime<Utc>,
    ) -> Result<Self, InvalidCode> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(InvalidCode::Form)?;
        if encoded.len() > 2 * (SAID_BYTES + SIGNATURE_BYTES) {
            return Err(InvalidCode::Form);
        }
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_other| InvalidCode::Form)?;
        let (said, signature) = bytes.split_first_chunk::<SAID_BYTES>().ok_or(InvalidCode::Form)?;
        let signature = Signature::from_slice(signature).map_err(|_other| InvalidCode::Form)?;
        if key.verifying_key().verify_strict(&[LABEL, said].concat(), &signature).is_err() {
            return Err(InvalidCode::Forged);
        }
        let code = Self::read(said, mask).ok_or(InvalidCode::Form)?;
        let good = now < code.expires_at && code.expires_at <= now + LIFE;
        if good { Ok(code) } else { Err(InvalidCode::Expired) }
    }

    fn read(said: &[u8; SAID_BYTES], mask: &Key) -> Option<Self> {
        let (colour, rest) = said.split_first()?;
        let (expires, rest) = rest.split_first_chunk::<4>()?;
        let (nonce, visitor) = rest.split_first_chunk::<8>()?;
        let visitor = covered(mask, *nonce, *expires, visitor.try_into().ok()?);
        Some(Self {
            visitor: Visitor::from_uuid(Uuid::from_bytes(visitor)),
            shown: *COLOURS.get(usize::from(*colour))?,
            expires_at: DateTime::from_timestamp(u32::from_be_bytes(*expires).into(), 0)?,
            nonce: *nonce,
        })
    }
}

/// By their byte, which is never used again for another.
const COLOURS: [Shown; 4] = [Shown::Green, Shown::Yellow, Shown::Orange, Shown::Red];

fn colour_byte(shown: Shown) -> u8 {
    match shown {
        Shown::Green => 0,
        Shown::Yellow => 1,
        Shown::Orange => 2,
        Shown::Red => 3,
    }
}

/// Covers and uncovers.
fn covered(mask: &Key, nonce: [u8; 8], expires: [u8; 4], mut visitor: [u8; 16]) -> [u8; 16] {
    let mask = mask.mac(MASK_LABEL, &[&nonce, &expires]);
    visitor.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    visitor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_by_its_maker_and_nothing_else_passes() {
        let (key, mask) = (SigningKey::from_bytes(&[1; 32]), Key::new([2; 32]));
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let visitor = Visitor::from_uuid(Uuid::from_u128(42));
        let code = ShownCode { visitor, shown: Shown::Orange, expires_at: now + LIFE, nonce: [3; 8] };
        let text = code.sign(&key, &mask);
        assert_eq!(ShownCode::open(&text, &key, &mask, now), Ok(code));
        assert_eq!(ShownCode::open(&text, &key, &mask, now + LIFE), Err(InvalidCode::Expired));
        assert_eq!(ShownCode::open(&text, &key, &mask, now - LIFE), Err(InvalidCode::Expired));
        let other = SigningKey::from_bytes(&[9; 32]);
        assert_eq!(ShownCode::open(&text, &other, &mask, now), Err(InvalidCode::Forged));
        let green = ShownCode { shown: Shown::Green, ..code }.sign(&other, &mask);
        assert_eq!(ShownCode::open(&green, &key, &mask, now), Err(InvalidCode::Forged));
        for odd in ["", "HC1.", "HC2.AAAA", "hello", "HC1.AAAA", "HC1.*"] {
            assert_eq!(ShownCode::open(odd, &key, &mask, now), Err(InvalidCode::Form), "{odd}");
        }
        // No picture of it tells who it was, not even by being the same twice.
        let again = ShownCode { nonce: [4; 8], ..code }.sign(&key, &mask);
        let middle = |text: &str| BASE64URL_NOPAD.decode(&text.as_bytes()[4..]).unwrap()[13..29].to_vec();
        assert_ne!(middle(&text), middle(&again));
        assert_ne!(middle(&text), visitor.to_uuid().as_bytes());
    }
}
