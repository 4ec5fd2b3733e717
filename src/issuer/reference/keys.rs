//! The keys of the issuing system: one file beside its database, never in it.

use std::fmt;
use std::path::Path;

use anyhow::Context;
use data_encoding::HEXLOWER;
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::domain::keyring::{Key, parse_key};
use crate::domain::webhook::{self, Secret};

/// All keys that the issuing system needs. `Debug` prints none of them.
#[derive(Clone)]
pub struct IssuerKeys {
    file: File,
    channel_key: SigningKey,
    visitor_key: Key,
    session_key: Key,
    letters_key: webhook::VerifyingKey,
}

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
    /// Shared with the service: `whsec_…`; or the public half of what the service signs with: `whpk_…`.
    letters_secret: String,
    /// What trusted front-ends present as bearer token.
    api_token: String,
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
            letters_secret: Secret::format(&letters_secret),
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
        let letters_key = webhook::VerifyingKey::parse(&file.letters_secret).ok_or_else(|| {
            refuse("letters_secret", "`whsec_` and 24 to 64 bytes in base 64, or `whpk_` and a key")
        })?;
        Ok(Self {
            channel_key: SigningKey::from_bytes(key("channel_key", &file.channel_key)?.bytes()),
            visitor_key: key("visitor_key", &file.visitor_key)?,
            session_key: key("session_key", &file.session_key)?,
            letters_key,
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

    /// What letters are verified with.
    pub fn letters_key(&self) -> &webhook::VerifyingKey {
        &self.letters_key
    }

    /// The same secret as text: what the service's file of issuer secrets holds.
    pub fn letters_secret_text(&self) -> &str {
        &self.file.letters_secret
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
