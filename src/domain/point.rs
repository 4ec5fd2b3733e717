//! A point as taking a scan sees it: where it is, and which of its codes answer.

use chrono::{DateTime, Utc};
use h3o::CellIndex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::venue::{PointId, VenueState};

/// Everything that taking a scan at a point needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointFacts {
    /// The point.
    pub id: PointId,
    /// Its name.
    pub name: String,
    /// Its cell; a mobile point's is its line's, where no stop is reported.
    pub cell: CellIndex,
    /// The cells of a phone's resolution that a visitor of this point may be in.
    pub near: Vec<CellIndex>,
    /// The stops of a mobile point's line.
    pub stops: Vec<Stop>,
    /// What new posters carry.
    pub generation: u8,
    /// Until when older posters answer.
    pub previous_until: Option<DateTime<Utc>>,
    /// Since when none answers.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Since when none answers, where an end was set beforehand.
    pub expires_at: Option<DateTime<Utc>>,
    /// Its venue.
    pub venue: Uuid,
    /// The venue's name.
    pub venue_name: String,
    /// The word of the venue's category.
    pub category: String,
    /// The venue's division.
    pub division: String,
    /// The venue's state.
    pub venue_state: VenueState,
    /// When any of this last changed, by the database's clock: what is older never replaces what is newer.
    #[serde(default)]
    pub changed_at: DateTime<Utc>,
}

/// A stop of a line, where a vehicle's visitors get on and off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Its number on the line, from 1.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Its cell.
    pub cell: CellIndex,
}

/// Why a genuine code is not in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInForce {
    /// The venue is not approved, suspended or closed.
    #[error("this venue does not take scans at present")]
    Venue,
    /// The point's codes were ended.
    #[error("this place code was revoked")]
    Revoked,
    /// The point was there for a time that is over.
    #[error("this place code has ended")]
    Expired,
    /// A newer poster has replaced this one.
    #[error("this place code was replaced by a newer one")]
    Replaced,
    /// A generation that was never printed.
    #[error("this place code was never printed")]
    Unprinted,
    /// A screen's code that was fresh some time ago.
    #[error("this code has changed; scan the screen again")]
    Changed,
}

impl PointFacts {
    /// The cell of a scan: that of the stop that the scan reports, else the point's own. `None` when the
    /// line has no such stop, or the point does not move.
    pub fn cell_of(&self, stop: Option<i16>) -> Option<CellIndex> {
        match stop {
            None => Some(self.cell),
            Some(number) => self.stops.iter().find(|stop| stop.number == number).map(|stop| stop.cell),
        }
    }

    /// Whether the point takes scans at `at`, whatever its code.
    pub fn check_open(&self, at: DateTime<Utc>) -> Result<(), NotInForce> {
        if self.venue_state != VenueState::Approved {
            return Err(NotInForce::Venue);
        }
        if self.revoked_at.is_some_and(|revoked| revoked <= at) {
            return Err(NotInForce::Revoked);
        }
        if self.expires_at.is_some_and(|expires| expires <= at) {
            return Err(NotInForce::Expired);
        }
        Ok(())
    }

    /// Whether a printed code of that generation answers at `at`.
    pub fn check(&self, generation: u8, at: DateTime<Utc>) -> Result<(), NotInForce> {
        self.check_open(at)?;
        if generation > self.generation || generation == 0 {
            return Err(NotInForce::Unprinted);
        }
        if generation < self.generation && self.previous_until.is_none_or(|until| until <= at) {
            return Err(NotInForce::Replaced);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::area::phone_cells;
    use crate::domain::position::{POINT_RESOLUTION, Position};

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn point() -> PointFacts {
        let cell = Position::new(34.7, 113.6).unwrap().cell(POINT_RESOLUTION);
        PointFacts {
            id: PointId::new(1).unwrap(),
            name: "门".into(),
            cell,
            near: phone_cells([cell]),
            stops: vec![Stop { number: 4, name: "北站".into(), cell: far() }],
            generation: 3,
            previous_until: Some(at(100)),
            revoked_at: None,
            expires_at: None,
            venue: Uuid::nil(),
            venue_name: "站".into(),
            category: "railway_station".into(),
            division: "410105".into(),
            venue_state: VenueState::Approved,
            changed_at: at(0),
        }
    }

    fn far() -> CellIndex {
        Position::new(34.8, 113.7).unwrap().cell(POINT_RESOLUTION)
    }

    #[test]
    fn old_posters_answer_until_their_grace_ends() {
        assert_eq!(point().check(3, at(500)), Ok(()));
        assert_eq!(point().check(2, at(99)), Ok(()));
        assert_eq!(point().check(2, at(100)), Err(NotInForce::Replaced));
        assert_eq!(point().check(4, at(1)), Err(NotInForce::Unprinted));
        assert_eq!(point().check(0, at(1)), Err(NotInForce::Unprinted));
    }

    #[test]
    fn a_scan_on_a_bus_is_where_the_stop_is() {
        assert_eq!(point().cell_of(None), Some(point().cell));
        assert_eq!(point().cell_of(Some(4)), Some(far()));
        assert_eq!(point().cell_of(Some(5)), None);
    }

    #[test]
    fn what_is_revoked_or_suspended_answers_nobody() {
        let revoked = PointFacts { revoked_at: Some(at(50)), ..point() };
        assert_eq!(revoked.check(3, at(50)), Err(NotInForce::Revoked));
        let suspended = PointFacts { venue_state: VenueState::Suspended, ..point() };
        assert_eq!(suspended.check(3, at(1)), Err(NotInForce::Venue));
        let fair = PointFacts { expires_at: Some(at(50)), ..point() };
        assert_eq!((fair.check(3, at(49)), fair.check(3, at(50))), (Ok(()), Err(NotInForce::Expired)));
    }
}
