//! `keys`: new key files, and place-code and audit keys that come and go. A key is never overwritten, since posters
//! and tokens hang on it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::letter_keys;
use super::terminal::say;
use crate::domain::audit_heads::key_id;
use crate::domain::keyring::Keyring;
use crate::issuer::reference::IssuerKeys;

/// Where the keys go, or what becomes of those that there are.
#[derive(clap::Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    change: Option<Change>,

    /// The file to write. It must not exist.
    #[arg(default_value = "keys.toml", env = "KEYS_FILE")]
    file: PathBuf,

    /// Write keys for the reference issuing system instead, and print what the service must know of them.
    #[arg(long)]
    issuer: bool,
}

/// What becomes of a key file.
#[derive(clap::Subcommand, Clone, Debug)]
enum Change {
    /// Add a place-code key, which signs new codes from now on; the others verify only.
    ///
    /// Give the file to every replica and start them anew before posters are printed: a replica with the old file
    /// refuses what the new key signed.
    Rotate {
        /// The key file.
        file: PathBuf,
    },
    /// Remove a place-code key: all posters that it signed end.
    Retire {
        /// The key file.
        file: PathBuf,
        /// The slot of the key, 0 to 15; `placecode codes read` tells that of a poster.
        slot: u8,
    },
    /// Change what letters to an issuing system are signed with: a new key, with which the old ones sign until they are
    /// dropped.
    Letters(letter_keys::LetterKeysArgs),
    /// Add an audit key, which signs the published heads of the audit log from now on; the public halves of earlier
    /// ones are still told. Give the file to every replica.
    Audit {
        /// The key file.
        file: PathBuf,
    },
}

/// Writes a new key file, or changes one.
pub(crate) fn keys(args: &KeysArgs) -> anyhow::Result<()> {
    match &args.change {
        None => create(args),
        Some(Change::Rotate { file }) => {
            let ring = change(file, |ring| {
                ring.rotated(rand::random()).context(
                    "all 16 slots are in use: replace the posters of the oldest key, then `placecode keys retire`",
                )
            })?;
            tell(file, &ring);
            Ok(())
        }
        Some(Change::Retire { file, slot }) => {
            let ring = change(file, |ring| Ok(ring.retired(*slot)?))?;
            tell(file, &ring);
            Ok(())
        }
        Some(Change::Letters(args)) => letter_keys::change(args),
        Some(Change::Audit { file }) => {
            let ring = change(file, |ring| Ok(ring.with_audit_key(rand::random())))?;
            let key = ring.audit_key().context("a ring has an audit key")?.verifying_key();
            let (id, text) = (key_id(&key), data_encoding::HEXLOWER.encode(key.as_bytes()));
            say(format!(
                "{}: the audit key {id} signs from now on; its public half is {text}",
                file.display()
            ));
            Ok(())
        }
    }
}

fn tell(file: &Path, ring: &Keyring) {
    let Some((current, _)) = ring.current() else { return };
    let others: Vec<String> =
        ring.slots().filter(|slot| *slot != current).map(|slot| slot.to_string()).collect();
    let others = if others.is_empty() { "no other".to_owned() } else { others.join(", ") };
    say(format!("{}: slot {current} signs new codes; verified as well: {others}", file.display()));
    say(
        "Give it to every replica and start them anew, then rotate the codes whose posters are to be replaced",
    );
}

/// Puts a changed ring in the place of the one in the file.
fn change(path: &Path, turn: impl FnOnce(&Keyring) -> anyhow::Result<Keyring>) -> anyhow::Result<Keyring> {
    ensure!(path.exists(), "{}: there is no such file; `placecode keys` makes one", path.display());
    change_text(path, |text| {
        let ring = turn(&Keyring::parse(text)?)?;
        Ok((ring.to_toml(), ring))
    })
}

/// Puts a changed text in the place of the one in a file that only its owner may read. The draft beside it keeps a
/// second change out. A file that is not there reads as empty.
pub(super) fn change_text<T>(
    path: &Path,
    turn: impl FnOnce(&str) -> anyhow::Result<(String, T)>,
) -> anyhow::Result<T> {
    let place = || path.display().to_string();
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let file = File::options().write(true).create_new(true).mode(0o600).open(&draft).with_context(|| {
        format!("{}: another change is under way, or one broke off; then remove it", draft.display())
    })?;
    let changed = rewrite(file, &draft, path, turn).with_context(place);
    if changed.is_err() {
        fs::remove_file(&draft).with_context(|| format!("removing {}", draft.display()))?;
    }
    changed
}

fn rewrite<T>(
    mut file: File,
    draft: &Path,
    path: &Path,
    turn: impl FnOnce(&str) -> anyhow::Result<(String, T)>,
) -> anyhow::Result<T> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let (text, told) = turn(&text)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    // The new name is safe once the folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(told)
}

fn create(args: &KeysArgs) -> anyhow::Result<()> {
    let issuer = IssuerKeys::generate(rand::random());
    let text = if args.issuer { issuer.to_toml() } else { fresh().to_toml() };
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

/// A new ring; its audit key hangs on no other.
pub(crate) fn fresh() -> Keyring {
    Keyring::new(rand::random(), rand::random()).with_audit_key(rand::random())
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

    fn folder(name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(name);
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_changed_ring_takes_the_place_of_the_old_one_whole_and_private() {
        let folder = folder("keys-change-test");
        let path = folder.join("keys.toml");
        write_secret(&path, &Keyring::new([1; 32], [2; 32]).to_toml()).unwrap();
        let ring = change(&path, |ring| Ok(ring.rotated([3; 32]).unwrap())).unwrap();
        let read = Keyring::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!((read.current(), ring.current().unwrap().0), (ring.current(), 1));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(change(&path, |ring| Ok(ring.retired(1)?)).is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no draft is left");
        let before = fs::read_to_string(&path).unwrap();
        fs::write(folder.join("keys.toml.new"), "").unwrap();
        let refused = change(&path, |ring| Ok(ring.rotated([4; 32]).unwrap())).unwrap_err();
        assert!(format!("{refused:#}").contains("under way"), "{refused:#}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
        assert!(folder.join("keys.toml.new").exists(), "the draft of another is not ours to remove");
    }

    #[test]
    fn a_key_file_is_private_and_never_overwritten() {
        let folder = folder("keys-test");
        let path = folder.join("keys.toml");
        assert!(write_secret(&path, "first").unwrap());
        assert!(!write_secret(&path, "second").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
