//! Puts letters about assignments into the outbox of every issuing system that answers for them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::domain::letter::{Letter, LetterExposure, LetterKind, slot};
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::visitor::Visitor;
use crate::store::StoreError;
use crate::store::access::division;
use crate::store::decisions::{self, AssignmentRow};
use crate::store::letters::{self, NewLetter};

/// What the letters say beside what the assignments hold.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// Assigned, withdrawn or expired.
    pub kind: LetterKind,
    /// Who answers for it.
    pub authority: &'a str,
    /// On what legal basis.
    pub legal_basis: &'a str,
}

/// Writes the letters in the transaction of what they tell, and returns how many.
pub async fn post(
    conn: &mut AsyncPgConnection,
    assignments: &[Uuid],
    note: &Note<'_>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    if assignments.is_empty() {
        return Ok(0);
    }
    let rows = decisions::by_ids(conn, assignments).await?;
    let mut places: BTreeMap<Uuid, Vec<LetterExposure>> = BTreeMap::new();
    for place in letters::places(conn, assignments).await? {
        let (from, until) = slot(place.from_at, place.until_at);
        let name = format!("{} · {}", place.venue_name, place.point_name);
        places.entry(place.assignment_id).or_default().push(LetterExposure { place: name, from, until });
    }
    let mut count = 0;
    for issuer in letters::issuers(conn).await? {
        let territory = division(&issuer.division)?;
        let mut outgoing = Vec::new();
        for row in &rows {
            if territory.covers(&division(&row.division)?) {
                outgoing.push(letter(row, note, places.get(&row.id).cloned().unwrap_or_default())?);
            }
        }
        count += letters::enqueue(conn, &issuer.id, &outgoing, now).await?;
    }
    Ok(count)
}

fn letter(
    row: &AssignmentRow,
    note: &Note<'_>,
    exposures: Vec<LetterExposure>,
) -> Result<NewLetter, StoreError> {
    let letter = Letter {
        id: Uuid::now_v7(),
        sequence: 0,
        kind: note.kind,
        assignment: row.id,
        visitor: Visitor::from_uuid(row.visitor).to_hex(),
        class: Class::from_number(row.class).ok_or(StoreError::Corrupt("assignments"))?,
        colour: Colour::from_number(row.colour).ok_or(StoreError::Corrupt("assignments"))?,
        rule_pack: format!("{}@{}", row.pack_id, row.pack_version),
        division: row.division.clone(),
        authority: note.authority.to_owned(),
        legal_basis: note.legal_basis.to_owned(),
        exposures,
        last_exposure_at: row.last_exposure_at,
        expires_at: row.expires_at,
    };
    let body = serde_json::to_value(&letter).map_err(|_unwritable| StoreError::Corrupt("letters"))?;
    Ok(NewLetter { id: letter.id, assignment_id: row.id, visitor: row.visitor, body })
}
