//! What a channel or a device signs: a compact JSON web signature (RFC 7515) with `EdDSA` (RFC 8037).
//!
//! One algorithm, checked by name, so that there is nothing to negotiate and nothing to downgrade.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::known_colour::KnownColour;
use super::rule_pack::Colour;
use super::venue::Division;
use super::visitor::Visitor;

/// The audience that every assertion must name.
pub const AUDIENCE: &str = "placecode";

/// The longest life of an assertion; what claims more is refused.
pub const LIFE_MAX: TimeDelta = TimeDelta::minutes(10);

/// How far the clocks of two machines may differ.
pub const SKEW: TimeDelta = TimeDelta::minutes(1);

/// The longest assertion that is read, in bytes.
pub const LENGTH_MAX: usize = 2048;

/// "I have verified this person": signed by a channel, good for minutes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityClaims {
    /// The visitor, 32 hexadecimal digits.
    pub sub: String,
    /// Always [`AUDIENCE`].
    pub aud: String,
    /// Issued at, seconds of the Unix epoch.
    pub iat: i64,
    /// Expires at, seconds of the Unix epoch.
    pub exp: i64,
    /// What the person's health code shows, where the channel knows it: `green`, `yellow` or `red`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// When it was seen to show that, seconds of the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour_at: Option<i64>,
    /// Where the person lives, where the channel tells it: six digits (GB/T 2260), nothing finer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<String>,
    /// What other systems call the person: by the name of a key that two of them share, the pseudonym under that key, 32
    /// hexadecimal digits. The channel alone can make it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
}

/// What another system calls somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name of the key.
    pub key: String,
    /// The pseudonym under it.
    pub person: Visitor,
}

/// How many aliases of one person are taken.
pub const ALIASES_MAX: usize = 8;

/// Whom a channel has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identified {
    /// Who.
    pub visitor: Visitor,
    /// The colour that the channel saw, when it told one.
    pub colour: Option<KnownColour>,
    /// Where the person lives, when the channel told it.
    pub residence: Option<Residence>,
}

/// Where a channel says that somebody lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residence {
    /// The county, or what is wider where no more is known.
    pub division: Division,
    /// When the channel said so.
    pub told_at: DateTime<Utc>,
}

/// "This request is mine": signed by a device over the body that it sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceClaims {
    /// The device.
    pub sub: Uuid,
    /// Always [`AUDIENCE`].
    pub aud: String,
    /// Issued at, seconds of the Unix epoch.
    pub iat: i64,
    /// Expires at, seconds of the Unix epoch.
    pub exp: i64,
    /// SHA-256 of the request's body, 64 hexadecimal digits.
    pub body: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    /// Whose key it is: the channel's or the device's id.
    kid: String,
}

/// Why an assertion is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAssertion {
    /// Not three parts of base 64, not JSON, or too long.
    #[error("not a compact JSON web signature")]
    Form,
    /// Another algorithm than `EdDSA`.
    #[error("the algorithm must be EdDSA")]
    Algorithm,
    /// The signature is not by this key.
    #[error("the signature does not verify")]
    Signature,
    /// Made for somebody else.
    #[error("the audience must be `placecode`")]
    Audience,
    /// Expired, not yet valid, or of too long a life.
    #[error("the assertion has expired, lies in the future, or lives longer than ten minutes")]
    Time,
    /// The subject is no visitor.
    #[error("the subject must be 32 hexadecimal digits")]
    Subject,
}

/// Whose key an assertion claims to be signed with; nothing is verified yet.
pub fn signer_of(text: &str) -> Result<String, InvalidAssertion> {
    if text.len() > LENGTH_MAX {
        return Err(InvalidAssertion::Form);
    }
    let header = text.split('.').next().ok_or(InvalidAssertion::Form)?;
    let header: Header = part(header)?;
    if header.alg == "EdDSA" { Ok(header.kid) } else { Err(InvalidAssertion::Algorithm) }
}

/// Signs claims; `key_id` is the channel's or device's id.
#[expect(clippy::expect_used, reason = "plain structs always have a JSON form")]
pub fn sign<C: Serialize>(claims: &C, key_id: &str, key: &SigningKey) -> String {
    let header = Header { alg: "EdDSA".into(), kid: key_id.into() };
    let header = BASE64URL_NOPAD.encode(&serde_json::to_vec(&header).expect("plain"));
    let claims = BASE64URL_NOPAD.encode(&serde_json::to_vec(claims).expect("plain"));
    let signed = format!("{header}.{claims}");
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature.to_bytes()))
}

/// How long a device's assertion of a request lives: a slow network, and clocks that differ.
const DEVICE_LIFE: TimeDelta = TimeDelta::minutes(5);

/// A device's assertion that a request with this body is its own, made at `now`.
pub fn sign_device(device: Uuid, key: &SigningKey, body: &[u8], now: DateTime<Utc>) -> String {
    let iat = now.timestamp();
    let claims = DeviceClaims {
        sub: device,
        aud: AUDIENCE.to_owned(),
        iat,
        exp: iat + DEVICE_LIFE.num_seconds(),
        body: HEXLOWER.encode(&Sha256::digest(body)),
    };
    sign(&claims, &device.to_string(), key)
}

