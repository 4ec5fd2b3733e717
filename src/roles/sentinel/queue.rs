//! What was read and not yet answered for: a file that only grows at its end, and how far it was sent.
//!
//! An entry is one line and counts once its line break is on the disk. What a kill or a full disk leaves behind it was
//! never acknowledged and is cut off. How far the service has answered stands in a file of its own, replaced whole; a
//! kill before that makes the same entries, with the same ids, be sent again, which the service stores once.

use std::fs::{self, DirBuilder, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::refused::Refused;
use crate::domain::scan::Direction;
use crate::roles::terminal::remark;

/// One visitor at the door.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Made when the line was read, so that sending again is the same scan.
    pub(super) id: Uuid,
    /// When the line was read.
    pub(super) at: DateTime<Utc>,
    /// Which way.
    pub(super) direction: Direction,
    /// What the visitor showed.
    pub(super) shown: String,
}

/// Entries from the head of the queue.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) entries: Vec<Entry>,
    /// Where each ends in the file.
    pub(super) ends: Vec<u64>,
    /// Where everything ends that was read, lines that a damaged disk has left unreadable included.
    pub(super) until: u64,
}

/// The queue on the disk.
#[derive(Debug)]
pub(super) struct Queue {
    file: File,
    folder: PathBuf,
    /// Where the next entry begins.
    end: u64,
    /// Up to where the service has answered.
    sent: u64,
    refused: Refused,
}

impl Queue {
    /// Opens the queue of a folder, and makes it when it is not there. What a broken write left is cut off.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(folder.join("queue"))?;
        if file.try_lock().is_err() {
            bail!("another sentinel uses this queue");
        }
        let end = whole_lines(&mut file)?;
        file.set_len(end)?;
        file.sync_all()?;
        let sent = match fs::read_to_string(folder.join("sent")) {
            Ok(text) => text.trim().parse().context("`sent` holds no number")?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error.into()),
        };
        // Only a damaged disk leaves it beyond the end. It must not stand there when the queue has grown so far.
        let sent = if sent > end { 0 } else { sent };
        write_sent(folder, sent)?;
        Ok(Self { file, folder: folder.to_owned(), end, sent, refused: Refused::open(folder)? })
    }

    /// How many bytes wait to be sent.
    pub(super) fn waiting(&self) -> u64 {
        self.end - self.sent
    }

    /// Puts an entry at the end. When this returns `Ok` it survives a kill and a power cut.
    pub(super) fn append(&mut self, entry: &Entry) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.seek(SeekFrom::Start(self.end))?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line would join the next one.
            self.file.set_len(self.end)?;
            return Err(error.into());
        }
        self.end += u64::try_from(line.len())?;
        Ok(())
    }

    /// The first entries that are not answered for: so many, and so many bytes, at most, but one at least.
    pub(super) fn head(&mut self, entries_max: usize, bytes_max: u64) -> anyhow::Result<Head> {
        self.file.seek(SeekFrom::Start(self.sent))?;
        let mut reader = BufReader::new((&self.file).take(self.end - self.sent));
        let (mut head, mut at) = (Head::default(), self.sent);
        let mut line = Vec::new();
        while head.entries.len() < entries_max {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            let end = at + u64::try_from(length)?;
            if length == 0 || (!head.entries.is_empty() && end - self.sent > bytes_max) {
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(entry) => {
                    head.entries.push(entry);
                    head.ends.push(end);
                }
                Err(error) => remark(format!("passed over: the entry at byte {at} cannot be read: {error}")),
            }
            at = end;
        }
        head.until = at;
        Ok(head)
    }

    /// Puts an entry aside that will never be accepted, once, however often it is told.
    pub(super) fn set_aside(&mut self, entry: &Entry, reason: &str) -> anyhow::Result<()> {
        self.refused.add(entry, reason)
    }

    /// Forgets everything up to `end`: the service has answered for it, or it is set aside.
    pub(super) fn settle(&mut self, end: u64) -> anyhow::Result<()> {
        let is_empty = end == self.end;
        // A kill between these two has entries sent again; the other way round it would pass over later ones.
        write_sent(&self.folder, if is_empty { 0 } else { end })?;
        self.sent = end;
        if is_empty {
            self.file.set_len(0)?;
            self.file.sync_all()?;
            (self.end, self.sent) = (0, 0);
        }
        Ok(())
    }
}

fn write_sent(folder: &Path, sent: u64) -> anyhow::Result<()> {
    let draft = folder.join("sent.new");
    let mut file = File::create(&draft)?;
    writeln!(file, "{sent}")?;
    file.sync_all()?;
    fs::rename(draft, folder.join("sent"))?;
    sync_folder(folder)
}

/// How long the part of a file is that ends with a line break.
fn whole_lines(file: &mut File) -> anyhow::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut at, mut whole, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        at += u64::try_from(length)?;
        match line.last() {
            None => return Ok(whole),
            Some(b'\n') => whole = at,
            Some(_) => {}
        }
    }
}

