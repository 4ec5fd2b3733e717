//! What is agreed with other systems, and the keys for it: one file beside the database, never in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, FixedOffset, Utc};
use serde::Deserialize;
use url::Url;

use crate::domain::keyring::{Key, parse_key};
use crate::domain::recognition::{Agreement, Field, Route};
use crate::domain::rule_pack::RulePack;
use crate::domain::venue::Division;
use crate::domain::webhook::{SigningKey, VerifyingKey};
use crate::issuer::client::Client;

/// How long another system may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything about other systems. `Debug` is not there, so that no key can be printed.
pub(in crate::issuer::reference) struct Border {
    /// Who decides here; nobody on a platform that only passes on.
    pub(super) own: Option<Own>,
    /// The keys that persons are named under, by name.
    pub(super) alias_keys: BTreeMap<String, Key>,
    /// By id.
    pub(super) agreed: BTreeMap<String, Agreed>,
    /// The national platform that is asked what it says of somebody.
    pub(super) national: Option<Ask>,
    pub(super) client: Client,
}

/// By what this system decides, and in whose name.
pub(super) struct Own {
    pub(super) division: Division,
    pub(super) authority: String,
    pub(super) legal_basis: String,
    pub(super) appeal_url: String,
    pub(super) pack: RulePack,
    pub(super) offset: FixedOffset,
}

/// One agreement.
pub(super) struct Agreed {
    pub(super) agreement: Agreement,
    /// Whose people were exposed, by the sender's word.
    pub(super) from: Division,
    /// What verifies what comes.
    pub(super) peer: VerifyingKey,
    /// What signs the answers.
    pub(super) key: SigningKey,
    /// To whom it is passed on, where this platform is a relay.
    pub(super) forward: Option<Ask>,
}

/// Another system to which something is sent.
pub(super) struct Ask {
    pub(super) url: Url,
    pub(super) key: SigningKey,
    pub(super) peer: VerifyingKey,
    /// Under which agreement, where it is asked about somebody.
    pub(super) agreement: String,
    pub(super) alias_key: String,
}

/// How the file is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    own: Option<OwnEntry>,
    #[serde(default)]
    alias_keys: BTreeMap<String, String>,
    #[serde(default)]
    agreement: Vec<AgreementEntry>,
    national: Option<AskEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnEntry {
    division: String,
    authority: String,
    legal_basis: String,
    /// Where its own visitors appeal.
    appeal_url: Url,
    /// A file below the folder of this one.
    rule_pack: String,
    #[serde(default = "china")]
    local_offset: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgreementEntry {
    id: String,
    route: Route,
    from: String,
    to: String,
    /// What the other side signs with: `whpk_…`, or a shared `whsec_…`.
    peer_key: String,
    /// What we sign answers with; without it, the shared secret.
    own_key: Option<String>,
    alias_key: String,
    fields: BTreeSet<Field>,
    valid_from: DateTime<Utc>,
    valid_until: DateTime<Utc>,
    forward: Option<AskEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskEntry {
    url: Url,
    /// What the other side signs its answers with.
    peer_key: String,
    /// What we sign with; without it, the shared secret.
    own_key: Option<String>,
    #[serde(default)]
    agreement: String,
    #[serde(default)]
    alias_key: String,
}

fn china() -> String {
    "+08:00".to_owned()
}

impl Border {
    /// Nothing is agreed with anybody.
    pub(in crate::issuer::reference) fn closed() -> anyhow::Result<Self> {
        let client = Client::new(PATIENCE)?;
        let (alias_keys, agreed) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { own: None, alias_keys, agreed, national: None, client })
    }

    /// Reads the file of agreements, where there is one.
    pub(in crate::issuer::reference) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Self::closed() };
        let named = || format!("--border-file {}", path.display());
        let text = std::fs::read_to_string(path).with_context(named)?;
        Self::parse(&text, path.parent().unwrap_or_else(|| Path::new("."))).with_context(named)
    }

    fn parse(text: &str, folder: &Path) -> anyhow::Result<Self> {
        // The text of the error would repeat a line, which may be a key.
        let file: File =
            toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.message().to_owned()))?;
        let mut border = Self::closed()?;
        border.own = file.own.map(|own| own.read(folder)).transpose()?;
        for (name, text) in &file.alias_keys {
            let key = parse_key(name, text).map_err(|_why| form(name, "64 hexadecimal digits"))?;
            border.alias_keys.insert(name.clone(), key);
        }
        for entry in file.agreement {
            let id = entry.id.clone();
            let agreed = entry.read().with_context(|| format!("the agreement `{id}`"))?;
            ensure!(border.agreed.insert(id.clone(), agreed).is_none(), "`{id}` stands twice");
        }
        border.national = file.national.map(AskEntry::read).transpose()?;
        Ok(border)
    }
}

impl OwnEntry {
    fn read(self, folder: &Path) -> anyhow::Result<Own> {
        let path = folder.join(&self.rule_pack);
        let named = || format!("rule_pack {}", path.display());
        let text = std::fs::read_to_string(&path).with_context(named)?;
        Ok(Own {
            division: self.division.parse()?,
            authority: self.authority,
            legal_basis: self.legal_basis,
            appeal_url: self.appeal_url.to_string(),
            pack: RulePack::parse(&text).with_context(named)?,
            offset: self.local_offset.parse().context("local_offset")?,
        })
    }
}

impl AgreementEntry {
    fn read(self) -> anyhow::Result<Agreed> {
        ensure!(self.valid_from < self.valid_until, "`valid_until` must lie after `valid_from`");
        let agreement = Agreement {
            id: self.id,
            division: self.to.parse()?,
            route: self.route,
            fields: self.fields,
            alias_key: self.alias_key,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        };
        let (peer, key) = keys(&self.peer_key, self.own_key.as_deref())?;
        let forward = self.forward.map(AskEntry::read).transpose()?;
        ensure!(forward.is_none() || self.route == Route::Relay, "only a relay passes on");
        Ok(Agreed { agreement, from: self.from.parse()?, peer, key, forward })
    }
}

impl AskEntry {
    fn read(self) -> anyhow::Result<Ask> {
        let (peer, key) = keys(&self.peer_key, self.own_key.as_deref())?;
        Ok(Ask { url: self.url, key, peer, agreement: self.agreement, alias_key: self.alias_key })
    }
}

fn keys(peer: &str, own: Option<&str>) -> anyhow::Result<(VerifyingKey, SigningKey)> {
    let verifying =
        VerifyingKey::parse(peer).ok_or_else(|| form("peer_key", "`whpk_` or `whsec_` and base 64"))?;
    let signing = SigningKey::parse(own.unwrap_or(peer));
    Ok((verifying, signing.ok_or_else(|| form("own_key", "`whsk_` or `whsec_` and base 64"))?))
}

fn form(name: &str, right: &str) -> anyhow::Error {
    anyhow::anyhow!("`{name}` must be {right}")
}