/// The identity that a channel asserts, once verified with that channel's key.
pub fn verify_identity(
    text: &str,
    key: &VerifyingKey,
    now: DateTime<Utc>,
) -> Result<Identified, InvalidAssertion> {
    verify_person(text, key, now).map(|(identified, _aliases)| identified)
}

/// The same, with what other systems call the person.
pub fn verify_person(
    text: &str,
    key: &VerifyingKey,
    now: DateTime<Utc>,
) -> Result<(Identified, Vec<Alias>), InvalidAssertion> {
    let claims: IdentityClaims = verify(text, key)?;
    check(&claims.aud, claims.iat, claims.exp, now)?;
    let visitor = Visitor::from_hex(&claims.sub).ok_or(InvalidAssertion::Subject)?;
    let identified = Identified { visitor, colour: claims.known_colour(), residence: claims.residence() };
    Ok((identified, claims.aliases()))
}

impl IdentityClaims {
    /// The colour with its moment. A word that is not known here is none: a scan does not hang on colours.
    fn known_colour(&self) -> Option<KnownColour> {
        let colour = match self.colour.as_deref()? {
            "green" => Colour::Green,
            "yellow" => Colour::Yellow,
            "red" => Colour::Red,
            _ => return None,
        };
        Some(KnownColour { colour, as_of: DateTime::from_timestamp(self.colour_at?, 0)? })
    }

    /// The residence. What is no division is none, and the whole country says nothing: a scan does not hang on it.
    fn residence(&self) -> Option<Residence> {
        let division = self.division.as_deref()?.parse().ok();
        let division = division.filter(|division| *division != Division::COUNTRY)?;
        Some(Residence { division, told_at: DateTime::from_timestamp(self.iat, 0)? })
    }

    /// The aliases. What is none is left out: a scan does not hang on it.
    fn aliases(&self) -> Vec<Alias> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let is_name = |key: &str| (2..=32).contains(&key.len()) && key.bytes().all(plain);
        let read = |(key, person): (&String, &String)| {
            let person = Visitor::from_hex(person).filter(|_| is_name(key))?;
            Some(Alias { key: key.clone(), person })
        };
        self.aliases.iter().filter_map(read).take(ALIASES_MAX).collect()
    }
}

/// What a device asserts about its request, once verified with that device's key.
pub fn verify_device(
    text: &str,
    key: &VerifyingKey,
    now: DateTime<Utc>,
) -> Result<DeviceClaims, InvalidAssertion> {
    let claims: DeviceClaims = verify(text, key)?;
    check(&claims.aud, claims.iat, claims.exp, now)?;
    Ok(claims)
}

fn verify<C: DeserializeOwned>(text: &str, key: &VerifyingKey) -> Result<C, InvalidAssertion> {
    signer_of(text)?;
    let (signed, signature) = text.rsplit_once('.').ok_or(InvalidAssertion::Form)?;
    let (_, claims) = signed.split_once('.').ok_or(InvalidAssertion::Form)?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok();
    let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
    let signature = signature.ok_or(InvalidAssertion::Form)?;
    if key.verify(signed.as_bytes(), &signature).is_err() {
        return Err(InvalidAssertion::Signature);
    }
    part(claims)
}

