//! Scans as the log keeps them: fixed binary records, as many in one entry as came together.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::numbered::Numbered;
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::scan::{Direction, Method, Presence, Scan};
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

const VERSION: u8 = 2;

/// One record without a length and without corrections: what the release before wrote. Logs are drained
/// across an upgrade.
const VERSION_BEFORE: u8 = 1;

const HAS_PARTY: u8 = 1;
const HAS_CORRECTS: u8 = 2;

/// The longest record, in bytes.
pub const RECORD_MAX: usize = 1 + 16 + 16 + 5 + 8 + 8 + 8 + 3 + 16 + 16;

/// Why a log entry, or a record of one, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// Shorter or longer than a record, or of another version.
    #[error("not a record of version {VERSION}")]
    Form,
    /// A value that cannot be.
    #[error("a value that cannot be")]
    Value,
}

/// What cannot be read of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Why.
    pub why: InvalidEntry,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// An entry: version, then for each scan the length of its record in a byte and the record: flags, scan id
/// (16), visitor (16), point (5), cell (8), occurred and received in microseconds (8 each), direction,
/// method, presence, then party (16) and the scan that is taken back (16) where the flags say so.
pub fn encode<'a>(scans: impl IntoIterator<Item = &'a Scan>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    for scan in scans {
        let record = record(scan);
        bytes.push(u8::try_from(record.len()).unwrap_or(u8::MAX));
        bytes.extend(record);
    }
    bytes
}

fn record(scan: &Scan) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_MAX);
    let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    bytes.push(flag(scan.party.is_some(), HAS_PARTY) | flag(scan.corrects.is_some(), HAS_CORRECTS));
    bytes.extend(scan.id.as_bytes());
    bytes.extend(scan.visitor.to_uuid().as_bytes());
    bytes.extend(scan.point.to_bytes());
    bytes.extend(cell_to_i64(scan.cell).to_be_bytes());
    bytes.extend(scan.occurred_at.timestamp_micros().to_be_bytes());
    bytes.extend(scan.received_at.timestamp_micros().to_be_bytes());
    let numbers = [scan.direction.number(), scan.method.number(), scan.presence.number()];
    bytes.extend(numbers.map(|number| u8::try_from(number).unwrap_or(u8::MAX)));
    bytes.extend(scan.party.iter().chain(&scan.corrects).flat_map(|id| *id.as_bytes()));
    bytes
}

/// The scans of an entry, and what of it cannot be read. A record that is damaged spoils no other, unless
/// its length is damaged: then everything from there on is unreadable.
pub fn decode(entry: &[u8]) -> (Vec<Scan>, Vec<Unreadable>) {
    let mut scans = Vec::new();
    let mut unreadable = Vec::new();
    let mut keep = |record: &[u8], scan: Result<Scan, InvalidEntry>| match scan {
        Ok(scan) => scans.push(scan),
        Err(why) => unreadable.push(Unreadable { why, bytes: record.to_vec() }),
    };
    match entry.split_first() {
        Some((&VERSION, mut rest)) if !rest.is_empty() => {
            while let Some((length, after)) = rest.split_first() {
                let Some((record, next)) = after.split_at_checked(usize::from(*length)) else {
                    keep(rest, Err(InvalidEntry::Form));
                    break;
                };
                keep(record, read(record));
                rest = next;
            }
        }
        Some((&VERSION_BEFORE, record)) => {
            let flags = if record.len() > 64 { HAS_PARTY } else { 0 };
            keep(entry, read_fields(flags, Reader(record)));
        }
        _ => keep(entry, Err(InvalidEntry::Form)),
    }
    (scans, unreadable)
}

fn read(record: &[u8]) -> Result<Scan, InvalidEntry> {
    let mut reader = Reader(record);
    let [flags] = reader.take()?;
    read_fields(flags, reader)
}

