//! A scan: a visitor was at a point at a moment, and what proves it.

use chrono::{DateTime, TimeDelta, Utc};
use h3o::CellIndex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::numbered::Numbered;
use super::rotating_code::InForce;
use super::venue::PointId;
use super::visitor::Visitor;

/// How late a scan may arrive: paper lists and offline sentinels (72 hours).
pub const LATE_MAX: TimeDelta = TimeDelta::hours(72);

/// How far a device's clock may run ahead.
pub const AHEAD_MAX: TimeDelta = TimeDelta::minutes(10);

/// A scan that arrives later than this after it occurred is marked as late.
pub const LATE_FROM: TimeDelta = TimeDelta::minutes(10);

/// Where the visitor was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Direction {
    /// In: opens a window.
    Entry = 0,
    /// Out: closes it.
    Exit = 1,
    /// Past: opens a window of two minutes.
    Passing = 2,
    /// Takes back a scan that was handed in by mistake. Both are kept; the stays follow.
    Void = 3,
}

/// Who held what in front of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Method {
    /// The visitor scanned the poster.
    Own = 0,
    /// Staff scanned the visitor's code or typed what the visitor carries.
    Staff = 1,
    /// A digital sentinel read the visitor's code or card.
    Sentinel = 2,
    /// Typed in from a paper list, or imported from a file.
    List = 3,
}

/// What proves that the visitor was there. Ordered by weight.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Presence {
    /// The visitor cannot have been there: a forwarded photo of the code. Never leads to a colour.
    Contradicted = 0,
    /// Nothing speaks for it and nothing against it.
    Unproven = 1,
    /// The phone was near.
    Plausible = 2,
    /// A device or a member of staff saw the visitor, or the visitor saw the live code of a screen.
    Verified = 3,
}

impl Numbered for Direction {
    const ALL: &'static [Self] = &[Self::Entry, Self::Exit, Self::Passing, Self::Void];

    fn number(self) -> i16 {
        self as i16
    }
}

impl Numbered for Method {
    const ALL: &'static [Self] = &[Self::Own, Self::Staff, Self::Sentinel, Self::List];

    fn number(self) -> i16 {
        self as i16
    }
}

impl Numbered for Presence {
    const ALL: &'static [Self] = &[Self::Contradicted, Self::Unproven, Self::Plausible, Self::Verified];

    fn number(self) -> i16 {
        self as i16
    }
}

/// One accepted scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Made by the client, so that a retry is the same scan.
    pub id: Uuid,
    /// Who.
    pub visitor: Visitor,
    /// Where.
    pub point: PointId,
    /// The point's cell at that time, at [`super::position::POINT_RESOLUTION`].
    pub cell: CellIndex,
    /// When the visitor was there.
    pub occurred_at: DateTime<Utc>,
    /// When the service heard of it.
    pub received_at: DateTime<Utc>,
    /// In, out or past.
    pub direction: Direction,
    /// Who scanned.
    pub method: Method,
    /// What proves it.
    pub presence: Presence,
    /// The party that came together, when several did.
    pub party: Option<Uuid>,
    /// The scan that a void takes back: one of the same visitor, point, moment and method. Of an exit that is the
    /// visitor's later word, the scan that opened the stay. `None` in all other scans.
    pub corrects: Option<Uuid>,
}

/// Why the time of a scan is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTime {
    /// Too far ahead of the service's clock.
    #[error("the scan lies more than ten minutes in the future")]
    Ahead,
    /// Too late to be taken.
    #[error("the scan is more than 72 hours old")]
    Late,
}

/// Checks when a live scan occurred against when it was received.
pub fn check_time(occurred_at: DateTime<Utc>, received_at: DateTime<Utc>) -> Result<(), InvalidTime> {
    if occurred_at > received_at + AHEAD_MAX {
        Err(InvalidTime::Ahead)
    } else if occurred_at < received_at - LATE_MAX {
        Err(InvalidTime::Late)
    } else {
        Ok(())
    }
}

