//! The code that a screen shows and changes every 30 seconds, and whichever code somebody scanned.
//!
//! Version 2 has the 104 bits and 21 symbols of a printed code ([`super::place_code`]). In the place of
//! the generation stand the low 8 bits of the step, the number of half minutes since 1970; the MAC is
//! made under a label of its own, over the body and over the whole step. So whoever reads a code finds
//! its step among the few of the last 72 hours that end in those 8 bits. The form is frozen.

use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq;

use super::keyring::{Key, Keyring};
use super::place_code::{self, InvalidPlaceCode, PlaceCode, SignedCode};
use super::point::{NotInForce, PointFacts};
use super::scan::LATE_MAX;
use super::symbols::{BODY_BYTES, CodeBytes, decode, seal};
use super::venue::PointId;

/// How long a screen shows one code, in seconds.
pub const STEP_SECS: u32 = 30;

const LABEL: &str = "placecode/rotating-code/1";
const VERSION: u8 = 2;

/// How many steps have the same low 8 bits as the one before.
const CYCLE: u64 = 256;

/// A half minute, counted since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(u64);

impl Step {
    /// The step that `at` lies in; times before 1970 lie in the first.
    pub fn of(at: DateTime<Utc>) -> Self {
        Self(u64::try_from(at.timestamp().div_euclid(i64::from(STEP_SECS))).unwrap_or(0))
    }

    /// When it begins.
    pub fn begins(self) -> DateTime<Utc> {
        let secs = self.0.saturating_mul(u64::from(STEP_SECS));
        i64::try_from(secs).ok().and_then(|secs| DateTime::from_timestamp(secs, 0)).unwrap_or_default()
    }

    /// When the next one begins.
    pub fn ends(self) -> DateTime<Utc> {
        self.begins() + TimeDelta::seconds(i64::from(STEP_SECS))
    }

    /// Its number, for what is to be bound to it.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Whether `at` lies in it or in the one before or after: a screen's picture takes its time to be
    /// scanned, and clocks differ.
    pub fn is_about(self, at: DateTime<Utc>) -> bool {
        self.0.abs_diff(Self::of(at).0) <= 1
    }

    /// The steps that a code read at `now` may be of, the latest first: those of the last 72 hours, and
    /// one more at each end, since clocks differ. 34 at the most.
    fn candidates(low: u8, now: DateTime<Utc>) -> impl Iterator<Item = Self> {
        let latest = Self::of(now).0 + 1;
        let oldest = Self::of(now - LATE_MAX).0.saturating_sub(1);
        let back = (latest % CYCLE + CYCLE - u64::from(low)) % CYCLE;
        let ending = move |cycle: u64| latest.checked_sub(back + cycle * CYCLE);
        (0..).map_while(ending).take_while(move |step| *step >= oldest).map(Self)
    }
}

/// What a screen shows in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotatingCode {
    /// The point where the screen stands.
    pub point: PointId,
    /// When it is shown.
    pub step: Step,
}

impl RotatingCode {
    /// The text, signed with the ring's current key; `None` when the ring has none.
    pub fn sign(&self, keys: &Keyring) -> Option<SignedCode> {
        let (slot, key) = keys.current()?;
        let [p0, p1, p2, p3, p4] = self.point.to_bytes();
        let [.., low] = self.step.to_bytes();
        let body = [(VERSION << 4) | slot, p0, p1, p2, p3, p4, low];
        Some(SignedCode::of(&seal_step(body, key, self.step)))
    }

    fn verify(bytes: &CodeBytes, keys: &Keyring, now: DateTime<Utc>) -> Result<Self, InvalidPlaceCode> {
        let body = bytes.first_chunk::<BODY_BYTES>().ok_or(InvalidPlaceCode::Length)?;
        let [first, p0, p1, p2, p3, p4, low] = *body;
        let key = keys.slot(first & 0x0F).ok_or(InvalidPlaceCode::Screen)?;
        let step = Step::candidates(low, now)
            .find(|step| bool::from(seal_step(*body, key, *step).ct_eq(bytes)))
            .ok_or(InvalidPlaceCode::Screen)?;
        Ok(Self { point: PointId::from_bytes([p0, p1, p2, p3, p4]), step })
    }
}

fn seal_step(body: [u8; BODY_BYTES], key: &Key, step: Step) -> CodeBytes {
    seal(body, key, LABEL, &step.to_bytes())
}

/// A genuine code of either kind, as somebody scanned or typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScannedCode {
    /// From a poster.
    Printed(PlaceCode),
    /// From a screen.
    Rotating(RotatingCode),
}

/// That a code was in force, and what it proves by itself: only [`ScannedCode::check`] gives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    is_live: bool,
}

impl InForce {
    /// Whether whoever scanned it was in front of the screen just then, or knew somebody who was: a
    /// picture that is older is worth no more than that of a poster.
    pub fn is_live(self) -> bool {
        self.is_live
    }

    /// For who has shown already that the code was fresh.
    pub(super) const fn live() -> Self {
        Self { is_live: true }
    }

    pub(super) const fn printed() -> Self {
        Self { is_live: false }
    }
}

impl ScannedCode {
    /// Reads and verifies a text of either kind, as [`PlaceCode::parse`] does.
    pub fn parse(text: &str, keys: &Keyring, now: DateTime<Utc>) -> Result<Self, InvalidPlaceCode> {
        let bytes = decode(text)?;
        let [first, ..] = bytes;
        match first >> 4 {
            place_code::VERSION => PlaceCode::verify(&bytes, keys).map(Self::Printed),
            VERSION => RotatingCode::verify(&bytes, keys, now).map(Self::Rotating),
            _ => Err(InvalidPlaceCode::Version),
        }
    }

    /// Where it hangs or stands.
    pub fn point(&self) -> PointId {
        match self {
            Self::Printed(code) => code.point,
            Self::Rotating(code) => code.point,
        }
    }

    /// Whether it answers for somebody who was there at `occurred_at`, which the service hears at
    /// `received_at`. A rotating code proves presence while it is fresh. Later it answers only for the
    /// time at which it was shown, as on a phone without network, and proves no more than a poster.
    pub fn check(
        &self,
        facts: &PointFacts,
        occurred_at: DateTime<Utc>,
        received_at: DateTime<Utc>,
    ) -> Result<InForce, NotInForce> {
        match self {
            Self::Printed(code) => facts.check(code.generation, received_at).map(|()| InForce::printed()),
            Self::Rotating(code) => {
                facts.check_open(received_at)?;
                let (is_fresh, is_its_time) =
                    (code.step.is_about(received_at), code.step.is_about(occurred_at));
                if is_fresh || is_its_time {
                    Ok(InForce { is_live: is_fresh && is_its_time })
                } else {
                    Err(NotInForce::Changed)
                }
            }
        }
    }
}

/// What stands in a code, whether or not it is genuine: to find out why one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeParts {
    /// 1 printed, 2 rotating.
    pub version: u8,
    /// Which key is said to have signed it.
    pub slot: u8,
    /// Which point it names.
    pub point: PointId,
    /// The generation of a printed code, the low 8 bits of a rotating one's step.
    pub last: u8,
}

impl CodeParts {
    /// Reads a text without checking it.
    pub fn read(text: &str) -> Result<Self, InvalidPlaceCode> {
        let [first, p0, p1, p2, p3, p4, last, ..] = decode(text)?;
        let point = PointId::from_bytes([p0, p1, p2, p3, p4]);
        Ok(Self { version: first >> 4, slot: first & 0x0F, point, last })
    }
}

#[cfg(test)]
#[path = "rotating_code_tests.rs"]
mod tests;
