//! A visitor: a person as a keyed pseudonym of 128 bits.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// A person, known only by a pseudonym. It has no `Display` and no `Serialize`, and its `Debug`
/// prints nothing, so that it cannot slip into a log or an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visitor(u128);

/// What kind of document an identity number comes from; the numbers are those that gate systems
/// of health codes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IdentityKind {
    /// Resident identity card.
    ResidentCard = 10,
    /// Permit for residents of Hong Kong and Macau.
    HongKongMacauPermit = 14,
    /// Permit for residents of Taiwan.
    TaiwanPermit = 15,
    /// Passport.
    Passport = 20,
    /// Permanent residence card of a foreigner.
    ResidencePermit = 34,
    /// Anything else, such as a user of another service.
    Other = 99,
}

impl Visitor {
    /// The pseudonym of an identity: HMAC-SHA-256 over kind and number, cut to 128 bits. It is made
    /// where a channel has verified the person, never by the service itself.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn of(key: &[u8; 32], kind: IdentityKind, number: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
        mac.update(&[kind as u8]);
        mac.update(number.trim().to_uppercase().as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(u128::from_be_bytes(half))
    }

    /// The pseudonym as the sixteen bytes that Postgres and Redis keep.
    pub fn to_uuid(self) -> Uuid {
        Uuid::from_u128(self.0)
    }

    /// The pseudonym from its sixteen bytes.
    pub fn from_uuid(id: Uuid) -> Self {
        Self(id.as_u128())
    }

    /// The pseudonym as text for a letter or an assertion: 32 hexadecimal digits.
    pub fn to_hex(self) -> String {
        format!("{:032x}", self.0)
    }

    /// The pseudonym from 32 hexadecimal digits in lower case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let plain = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        plain.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }

    /// A number that spreads visitors evenly, to choose a shard.
    pub fn spread(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visitor(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_person_is_the_same_visitor_and_another_key_makes_another() {
        let one = Visitor::of(&[1; 32], IdentityKind::ResidentCard, "11010519491231002x");
        assert_eq!(one, Visitor::of(&[1; 32], IdentityKind::ResidentCard, " 11010519491231002X "));
        assert_ne!(one, Visitor::of(&[1; 32], IdentityKind::Passport, "11010519491231002X"));
        assert_ne!(one, Visitor::of(&[2; 32], IdentityKind::ResidentCard, "11010519491231002X"));
    }

    #[test]
    fn a_visitor_cannot_be_printed() {
        let one = Visitor::from_uuid(Uuid::from_u128(7));
        assert_eq!(format!("{one:?}"), "Visitor(…)");
        assert_eq!(Visitor::from_hex(&one.to_hex()), Some(one));
        assert_eq!(Visitor::from_hex("7"), None);
        assert_eq!(Visitor::from_hex("+0000000000000000000000000000007"), None);
    }
}
