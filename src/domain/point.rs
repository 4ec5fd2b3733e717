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
    /// Its cell.
    pub cell: CellIndex,
    /// What new posters carry.
    pub generation: u8,
    /// Until when older posters answer.
    pub previous_until: Option<DateTime<Utc>>,
    /// Since when none answers.
    pub revoked_at: Option<DateTime<Utc>>,
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
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
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
    /// A newer poster has replaced this one.
    #[error("this place code was replaced by a newer one")]
    Replaced,
    /// A generation that was never printed.
    #[error("this place code was never printed")]
    Unprinted,
}

impl PointFacts {
    /// Whether a code of that generation answers at `at`.
    pub fn check(&self, generation: u8, at: DateTime<Utc>) -> Result<(), NotInForce> {
        if self.venue_state != VenueState::Approved {
            return Err(NotInForce::Venue);
        }
        if self.revoked_at.is_some_and(|revoked| revoked <= at) {
            return Err(NotInForce::Revoked);
        }
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
    use crate::domain::position::{POINT_RESOLUTION, Position};

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn point() -> PointFacts {
        PointFacts {
            id: PointId::new(1).unwrap(),
            name: "门".into(),
            cell: Position::new(34.7, 113.6).unwrap().cell(POINT_RESOLUTION),
            generation: 3,
            previous_until: Some(at(100)),
            revoked_at: None,
            venue: Uuid::nil(),
            venue_name: "站".into(),
            category: "railway_station".into(),
            division: "410105".into(),
            venue_state: VenueState::Approved,
            lat_deg: 34.7,
            lng_deg: 113.6,
        }
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
    fn what_is_revoked_or_suspended_answers_nobody() {
        let revoked = PointFacts { revoked_at: Some(at(50)), ..point() };
        assert_eq!(revoked.check(3, at(50)), Err(NotInForce::Revoked));
        let suspended = PointFacts { venue_state: VenueState::Suspended, ..point() };
        assert_eq!(suspended.check(3, at(1)), Err(NotInForce::Venue));
    }
}