fn read_fields(flags: u8, mut reader: Reader<'_>) -> Result<Scan, InvalidEntry> {
    let scan = Scan {
        id: reader.id()?,
        visitor: Visitor::from_uuid(reader.id()?),
        point: PointId::from_bytes(reader.take()?),
        cell: cell_from_i64(i64::from_be_bytes(reader.take()?)).ok_or(InvalidEntry::Value)?,
        occurred_at: reader.time()?,
        received_at: reader.time()?,
        direction: reader.number::<Direction>()?,
        method: reader.number::<Method>()?,
        presence: reader.number::<Presence>()?,
        party: if flags & HAS_PARTY == 0 { None } else { Some(reader.id()?) },
        corrects: if flags & HAS_CORRECTS == 0 { None } else { Some(reader.id()?) },
    };
    let is_sound = (scan.direction == Direction::Void) == scan.corrects.is_some();
    match (reader.0.is_empty() && flags & !(HAS_PARTY | HAS_CORRECTS) == 0, is_sound) {
        (true, true) => Ok(scan),
        (true, false) => Err(InvalidEntry::Value),
        (false, _) => Err(InvalidEntry::Form),
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], InvalidEntry> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(InvalidEntry::Form)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn id(&mut self) -> Result<Uuid, InvalidEntry> {
        Ok(Uuid::from_bytes(self.take()?))
    }

    fn time(&mut self) -> Result<DateTime<Utc>, InvalidEntry> {
        DateTime::from_timestamp_micros(i64::from_be_bytes(self.take()?)).ok_or(InvalidEntry::Value)
    }

    fn number<T: Numbered>(&mut self) -> Result<T, InvalidEntry> {
        let [byte] = self.take()?;
        T::from_number(byte.into()).ok_or(InvalidEntry::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::position::{POINT_RESOLUTION, Position};
    use proptest::prelude::*;

    fn scan(number: u128, party: Option<Uuid>, corrects: Option<Uuid>) -> Scan {
        let at = |micros: i64| DateTime::from_timestamp_micros(1_700_000_000_000_000 + micros).unwrap();
        Scan {
            id: Uuid::from_u128(number),
            visitor: Visitor::from_uuid(Uuid::from_u128(2)),
            point: PointId::new(3).unwrap(),
            cell: Position::new(34.7, 113.6).unwrap().cell(POINT_RESOLUTION),
            occurred_at: at(7),
            received_at: at(9),
            direction: if corrects.is_some() { Direction::Void } else { Direction::Exit },
            method: Method::Sentinel,
            presence: Presence::Verified,
            party,
            corrects,
        }
    }

    #[test]
    fn scans_survive_the_log() {
        let id = |number| Some(Uuid::from_u128(number));
        let scans = [scan(1, None, None), scan(2, id(5), None), scan(3, None, id(6)), scan(4, id(5), id(6))];
        assert_eq!(decode(&encode(&scans)), (scans.to_vec(), vec![]));
    }

    #[test]
    fn what_the_release_before_wrote_is_read() {
        for party in [None, Some(Uuid::from_u128(5))] {
            let scan = scan(1, party, None);
            let mut entry = record(&scan);
            entry[0] = VERSION_BEFORE;
            assert_eq!(decode(&entry), (vec![scan], vec![]));
        }
    }

    #[test]
    fn a_damaged_record_spoils_no_other() {
        let scans = [scan(1, None, None), scan(2, None, None), scan(3, None, None)];
        let mut entry = encode(&scans);
        let length = usize::from(entry[1]);
        let second = 1 + (1 + length);
        entry[second + length - 2] = 99;
        let (read, unreadable) = decode(&entry);
        assert_eq!(read, [scans[0].clone(), scans[2].clone()]);
        assert_eq!(unreadable.len(), 1);
        assert_eq!(unreadable[0].why, InvalidEntry::Value);
    }

    proptest! {
        #[test]
        fn damaged_entries_are_told_and_never_panic(cut in 0usize..66, flip in 0usize..67, to: u8) {
            let good = encode(&[scan(1, None, None)]);
            prop_assert_eq!(decode(&good[..cut]).1.len(), 1);
            let mut damaged = good.clone();
            damaged[flip] = to;
            let (read, unreadable) = decode(&damaged);
            prop_assert!(read.len() + unreadable.len() >= 1);
        }
    }
}
