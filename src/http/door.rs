//! What staff at a door may do there: at which points, what they hand in, and the receipts that they are shown.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::auth::Actor;
use super::error::ApiError;
use super::scan_batches::{HandedScan, take_handed};
use super::scans::ScanReceipt;
use super::venues::PAGE;
use super::web::Web;
use crate::domain::numbered::Numbered;
use crate::domain::place_code::PlaceCode;
use crate::domain::point::PointFacts;
use crate::domain::scan::Direction;
use crate::domain::token::Receipt;
use crate::domain::venue::{Division, PointId, VenueState};
use crate::domain::visitor_card::VisitorCard;
use crate::store::access;
use crate::store::register::{self, PointRow, VenueRow};

/// A venue with the points where somebody may stand.
#[derive(Debug)]
pub struct Doors {
    /// The venue.
    pub venue: VenueRow,
    /// Its points whose codes answer.
    pub points: Vec<PointRow>,
}

/// A page of the approved venues that the actor works at, each with its points.
pub async fn doors(web: &Web, actor: &Actor, after: Option<Uuid>) -> Result<Vec<Doors>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let own = access::venues_of(&mut conn, actor.id).await?;
    let state = Some(VenueState::Approved);
    let rows = register::venue_page(&mut conn, &Division::COUNTRY, Some(&own), state, after, PAGE).await?;
    let mut doors = Vec::with_capacity(rows.len());
    for venue in rows {
        let mut points = register::points_of_venue(&mut conn, venue.id).await?;
        points.retain(|point| point.revoked_at.is_none());
        doors.push(Doors { venue, points });
    }
    Ok(doors)
}

/// The point, when the actor works at its venue; a try at another venue's is written down.
pub async fn own_point(web: &Web, actor: &Actor, id: i64) -> Result<Arc<PointFacts>, ApiError> {
    let point = PointId::from_i64(id).ok_or(ApiError::NotFound("point"))?;
    let facts = web.point(point).await?;
    let mut conn = web.app.store.conn().await?;
    let works_there = access::venues_of(&mut conn, actor.id).await?.contains(&facts.venue);
    drop(conn);
    if works_there {
        return Ok(facts);
    }
    actor.refused(web, &format!("point {id}")).await?;
    Err(ApiError::Refused("this venue is not yours"))
}

/// A receipt that is genuine, whether or not it has ended.
#[derive(Debug)]
pub struct GenuineReceipt {
    /// Where.
    pub facts: Arc<PointFacts>,
    /// When the scan was taken, to the second.
    pub taken_at: DateTime<Utc>,
    /// When the receipt ends.
    pub expires_at: DateTime<Utc>,
}

impl GenuineReceipt {
    /// How many seconds it still holds; `None` when it has ended.
    pub fn left_secs(&self, now: DateTime<Utc>) -> Option<i64> {
        let millis = (self.expires_at - now).num_milliseconds();
        (millis > 0).then_some((millis + 999) / 1000)
    }
}

/// Reads a receipt that somebody shows; `None` when it is none of ours.
pub async fn read_receipt(web: &Web, text: &str) -> Result<Option<GenuineReceipt>, ApiError> {
    // One that has ended is genuine still, and whoever shows it is told what is wrong with it.
    let opened = Receipt::open(web.app.keys.token(), text, DateTime::<Utc>::MIN_UTC);
    let Some(Receipt { point, expires_at, .. }) = opened else { return Ok(None) };
    let life = TimeDelta::from_std(web.app.config.receipt_life).unwrap_or(TimeDelta::minutes(1));
    Ok(Some(GenuineReceipt { facts: web.point(point).await?, taken_at: expires_at - life, expires_at }))
}

