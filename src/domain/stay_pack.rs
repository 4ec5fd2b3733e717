//! Stays of a closed day in few bytes: those at one point that began one after the other, as one pack.
//!
//! A pack stands in a row that tells the point and when the first of its stays began. Its body is, in this order:
//!
//! | what | form |
//! |---|---|
//! | version | one byte, 1 |
//! | unit | one byte: 0 a microsecond, 1 a millisecond, 2 a second, 3 a minute; the coarsest that is exact |
//! | count of stays, count of cells | varints |
//! | cells | 8 bytes each, big end first |
//! | beginnings | varints: units since the stay before, the first of them 0 |
//! | lengths | varints: twice the minutes, or twice the units and one |
//! | flags | one byte each: presence (2 bits), how the end is known (2 bits), whether an id is kept (1 bit), cell (3 bits) |
//! | visitors | 16 bytes each |
//! | ids | 16 bytes for each stay that keeps one |
//!
//! Stays are in the order of beginning, visitor, id. A stay's id is that of the scan that opened it. It is kept only where
//! the scans do not tell it: of several scans of one visitor at one point in one instant, the least id is meant.
//!
//! Varints have seven bits to a byte, the lowest first; the highest bit says that another byte follows.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use h3o::CellIndex;
use uuid::Uuid;

use super::numbered::Numbered;
use super::position::{cell_from_i64, cell_to_i64};
use super::scan::{LATE_MAX, Presence};
use super::span::Span;
use super::stay::{EndedBy, Stay, reach};
use super::venue::PointId;
use super::visitor::Visitor;

/// How many stays a pack holds at the most: enough that what a row costs is small beside them, and few enough that a
/// search reads little else than what it asks for, and that a row stays on its page.
pub const STAYS_MAX: usize = 64;

/// How many cells a pack tells apart: as many as three bits of a flag do.
const CELLS_MAX: usize = 8;

const VERSION: u8 = 1;

/// The units of time, in microseconds.
const UNITS: [i64; 4] = [1, 1_000, 1_000_000, MINUTE];

const MINUTE: i64 = 60_000_000;

const VISITOR_BYTES: usize = 16;

const _: () = assert!(Presence::ALL.len() <= 4 && EndedBy::ALL.len() <= 4);

/// A stay as it is packed: its point is that of the pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedStay {
    /// Who.
    pub visitor: Visitor,
    /// When.
    pub span: Span,
    /// The cell of the point at that time.
    pub cell: CellIndex,
    /// How its end is known.
    pub ended_by: EndedBy,
    /// The strongest proof among its scans.
    pub presence: Presence,
    /// The scan that opened it, where that is not the one with the least id of those in that instant.
    pub id: Option<Uuid>,
}

impl PackedStay {
    /// The stay at its point. Its id is nil where only the scans tell it; nothing but the scans goes by ids.
    pub fn at(self, point: PointId) -> Stay {
        Stay {
            id: self.id.unwrap_or_default(),
            visitor: self.visitor,
            point,
            cell: self.cell,
            span: self.span,
            ended_by: self.ended_by,
            presence: self.presence,
        }
    }
}

/// Up to [`STAYS_MAX`] stays at one point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// When the first of them began.
    pub first_at: DateTime<Utc>,
    /// When the last of them ends.
    pub until_max: DateTime<Utc>,
    /// How many.
    pub stays: usize,
    /// How many of them are contradicted.
    pub contradicted: usize,
    /// The stays.
    pub body: Vec<u8>,
}

/// Why bytes are no pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no pack of stays")]
pub struct BadPack;

/// Which stays of a point are asked for: those that began in `[earliest, until)` and ended after `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// No stay that began before is asked for.
    pub earliest: DateTime<Utc>,
    /// Stays that ended by then are not asked for.
    pub from: DateTime<Utc>,
    /// Nor are those that began then or later.
    pub until: DateTime<Utc>,
}

/// Where a day may be packed: days that ended before. No scan that arrives in time can change a stay of them any more.
pub fn closed_before(now: DateTime<Utc>, offset: FixedOffset) -> DateTime<Utc> {
    reach(now - LATE_MAX, now, offset).stays.from()
}

