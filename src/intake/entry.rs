//! One scan as the log keeps it: a fixed binary record.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::numbered::Numbered;
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::scan::{Direction, Method, Presence, Scan};
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

const VERSION: u8 = 1;

/// Why a log entry cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// Shorter or longer than a record, or of another version.
    #[error("not a record of version {VERSION}")]
    Form,
    /// A value that cannot be.
    #[error("a value that cannot be")]
    Value,
}

/// The record: version, scan id (16), visitor (16), point (5), cell (8), occurred and received in
/// microseconds (8 each), direction, method, presence, then the party (16) where there is one.
pub fn encode(scan: &Scan) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(81);
    bytes.push(VERSION);
    bytes.extend(scan.id.as_bytes());
    bytes.extend(scan.visitor.to_uuid().as_bytes());
    bytes.extend(scan.point.to_bytes());
    bytes.extend(cell_to_i64(scan.cell).to_be_bytes());
    bytes.extend(scan.occurred_at.timestamp_micros().to_be_bytes());
    bytes.extend(scan.received_at.timestamp_micros().to_be_bytes());
    let numbers = [scan.direction.number(), scan.method.number(), scan.presence.number()];
    bytes.extend(numbers.map(|number| u8::try_from(number).unwrap_or(u8::MAX)));
    bytes.extend(scan.party.iter().flat_map(|party| *party.as_bytes()));
    bytes
}

/// The scan from its record.
pub fn decode(bytes: &[u8]) -> Result<Scan, InvalidEntry> {
    let mut reader = Reader(bytes);
    if reader.take::<1>()? != [VERSION] {
        return Err(InvalidEntry::Form);
    }
    let scan = Scan {
        id: Uuid::from_bytes(reader.take()?),
        visitor: Visitor::from_uuid(Uuid::from_bytes(reader.take()?)),
        point: PointId::from_bytes(reader.take()?),
        cell: cell_from_i64(i64::from_be_bytes(reader.take()?)).ok_or(InvalidEntry::Value)?,
        occurred_at: reader.time()?,
        received_at: reader.time()?,
        direction: reader.number::<Direction>()?,
        method: reader.number::<Method>()?,
        presence: reader.number::<Presence>()?,
        party: if reader.0.is_empty() { None } else { Some(Uuid::from_bytes(reader.take()?)) },
    };
    if reader.0.is_empty() { Ok(scan) } else { Err(InvalidEntry::Form) }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], InvalidEntry> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(InvalidEntry::Form)?;
        self.0 = rest;
        Ok(*bytes)
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

    fn scan(party: Option<Uuid>) -> Scan {
        let at = |micros: i64| DateTime::from_timestamp_micros(1_700_000_000_000_000 + micros).unwrap();
        Scan {
            id: Uuid::from_u128(1),
            visitor: Visitor::from_uuid(Uuid::from_u128(2)),
            point: PointId::new(3).unwrap(),
            cell: Position::new(34.7, 113.6).unwrap().cell(POINT_RESOLUTION),
            occurred_at: at(7),
            received_at: at(9),
            direction: Direction::Exit,
            method: Method::Sentinel,
            presence: Presence::Verified,
            party,
        }
    }

    #[test]
    fn a_scan_survives_the_log() {
        for party in [None, Some(Uuid::from_u128(5))] {
            assert_eq!(decode(&encode(&scan(party))), Ok(scan(party)));
        }
    }

    proptest! {
        #[test]
        fn damaged_entries_are_refused_and_never_panic(cut in 0usize..64, flip in 0usize..65, to: u8) {
            let good = encode(&scan(None));
            prop_assert!(decode(&good[..cut]).is_err());
            let mut damaged = good.clone();
            damaged[flip] = to;
            let _either = decode(&damaged);
        }
    }
}
