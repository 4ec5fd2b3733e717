//! `keys letters`: what letters to an issuing system are signed with, made, changed and dropped.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use toml::Value;

use super::keys::change_text;
use super::terminal::say;
use crate::domain::webhook::{Secret, SigningKey};

/// Whose key, where it is kept, and what becomes of it.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct LetterKeysArgs {
    /// The secrets file of the service (`ISSUER_SECRETS_FILE`); it is made when it is not there. Comments in it are not
    /// kept.
    file: PathBuf,

    /// The id of the issuing system.
    issuer: String,

    /// Make a shared secret (HMAC) instead of an Ed25519 pair, whose public half is all that the system needs.
    #[arg(long)]
    shared: bool,

    /// Make no key, and drop all but the newest; do it once the system knows that one.
    #[arg(long, conflicts_with = "shared")]
    drop_old: bool,
}

/// Makes a key, or drops the old ones.
pub(super) fn change(args: &LetterKeysArgs) -> anyhow::Result<()> {
    let (newest, count) = change_text(&args.file, |text| {
        let mut table: toml::Table = toml::from_str(text).map_err(|error| {
            // The whole error would repeat the line, which is a secret.
            anyhow::anyhow!("it is no TOML: {}", error.message())
        })?;
        let mut keys = keys_of(table.get(&args.issuer))?;
        if args.drop_old {
            ensure!(keys.len() > 1, "`{}` has no old key to drop", args.issuer);
            keys.truncate(1);
        } else {
            keys.insert(0, new_key(args.shared));
        }
        let newest = keys.first().cloned().context("there is a key")?;
        let told = (newest, keys.len());
        table.insert(args.issuer.clone(), Value::Array(keys.into_iter().map(Value::String).collect()));
        Ok((toml::to_string(&table)?, told))
    })?;
    tell(args, &newest, count)
}

fn keys_of(line: Option<&Value>) -> anyhow::Result<Vec<String>> {
    let text = |value: &Value| {
        let text = value.as_str().filter(|text| SigningKey::parse(text).is_some());
        text.map(str::to_owned).context("a key in it must be `whsec_` or `whsk_` and base 64")
    };
    match line {
        None => Ok(Vec::new()),
        Some(Value::Array(values)) => values.iter().map(text).collect(),
        Some(value) => Ok(vec![text(value)?]),
    }
}

fn new_key(shared: bool) -> String {
    let random: [u8; 32] = rand::random();
    if shared { Secret::format(&random) } else { SigningKey::format_ed25519(&random) }
}

fn tell(args: &LetterKeysArgs, newest: &str, count: usize) -> anyhow::Result<()> {
    let key = SigningKey::parse(newest).context("it was read a moment ago")?;
    say(format!("{}: `{}` has {count} keys, all of which sign", args.file.display(), args.issuer));
    match key.verifying_key().public_text() {
        Some(public) => say(format!("{} verifies letters with {public}", args.issuer)),
        None => say(format!("Give {} the first secret of its line in the file, by a safe way", args.issuer)),
    }
    say("Give the file to every replica and start them anew");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn args(file: PathBuf) -> LetterKeysArgs {
        LetterKeysArgs { file, issuer: "health-code".to_owned(), shared: false, drop_old: false }
    }

    #[test]
    fn a_new_key_stands_before_the_old_ones_until_they_are_dropped() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/letter-keys-test");
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let args = args(folder.join("secrets.toml"));
        let old = Secret::format(&[1; 32]);
        fs::write(&args.file, format!("health-code = \"{old}\"\nother = \"{old}\"\n")).unwrap();
        change(&args).unwrap();
        let read = || toml::from_str::<toml::Table>(&fs::read_to_string(&args.file).unwrap()).unwrap();
        let keys = keys_of(read().get("health-code")).unwrap();
        assert!(keys[0].starts_with("whsk_") && keys[1..] == [old.clone()], "{}", keys.len());
        assert_eq!(read()["other"].as_str(), Some(old.as_str()));
        change(&LetterKeysArgs { drop_old: true, ..args.clone() }).unwrap();
        assert_eq!(keys_of(read().get("health-code")).unwrap(), keys[..1]);
        assert!(change(&LetterKeysArgs { drop_old: true, ..args.clone() }).is_err());
        fs::write(&args.file, format!("health-code = [\"{old}\", 7]")).unwrap();
        let refused = format!("{:#}", change(&args).unwrap_err());
        assert!(refused.contains("whsec_") && !refused.contains(&old), "{refused}");
        fs::remove_file(&args.file).unwrap();
        change(&LetterKeysArgs { shared: true, ..args.clone() }).unwrap();
        assert!(keys_of(read().get("health-code")).unwrap()[0].starts_with("whsec_"));
    }
}
