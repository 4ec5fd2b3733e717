//! The keys of a deployment: one file beside the database, never in it.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use ed25519_dalek::SigningKey;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::audit_heads::{HeadKeys, key_id};

/// How many place-code keys a ring has room for: a code names its own by four bits.
const SLOTS: u8 = 16;

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
    /// By generation; the last one signs the heads of the audit log, the others have signed earlier ones.
    audit: BTreeMap<u32, Key>,
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
    /// Generation to Ed25519 seed; absent in files from before there was one.
    #[serde(default)]
    audit: BTreeMap<String, String>,
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
    /// A generation of the audit key that is no number.
    #[error("the generation `{0}` of the audit key must be a number")]
    Generation(String),
    /// The current slot has no key.
    #[error("current_slot names slot {0}, which has no key")]
    NoCurrent(u8),
}

/// Why the key of a slot cannot be taken off the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotRetire {
    /// It signs new codes.
    #[error("slot {0} signs new codes; rotate first, and print new posters")]
    Current(u8),
    /// It has no key.
    #[error("slot {0} has no key")]
    Empty(u8),
}

impl Keyring {
    /// A ring with one place-code key, from random bytes given by the caller.
    pub fn new(token: [u8; 32], place_code: [u8; 32]) -> Self {
        let place_code = BTreeMap::from([(0, Key(place_code))]);
        let token = Key(token);
        Self { place_code, current_slot: 0, audit: first_audit_key(&token), token }
    }

    /// The same ring with one more audit key, which signs from now on; the public halves of the others stay, since
    /// they have signed earlier heads.
    #[must_use]
    pub fn with_audit_key(&self, seed: [u8; 32]) -> Self {
        let mut ring = self.clone();
        let next = ring.audit.last_key_value().map_or(0, |(generation, _)| generation + 1);
        ring.audit.insert(next, Key(seed));
        ring
    }

    /// Reads the text of a key file.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyring> {
        let file: File =
            toml::from_str(text).map_err(|error| InvalidKeyring::Syntax(error.message().to_owned()))?;
        let place_code = file
            .place_code
            .iter()
            .map(|(slot, key)| {
                let number = slot.parse().ok().filter(|n| *n < SLOTS);
                let number = number.ok_or_else(|| InvalidKeyring::Slot(slot.clone()))?;
                Ok((number, parse_key(&format!("place_code.{slot}"), key)?))
            })
            .collect::<Result<BTreeMap<u8, Key>, _>>()?;
        if !place_code.contains_key(&file.current_slot) {
            return Err(InvalidKeyring::NoCurrent(file.current_slot));
        }
        let token = parse_key("token", &file.token)?;
        let audit = if file.audit.is_empty() { first_audit_key(&token) } else { parse_audit(&file.audit)? };
        Ok(Self { place_code, current_slot: file.current_slot, token, audit })
    }

    /// The text of a key file.
    #[expect(clippy::expect_used, reason = "strings and small numbers always have a TOML form")]
    pub fn to_toml(&self) -> String {
        let hex = |key: &Key| HEXLOWER_PERMISSIVE.encode(&key.0);
        let place_code = self.place_code.iter().map(|(slot, key)| (slot.to_string(), hex(key))).collect();
        let audit = self.audit.iter().map(|(generation, key)| (generation.to_string(), hex(key))).collect();
        let current_slot = self.current_slot;
        toml::to_string(&File { token: hex(&self.token), current_slot, place_code, audit })
            .expect("plain values")
    }

    /// The same ring with one more place-code key, which signs from now on; the others verify only. Takes the
    /// next free slot, so that a slot is used again as late as possible. `None` when all 16 are in use.
    #[must_use]
    pub fn rotated(&self, place_code: [u8; 32]) -> Option<Self> {
        let free = |slot: &u8| !self.place_code.contains_key(slot);
        let slot = (1..SLOTS).map(|ahead| (self.current_slot + ahead) % SLOTS).find(free)?;
        let mut ring = self.clone();
        ring.place_code.insert(slot, Key(place_code));
        ring.current_slot = slot;
        Some(ring)
    }

    /// The same ring without the key of a slot: whatever it signed ends.
    pub fn retired(&self, slot: u8) -> Result<Self, CannotRetire> {
        if slot == self.current_slot {
            return Err(CannotRetire::Current(slot));
        }
        let mut ring = self.clone();
        ring.place_code.remove(&slot).map(|_key| ring).ok_or(CannotRetire::Empty(slot))
    }

    /// The slots that have a key.
    pub fn slots(&self) -> impl Iterator<Item = u8> + '_ {
        self.place_code.keys().copied()
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

    /// What signs the heads of the audit log.
    pub fn audit_key(&self) -> Option<SigningKey> {
        self.audit.last_key_value().map(|(_, key)| SigningKey::from_bytes(key.bytes()))
    }

    /// The public halves of all audit keys, by their ids.
    pub fn audit_public_keys(&self) -> HeadKeys {
        let public = |key: &Key| SigningKey::from_bytes(key.bytes()).verifying_key();
        self.audit.values().map(public).map(|key| (key_id(&key), key)).collect()
    }

    /// A fingerprint of each key, by its name, from which the key cannot be told.
    pub fn fingerprints(&self) -> BTreeMap<String, [u8; 32]> {
        let print = |key: &Key| -> [u8; 32] {
            Sha256::new().chain_update(b"placecode key fingerprint\0").chain_update(key.0).finalize().into()
        };
        let codes = self.place_code.iter().map(|(slot, key)| (format!("place_code.{slot}"), print(key)));
        let audit = self.audit.iter().map(|(generation, key)| (format!("audit.{generation}"), print(key)));
        let current = Sha256::digest([self.current_slot]).into();
        let others = [("token".to_owned(), print(&self.token)), ("current_slot".to_owned(), current)];
        codes.chain(audit).chain(others).collect()
    }
}

