//! Signed requests between systems, in the form of Standard Webhooks: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`, which is `v1,<base64>` of HMAC-SHA-256 or `v1a,<base64>` of Ed25519.

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64;
use ed25519_dalek::Signer;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How far the clocks of sender and receiver may differ.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The header that names a message.
pub const ID_HEADER: &str = "webhook-id";

/// The header with the time of the message, in seconds of the Unix epoch.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// The header with its signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// No signature of the kind that is known, or none that verifies.
    #[error("no signature verifies")]
    Signature,
    /// Too old, or from the future.
    #[error("the timestamp is more than five minutes away")]
    Time,
}

/// What stands in the three headers.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// Names the message; the same when it is sent again.
    pub id: &'a str,
    /// Seconds of the Unix epoch.
    pub timestamp: i64,
    /// One or several signatures, set apart by spaces.
    pub signatures: &'a str,
}

/// A secret that sender and receiver share, written `whsec_` and base 64.
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

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self, content: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        mac.update(content);
        mac.finalize().into_bytes().to_vec()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What messages are signed with.
#[derive(Clone, Debug)]
pub enum SigningKey {
    /// `whsec_…`: the receiver has the same.
    Hmac(Secret),
    /// `whsk_…`: the receiver has the public half, `whpk_…`, and cannot sign in our name.
    Ed25519(ed25519_dalek::SigningKey),
    /// Several while keys change, the newest first: all of them sign, and a receiver needs one.
    Several(Vec<Self>),
}

impl SigningKey {
    /// Reads `whsec_…`, or `whsk_…` with the 32 bytes of an Ed25519 seed, or with seed and public key.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(encoded) = text.strip_prefix("whsk_") else { return Secret::parse(text).map(Self::Hmac) };
        let bytes = BASE64.decode(encoded.as_bytes()).ok()?;
        match bytes.len() {
            32 => Some(Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&bytes.try_into().ok()?))),
            64 => {
                ed25519_dalek::SigningKey::from_keypair_bytes(&bytes.try_into().ok()?).ok().map(Self::Ed25519)
            }
            _ => None,
        }
    }

    /// Reads one key or several, the newest first; `None` when there is none or one of them has another form.
    pub fn parse_all(texts: &[String]) -> Option<Self> {
        let mut keys = texts.iter().map(|text| Self::parse(text)).collect::<Option<Vec<_>>>()?;
        if keys.len() > 1 { Some(Self::Several(keys)) } else { keys.pop() }
    }

    /// An Ed25519 key as text, from a random seed given by the caller: seed and public key, as the specification's
    /// libraries keep it.
    pub fn format_ed25519(seed: &[u8; 32]) -> String {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        format!("whsk_{}", BASE64.encode(&key.to_keypair_bytes()))
    }

    /// What stands in `webhook-signature`: one signature, or one of each key with spaces between them.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        self.sign_content(&content(id, timestamp, body))
    }

    fn sign_content(&self, content: &[u8]) -> String {
        match self {
            Self::Hmac(secret) => format!("v1,{}", BASE64.encode(&secret.mac(content))),
            Self::Ed25519(key) => format!("v1a,{}", BASE64.encode(&key.sign(content).to_bytes())),
            Self::Several(keys) => {
                let signatures: Vec<String> = keys.iter().map(|key| key.sign_content(content)).collect();
                signatures.join(" ")
            }
        }
    }

    /// What verifies its signatures.
    pub fn verifying_key(&self) -> VerifyingKey {
        match self {
            Self::Hmac(secret) => VerifyingKey::Hmac(secret.clone()),
            Self::Ed25519(key) => VerifyingKey::Ed25519(key.verifying_key()),
            Self::Several(keys) => VerifyingKey::Any(keys.iter().map(Self::verifying_key).collect()),
        }
    }
}

/// What messages are verified with.
#[derive(Clone, Debug)]
pub enum VerifyingKey {
    /// `whsec_…`, which the sender has too.
    Hmac(Secret),
    /// `whpk_…`, the public half of the sender's key.
    Ed25519(ed25519_dalek::VerifyingKey),
    /// One of several, while the sender's keys change.
    Any(Vec<Self>),
}

impl VerifyingKey {
    /// Reads `whsec_…`, or `whpk_…` with the 32 bytes of an Ed25519 public key.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(encoded) = text.strip_prefix("whpk_") else { return Secret::parse(text).map(Self::Hmac) };
        let bytes = BASE64.decode(encoded.as_bytes()).ok()?;
        ed25519_dalek::VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok().map(Self::Ed25519)
    }

    /// The public half as text, of several the newest; `None` for a shared secret, which is nobody else's business.
    pub fn public_text(&self) -> Option<String> {
        self.public_texts().into_iter().next()
    }

    /// The public halves as text, the newest first; none of a shared secret.
    pub fn public_texts(&self) -> Vec<String> {
        match self {
            Self::Hmac(_) => Vec::new(),
            Self::Ed25519(key) => vec![format!("whpk_{}", BASE64.encode(key.as_bytes()))],
            Self::Any(keys) => keys.iter().flat_map(Self::public_texts).collect(),
        }
    }

    /// Checks that the message is genuine and of this time.
    pub fn verify(
        &self,
        headers: &Headers<'_>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), InvalidMessage> {
        if now.timestamp().abs_diff(headers.timestamp) > TOLERANCE.num_seconds().unsigned_abs() {
            return Err(InvalidMessage::Time);
        }
        let content = content(headers.id, headers.timestamp, body);
        let genuine = headers.signatures.split(' ').any(|given| self.is_of(given, &content));
        if genuine { Ok(()) } else { Err(InvalidMessage::Signature) }
    }

    fn is_of(&self, given: &str, content: &[u8]) -> bool {
        let after =
            |prefix| given.strip_prefix(prefix).and_then(|text: &str| BASE64.decode(text.as_bytes()).ok());
        match self {
            Self::Hmac(secret) => after("v1,").is_some_and(|mac| mac.ct_eq(&secret.mac(content)).into()),
            Self::Ed25519(key) => after("v1a,")
                .and_then(|bytes| ed25519_dalek::Signature::from_slice(&bytes).ok())
                .is_some_and(|signature| key.verify_strict(content, &signature).is_ok()),
            Self::Any(keys) => keys.iter().any(|key| key.is_of(given, content)),
        }
    }
}