/// One line that staff hand in, at the door or from a paper list. It prints nothing: whoever has read a card
/// can be scanned in with it.
pub struct HandIn {
    /// Of the scan; whoever sends the same again means the same scan.
    pub id: Uuid,
    /// What the visitor shows or carries: a code, a card, or a channel's assertion.
    pub shown: String,
    /// When the visitor was there.
    pub occurred_at: DateTime<Utc>,
    /// In or out.
    pub direction: Direction,
    /// Whether it stood on paper, so that nobody need have seen the visitor.
    pub paper: bool,
}

/// Hands in a scan at a point of a venue where the actor works.
pub async fn hand_in(
    web: &Web,
    actor: &Actor,
    facts: &PointFacts,
    row: &HandIn,
) -> Result<ScanReceipt, ApiError> {
    match row.direction {
        Direction::Entry | Direction::Exit => {}
        Direction::Passing | Direction::Void => {
            return Err(ApiError::invalid("direction", "must be in or out"));
        }
    }
    take_handed(web, actor, handed(web, facts, row)?).await
}

/// Takes back a scan that was handed in as `row`. Pressed twice, it is one void.
pub async fn take_back(
    web: &Web,
    actor: &Actor,
    facts: &PointFacts,
    row: &HandIn,
) -> Result<ScanReceipt, ApiError> {
    let scan = HandedScan {
        id: id_of("placecode/taken-back/1", &[row.id.as_bytes()]),
        direction: Some(Direction::Void),
        corrects: Some(row.id),
        ..handed(web, facts, row)?
    };
    take_handed(web, actor, scan).await
}

fn handed(web: &Web, facts: &PointFacts, row: &HandIn) -> Result<HandedScan, ApiError> {
    let code = PlaceCode { point: facts.id, generation: facts.generation };
    let code = code.sign(&web.app.keys).ok_or(ApiError::NotFound("code"))?;
    // A code and a card have no stops; the three parts of an assertion are parted by them.
    let is_assertion = row.shown.contains('.');
    let shown = Some(row.shown.clone());
    Ok(HandedScan {
        id: row.id,
        code: Some(code.to_string()),
        assertion: shown.clone().filter(|_| is_assertion),
        shown: shown.filter(|_| !is_assertion),
        occurred_at: row.occurred_at,
        direction: Some(row.direction),
        stop: None,
        party: None,
        paper: row.paper,
        corrects: None,
    })
}

/// The id of a line of a paper list: the same person at the same point and moment is the same scan, in
/// whatever order and spelling the list is sent again.
pub fn paper_id(point: PointId, shown: &str, at: DateTime<Utc>, direction: Direction) -> Uuid {
    // A card is written in many ways; a code has one.
    let shown = VisitorCard::parse(shown).map_or_else(|_no_card| shown.to_owned(), |card| card.typed());
    let (at, direction) = (at.timestamp_micros().to_be_bytes(), direction.number().to_be_bytes());
    id_of("placecode/paper-list/1", &[&point.to_bytes(), &at, &direction, shown.as_bytes()])
}

/// A UUID of version 8 (RFC 9562) from the first bits of a SHA-256.
fn id_of(label: &str, parts: &[&[u8]]) -> Uuid {
    let digest = Sha256::new().chain_update(label).chain_update([0]);
    let digest = parts.iter().fold(digest, Sha256::chain_update).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_list_is_the_same_scan_however_it_is_written() {
        let at = |secs: i64| DateTime::from_timestamp(1_700_000_000 + secs, 0).unwrap();
        let point = |number| PointId::new(number).unwrap();
        let card = VisitorCard::new([7; 9]).typed();
        let id = paper_id(point(1), &card, at(0), Direction::Entry);
        assert_eq!(id, paper_id(point(1), &card.replace('-', "").to_lowercase(), at(0), Direction::Entry));
        for other in [
            paper_id(point(2), &card, at(0), Direction::Entry),
            paper_id(point(1), &card, at(60), Direction::Entry),
            paper_id(point(1), &card, at(0), Direction::Exit),
            paper_id(point(1), &VisitorCard::new([8; 9]).typed(), at(0), Direction::Entry),
        ] {
            assert_ne!(id, other);
        }
    }
}