/// Packs stays at one point that began on one day.
pub fn pack(mut stays: Vec<PackedStay>) -> Vec<Pack> {
    stays.sort_unstable_by_key(|stay| (stay.span.from(), stay.visitor, stay.id));
    let mut packs = Vec::with_capacity(stays.len() / STAYS_MAX + 1);
    let mut rest = stays.as_slice();
    while !rest.is_empty() {
        let mut cells: Vec<i64> = Vec::new();
        let fits = |stay: &&PackedStay| {
            let cell = cell_to_i64(stay.cell);
            let known = cells.contains(&cell);
            if !known && cells.len() < CELLS_MAX {
                cells.push(cell);
            }
            known || cells.last() == Some(&cell)
        };
        let count = rest.iter().take(STAYS_MAX).take_while(fits).count();
        let (now, later) = rest.split_at(count);
        packs.extend(encode(now, &cells));
        rest = later;
    }
    packs
}

/// The pack of stays that are in order, with the cells that they name.
fn encode(stays: &[PackedStay], cells: &[i64]) -> Option<Pack> {
    let first_at = stays.first()?.span.from();
    let until_max = stays.iter().map(|stay| stay.span.until()).max()?;
    let (code, unit) = unit(stays, first_at);
    let mut body = vec![VERSION, code];
    body.reserve(stays.len() * (VISITOR_BYTES + 5) + cells.len() * 8);
    put(&mut body, stays.len() as u64);
    put(&mut body, cells.len() as u64);
    for cell in cells {
        body.extend(cell.to_be_bytes());
    }
    let mut before = first_at;
    for stay in stays {
        put(&mut body, micros(stay.span.from() - before).unsigned_abs() / unit.unsigned_abs());
        before = stay.span.from();
    }
    for stay in stays {
        let length = micros(stay.span.duration()).unsigned_abs();
        let minutes = length.is_multiple_of(MINUTE.unsigned_abs());
        let counted = length / if minutes { MINUTE } else { unit }.unsigned_abs();
        put(&mut body, counted << 1 | u64::from(!minutes));
    }
    body.extend(stays.iter().map(|stay| flags(stay, cells)));
    for stay in stays {
        body.extend(stay.visitor.to_uuid().into_bytes());
    }
    stays.iter().filter_map(|stay| stay.id).for_each(|id| body.extend(id.into_bytes()));
    let contradicted = stays.iter().filter(|stay| stay.presence == Presence::Contradicted).count();
    Some(Pack { first_at, until_max, stays: stays.len(), contradicted, body })
}

/// The number of the coarsest unit that all beginnings, and all lengths that are not whole minutes, are told by.
fn unit(stays: &[PackedStay], first_at: DateTime<Utc>) -> (u8, i64) {
    let exact = |unit: i64| {
        stays.iter().all(|stay| {
            let length = micros(stay.span.duration());
            micros(stay.span.from() - first_at) % unit == 0 && (length % MINUTE == 0 || length % unit == 0)
        })
    };
    (0u8..).zip(UNITS).filter(|(_, unit)| exact(*unit)).last().unwrap_or((0, 1))
}

/// Spans are of the years that clocks tell, so their microseconds fit.
fn micros(duration: TimeDelta) -> i64 {
    duration.num_microseconds().unwrap_or(i64::MAX)
}

fn flags(stay: &PackedStay, cells: &[i64]) -> u8 {
    let cell = cells.iter().position(|cell| *cell == cell_to_i64(stay.cell)).unwrap_or_default();
    let number = |number: i16| u8::try_from(number).unwrap_or_default();
    let cell = u8::try_from(cell).unwrap_or_default();
    number(stay.presence.number())
        | number(stay.ended_by.number()) << 2
        | u8::from(stay.id.is_some()) << 4
        | cell << 5
}

fn put(body: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        body.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    body.push(number.to_le_bytes()[0]);
}

/// Gives the stays of a pack that the window asks for to `found`. The others are not built.
pub fn unpack(
    body: &[u8],
    first_at: DateTime<Utc>,
    window: &Window,
    mut found: impl FnMut(PackedStay),
) -> Result<(), BadPack> {
    let columns = Columns::read(body)?;
    let (mut beginnings, mut lengths) = (Bytes(columns.beginnings), Bytes(columns.lengths));
    let (earliest, after) = (window.earliest.timestamp_micros(), window.from.timestamp_micros());
    let until = window.until.timestamp_micros();
    let mut from = first_at.timestamp_micros();
    let mut ids = columns.ids;
    for (flags, visitor) in columns.flags.iter().zip(columns.visitors) {
        from = from.checked_add(units(beginnings.varint()?, columns.unit)?).ok_or(BadPack)?;
        let length = lengths.varint()?;
        let length = units(length >> 1, if length & 1 == 0 { MINUTE } else { columns.unit })?;
        let end = from.checked_add(length).ok_or(BadPack)?;
        let id = if flags & 1 << 4 == 0 {
            None
        } else {
            let (id, rest) = ids.split_first().ok_or(BadPack)?;
            ids = rest;
            Some(Uuid::from_bytes(*id))
        };
        if from >= until {
            return Ok(());
        }
        if from >= earliest && end > after {
            let at = |micros| DateTime::from_timestamp_micros(micros).ok_or(BadPack);
            let span = Span::new(at(from)?, at(end)?).map_err(|_empty| BadPack)?;
            found(columns.stay(*flags, *visitor, span, id)?);
        }
    }
    Ok(())
}

