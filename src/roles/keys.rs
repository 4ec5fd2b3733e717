//! `keys`: new key files. A key file is never overwritten, since posters and tokens hang on it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::terminal::say;
use crate::domain::keyring::Keyring;
use crate::issuer::reference::IssuerKeys;

/// Where the keys go.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct KeysArgs {
    /// The file to write. It must not exist.
    #[arg(default_value = "keys.toml", env = "KEYS_FILE")]
    file: PathBuf,

    /// Write keys for the reference issuing system instead, and print what the service must know of them.
    #[arg(long)]
    issuer: bool,
}

/// Writes a new key file.
pub(crate) fn keys(args: &KeysArgs) -> anyhow::Result<()> {
    let issuer = IssuerKeys::generate(rand::random());
    let text =
        if args.issuer { issuer.to_toml() } else { Keyring::new(rand::random(), rand::random()).to_toml() };
    if !write_secret(&args.file, &text)? {
        bail!(
            "{} exists and is kept: without its keys every poster and token is void. Name another file, or move it away",
            args.file.display()
        );
    }
    say(format!("{} written. Keep it apart from the database and its backups", args.file.display()));
    if args.issuer {
        let key = data_encoding::HEXLOWER.encode(issuer.channel_public_key().as_bytes());
        say(format!("PUT /v1/channels/{}: public_key {key}", issuer.channel()));
        say(
            "ISSUER_SECRETS_FILE: a line `ISSUER = \"…\"` with its letters_secret, under the id of PUT /v1/issuers/ISSUER",
        );
    }
    Ok(())
}

/// Writes a file that only its owner may read, unless it is there already, which `false` tells. It appears whole
/// or not at all.
pub(crate) fn write_secret(path: &Path, text: &str) -> anyhow::Result<bool> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(draft);
    let write = || -> io::Result<bool> {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Unlike a renaming, a link replaces nothing.
        match fs::hard_link(&draft, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    };
    let written = write().with_context(|| format!("writing {}", path.display()));
    if draft.exists() {
        fs::remove_file(&draft).with_context(|| format!("removing {}", draft.display()))?;
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_private_and_never_overwritten() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keys-test");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("keys.toml");
        drop(fs::remove_file(&path));
        assert!(write_secret(&path, "first").unwrap());
        assert!(!write_secret(&path, "second").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
