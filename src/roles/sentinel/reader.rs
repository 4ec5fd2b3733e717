//! Lines from the reader at the door into the queue. `ok` is said when the line is on the disk, and not before.

use std::io::{BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use super::queue::{Entry, Queue};
use crate::clock::Clock;
use crate::domain::scan::Direction;
use crate::roles::terminal::{remark, say};

/// The longest line that is taken, in bytes: twice the longest assertion.
const LINE_MAX: u64 = 4096;

/// What stands at the door.
pub(super) struct Door {
    pub(super) queue: Arc<Mutex<Queue>>,
    pub(super) clock: Clock,
    /// Of lines that name none.
    pub(super) direction: Direction,
    /// Whether the bell rings.
    pub(super) beep: bool,
}

/// Reads until the input ends, and tells the courier of each line. That `news` is dropped tells the end.
pub(super) fn read(input: &mut impl BufRead, door: &Door, news: &watch::Sender<bool>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => return remark(format!("standard input cannot be read: {error}")),
        }
        let is_whole = line.last() == Some(&b'\n') || u64::try_from(line.len()).is_ok_and(|l| l < LINE_MAX);
        if !is_whole {
            remark(format!("not taken: a line is longer than {LINE_MAX} bytes"));
            if skip_line(input).is_err() {
                return;
            }
            continue;
        }
        take(&line, door, news);
    }
}

fn take(line: &[u8], door: &Door, news: &watch::Sender<bool>) {
    let Ok(text) = std::str::from_utf8(line) else {
        return remark("not taken: a line is not UTF-8");
    };
    let (direction, shown) = split(text.trim(), door.direction);
    if shown.is_empty() {
        return;
    }
    let entry = Entry { id: Uuid::now_v7(), at: door.clock.now(), direction, shown: shown.to_owned() };
    let mut queue = door.queue.lock().unwrap_or_else(PoisonError::into_inner);
    match queue.append(&entry) {
        Ok(()) => {
            say(if door.beep { "\u{7}ok" } else { "ok" });
            news.send_replace(true);
        }
        Err(error) => {
            remark(format!("not taken, let the visitor wait: the queue cannot be written: {error:#}"));
        }
    }
}

/// Which way, and what was shown.
fn split(text: &str, usual: Direction) -> (Direction, &str) {
    if let Some(rest) = text.strip_prefix("exit ") {
        (Direction::Exit, rest.trim())
    } else if let Some(rest) = text.strip_prefix("entry ") {
        (Direction::Entry, rest.trim())
    } else {
        (usual, text)
    }
}

fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    let mut part = Vec::new();
    while part.last() != Some(&b'\n') {
        part.clear();
        if input.take(LINE_MAX).read_until(b'\n', &mut part)? == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_way() {
        assert_eq!(split("exit a.b.c", Direction::Entry), (Direction::Exit, "a.b.c"));
        assert_eq!(split("entry  X", Direction::Exit), (Direction::Entry, "X"));
        assert_eq!(split("exitA", Direction::Entry), (Direction::Entry, "exitA"));
        assert_eq!(split("X", Direction::Exit), (Direction::Exit, "X"));
    }

    #[test]
    fn what_is_no_line_of_a_visitor_is_passed_over() {
        let folder = std::env::temp_dir().join(format!("placecode-reader-{}", Uuid::new_v4().simple()));
        let queue = Arc::new(Mutex::new(Queue::open(&folder).unwrap()));
        let clock = Clock::fixed(chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let door = Door { queue: queue.clone(), clock, direction: Direction::Entry, beep: false };
        let long = "x".repeat(9000);
        let input =
            [b"first\r\n\n  \n".as_slice(), long.as_bytes(), b"\n\xff\xfe\nexit second\nlast"].concat();
        let (news, _told) = watch::channel(false);
        read(&mut input.as_slice(), &door, &news);
        let head = queue.lock().unwrap().head(10, 10_000).unwrap();
        let told: Vec<_> = head.entries.iter().map(|entry| (entry.shown.as_str(), entry.direction)).collect();
        let expected = [("first", Direction::Entry), ("second", Direction::Exit), ("last", Direction::Entry)];
        assert_eq!(told, expected);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
