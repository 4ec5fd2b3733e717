//! The keys of the issuing system: one file beside its database, never in it.

use std::fmt;
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::domain::keyring::{Key, parse_key};
use crate::domain::webhook::{self, Headers, InvalidMessage, Secret};

/// All keys that the issuing system needs. `Debug` prints none of them.
#[derive(Clone)]
pub struct IssuerKeys {
    file: File,
    channel_key: SigningKey,
    visitor_key: Key,
    session_key: Key,
    letters_keys: Vec<webhook::VerifyingKey>,
    signing_key: webhook::SigningKey,
}

/// How many keys of the service are believed at once.
const LETTERS_KEYS_MAX: usize = 8;

/// How the file is written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The name under which the service knows this channel.
    channel: String,
    /// Ed25519 seed that signs identity assertions: 64 hexadecimal digits.
    channel_key: String,
    /// Turns identities into visitors: 64 hexadecimal digits. Whoever has it can recognise persons.
    visitor_key: String,
    /// Signs the sessions of the pages: 64 hexadecimal digits.
    session_key: String,
    /// Shared with the service: `whsec_…`; or the public half of what the service signs with: `whpk_…`. A list
    /// while the service changes its key: all of them are believed.
    letters_secret: OneOrMany,
    /// What this system signs with what it sends to the service: `whsk_…`, whose public half the service knows, or
    /// `whsec_…`. Without it, the first secret that it shares with the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing_key: Option<String>,
    /// What trusted front-ends present as bearer token.
    api_token: String,
}

/// One text, or a list of them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// Why a key file cannot be used. No message repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuerKeys {
    /// Not TOML, an entry is missing, or one is unknown.
    #[error("the key file is not what was written for an issuing system: {0}")]
    Syntax(String),
    /// An entry that cannot be used.
    #[error("the entry `{name}` must be {form}")]
    Entry {
        /// Which entry.
        name: &'static str,
        /// What would be right.
        form: &'static str,
    },
}