/// All stays of a pack.
pub fn unpack_all(body: &[u8], first_at: DateTime<Utc>) -> Result<Vec<PackedStay>, BadPack> {
    let all = Window {
        earliest: DateTime::<Utc>::MIN_UTC,
        from: DateTime::<Utc>::MIN_UTC,
        until: DateTime::<Utc>::MAX_UTC,
    };
    let mut found = Vec::new();
    unpack(body, first_at, &all, |stay| found.push(stay))?;
    Ok(found)
}

/// A pack cut into its columns.
struct Columns<'a> {
    unit: i64,
    cells: Vec<CellIndex>,
    beginnings: &'a [u8],
    lengths: &'a [u8],
    flags: &'a [u8],
    visitors: &'a [[u8; VISITOR_BYTES]],
    ids: &'a [[u8; VISITOR_BYTES]],
}

impl<'a> Columns<'a> {
    fn read(body: &'a [u8]) -> Result<Self, BadPack> {
        let mut bytes = Bytes(body);
        if bytes.take(1)? != [VERSION] {
            return Err(BadPack);
        }
        let code = bytes.take(1)?.first().copied().ok_or(BadPack)?;
        let unit = *UNITS.get(usize::from(code)).ok_or(BadPack)?;
        let (count, cells) = (bytes.count(STAYS_MAX)?, bytes.count(CELLS_MAX)?);
        let (cells, _) = bytes.take(cells * 8)?.as_chunks::<8>();
        let cell = |bytes: &[u8; 8]| cell_from_i64(i64::from_be_bytes(*bytes)).ok_or(BadPack);
        let cells = cells.iter().map(cell).collect::<Result<_, _>>()?;
        let (beginnings, lengths) = (bytes.varints(count)?, bytes.varints(count)?);
        let flags = bytes.take(count)?;
        let (visitors, _) = bytes.take(count * VISITOR_BYTES)?.as_chunks();
        let (ids, odd) = bytes.0.as_chunks();
        if !odd.is_empty() {
            return Err(BadPack);
        }
        Ok(Self { unit, cells, beginnings, lengths, flags, visitors, ids })
    }

    fn stay(
        &self,
        flags: u8,
        visitor: [u8; VISITOR_BYTES],
        span: Span,
        id: Option<Uuid>,
    ) -> Result<PackedStay, BadPack> {
        Ok(PackedStay {
            visitor: Visitor::from_uuid(Uuid::from_bytes(visitor)),
            span,
            cell: *self.cells.get(usize::from(flags >> 5)).ok_or(BadPack)?,
            ended_by: EndedBy::from_number(i16::from(flags >> 2 & 3)).ok_or(BadPack)?,
            presence: Presence::from_number(i16::from(flags & 3)).ok_or(BadPack)?,
            id,
        })
    }
}

/// So many units in microseconds.
fn units(count: u64, unit: i64) -> Result<i64, BadPack> {
    i64::try_from(count).ok().and_then(|count| count.checked_mul(unit)).ok_or(BadPack)
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BadPack> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BadPack)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number; one that does not fit into 64 bits is none.
    fn varint(&mut self) -> Result<u64, BadPack> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(BadPack)?;
            self.0 = rest;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                return Err(BadPack);
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BadPack)
    }

    fn count(&mut self, max: usize) -> Result<usize, BadPack> {
        usize::try_from(self.varint()?).ok().filter(|count| *count <= max).ok_or(BadPack)
    }

    /// The bytes of so many varints, found by the bytes that end one.
    fn varints(&mut self, count: usize) -> Result<&'a [u8], BadPack> {
        if count == 0 {
            return Ok(&[]);
        }
        let mut ends = self.0.iter().enumerate().filter(|(_, byte)| **byte & 0x80 == 0);
        let (last, _) = ends.nth(count - 1).ok_or(BadPack)?;
        self.take(last + 1)
    }
}

#[cfg(test)]
#[path = "stay_pack_tests.rs"]
mod tests;
