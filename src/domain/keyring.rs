//! The keys of a deployment: one file beside the database, never in it.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A secret of 32 bytes. Its `Debug` prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the algorithm that uses it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA-256 of `parts`, one after the other, under this key and a label that keeps uses apart.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn mac(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        mac.update(label.as_bytes());
        mac.update(&[0]);
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// All keys that the service needs. A place-code key stays in its slot, to verify only, until the
/// posters that it signed are replaced.
#[derive(Clone, Debug)]
pub struct Keyring {
    place_code: BTreeMap<u8, Key>,
    current_slot: u8,
    token: Key,
}

/// How the file is written: keys as 64 hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Signs visitor tokens, receipts and forms.
    token: String,
    /// The slot whose key signs new place codes.
    current_slot: u8,
    /// Slot (0 to 15) to key.
    place_code: BTreeMap<String, String>,
}

/// Why a key file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyring {
    /// Not the expected TOML.
    #[error("the key file is not what `placecode keys` writes: {0}")]
    Syntax(String),
    /// A key that is not 64 hexadecimal digits; names the entry.
    #[error("the key `{0}` must be 64 hexadecimal digits")]
    Key(String),
    /// A slot outside 0 to 15.
    #[error("the place-code slot `{0}` must be a number from 0 to 15")]
    Slot(String),
    /// The current slot has no key.
    #[error("current_slot names slot {0}, which has no key")]
    NoCurrent(u8),
}

impl Keyring {
    /// A ring with one place-code key, from random bytes given by the caller.
    pub fn new(token: [u8; 32], place_code: [u8; 32]) -> Self {
        let place_code = BTreeMap::from([(0, Key(place_code))]);
        Self { place_code, current_slot: 0, token: Key(token) }
    }

    /// Reads the text of a key file.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyring> {
        let file: File =
            toml::from_str(text).map_err(|error| InvalidKeyring::Syntax(error.message().to_owned()))?;
        let place_code = file
            .place_code
            .iter()
            .map(|(slot, key)| {
                let number = slot.parse().ok().filter(|n| *n < 16);
                let number = number.ok_or_else(|| InvalidKeyring::Slot(slot.clone()))?;
                Ok((number, parse_key(&format!("place_code.{slot}"), key)?))
            })
            .collect::<Result<BTreeMap<u8, Key>, _>>()?;
        if !place_code.contains_key(&file.current_slot) {
            return Err(InvalidKeyring::NoCurrent(file.current_slot));
        }
        Ok(Self { place_code, current_slot: file.current_slot, token: parse_key("token", &file.token)? })
    }

    /// The text of a key file.
    #[expect(clippy::expect_used, reason = "strings and small numbers always have a TOML form")]
    pub fn to_toml(&self) -> String {
        let hex = |key: &Key| HEXLOWER_PERMISSIVE.encode(&key.0);
        let place_code = self.place_code.iter().map(|(slot, key)| (slot.to_string(), hex(key))).collect();
        toml::to_string(&File { token: hex(&self.token), current_slot: self.current_slot, place_code })
            .expect("plain values")
    }

    /// The slot and the key that sign new place codes.
    pub fn current(&self) -> Option<(u8, &Key)> {
        self.place_code.get(&self.current_slot).map(|key| (self.current_slot, key))
    }

    /// The key of one slot.
    pub fn slot(&self, slot: u8) -> Option<&Key> {
        self.place_code.get(&slot)
    }

    /// The key for tokens, receipts and forms.
    pub fn token(&self) -> &Key {
        &self.token
    }
}

/// A key from 64 hexadecimal digits; `name` stands in the error.
pub fn parse_key(name: &str, hex: &str) -> Result<Key, InvalidKeyring> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.trim().as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(Key).ok_or_else(|| InvalidKeyring::Key(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_survives_its_file() {
        let ring = Keyring::new([1; 32], [2; 32]);
        let read = Keyring::parse(&ring.to_toml()).unwrap();
        assert_eq!(read.current().unwrap().1.bytes(), &[2; 32]);
        assert_eq!(read.token().bytes(), &[1; 32]);
        assert!(!format!("{read:?}").contains("02"));
    }

    #[test]
    fn a_bad_file_is_refused_by_name() {
        let text = Keyring::new([1; 32], [2; 32]).to_toml();
        let short = text.replace(&"02".repeat(32), "abc");
        assert_eq!(Keyring::parse(&short).unwrap_err(), InvalidKeyring::Key("place_code.0".into()));
        let missing = text.replace("current_slot = 0", "current_slot = 3");
        assert_eq!(Keyring::parse(&missing).unwrap_err(), InvalidKeyring::NoCurrent(3));
        assert!(matches!(Keyring::parse("x = 1"), Err(InvalidKeyring::Syntax(_))));
    }
}
