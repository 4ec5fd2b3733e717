//! Open windows as Redis keeps them: fixed records appended to one string for each cell and hour.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::span::Span;
use super::venue::PointId;
use super::visitor::Visitor;

/// How many bytes one open window takes.
pub const RECORD_BYTES: usize = 29;

/// The length of the period that one string covers, in seconds.
pub const HOUR_SECS: i64 = 3600;

/// Who is in a cell, where, since when and until when at most. To the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenWindow {
    /// Who.
    pub visitor: Visitor,
    /// At which point of the cell.
    pub point: PointId,
    /// When. A visitor who left has a window that ends then.
    pub span: Span,
}

impl OpenWindow {
    /// The record: visitor (16 bytes), point (5), from and until in seconds of the Unix epoch (4 each).
    pub fn to_record(self) -> [u8; RECORD_BYTES] {
        let mut record = [0; RECORD_BYTES];
        let bytes = self.visitor.to_uuid().into_bytes().into_iter();
        let bytes = bytes.chain(self.point.to_bytes());
        let bytes =
            bytes.chain(secs(self.span.from()).to_be_bytes()).chain(secs(self.span.until()).to_be_bytes());
        record.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        record
    }

    fn from_record(record: &[u8; RECORD_BYTES]) -> Option<Self> {
        let (visitor, rest) = record.split_first_chunk::<16>()?;
        let (point, rest) = rest.split_first_chunk::<5>()?;
        let (from, rest) = rest.split_first_chunk::<4>()?;
        let (until, _) = rest.split_first_chunk::<4>()?;
        let time = |secs: &[u8; 4]| DateTime::from_timestamp(u32::from_be_bytes(*secs).into(), 0);
        Some(Self {
            visitor: Visitor::from_uuid(Uuid::from_bytes(*visitor)),
            point: PointId::from_bytes(*point),
            span: Span::new(time(from)?, time(until)?).ok()?,
        })
    }
}

/// The hour that an instant belongs to, counted from the Unix epoch.
pub fn hour_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(HOUR_SECS)
}

/// The windows in the strings of some hours, in the order in which they were written. The last
/// record of a visitor at a point counts, and a broken tail is passed over.
pub fn read<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> Vec<OpenWindow> {
    let mut last: HashMap<(Visitor, PointId), OpenWindow> = HashMap::new();
    for string in strings {
        for record in string.as_chunks::<RECORD_BYTES>().0 {
            if let Some(window) = OpenWindow::from_record(record) {
                last.insert((window.visitor, window.point), window);
            }
        }
    }
    last.into_values().collect()
}

fn secs(at: DateTime<Utc>) -> u32 {
    u32::try_from(at.timestamp()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(visitor: u128, from: i64, until: i64) -> OpenWindow {
        let at = |secs| DateTime::from_timestamp(secs, 0).unwrap();
        OpenWindow {
            visitor: Visitor::from_uuid(Uuid::from_u128(visitor)),
            point: PointId::new(5).unwrap(),
            span: Span::new(at(from), at(until)).unwrap(),
        }
    }

    #[test]
    fn the_last_word_on_a_visitor_counts() {
        let mut string = Vec::new();
        for window in [window(1, 100, 900), window(2, 150, 950), window(1, 100, 300)] {
            string.extend(window.to_record());
        }
        string.extend([1, 2, 3]);
        let mut read = read([string.as_slice()]);
        read.sort_by_key(|window| window.span.from());
        assert_eq!(read, [window(1, 100, 300), window(2, 150, 950)]);
    }
}
