//! What the clients send: which scan is whose, where and how, and the bytes of its request.
//!
//! Everything follows from the number of a scan, so nothing is kept for one but whether it was acknowledged.

use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use data_encoding::HEXLOWER;
use placecode::clock::Clock;
use placecode::domain::assertion::{AUDIENCE, DeviceClaims, sign};
use placecode::domain::rotating_code::{RotatingCode, Step};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::city::{City, Person, Place, SENTINELS, sentinel_id};

/// Scans in one batch of a sentinel.
pub(crate) const BATCH_ROWS: u64 = 10;
/// One request in so many is a batch of a sentinel.
const REQUESTS_PER_BATCH: u64 = 1_000;
/// Where the numbers of scans in batches begin.
const BATCH_NUMBERS: u64 = 1 << 40;
/// An exit follows so many scans after the entry that it ends.
const EXIT_AFTER: u64 = 2_000;

/// How a scan is made. In a thousand: 690 printed code with the phone near, 195 printed code alone, 95 code of a
/// screen with the phone near, 20 exits; one batch of ten beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Near,
    Bare,
    Screen,
    Exit,
    Batch,
}

/// What a load is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flavour {
    /// Whether some scans are preceded by an exchange of an assertion, and how many of them.
    pub(crate) scans_per_exchange: Option<u64>,
    /// Whether sentinels hand in batches.
    pub(crate) has_batches: bool,
}

/// One load's supply of requests.
pub(crate) struct Mix<'a> {
    pub(crate) city: &'a City,
    flavour: Flavour,
    first: u64,
    assertions: Vec<String>,
    batches: Vec<Batch>,
    next_batch: AtomicUsize,
}

/// A batch of a sentinel, ready to be sent.
pub(crate) struct Batch {
    pub(crate) request: Vec<u8>,
    /// The number of its first scan.
    pub(crate) first: u64,
}

impl<'a> Mix<'a> {
    /// Signs beforehand what has to be signed for scans numbered from `first`. Good for ten minutes.
    pub(crate) fn new(city: &'a City, flavour: Flavour, first: u64, count: u64) -> Self {
        static BATCHES: AtomicU64 = AtomicU64::new(0);
        let now = Clock::System.now();
        let mut mix = Self {
            city,
            flavour,
            first,
            assertions: Vec::new(),
            batches: Vec::new(),
            next_batch: AtomicUsize::new(0),
        };
        if let Some(every) = flavour.scans_per_exchange {
            let exchanging = (first..first + count).filter(|number| number.is_multiple_of(every));
            mix.assertions =
                exchanging.map(|number| city.assertion(mix.person(number).visitor, now)).collect();
        }
        if flavour.has_batches {
            let batch = |_| Batch::new(city, BATCHES.fetch_add(1, Ordering::Relaxed), now);
            mix.batches = (0..count.div_ceil(REQUESTS_PER_BATCH)).map(batch).collect();
        }
        mix
    }

    pub(crate) fn kind(&self, number: u64) -> Kind {
        match spread(number) % 1_000 {
            _ if self.flavour.has_batches && number.is_multiple_of(REQUESTS_PER_BATCH) => Kind::Batch,
            0..690 => Kind::Near,
            690..885 => Kind::Bare,
            885..980 => Kind::Screen,
            _ => Kind::Exit,
        }
    }

    /// The next batch; none when there are no more.
    pub(crate) fn batch(&self) -> Option<&Batch> {
        self.batches.get(self.next_batch.fetch_add(1, Ordering::Relaxed))
    }

    /// Visitors take turns, so nobody scans more often than the service allows.
    fn person(&self, number: u64) -> &Person {
        at(&self.city.visitors, usize::try_from(number).unwrap())
    }