/// A new name is safe once the folder is.
fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    Ok(File::open(folder)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("placecode-queue-{}", Uuid::new_v4().simple())))
        }

        fn bytes(&self, bytes: &[u8]) {
            File::options().append(true).open(self.0.join("queue")).unwrap().write_all(bytes).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn entry(number: u128) -> Entry {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        Entry { id: Uuid::from_u128(number), at, direction: Direction::Entry, shown: "x".repeat(100) }
    }

    fn all(queue: &mut Queue) -> Vec<u128> {
        queue.head(100, 1_000_000).unwrap().entries.iter().map(|entry| entry.id.as_u128()).collect()
    }

    #[test]
    fn what_was_appended_is_there_after_a_kill_and_half_a_line_is_not() {
        let folder = Folder::new();
        let mut queue = Queue::open(&folder.0).unwrap();
        queue.append(&entry(1)).unwrap();
        queue.append(&entry(2)).unwrap();
        drop(queue);
        folder.bytes(b"{\"id\":\"half");
        let mut queue = Queue::open(&folder.0).unwrap();
        assert_eq!(all(&mut queue), [1, 2]);
        queue.append(&entry(3)).unwrap();
        drop(queue);
        assert_eq!(all(&mut Queue::open(&folder.0).unwrap()), [1, 2, 3]);
    }

    #[test]
    fn what_was_answered_for_is_gone_and_the_rest_stays() {
        let folder = Folder::new();
        let mut queue = Queue::open(&folder.0).unwrap();
        (1..=3).for_each(|number| queue.append(&entry(number)).unwrap());
        let head = queue.head(2, 1_000_000).unwrap();
        assert_eq!(head.entries, [entry(1), entry(2)]);
        queue.settle(head.ends[1]).unwrap();
        drop(queue);
        let mut queue = Queue::open(&folder.0).unwrap();
        assert_eq!(all(&mut queue), [3]);
        let head = queue.head(2, 1_000_000).unwrap();
        queue.settle(head.ends[0]).unwrap();
        assert_eq!((all(&mut queue), queue.waiting()), (vec![], 0));
        assert_eq!(fs::metadata(folder.0.join("queue")).unwrap().len(), 0);
        queue.append(&entry(4)).unwrap();
        assert_eq!(all(&mut queue), [4]);
    }

    #[test]
    fn what_was_sent_never_hides_what_comes_later() {
        let folder = Folder::new();
        drop(Queue::open(&folder.0).unwrap());
        fs::write(folder.0.join("sent"), "300\n").unwrap();
        let mut queue = Queue::open(&folder.0).unwrap();
        (1..=5).for_each(|number| queue.append(&entry(number)).unwrap());
        assert_eq!(all(&mut queue), [1, 2, 3, 4, 5]);
        drop(queue);
        assert_eq!(all(&mut Queue::open(&folder.0).unwrap()), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_line_that_cannot_be_read_blocks_nothing() {
        let folder = Folder::new();
        drop(Queue::open(&folder.0).unwrap());
        folder.bytes(b"\0\0\0\n");
        let mut queue = Queue::open(&folder.0).unwrap();
        let head = queue.head(10, 1000).unwrap();
        assert_eq!((head.entries.len(), head.until), (0, 4));
        queue.append(&entry(1)).unwrap();
        assert_eq!(all(&mut queue), [1]);
        queue.settle(4).unwrap();
        assert_eq!(all(&mut queue), [1]);
    }

    #[test]
    fn a_head_is_bounded_and_never_empty_while_something_waits() {
        let folder = Folder::new();
        let mut queue = Queue::open(&folder.0).unwrap();
        (1..=5).for_each(|number| queue.append(&entry(number)).unwrap());
        assert_eq!(queue.head(3, 1_000_000).unwrap().entries.len(), 3);
        assert_eq!(queue.head(100, 500).unwrap().entries.len(), 2);
        assert_eq!(queue.head(100, 1).unwrap().entries.len(), 1);
    }

    #[test]
    fn one_sentinel_at_a_time_uses_a_queue_and_a_refusal_is_kept_once() {
        let folder = Folder::new();
        let mut queue = Queue::open(&folder.0).unwrap();
        assert!(Queue::open(&folder.0).unwrap_err().to_string().contains("another sentinel"));
        queue.set_aside(&entry(1), "no").unwrap();
        queue.set_aside(&entry(1), "no").unwrap();
        drop(queue);
        Queue::open(&folder.0).unwrap().set_aside(&entry(1), "no").unwrap();
        let kept = fs::read_to_string(folder.0.join("refused")).unwrap();
        assert_eq!(kept.lines().count(), 1);
        assert!(kept.contains("\"reason\":\"no\""), "{kept}");
    }
}
