//! Where the servers live and who they run as: data folder, user, socket folder, lock.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::{EmbeddedError, io_error};

/// Where data goes when root started us in a folder that no other user can reach.
const FALLBACK: &str = "/var/lib/placecode";
/// Sockets must have short names (107 bytes), which a data folder cannot promise.
const SOCKETS: &str = "/tmp";

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Our own effective user id; the kernel shows it as the owner of our entry in /proc.
pub(super) fn own_uid() -> Result<u32, EmbeddedError> {
    fs::metadata("/proc/self").map(|about| about.uid()).map_err(io_error("reading /proc/self"))
}

/// Who the servers run as: ourselves (`None`), or for root, whom Postgres refuses, the owner of the cluster that is
/// already there, else `postgres`, else `nobody`.
pub(super) fn server_user(cluster: &Path) -> Result<Option<User>, EmbeddedError> {
    if own_uid()? != 0 {
        return Ok(None);
    }
    if let Ok(about) = fs::metadata(cluster)
        && about.uid() != 0
    {
        return Ok(Some(User { uid: about.uid(), gid: about.gid() }));
    }
    let users = fs::read_to_string("/etc/passwd").map_err(io_error("reading /etc/passwd"))?;
    ["postgres", "nobody"].iter().find_map(|name| find_user(&users, name)).map(Some).ok_or_else(|| {
        EmbeddedError::Refused(
            "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`; \
             start as an ordinary user"
                .to_owned(),
        )
    })
}

fn find_user(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { uid, gid })
    })
}

/// Creates the data folder and returns its full name; another one when `user` cannot reach it.
pub(super) fn home(wanted: &Path, user: Option<&User>, say: &dyn Fn(&str)) -> Result<PathBuf, EmbeddedError> {
    let home = create(wanted)?;
    let Some(user) = user else { return Ok(home) };
    if reaches(user, &home) {
        return Ok(home);
    }
    let other = Path::new(FALLBACK).join(short_hash(&home));
    say(&format!(
        "{} cannot be entered by the user that PostgreSQL must run as; keeping the data in {} instead",
        home.display(),
        other.display()
    ));
    let other = create(&other)?;
    if reaches(user, &other) {
        return Ok(other);
    }
    Err(EmbeddedError::Refused(format!("{} cannot be entered by user id {}", other.display(), user.uid)))
}

fn create(folder: &Path) -> Result<PathBuf, EmbeddedError> {
    let doing = format!("creating the data folder {}", folder.display());
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(io_error(&doing))?;
        // Others may pass through but not look around: the server user must reach its own folders in here.
        fs::set_permissions(folder, Permissions::from_mode(0o711)).map_err(io_error(&doing))?;
    }
    folder.canonicalize().map_err(io_error(&doing))
}

/// Tried for real, since modes, access lists and mounts all have a say.
fn reaches(user: &User, folder: &Path) -> bool {
    Command::new("sh")
        .args(["-c", "cd \"$1\"", "sh"])
        .arg(folder)
        .current_dir("/")
        .uid(user.uid)
        .gid(user.gid)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Makes sure that `folder` exists, belongs to `user` (else to us) and is closed to everybody else.
pub(super) fn private_folder(folder: &Path, user: Option<&User>) -> Result<(), EmbeddedError> {
    let doing = format!("preparing {}", folder.display());
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io_error(&doing)(error)),
    }
    // Not following links: in /tmp anybody may have put one there before us.
    let about = fs::symlink_metadata(folder).map_err(io_error(&doing))?;
    let ours = own_uid()?;
    let owner = user.map_or(ours, |user| user.uid);
    if !about.is_dir() || (about.uid() != owner && about.uid() != ours) {
        return Err(EmbeddedError::Refused(format!(
            "{} exists and belongs to user id {} instead of {owner}; remove it, or start as that user",
            folder.display(),
            about.uid()
        )));
    }
    if let Some(user) = user
        && about.uid() != user.uid
    {
        chown(folder, Some(user.uid), Some(user.gid)).map_err(io_error(&doing))?;
    }
    if about.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(io_error(&doing))?;
    }
    Ok(())
}

/// The folder of the sockets of the data folder `home`.
pub(super) fn sockets(home: &Path) -> PathBuf {
    Path::new(SOCKETS).join(format!("placecode-{}", short_hash(home)))
}

fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    data_encoding::HEXLOWER.encode(&digest).chars().take(12).collect()
}

/// Held while the servers of a data folder are ours; the kernel gives it up when we die.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read: closing the file unlocks it")] File);

impl Lock {
    pub(super) fn take(home: &Path) -> Result<Lock, EmbeddedError> {
        let path = home.join("lock");
        let doing = format!("locking {}", path.display());
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io_error(&doing))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // An owner killed a moment ago may have left a child between fork and exec that holds it still.
                Err(TryLockError::WouldBlock) if begun.elapsed() < Duration::from_millis(500) => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    file.read_to_string(&mut holder).map_err(io_error(&doing))?;
                    let folder = home.to_owned();
                    return Err(EmbeddedError::InUse { folder, holder: holder.trim().to_owned() });
                }
                Err(TryLockError::Error(error)) => return Err(io_error(&doing)(error)),
            }
        }
        file.set_len(0).map_err(io_error(&doing))?;
        writeln!(file, "{}", std::process::id()).map_err(io_error(&doing))?;
        Ok(Lock(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_the_list_of_users() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\nbroken\n";
        assert_eq!(find_user(users, "postgres"), Some(User { uid: 101, gid: 104 }));
        assert_eq!(find_user(users, "nobody"), None);
    }

    #[test]
    fn socket_names_stay_short_whatever_the_folder() {
        let long = Path::new("/").join("x".repeat(200));
        assert!(sockets(&long).join(".s.PGSQL.5432.lock").as_os_str().len() < 60);
        assert_ne!(sockets(&long), sockets(Path::new("/x")));
    }

    #[test]
    fn a_link_in_place_of_the_socket_folder_is_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/premade");
        drop(fs::remove_file(&folder));
        std::os::unix::fs::symlink("/tmp", &folder).unwrap();
        assert!(matches!(private_folder(&folder, None), Err(EmbeddedError::Refused(_))));
        fs::remove_file(&folder).unwrap();
        private_folder(&folder, None).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        private_folder(&folder, None).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        fs::remove_dir(&folder).unwrap();
    }
}