    /// Points with a heavy tail: the tenth point is a tenth as crowded as the first.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of one, and a rank between 1 and the points"
    )]
    fn place(&self, number: u64) -> &Place {
        let share = (spread(number ^ 0x5555) >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = (self.city.points.len() as f64).powf(share) as usize;
        at(&self.city.points, rank - 1)
    }

    /// The exchange that precedes a scan, if any.
    pub(crate) fn exchange(&self, number: u64, into: &mut Vec<u8>) -> bool {
        let Some(every) = self.flavour.scans_per_exchange.filter(|every| number.is_multiple_of(*every))
        else {
            return false;
        };
        let index = number / every - self.first.div_ceil(every);
        let Some(assertion) = self.assertions.get(usize::try_from(index).unwrap()) else { return false };
        into.clear();
        write!(
            into,
            "POST /v1/visitor-tokens HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{{\"assertion\":\"{assertion}\"}}",
            assertion.len() + 16
        )
        .unwrap();
        true
    }

    /// The request of a visitor's own scan, with the token that an exchange has just given, else an earlier one.
    pub(crate) fn own(&self, number: u64, token: Option<&str>, now: DateTime<Utc>, into: &mut Vec<u8>) {
        let kind = self.kind(number);
        let (who, where_at) = match kind {
            // Who leaves is who came.
            Kind::Exit => (number.saturating_sub(EXIT_AFTER), number.saturating_sub(EXIT_AFTER)),
            Kind::Near | Kind::Bare | Kind::Screen | Kind::Batch => (number, number),
        };
        let place = self.place(where_at);
        let screen = match kind {
            Kind::Screen => RotatingCode { point: place.id, step: Step::of(now) }
                .sign(&self.city.keys)
                .map(|c| c.to_string()),
            Kind::Near | Kind::Bare | Kind::Exit | Kind::Batch => None,
        };
        let code = screen.as_deref().unwrap_or(&place.code);
        let (id, at) = (scan_id(number).hyphenated(), now.to_rfc3339_opts(SecondsFormat::Micros, true));
        let (before, cell, after) = match kind {
            Kind::Near | Kind::Screen | Kind::Batch => {
                (",\"phone_cell\":\"", place.phone_cell.as_str(), "\"")
            }
            Kind::Exit => (",\"direction\":\"", "exit", "\""),
            Kind::Bare => ("", "", ""),
        };
        let token = token.unwrap_or(&self.person(who).token);
        let body =
            format!("{{\"id\":\"{id}\",\"code\":\"{code}\",\"occurred_at\":\"{at}\"{before}{cell}{after}}}");
        into.clear();
        write!(
            into,
            "POST /v1/scans HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    }
}

impl Batch {
    fn new(city: &City, number: u64, now: DateTime<Utc>) -> Self {
        let first = BATCH_NUMBERS + number * BATCH_ROWS;
        let rank = usize::try_from(number).unwrap() % SENTINELS;
        let row = |number: u64| {
            let person = at(&city.visitors, usize::try_from(spread(number) >> 1).unwrap());
            serde_json::json!({
                "id": scan_id(number),
                "assertion": city.assertion(person.visitor, now),
                "occurred_at": now.to_rfc3339_opts(SecondsFormat::Micros, true),
            })
        };
        let rows: Vec<_> = (first..first + BATCH_ROWS).map(row).collect();
        let body = serde_json::json!({ "scans": rows }).to_string();
        let claims = DeviceClaims {
            sub: sentinel_id(rank),
            aud: AUDIENCE.into(),
            iat: now.timestamp(),
            exp: (now + TimeDelta::minutes(10)).timestamp(),
            body: HEXLOWER.encode(&Sha256::digest(&body)),
        };
        let word = sign(&claims, &sentinel_id(rank).to_string(), &city.sentinel);
        let request = format!(
            "POST /v1/scans/batch HTTP/1.1\r\nhost: 127.0.0.1\r\ndevice-assertion: {word}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { request: request.into_bytes(), first }
    }
}

/// The id of a scan.
pub(crate) fn scan_id(number: u64) -> Uuid {
    Uuid::from_u64_pair(spread(number), spread(!number))
}

fn at<T>(items: &[T], index: usize) -> &T {
    items.get(index % items.len()).unwrap()
}

/// Numbers that look like chance (splitmix64).
fn spread(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