fn content(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut content = format!("{id}.{timestamp}.").into_bytes();
    content.extend_from_slice(body);
    content
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
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (key, secret) = (SigningKey::parse(text).unwrap(), VerifyingKey::parse(text).unwrap());
        let (id, timestamp) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let body = br#"{"test": 2432232314}"#;
        let signatures = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(key.sign(id, timestamp, body), signatures);
        let headers = Headers { id, timestamp, signatures };
        assert_eq!(secret.verify(&headers, body, at(timestamp)), Ok(()));
        assert_eq!(secret.verify(&headers, body, at(timestamp + 301)), Err(InvalidMessage::Time));
        assert_eq!(secret.verify(&headers, b"{}", at(timestamp)), Err(InvalidMessage::Signature));
        let rotated = format!("v1,AAAA v2,x v1a,AAAA {signatures}");
        let headers = Headers { signatures: &rotated, ..headers };
        assert_eq!(secret.verify(&headers, body, at(timestamp)), Ok(()));
    }

    #[test]
    fn a_public_key_verifies_and_no_other_does() {
        let key = SigningKey::parse(&SigningKey::format_ed25519(&[7; 32])).unwrap();
        let public = VerifyingKey::parse(&key.verifying_key().public_text().unwrap()).unwrap();
        let other = SigningKey::parse(&format!("whsk_{}", BASE64.encode(&[8; 32]))).unwrap().verifying_key();
        let signatures = key.sign("msg_1", 1000, b"{}");
        assert!(signatures.starts_with("v1a,"));
        let headers = Headers { id: "msg_1", timestamp: 1000, signatures: &signatures };
        assert_eq!(public.verify(&headers, b"{}", at(1000)), Ok(()));
        assert_eq!(
            public.verify(&Headers { id: "msg_2", ..headers }, b"{}", at(1000)),
            Err(InvalidMessage::Signature)
        );
        assert_eq!(other.verify(&headers, b"{}", at(1000)), Err(InvalidMessage::Signature));
        assert!(
            VerifyingKey::Hmac(Secret::parse(&Secret::format(&[9; 32])).unwrap()).public_text().is_none()
        );
    }

    /// What docs/letters.md shows; computed with Python's `hmac` and `PyNaCl`.
    #[test]
    fn the_example_of_the_documentation_verifies() {
        let page = include_str!("../../docs/letters.md");
        let (id, timestamp) = ("01960000-0000-7000-8000-000000000001", 1_773_633_600);
        let body = br#"{"type":"placecode.letters.v1","timestamp":"2026-03-16T04:00:00Z","letters":[]}"#;
        let texts =
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), SigningKey::format_ed25519(&[7; 32])];
        let key = SigningKey::parse_all(&texts).unwrap();
        let signatures = key.sign(id, timestamp, body);
        assert_eq!(
            signatures,
            "v1,t50nImD7a0T/SjfRGykvV+i/aBdwcFAWsloA7hJTSJ0= \
             v1a,xEbu0lilAvlwCznOLVpS1p9pxQ2yI0hwkRN6jeMmYi+7J5OD6nVzqtwMdoTL4F5fH8hRWxyC3FbV5N0+KrZbCA=="
        );
        let public = key.verifying_key().public_text().unwrap();
        let shown = [&signatures, &texts[0], &public, std::str::from_utf8(body).unwrap()];
        assert!(shown.iter().all(|text| page.contains(*text)));
    }

    #[test]
    fn while_keys_change_all_of_them_sign_and_one_is_enough() {
        let texts = [SigningKey::format_ed25519(&[7; 32]), Secret::format(&[9; 32])];
        let key = SigningKey::parse_all(&texts).unwrap();
        let signatures = key.sign("msg_1", 1000, b"{}");
        let headers = Headers { id: "msg_1", timestamp: 1000, signatures: &signatures };
        for text in &texts {
            let one = SigningKey::parse(text).unwrap().verifying_key();
            assert_eq!(one.verify(&headers, b"{}", at(1000)), Ok(()));
        }
        let other = SigningKey::parse(&Secret::format(&[8; 32])).unwrap().verifying_key();
        assert_eq!(other.verify(&headers, b"{}", at(1000)), Err(InvalidMessage::Signature));
        // What one of the keys alone has signed is genuine too.
        let alone = SigningKey::parse(&texts[1]).unwrap().sign("msg_1", 1000, b"{}");
        let headers = Headers { signatures: &alone, ..headers };
        assert_eq!(key.verifying_key().verify(&headers, b"{}", at(1000)), Ok(()));
        assert_eq!(key.verifying_key().public_texts().len(), 1);
        assert!(SigningKey::parse_all(&[]).is_none());
        assert!(SigningKey::parse_all(&[texts[0].clone(), "whsec_".to_owned()]).is_none());
    }

    #[test]
    fn keys_of_another_form_are_refused() {
        for text in ["", "whsec_", "whsk_AAAA", "whpk_AAAA", "secret", "whsec_AAAA"] {
            assert!(SigningKey::parse(text).is_none() && VerifyingKey::parse(text).is_none(), "{text}");
        }
    }
}
