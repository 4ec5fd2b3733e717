//! The other systems that may show or check codes: an operator's file says which, how much and until when.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What an application may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Interface {
    /// To show somebody's code.
    Call,
    /// To have it made, after a call.
    Make,
    /// To check codes that it has scanned.
    Verify,
}

/// One application.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    /// Its id, as it stands beside every call.
    pub(super) id: String,
    /// Its name, as people read it.
    pub(super) name: String,
    /// SHA-256 of its bearer token: 64 hexadecimal digits.
    token_sha256: String,
    /// What it may ask for.
    pub(super) interfaces: Vec<Interface>,
    /// How many codes it may ask to show within a day.
    pub(super) calls_per_day: u32,
    /// When its permission ends.
    until: DateTime<Utc>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Applications(Vec<Arc<Application>>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    application: Vec<Application>,
}

impl Applications {
    /// Reads the operator's file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("--applications-file {}", path.display());
        let text = std::fs::read_to_string(path).with_context(named)?;
        Self::parse(&text).with_context(named)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.message()))?;
        for one in &file.application {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            let id = &one.id;
            ensure!(
                (2..=32).contains(&id.len()) && id.bytes().all(plain),
                "`id` must be 2 to 32 lower-case letters, digits and hyphens"
            );
            ensure!(
                (1..=60).contains(&one.name.chars().count()),
                "`name` of {id} must be 1 to 60 characters"
            );
            let digest = HEXLOWER.decode(one.token_sha256.as_bytes());
            ensure!(
                digest.is_ok_and(|digest| digest.len() == 32),
                "`token_sha256` of {id} must be 64 hexadecimal digits"
            );
            let same = file.application.iter().filter(|other| other.id == *id).count();
            ensure!(same == 1, "{id} stands there twice");
        }
        Ok(Self(file.application.into_iter().map(Arc::new).collect()))
    }

    /// Whose token this is, while the permission holds.
    pub(super) fn of(&self, token: &str, now: DateTime<Utc>) -> Option<Arc<Application>> {
        let digest = HEXLOWER.encode(&Sha256::digest(token));
        let own = |one: &&Arc<Application>| bool::from(one.token_sha256.as_bytes().ct_eq(digest.as_bytes()));
        self.0.iter().find(own).filter(|one| now < one.until).cloned()
    }

    /// The name of an application; its id where it is no longer there.
    pub(super) fn name(&self, id: &str) -> String {
        self.0.iter().find(|one| one.id == id).map_or(id, |one| &one.name).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(token: &str) -> String {
        let digest = HEXLOWER.encode(&Sha256::digest(token));
        format!(
            "[[application]]\nid = \"bus\"\nname = \"公交\"\ntoken_sha256 = \"{digest}\"\ninterfaces = [\"verify\"]\n\
             calls_per_day = 5\nuntil = \"2026-12-31T00:00:00Z\"\n"
        )
    }

    #[test]
    fn a_permission_is_known_by_its_token_and_ends() {
        let all = Applications::parse(&file("secret")).unwrap();
        let now: DateTime<Utc> = "2026-03-10T00:00:00Z".parse().unwrap();
        assert_eq!(all.of("secret", now).map(|one| one.id.clone()), Some("bus".to_owned()));
        assert!(all.of("other", now).is_none() && all.of("", now).is_none());
        assert!(all.of("secret", "2026-12-31T00:00:00Z".parse().unwrap()).is_none());
        assert_eq!((all.name("bus"), all.name("gone")), ("公交".to_owned(), "gone".to_owned()));
        for (right, wrong) in
            [("bus", "Bus"), ("verify", "colour"), ("token_sha256 = \"", "token_sha256 = \"z")]
        {
            assert!(Applications::parse(&file("secret").replace(right, wrong)).is_err(), "{wrong}");
        }
        assert!(Applications::parse(&(file("a") + &file("b"))).is_err());
        assert!(Applications::parse("").is_ok());
    }
}
