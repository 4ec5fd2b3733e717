//! What a process is started with, held against what the last one of its kind was: changes go to the audit log.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, CommandFactory};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Cli;
use crate::app::App;
use crate::config::Config;
use crate::domain::audit::hex;
use crate::store::audit::{self, Act};
use crate::store::settings::{self, Digests};

/// How long to wait before Postgres is asked again, when it was away at the start.
const REST: Duration = Duration::from_secs(5);

/// Settings that differ from replica to replica, and say nothing of what the service does.
const OWN: &[&str] = &["bind", "clock_shift_file"];

/// The name under which the digests of settings say which key they are kept under.
const UNDER: &str = "key.token";

/// Settings by name, as they were given or by default.
pub(super) type Given = BTreeMap<String, String>;

/// The settings on the command line and in the environment of this process.
pub(super) fn given() -> Given {
    let matches = Cli::command().ignore_errors(true).get_matches();
    let Some((_, matches)) = matches.subcommand() else { return Given::new() };
    let all = Config::augment_args(clap::Command::new("settings"));
    let value = |id: &str| {
        let values = matches.get_raw(id)?;
        let values: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        Some((id.to_owned(), values.join(",")))
    };
    let names = all.get_arguments().map(|argument| argument.get_id().as_str());
    names.filter(|id| !OWN.contains(id)).filter_map(value).collect()
}

/// Notes in the background what the process is started with: it must not wait for Postgres.
pub(super) fn note(app: &App, process: &'static str, given: Given) {
    let app = app.clone();
    tokio::spawn(async move {
        while let Err(error) = note_once(&app, process, &given).await {
            tracing::warn!(error = format!("{error:#}"), "the settings are not written down yet");
            tokio::time::sleep(REST).await;
        }
    });
}

/// Compares, and appends what has changed. Of replicas with the same settings the first one notes it.
async fn note_once(app: &App, process: &str, given: &Given) -> anyhow::Result<()> {
    let now = app.clock.now();
    let digests = digests(app, given).await?;
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let seen = settings::seen(conn, process).await?;
        if seen == digests {
            return Ok(());
        }
        settings::keep(conn, process, &digests, now).await?;
        let changed = changed(&seen, &digests, given);
        for (action, part) in [("keys.changed", changed.keys), ("settings.changed", changed.settings)] {
            if !part.is_empty() {
                append(conn, process, action, part, now).await?;
            }
        }
        Ok(())
    })
    .await
}

async fn append(
    conn: &mut AsyncPgConnection,
    process: &str,
    action: &str,
    detail: Map<String, Value>,
    now: chrono::DateTime<chrono::Utc>,
) -> anyhow::Result<()> {
    let act = Act {
        actor: &format!("process:{process}"),
        action,
        subject: process.to_owned(),
        detail: Value::Object(detail),
    };
    Ok(audit::append(conn, act, now).await?)
}

/// Digests of settings, under the key of tokens since some are secret and short, and fingerprints of keys.
async fn digests(app: &App, given: &Given) -> anyhow::Result<Digests> {
    let keyed = |text: &str| app.keys.token().mac("setting", &[text.as_bytes()]);
    let mut digests: Digests = given.iter().map(|(name, value)| (name.clone(), keyed(value))).collect();
    let keys = app.keys.fingerprints().into_iter();
    digests.extend(keys.map(|(name, print)| (format!("key.{name}"), print)));
    if let Some(path) = &app.config.issuer_secrets_file {
        let place = || format!("--issuer-secrets-file {}", path.display());
        let text = tokio::fs::read_to_string(path).await.with_context(place)?;
        let keys: toml::Table = toml::from_str(&text).with_context(place)?;
        let print = |value: &toml::Value| Sha256::digest(format!("placecode issuer key {value}")).into();
        digests.extend(keys.iter().map(|(issuer, value)| (format!("key.issuer.{issuer}"), print(value))));
    }
    Ok(digests)
}

/// What is told of a change, by name.
struct Changed {
    keys: Map<String, Value>,
    settings: Map<String, Value>,
}

fn changed(seen: &Digests, now: &Digests, given: &Given) -> Changed {
    let mut changed = Changed { keys: Map::new(), settings: Map::new() };
    // Under another key all digests of settings are others.
    let comparable = seen.is_empty() || seen.get(UNDER) == now.get(UNDER);
    let names: std::collections::BTreeSet<&String> = seen.keys().chain(now.keys()).collect();
    for name in names {
        if seen.get(name) == now.get(name) {
            continue;
        }
        let how = match (seen.contains_key(name), now.contains_key(name)) {
            (false, _) => "set",
            (true, true) => "changed",
            (true, false) => "removed",
        };
        if let Some(key) = name.strip_prefix("key.") {
            // Enough to tell two keys apart, and the same key again.
            let print = now.get(name).map(|print| hex(print).chars().take(16).collect::<String>());
            changed.keys.insert(key.to_owned(), json!({ "how": how, "fingerprint": print }));
        } else if comparable {
            let value = given.get(name).filter(|value| is_plain(value));
            changed.settings.insert(name.clone(), json!({ "how": how, "value": value }));
        }
    }
    changed
}

/// Whether a value may be told: a number, a switch, a length of time, and a list of those; never a text, which may
/// be a secret or an address.
fn is_plain(value: &str) -> bool {
    let plain = |part: &str| {
        part.parse::<u64>().is_ok() || part.parse::<bool>().is_ok() || humantime::parse_duration(part).is_ok()
    };
    value.split(',').all(|part| plain(part.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(settings: &[(&str, u8)]) -> Digests {
        settings.iter().map(|(name, digest)| ((*name).to_owned(), [*digest; 32])).collect()
    }

    #[test]
    fn a_change_names_the_setting_and_tells_numbers_only() {
        let before =
            seen(&[("release_cap", 1), ("database_url", 2), ("gone", 3), (UNDER, 4), ("key.audit.0", 5)]);
        let now = seen(&[
            ("release_cap", 9),
            ("database_url", 9),
            (UNDER, 4),
            ("key.audit.0", 5),
            ("key.audit.1", 6),
        ]);
        let given = Given::from([
            ("release_cap".to_owned(), "100000".to_owned()),
            ("database_url".to_owned(), "postgres://u:p@host/db".to_owned()),
        ]);
        let Changed { keys, settings } = changed(&before, &now, &given);
        assert_eq!(
            Value::Object(settings),
            json!({
                "release_cap": { "how": "changed", "value": "100000" },
                "database_url": { "how": "changed", "value": null },
                "gone": { "how": "removed", "value": null },
            })
        );
        assert_eq!(
            Value::Object(keys),
            json!({ "audit.1": { "how": "set", "fingerprint": "0606060606060606" } })
        );
    }

    #[test]
    fn under_another_token_key_settings_are_not_compared() {
        let before = seen(&[("release_cap", 1), (UNDER, 4)]);
        let now = seen(&[("release_cap", 2), (UNDER, 5)]);
        let Changed { keys, settings } = changed(&before, &now, &Given::new());
        assert!(settings.is_empty());
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn texts_are_never_told() {
        assert!(["500", "false", "5s,30s,5m", "10s"].iter().all(|value| is_plain(value)));
        for text in ["postgres://u:p@h/d", "keys.toml", "+08:00", "secret", "", "127.0.0.1:80"] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
