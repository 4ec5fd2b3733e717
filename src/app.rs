//! What every role shares: settings, keys, catalogue, pools, clock.

pub mod heads;
mod releasing;
pub mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use chrono::NaiveDate;

use crate::clock::Clock;
use crate::config::{Config, FontFile};
use crate::domain::catalogue::Catalogue;
use crate::domain::keyring::Keyring;
use crate::domain::webhook::SigningKey;
use crate::intake::Intake;
use crate::issuer::client::Client;
use crate::posters::{Fonts, Printer, Words};
use crate::store::Store;

/// Built once at the start of a role and shared by all that it does.
#[derive(Clone, Debug)]
pub struct App {
    /// The settings.
    pub config: Arc<Config>,
    /// The keys.
    pub keys: Arc<Keyring>,
    /// What letters are signed with, by the ids of the issuing systems.
    pub issuer_keys: Arc<BTreeMap<String, SigningKey>>,
    /// The kinds of places.
    pub catalogue: Arc<Catalogue>,
    /// What makes posters.
    pub printer: Arc<Printer>,
    /// Postgres.
    pub store: Store,
    /// Redis.
    pub intake: Intake,
    /// The client for issuing systems; only the dispatcher uses it.
    pub client: Client,
    /// The time.
    pub clock: Clock,
    /// Days whose partitions are known to be there; only the drain uses it.
    pub known_days: Arc<Mutex<BTreeSet<NaiveDate>>>,
    /// Issuing systems to which this process is just sending letters; only the dispatcher uses it.
    pub sending: Arc<Mutex<BTreeSet<String>>>,
}

impl App {
    /// Reads the key file and makes the pools. Nothing is connected yet, so that the service can start
    /// while Postgres or Redis is away.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        config.check()?;
        let text = tokio::fs::read_to_string(&config.keys_file).await.with_context(|| {
            format!("--keys-file {}: cannot be read; `placecode keys` makes one", config.keys_file.display())
        })?;
        let keys =
            Keyring::parse(&text).with_context(|| format!("--keys-file {}", config.keys_file.display()))?;
        let store =
            Store::new(&config.database_url, config.database_connections).context("--database-url")?;
        let intake = Intake::new(&config).context("--redis-url")?;
        Ok(Self {
            keys: Arc::new(keys),
            issuer_keys: Arc::new(read_keys(config.issuer_secrets_file.as_deref()).await?),
            catalogue: Arc::new(Catalogue::shipped()?),
            printer: Arc::new(printer(config.poster_font.as_ref()).await.context("--poster-font")?),
            store,
            intake,
            client: Client::new(config.letter_timeout)?,
            clock,
            known_days: Arc::default(),
            sending: Arc::default(),
            config: Arc::new(config),
        })
    }
}

/// What makes posters, with another font for characters that the own one lacks.
pub async fn printer(other: Option<&FontFile>) -> anyhow::Result<Printer> {
    let Some(FontFile { path, index }) = other else {
        return Ok(Printer::new(Fonts::new(None)?, Words::shipped()?));
    };
    let place = || path.display().to_string();
    let content = tokio::fs::read(path).await.with_context(place)?;
    let fonts = Fonts::new(Some((content, *index))).with_context(place)?;
    Ok(Printer::new(fonts, Words::shipped()?))
}

/// A line of the secrets file: one key, or several while they change, the newest first.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Line {
    One(String),
    Several(Vec<String>),
}

async fn read_keys(path: Option<&Path>) -> anyhow::Result<BTreeMap<String, SigningKey>> {
    let Some(path) = path else { return Ok(BTreeMap::new()) };
    let place = || format!("--issuer-secrets-file {}", path.display());
    let text = tokio::fs::read_to_string(path).await.with_context(place)?;
    // The whole error would repeat the line, which is a secret.
    let lines: BTreeMap<String, Line> =
        toml::from_str(&text).map_err(|error| anyhow::anyhow!("{}: {}", place(), error.message()))?;
    let key = |(issuer, line): (String, Line)| {
        let texts = match line {
            Line::One(text) => vec![text],
            Line::Several(texts) => texts,
        };
        let key = SigningKey::parse_all(&texts);
        let key = key.with_context(|| {
            format!("{}: `{issuer}` must be `whsec_` or `whsk_` and base 64, or a list of such keys", place())
        })?;
        Ok((issuer, key))
    };
    lines.into_iter().map(key).collect()
}