/// Judges presence. A phone may tell its coarse cell; within one ring of the cells that the point's
/// visitors may be in it makes the visit plausible, beyond it contradicts it; where nobody can say where
/// they are, as in a taxi, it proves nothing. It is not kept. The live code of a screen verifies a
/// visitor's own scan, unless the phone is elsewhere: the picture of a screen can be passed on live.
pub fn judge_presence(
    method: Method,
    code: InForce,
    near: &[CellIndex],
    phone: Option<CellIndex>,
) -> Presence {
    let by_phone = match phone {
        Some(phone) if !near.is_empty() => judge_phone(near, phone),
        Some(_) | None => Presence::Unproven,
    };
    match method {
        Method::Staff | Method::Sentinel => Presence::Verified,
        Method::List => Presence::Unproven,
        Method::Own if code.is_live() && by_phone != Presence::Contradicted => Presence::Verified,
        Method::Own => by_phone,
    }
}

fn judge_phone(near: &[CellIndex], phone: CellIndex) -> Presence {
    // h3o cannot count the steps between cells that are continents apart.
    let is_near = |cell: &CellIndex| matches!(cell.grid_distance(phone), Ok(0..=1));
    if near.iter().any(is_near) { Presence::Plausible } else { Presence::Contradicted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::position::{PHONE_RESOLUTION, Position};

    const PRINTED: InForce = InForce::printed();

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + secs, 0).unwrap()
    }

    #[test]
    fn a_scan_may_be_three_days_late_and_ten_minutes_early() {
        assert_eq!(check_time(at(600), at(0)), Ok(()));
        assert_eq!(check_time(at(601), at(0)), Err(InvalidTime::Ahead));
        assert_eq!(check_time(at(-72 * 3600), at(0)), Ok(()));
        assert_eq!(check_time(at(-72 * 3600 - 1), at(0)), Err(InvalidTime::Late));
    }

    #[test]
    fn a_forwarded_photo_is_contradicted() {
        let zhengzhou = Position::new(34.7466, 113.6253).unwrap();
        let shijiazhuang = Position::new(38.0428, 114.5149).unwrap().cell(PHONE_RESOLUTION);
        let here = zhengzhou.cell(PHONE_RESOLUTION);
        let judged = |method, near: &[CellIndex], phone| judge_presence(method, PRINTED, near, phone);
        assert_eq!(judged(Method::Own, &[here], Some(shijiazhuang)), Presence::Contradicted);
        assert_eq!(judged(Method::Own, &[here], Some(here)), Presence::Plausible);
        assert_eq!(judged(Method::Own, &[here], None), Presence::Unproven);
        assert_eq!(judged(Method::Own, &[], Some(here)), Presence::Unproven);
        assert_eq!(judged(Method::Sentinel, &[here], None), Presence::Verified);
        assert_eq!(judged(Method::List, &[here], Some(here)), Presence::Unproven);
        let new_york = Position::new(40.7, -74.0).unwrap().cell(PHONE_RESOLUTION);
        assert_eq!(judged(Method::Own, &[here], Some(new_york)), Presence::Contradicted);
    }

    #[test]
    fn a_live_code_verifies_whoever_is_not_elsewhere() {
        let here = Position::new(34.7466, 113.6253).unwrap().cell(PHONE_RESOLUTION);
        let elsewhere = Position::new(38.0428, 114.5149).unwrap().cell(PHONE_RESOLUTION);
        let judged = |method, near: &[CellIndex], phone| judge_presence(method, InForce::live(), near, phone);
        assert_eq!(judged(Method::Own, &[here], None), Presence::Verified);
        assert_eq!(judged(Method::Own, &[here], Some(here)), Presence::Verified);
        assert_eq!(judged(Method::Own, &[], Some(here)), Presence::Verified);
        assert_eq!(judged(Method::Own, &[here], Some(elsewhere)), Presence::Contradicted);
        assert_eq!(judged(Method::List, &[here], None), Presence::Unproven, "a list was not there");
    }

    #[test]
    fn only_the_next_ring_is_near() {
        let here = Position::new(34.7466, 113.6253).unwrap().cell(PHONE_RESOLUTION);
        let rings = here.grid_disk_distances::<Vec<_>>(2);
        for (cell, ring) in rings {
            let expected = if ring <= 1 { Presence::Plausible } else { Presence::Contradicted };
            assert_eq!(judge_presence(Method::Own, PRINTED, &[here], Some(cell)), expected);
        }
    }
}
