//! A letter to an issuing system, and its envelope: the form of Standard Webhooks
//! (`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>`).

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::rule_pack::{Class, Colour};

/// How far the clocks of sender and receiver may differ.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What a letter says about an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterKind {
    /// Show this colour.
    Assigned,
    /// What it rested on was taken back: show it no longer.
    Withdrawn,
    /// Its days are over.
    Expired,
}

/// One letter about one assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The idempotency key: the same letter is never applied twice.
    pub id: Uuid,
    /// Counts the letters about one visitor, so that an old one never overrides a newer one.
    pub sequence: i64,
    /// What it says.
    pub kind: LetterKind,
    /// About which assignment.
    pub assignment: Uuid,
    /// Whose code: 32 hexadecimal digits.
    pub visitor: String,
    /// How the visitor was exposed.
    pub class: Class,
    /// The colour by the rule pack.
    pub colour: Colour,
    /// Rule pack and version.
    pub rule_pack: String,
    /// The division whose authority decided.
    pub division: String,
    /// Who answers for the decision.
    pub authority: String,
    /// On what legal basis.
    pub legal_basis: String,
    /// Where and when: each meeting, without the case.
    pub exposures: Vec<LetterExposure>,
    /// When the last meeting ended.
    pub last_exposure_at: DateTime<Utc>,
    /// When the assignment ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// One meeting as the visitor may see it: rounded to whole quarters of an hour, so that it does not
/// point to the case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterExposure {
    /// Name of the venue and point.
    pub place: String,
    /// Begin of the slot.
    pub from: DateTime<Utc>,
    /// End of the slot.
    pub until: DateTime<Utc>,
}

/// What is sent in one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Always `placecode.letters.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was put together.
    pub timestamp: DateTime<Utc>,
    /// The letters, in the order in which they are to be applied.
    pub letters: Vec<Letter>,
}

/// The only type of envelope.
pub const ENVELOPE: &str = "placecode.letters.v1";

/// How many letters one envelope holds at the most.
pub const ENVELOPE_LETTERS_MAX: usize = 200;

/// Why an envelope is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnvelope {
    /// No signature of the version that is known, or none that verifies.
    #[error("no signature verifies")]
    Signature,
    /// Too old, or from the future.
    #[error("the timestamp is more than five minutes away")]
    Time,
}

/// A signing secret, written `whsec_` and base 64.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads `whsec_…`; `None` when it is not 24 to 64 bytes of base 64.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.strip_prefix("whsec_")?.as_bytes()).ok()?;
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// A secret as text, from random bytes given by the caller.
    pub fn format(bytes: &[u8]) -> String {
        format!("whsec_{}", BASE64.encode(bytes))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        format!("v1,{}", BASE64.encode(&self.mac(id, timestamp, body)))
    }

    /// Checks the headers of an envelope; several signatures may stand in one header, set apart by spaces.
    pub fn verify(
        &self,
        id: &str,
        timestamp: i64,
        body: &[u8],
        signatures: &str,
        now: DateTime<Utc>,
    ) -> Result<(), InvalidEnvelope> {
        if (now.timestamp() - timestamp).abs() > TOLERANCE.num_seconds() {
            return Err(InvalidEnvelope::Time);
        }
        let expected = self.mac(id, timestamp, body);
        let matches = |given: &str| {
            let given = given.strip_prefix("v1,").and_then(|b64| BASE64.decode(b64.as_bytes()).ok());
            given.is_some_and(|given| bool::from(given.ct_eq(&expected)))
        };
        if signatures.split(' ').any(matches) { Ok(()) } else { Err(InvalidEnvelope::Signature) }
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self, id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac.finalize().into_bytes().to_vec()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The slot that a visitor may see: widened to whole quarters of an hour.
pub fn slot(from: DateTime<Utc>, until: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    const QUARTER_SECS: i64 = 900;
    let floor = from.timestamp().div_euclid(QUARTER_SECS) * QUARTER_SECS;
    let ceil = (until.timestamp() + QUARTER_SECS - 1).div_euclid(QUARTER_SECS) * QUARTER_SECS;
    (DateTime::from_timestamp(floor, 0).unwrap_or(from), DateTime::from_timestamp(ceil, 0).unwrap_or(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    /// The example of the specification's own documentation.
    #[test]
    fn the_published_example_of_standard_webhooks_verifies() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, timestamp) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let body = br#"{"test": 2432232314}"#;
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secret.sign(id, timestamp, body), signature);
        assert_eq!(secret.verify(id, timestamp, body, signature, at(timestamp)), Ok(()));
        let late = secret.verify(id, timestamp, body, signature, at(timestamp + 301));
        assert_eq!(late, Err(InvalidEnvelope::Time));
        let other = secret.verify(id, timestamp, b"{}", signature, at(timestamp));
        assert_eq!(other, Err(InvalidEnvelope::Signature));
        let rotated = format!("v1,AAAA v2,x {signature}");
        assert_eq!(secret.verify(id, timestamp, body, &rotated, at(timestamp)), Ok(()));
    }

    #[test]
    fn a_slot_is_wider_than_the_meeting() {
        assert_eq!(slot(at(1000), at(1900)), (at(900), at(2700)));
        assert_eq!(slot(at(900), at(1800)), (at(900), at(1800)));
    }
}