/// The audit key of a ring that has none of its own, so that a file from before there was one signs as well.
fn first_audit_key(token: &Key) -> BTreeMap<u32, Key> {
    BTreeMap::from([(0, Key(token.mac("audit heads", &[])))])
}

fn parse_audit(keys: &BTreeMap<String, String>) -> Result<BTreeMap<u32, Key>, InvalidKeyring> {
    let parse = |(generation, key): (&String, &String)| {
        let number =
            generation.parse().map_err(|_no_number| InvalidKeyring::Generation(generation.clone()))?;
        Ok((number, parse_key(&format!("audit.{generation}"), key)?))
    };
    keys.iter().map(parse).collect()
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
    fn a_ring_turns_through_all_its_slots_and_keeps_what_it_had() {
        let mut ring = Keyring::new([1; 32], [0; 32]);
        for slot in 1..16u8 {
            ring = ring.rotated([slot; 32]).unwrap();
            assert_eq!(ring.current().map(|(slot, key)| (slot, key.bytes()[0])), Some((slot, slot)));
        }
        assert_eq!(ring.slot(0).unwrap().bytes(), &[0; 32], "old posters are verified by it");
        assert!(ring.rotated([99; 32]).is_none(), "all 16 slots are in use");
        assert_eq!(ring.retired(15).unwrap_err(), CannotRetire::Current(15));
        let ring = ring.retired(3).unwrap();
        assert!(ring.slot(3).is_none());
        assert_eq!(ring.retired(3).unwrap_err(), CannotRetire::Empty(3));
        let ring = ring.rotated([99; 32]).unwrap();
        assert_eq!(ring.current().unwrap().0, 3);
        assert_eq!(Keyring::parse(&ring.to_toml()).unwrap().slots().count(), 16);
        assert_eq!(ring.token().bytes(), &[1; 32], "tokens and forms stay valid");
    }

    #[test]
    fn an_audit_key_is_added_and_earlier_ones_verify_still() {
        let ring = Keyring::new([1; 32], [2; 32]);
        let text = ring.to_toml();
        let old: String = text.split("[audit]").next().unwrap().to_owned();
        assert_ne!(old, text);
        let read = Keyring::parse(&old).unwrap();
        assert_eq!(read.audit_key(), ring.audit_key(), "a file from before there was one");
        let turned = Keyring::parse(&read.with_audit_key([3; 32]).to_toml()).unwrap();
        assert_eq!(turned.audit_key(), Some(SigningKey::from_bytes(&[3; 32])));
        assert_eq!(turned.audit_public_keys().len(), 2);
        assert!(turned.audit_public_keys().contains_key(&key_id(&ring.audit_key().unwrap().verifying_key())));
        let changed: Vec<_> = turned
            .fingerprints()
            .into_iter()
            .filter(|(name, print)| ring.fingerprints().get(name) != Some(print))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(changed, ["audit.1"]);
        let wrong = text.replace("[audit]\n0 =", "[audit]\nx =");
        assert_eq!(Keyring::parse(&wrong).unwrap_err(), InvalidKeyring::Generation("x".into()));
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