impl IssuerKeys {
    /// New keys for the channel `health-code`, from random bytes given by the caller.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the entries are made in the right form"
    )]
    pub fn generate(random: [[u8; 32]; 5]) -> Self {
        let [channel_key, visitor_key, session_key, letters_secret, api_token] = random;
        let file = File {
            channel: "health-code".to_owned(),
            channel_key: HEXLOWER.encode(&channel_key),
            visitor_key: HEXLOWER.encode(&visitor_key),
            session_key: HEXLOWER.encode(&session_key),
            letters_secret: OneOrMany::One(Secret::format(&letters_secret)),
            signing_key: None,
            api_token: HEXLOWER.encode(&api_token),
        };
        Self::check(file).expect("made in the right form")
    }

    /// Reads the text of a key file.
    pub fn parse(text: &str) -> Result<Self, InvalidIssuerKeys> {
        let file =
            toml::from_str(text).map_err(|error| InvalidIssuerKeys::Syntax(error.message().to_owned()))?;
        Self::check(file)
    }

    /// Reads a key file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("--issuer-keys-file {}", path.display());
        let text = std::fs::read_to_string(path).with_context(named)?;
        Self::parse(&text).with_context(named)
    }

    /// The text of a key file. Whoever writes it lets nobody else read it (mode 0600).
    #[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "strings always have a TOML form")]
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.file).expect("plain strings")
    }

    fn check(file: File) -> Result<Self, InvalidIssuerKeys> {
        let refuse = |name, form| InvalidIssuerKeys::Entry { name, form };
        let key =
            |name, text: &str| parse_key(name, text).map_err(|_why| refuse(name, "64 hexadecimal digits"));
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(2..=32).contains(&file.channel.len()) || !file.channel.bytes().all(plain) {
            return Err(refuse("channel", "2 to 32 lower-case letters, digits and hyphens"));
        }
        if file.api_token.len() < 32 || !file.api_token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refuse("api_token", "at least 32 visible ASCII characters"));
        }
        let letters_keys: Option<Vec<_>> =
            file.letters_secret.all().iter().map(|text| webhook::VerifyingKey::parse(text)).collect();
        let letters_keys =
            letters_keys.filter(|keys| (1..=LETTERS_KEYS_MAX).contains(&keys.len())).ok_or_else(|| {
                refuse(
                    "letters_secret",
                    "`whsec_` and 24 to 64 bytes in base 64, or `whpk_` and a key, or a list of one to eight of them",
                )
            })?;
        let own = file.signing_key.as_deref().map(webhook::SigningKey::parse);
        let shared = || file.letters_secret.all().iter().find_map(|text| webhook::SigningKey::parse(text));
        let signing_key = own.unwrap_or_else(shared).ok_or_else(|| {
            refuse(
                "signing_key",
                "`whsk_` and a key, or `whsec_…`, where `letters_secret` is no shared secret",
            )
        })?;
        Ok(Self {
            channel_key: SigningKey::from_bytes(key("channel_key", &file.channel_key)?.bytes()),
            visitor_key: key("visitor_key", &file.visitor_key)?,
            session_key: key("session_key", &file.session_key)?,
            letters_keys,
            signing_key,
            file,
        })
    }

    /// The name under which the service knows this channel.
    pub fn channel(&self) -> &str {
        &self.file.channel
    }

    /// The key that signs identity assertions.
    pub fn channel_key(&self) -> &SigningKey {
        &self.channel_key
    }

    /// The public half of the channel's key: what the service registers.
    pub fn channel_public_key(&self) -> VerifyingKey {
        self.channel_key.verifying_key()
    }

    /// The key that turns identities into visitors.
    pub fn visitor_key(&self) -> &Key {
        &self.visitor_key
    }

    /// Whether the service has signed a message, with any of the keys that are believed.
    pub fn verify(
        &self,
        headers: &Headers<'_>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), InvalidMessage> {
        let mut verified = Err(InvalidMessage::Signature);
        for key in &self.letters_keys {
            verified = key.verify(headers, body, now);
            if verified != Err(InvalidMessage::Signature) {
                break;
            }
        }
        verified
    }

    /// What this system signs with what it sends to the service.
    pub fn signing_key(&self) -> &webhook::SigningKey {
        &self.signing_key
    }

    /// The secret of the letters as text, the first where there are several: what the service's file of issuer
    /// secrets holds.
    pub fn letters_secret_text(&self) -> &str {
        self.file.letters_secret.all().first().map(String::as_str).unwrap_or_default()
    }

    /// What trusted front-ends present as bearer token.
    pub fn api_token(&self) -> &str {
        &self.file.api_token
    }

    /// Whether `given` is the bearer token; takes as long for a near miss as for a wild guess.
    pub(super) fn trusts(&self, given: &str) -> bool {
        given.as_bytes().ct_eq(self.file.api_token.as_bytes()).into()
    }

    pub(super) fn session_key(&self) -> &Key {
        &self.session_key
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys").field("channel", &self.file.channel).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> IssuerKeys {
        IssuerKeys::generate([[1; 32], [2; 32], [3; 32], [4; 32], [5; 32]])
    }

    #[test]
    fn keys_survive_their_file_and_are_never_printed() {
        let text = keys().to_toml();
        let read = IssuerKeys::parse(&text).unwrap();
        assert_eq!(read.to_toml(), text);
        assert_eq!(read.visitor_key().bytes(), &[2; 32]);
        assert_eq!(read.channel_public_key(), SigningKey::from_bytes(&[1; 32]).verifying_key());
        assert_eq!(format!("{read:?}"), r#"IssuerKeys { channel: "health-code", .. }"#);
        assert!(read.trusts(&"05".repeat(32)) && !read.trusts("") && !read.trusts(&"06".repeat(32)));
    }

    #[test]
    fn while_keys_change_both_are_believed_and_a_public_key_needs_one_to_sign_with() {
        let text = keys().to_toml();
        let old = Secret::format(&[4; 32]);
        let new = webhook::SigningKey::parse(&webhook::SigningKey::format_ed25519(&[9; 32])).unwrap();
        let public = new.verifying_key().public_text().unwrap();
        let with = |entry: String| IssuerKeys::parse(&text.replace(&format!("\"{old}\""), &entry));
        let both = with(format!("[\"{public}\", \"{old}\"]")).unwrap();
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let verified = |keys: &IssuerKeys, key: &webhook::SigningKey| {
            let signatures = key.sign("msg_1", now.timestamp(), b"{}");
            let headers = Headers { id: "msg_1", timestamp: now.timestamp(), signatures: &signatures };
            keys.verify(&headers, b"{}", now)
        };
        let shared = webhook::SigningKey::parse(&old).unwrap();
        assert_eq!((verified(&both, &new), verified(&both, &shared)), (Ok(()), Ok(())));
        assert_eq!(verified(&keys(), &new), Err(InvalidMessage::Signature));
        assert_eq!(
            verified(&both, both.signing_key()),
            Ok(()),
            "without one of its own it signs with what is shared"
        );
        let alone = with(format!("\"{public}\"")).unwrap_err();
        assert!(matches!(alone, InvalidIssuerKeys::Entry { name: "signing_key", .. }), "{alone}");
        let own = webhook::SigningKey::format_ed25519(&[8; 32]);
        let own = IssuerKeys::parse(&format!(
            "signing_key = \"{own}\"\n{}",
            text.replace(&format!("\"{old}\""), &format!("\"{public}\""))
        ));
        assert!(matches!(own.unwrap().signing_key(), webhook::SigningKey::Ed25519(_)));
        assert!(with("[]".to_owned()).is_err());
    }

    #[test]
    fn a_bad_file_is_refused_by_name_and_without_the_secret() {
        let text = keys().to_toml();
        let entries = [
            ("channel", "health-code", "Health Code"),
            ("channel_key", &"01".repeat(32), "0101"),
            ("visitor_key", &"02".repeat(32), "zz"),
            ("session_key", &"03".repeat(32), ""),
            ("letters_secret", "whsec_", "secret_"),
            ("api_token", &"05".repeat(32), "0505"),
        ];
        for (name, right, wrong) in entries {
            let error = IssuerKeys::parse(&text.replace(right, wrong)).unwrap_err();
            assert!(matches!(error, InvalidIssuerKeys::Entry { name: named, .. } if named == name), "{name}");
        }
        let missing = text.replace("session_key", "sesion_key");
        let error = IssuerKeys::parse(&missing).unwrap_err().to_string();
        assert!(error.contains("sesion_key") && !error.contains("0303"), "{error}");
    }
}
