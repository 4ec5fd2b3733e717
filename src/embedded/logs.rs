//! Log files of children: appended to, and cut when they grow.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// A log that reaches this size is moved aside, so that one child keeps at most twice as much.
const LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// How much of the end of a log an error message may quote.
const TAIL_BYTES: i64 = 4096;

/// One child's log file.
#[derive(Debug, Clone)]
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Log {
        Log { path }
    }

    /// Opens the file for appending, which is what lets [`Log::trim`] cut it under a running child.
    pub(super) fn open(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::options().create(true).append(true).open(&self.path)
    }

    /// Copies a full log to `<name>.1` and empties it. Lines written in between are lost: it is a log, not a record.
    pub(super) fn trim(&self) -> io::Result<()> {
        match fs::metadata(&self.path) {
            Ok(about) if about.len() > LIMIT_BYTES => {
                fs::copy(&self.path, self.path.with_extension("log.1"))?;
                File::options().write(true).open(&self.path)?.set_len(0)
            }
            _ => Ok(()),
        }
    }

    /// The last `lines` lines, or nothing when there is no log.
    pub(super) fn tail(&self, lines: usize) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            if file.seek(SeekFrom::End(-TAIL_BYTES)).is_err() {
                file.seek(SeekFrom::Start(0))?;
            }
            let mut end = Vec::new();
            file.read_to_end(&mut end)?;
            Ok(end)
        };
        let end = read().unwrap_or_default();
        let text = String::from_utf8_lossy(&end);
        let all: Vec<&str> = text.lines().collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_cut_and_its_end_is_kept_aside() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/log-test");
        fs::create_dir_all(&folder).unwrap();
        let log = Log::new(folder.join("x.log"));
        log.open().unwrap().set_len(LIMIT_BYTES + 1).unwrap();
        log.trim().unwrap();
        assert_eq!(fs::metadata(folder.join("x.log")).unwrap().len(), 0);
        assert_eq!(fs::metadata(folder.join("x.log.1")).unwrap().len(), LIMIT_BYTES + 1);
        fs::write(folder.join("x.log"), "a\nb\nc\n").unwrap();
        assert_eq!(log.tail(2), "b\nc");
        fs::remove_dir_all(&folder).unwrap();
    }
}
