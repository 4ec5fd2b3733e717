//! Published heads of the audit log: what the chain came to, signed, each naming the head before.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::audit::{GENESIS, hex};

/// One head, as the table, a file, an export and the public list hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Counts from 1 without a gap.
    pub number: i64,
    /// The local day that it closes; of one that was asked for, the day on which it was.
    pub day: NaiveDate,
    /// Whether it is the one of its day, or was asked for beside it.
    pub daily: bool,
    /// The last entry of the log that it covers; 0 when there was none.
    pub seq: i64,
    /// The hash of that entry, 64 hexadecimal digits.
    pub hash: String,
    /// The digest of the head before, 64 hexadecimal digits; zeros for the first.
    pub before: String,
    /// When it was signed, in microseconds of the Unix epoch.
    pub at_micros: i64,
    /// Which key has signed it.
    pub key_id: String,
    /// Ed25519 over [`Head::text`], 128 hexadecimal digits.
    pub signature: String,
}

/// What is wrong with a list of heads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenHeads {
    /// Signed by a key that is not given.
    #[error("head {0} is signed by the key {1}, which was not given")]
    Key(i64, String),
    /// The signature is not one of that key over this text.
    #[error("head {0} was altered, or is forged: its signature is not genuine")]
    Signature(i64),
    /// A number is missing, doubled or out of order.
    #[error("head {0} is not where it belongs: a head was removed, added or moved")]
    Sequence(i64),
    /// It names another head before it.
    #[error("head {0} does not follow the head before it: one of them was replaced")]
    Link(i64),
    /// It covers less than the one before.
    #[error("head {0} covers less of the log than the head before it")]
    Backward(i64),
}

/// Public keys by their ids.
pub type HeadKeys = BTreeMap<String, VerifyingKey>;

/// The name of a key: the first 16 hexadecimal digits of the SHA-256 of its public half.
pub fn key_id(key: &VerifyingKey) -> String {
    hex(&Sha256::digest(key.as_bytes())).chars().take(16).collect()
}

/// Reads a public key of 64 hexadecimal digits.
pub fn public_key(text: &str) -> Option<VerifyingKey> {
    let bytes = HEXLOWER.decode(text.trim().to_ascii_lowercase().as_bytes()).ok()?;
    VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()
}

impl Head {
    /// The text that is signed: one line for each part, so that anybody can put it together and verify it.
    pub fn text(&self) -> String {
        let kind = if self.daily { "daily" } else { "asked" };
        format!(
            "placecode.audit-head.v1\nnumber {}\nday {}\nkind {kind}\nentries {}\nhash {}\nbefore {}\nat_micros {}\nkey {}\n",
            self.number, self.day, self.seq, self.hash, self.before, self.at_micros, self.key_id
        )
    }

    /// What the next head names: the SHA-256 of the signed text.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.text()))
    }

    /// The same head, signed.
    #[must_use]
    pub fn signed(mut self, key: &SigningKey) -> Self {
        self.key_id = key_id(&key.verifying_key());
        self.signature = hex(&key.sign(self.text().as_bytes()).to_bytes());
        self
    }

    /// Checks the signature.
    pub fn verify(&self, keys: &HeadKeys) -> Result<(), BrokenHeads> {
        let unknown = || BrokenHeads::Key(self.number, self.key_id.clone());
        let key = keys.get(&self.key_id).ok_or_else(unknown)?;
        let signature = HEXLOWER.decode(self.signature.as_bytes()).ok();
        let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
        let genuine = signature.is_some_and(|own| key.verify_strict(self.text().as_bytes(), &own).is_ok());
        if genuine { Ok(()) } else { Err(BrokenHeads::Signature(self.number)) }
    }

    /// A short form for print: the first 16 digits of its digest in groups of four, which the next head vouches for.
    pub fn short(&self) -> String {
        let digits: Vec<char> = self.digest().chars().take(16).collect();
        digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
    }
}

