//! Where imported scans were: the points that a file names, looked up block by block and remembered.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use super::refusals::Refusal;
use super::scan_rows::{Draft, Whereabouts};
use crate::domain::scan::{Method, Scan};
use crate::domain::venue::{PointId, VenueState};
use crate::store::StoreError;
use crate::store::imports::{self, Place};

/// How many names of points a refusal lists.
const NAMES_MAX: usize = 5;

/// What is known about the places of a file; an empty list or `None` for those that do not exist.
#[derive(Default)]
pub(super) struct Places {
    venues: HashMap<String, Vec<Place>>,
    points: HashMap<PointId, Option<Place>>,
}

impl Places {
    /// Looks up the places of these scans that are not known yet.
    pub(super) async fn learn(
        &mut self,
        conn: &mut AsyncPgConnection,
        drafts: impl Iterator<Item = &Draft>,
    ) -> Result<(), StoreError> {
        let (mut venues, mut points) = (BTreeSet::new(), BTreeSet::new());
        for draft in drafts {
            match &draft.place {
                Whereabouts::Venue(venue, _) if !self.venues.contains_key(venue) => {
                    venues.insert(venue.clone());
                }
                Whereabouts::Point(point, _) if !self.points.contains_key(point) => {
                    points.insert(*point);
                }
                Whereabouts::Venue(..) | Whereabouts::Point(..) => {}
            }
        }
        let (venues, points): (Vec<_>, Vec<_>) = (venues.into_iter().collect(), points.into_iter().collect());
        if !venues.is_empty() {
            self.venues.extend(venues.iter().map(|venue| (venue.clone(), Vec::new())));
            for place in imports::places_of_venues(conn, &venues).await? {
                let venue = place.source_ref.as_ref().and_then(|venue| self.venues.get_mut(venue));
                if let Some(places) = venue {
                    places.push(place);
                }
            }
        }
        if !points.is_empty() {
            self.points.extend(points.iter().map(|point| (*point, None)));
            let found = imports::places(conn, &points).await?;
            self.points.extend(found.into_iter().map(|place| (place.point, Some(place))));
        }
        Ok(())
    }

    /// The scan, when its place takes scans.
    pub(super) fn scan(&self, draft: &Draft, now: DateTime<Utc>) -> Result<Scan, Refusal> {
        let (place, column, value) = match &draft.place {
            Whereabouts::Venue(venue, name) => {
                (self.at_venue(venue, name.as_deref())?, "venue", own_id(venue).to_owned())
            }
            Whereabouts::Point(point, column) => {
                let known = self.points.get(point).and_then(Option::as_ref);
                let refusal =
                    || Refusal::new(column, &point.to_string(), "unknown", "a point of the register");
                (known.ok_or_else(refusal)?, *column, point.to_string())
            }
        };
        if place.venue_state != VenueState::Approved {
            let right = "a venue that is approved; it is submitted, suspended or closed";
            return Err(Refusal::new(column, &value, "not approved", right));
        }
        if place.revoked_at.is_some_and(|revoked| revoked <= draft.at) {
            let right = "a scan from before its codes were revoked";
            return Err(Refusal::new(column, &value, "point was revoked", right));
        }
        Ok(Scan {
            id: draft.id,
            visitor: draft.visitor,
            point: place.point,
            cell: place.cell,
            occurred_at: draft.at,
            received_at: now,
            direction: draft.direction,
            method: Method::List,
            presence: draft.presence,
            party: None,
            corrects: None,
        })
    }

    fn at_venue(&self, venue: &str, name: Option<&str>) -> Result<&Place, Refusal> {
        let places = self.venues.get(venue).map(Vec::as_slice).unwrap_or_default();
        let listed = || {
            let names: Vec<&str> = places.iter().take(NAMES_MAX).map(|place| place.name.as_str()).collect();
            names.join("; ")
        };
        match (places, name) {
            ([], _) => Err(Refusal::new(
                "venue",
                own_id(venue),
                "unknown",
                "an id of that set; import its venues first",
            )),
            ([only], None) => Ok(only),
            (_, None) => Err(Refusal::new(
                "venue",
                own_id(venue),
                "has several points",
                &format!("name one in `point`: {}", listed()),
            )),
            (_, Some(name)) => {
                let same = |place: &&Place| place.name == name || place.point.to_string() == name;
                let refusal = || {
                    Refusal::new("point", name, "not a point of this venue", &format!("one of: {}", listed()))
                };
                places.iter().find(same).ok_or_else(refusal)
            }
        }
    }
}

/// The id as the file has it, without the name of the set.
fn own_id(source_ref: &str) -> &str {
    source_ref.split_once(':').map_or(source_ref, |(_, id)| id)
}