fn check(audience: &str, issued: i64, expires: i64, now: DateTime<Utc>) -> Result<(), InvalidAssertion> {
    if audience != AUDIENCE {
        return Err(InvalidAssertion::Audience);
    }
    let now = now.timestamp();
    let in_time = issued <= now + SKEW.num_seconds()
        && now < expires.saturating_add(SKEW.num_seconds())
        && expires.saturating_sub(issued) <= LIFE_MAX.num_seconds();
    if in_time { Ok(()) } else { Err(InvalidAssertion::Time) }
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, InvalidAssertion> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or(InvalidAssertion::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn claims() -> IdentityClaims {
        let visitor = Visitor::from_uuid(Uuid::from_u128(42));
        IdentityClaims {
            sub: visitor.to_hex(),
            aud: AUDIENCE.into(),
            iat: now().timestamp(),
            exp: now().timestamp() + 300,
            colour: None,
            colour_at: None,
            division: None,
            aliases: BTreeMap::new(),
        }
    }

    #[test]
    fn a_channel_vouches_for_a_visitor() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let text = sign(&claims(), "health-code", &key);
        assert_eq!(signer_of(&text), Ok("health-code".into()));
        let identified = verify_identity(&text, &key.verifying_key(), now()).unwrap();
        let visitor = Visitor::from_uuid(Uuid::from_u128(42));
        assert_eq!(identified, Identified { visitor, colour: None, residence: None });
    }

    #[test]
    fn a_channel_may_tell_a_colour_with_its_moment_and_an_odd_one_harms_nothing() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let told = |colour: Option<&str>, colour_at| {
            let claims = IdentityClaims { colour: colour.map(str::to_owned), colour_at, ..claims() };
            verify_identity(&sign(&claims, "health-code", &key), &key.verifying_key(), now()).unwrap().colour
        };
        let at = now().timestamp() - 60;
        let yellow = KnownColour { colour: Colour::Yellow, as_of: now() - TimeDelta::minutes(1) };
        assert_eq!(told(Some("yellow"), Some(at)), Some(yellow));
        for (colour, colour_at) in
            [(None, Some(at)), (Some("red"), None), (Some("plaid"), Some(at)), (Some("red"), Some(i64::MAX))]
        {
            assert_eq!(told(colour, colour_at), None, "{colour:?} {colour_at:?}");
        }
    }

    #[test]
    fn a_channel_may_tell_where_somebody_lives_and_an_odd_word_harms_nothing() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let told = |division: Option<&str>| {
            let claims = IdentityClaims { division: division.map(str::to_owned), ..claims() };
            let text = sign(&claims, "health-code", &key);
            verify_identity(&text, &key.verifying_key(), now()).unwrap().residence
        };
        let jinshui = Residence { division: "410105".parse().unwrap(), told_at: now() };
        assert_eq!(told(Some("410105")), Some(jinshui));
        for odd in
            [None, Some(""), Some("41010"), Some("410105001"), Some("990000"), Some("100000"), Some("金水区")]
        {
            assert_eq!(told(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn a_channel_may_tell_what_others_call_somebody_and_an_odd_name_harms_nothing() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let hex = Visitor::from_uuid(Uuid::from_u128(9)).to_hex();
        let told = |aliases: &[(&str, &str)]| {
            let aliases =
                aliases.iter().map(|(key, person)| ((*key).to_owned(), (*person).to_owned())).collect();
            let text = sign(&IdentityClaims { aliases, ..claims() }, "health-code", &key);
            verify_person(&text, &key.verifying_key(), now()).unwrap().1
        };
        let person = Visitor::from_uuid(Uuid::from_u128(9));
        assert_eq!(told(&[("henan-hubei", &hex)]), [Alias { key: "henan-hubei".into(), person }]);
        assert_eq!(told(&[("", &hex), ("Henan", &hex), ("x\u{0}y", &hex), ("henan", "9")]), []);
        let names: Vec<String> = (10..30).map(|n| format!("key-{n}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*hex)).collect();
        assert_eq!(told(&many[..12]).len(), ALIASES_MAX);
    }

    #[test]
    fn an_assertion_without_a_residence_is_what_it_was_before_there_was_one() {
        let text = r#"{"sub":"0000000000000000000000000000002a","aud":"placecode","iat":1700000000,"exp":1700000300}"#;
        assert_eq!(serde_json::to_string(&claims()).unwrap(), text);
        let read: IdentityClaims = serde_json::from_str(text).unwrap();
        assert_eq!((read.residence(), read.known_colour()), (None, None));
    }

    #[test]
    fn a_device_speaks_for_one_body() {
        let (key, device) = (SigningKey::from_bytes(&[7; 32]), Uuid::from_u128(5));
        let text = sign_device(device, &key, b"body", now());
        assert_eq!(signer_of(&text), Ok(device.to_string()));
        let claims = verify_device(&text, &key.verifying_key(), now() + DEVICE_LIFE).unwrap();
        assert_eq!((claims.sub, claims.body), (device, HEXLOWER.encode(&Sha256::digest(b"body"))));
        let later = now() + DEVICE_LIFE + SKEW;
        assert!(verify_device(&text, &key.verifying_key(), later).is_err());
    }

    #[test]
    fn what_is_forged_stale_or_meant_for_others_is_refused() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let verifying = key.verifying_key();
        let text = sign(&claims(), "health-code", &key);
        let stranger = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert_eq!(verify_identity(&text, &stranger, now()), Err(InvalidAssertion::Signature));
        let later = now() + TimeDelta::hours(1);
        assert_eq!(verify_identity(&text, &verifying, later), Err(InvalidAssertion::Time));
        let other = sign(&IdentityClaims { aud: "bank".into(), ..claims() }, "health-code", &key);
        assert_eq!(verify_identity(&other, &verifying, now()), Err(InvalidAssertion::Audience));
        let long = sign(&IdentityClaims { exp: now().timestamp() + 86_400, ..claims() }, "x", &key);
        assert_eq!(verify_identity(&long, &verifying, now()), Err(InvalidAssertion::Time));
        let (_, rest) = text.split_once('.').unwrap();
        let none = BASE64URL_NOPAD.encode(br#"{"alg":"none","kid":"health-code"}"#);
        assert_eq!(
            verify_identity(&format!("{none}.{rest}"), &verifying, now()),
            Err(InvalidAssertion::Algorithm)
        );
        assert_eq!(verify_identity("a.b", &verifying, now()), Err(InvalidAssertion::Form));
    }
}