/// Verifies heads in their order. With `whole`, none may be missing from the first on; otherwise the list may be
/// what somebody has noted, and each is held against its neighbour alone.
pub fn verify(heads: &[Head], keys: &HeadKeys, whole: bool) -> Result<(), BrokenHeads> {
    let mut last: Option<&Head> = None;
    for head in heads {
        let next = last.map_or(1, |last| last.number + 1);
        if head.number < next || (whole && head.number > next) {
            return Err(BrokenHeads::Sequence(head.number));
        }
        head.verify(keys)?;
        let before = last.map_or_else(|| hex(&GENESIS), Head::digest);
        if head.number == next && head.before != before && (last.is_some() || head.number == 1) {
            return Err(BrokenHeads::Link(head.number));
        }
        if last.is_some_and(|last| head.seq < last.seq) {
            return Err(BrokenHeads::Backward(head.number));
        }
        last = Some(head);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(count: i64) -> (Vec<Head>, HeadKeys) {
        let key = SigningKey::from_bytes(&[3; 32]);
        let keys = HeadKeys::from([(key_id(&key.verifying_key()), key.verifying_key())]);
        let mut heads: Vec<Head> = Vec::new();
        for number in 1..=count {
            let head = Head {
                number,
                day: NaiveDate::from_ymd_opt(2026, 3, 1).unwrap() + chrono::Days::new(number.unsigned_abs()),
                daily: true,
                seq: number * 10,
                hash: hex(&[u8::try_from(number).unwrap(); 32]),
                before: heads.last().map_or_else(|| hex(&GENESIS), Head::digest),
                at_micros: number,
                key_id: String::new(),
                signature: String::new(),
            };
            heads.push(head.signed(&key));
        }
        (heads, keys)
    }

    #[test]
    fn heads_verify_whole_and_in_part() {
        let (heads, keys) = heads(4);
        assert_eq!(verify(&heads, &keys, true), Ok(()));
        assert_eq!(verify(&heads[2..], &keys, false), Ok(()));
        assert_eq!(verify(&[heads[0].clone(), heads[3].clone()], &keys, false), Ok(()));
        assert_eq!(verify(&heads[2..], &keys, true), Err(BrokenHeads::Sequence(3)));
        let read: Head = serde_json::from_str(&serde_json::to_string(&heads[1]).unwrap()).unwrap();
        assert_eq!(read, heads[1]);
        assert_eq!(heads[1].short().len(), 19);
    }

    #[test]
    fn what_was_done_to_heads_is_named() {
        let (good, keys) = heads(4);
        let change = |at: usize, change: &dyn Fn(&mut Head)| {
            let mut heads = good.clone();
            change(&mut heads[at]);
            verify(&heads, &keys, true)
        };
        assert_eq!(change(1, &|head| head.seq = 21), Err(BrokenHeads::Signature(2)));
        assert_eq!(change(1, &|head| head.daily = false), Err(BrokenHeads::Signature(2)));
        let other = SigningKey::from_bytes(&[4; 32]);
        let forged = change(2, &|head| *head = head.clone().signed(&other));
        assert!(matches!(forged, Err(BrokenHeads::Key(3, _))));
        // Whoever has the key can sign again, but the next head names what was there.
        let own = SigningKey::from_bytes(&[3; 32]);
        let again = |head: &mut Head| {
            head.seq = 21;
            *head = head.clone().signed(&own);
        };
        assert_eq!(change(1, &again), Err(BrokenHeads::Link(3)));
        let mut removed = good.clone();
        removed.remove(1);
        assert_eq!(verify(&removed, &keys, true), Err(BrokenHeads::Sequence(3)));
        let mut moved = good.clone();
        moved.swap(1, 2);
        assert_eq!(verify(&moved, &keys, true), Err(BrokenHeads::Sequence(3)));
    }

    #[test]
    fn a_public_key_is_read_from_hexadecimal_digits_alone() {
        let key = SigningKey::from_bytes(&[3; 32]).verifying_key();
        assert_eq!(public_key(&hex(key.as_bytes())), Some(key));
        assert!(["", "00", &"zz".repeat(32)].iter().all(|text| public_key(text).is_none()));
    }
}
