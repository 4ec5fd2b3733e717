//! Puts letters about assignments into the outbox of every issuing system that answers for them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::rules::Rules;
use crate::app::App;
use crate::domain::ending::judge;
use crate::domain::letter::{Letter, LetterExposure, LetterKind, slot};
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour, EndConditions};
use crate::domain::scheme::Scheme;
use crate::domain::visitor::Visitor;
use crate::store::StoreError;
use crate::store::access::division;
use crate::store::assignments::{self, AssignmentRow};
use crate::store::letters::{self, IssuerRow, NewLetter};
use crate::store::lives::{self, Review};

/// What the letters say beside what the assignments hold.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// What they say.
    pub kind: LetterKind,
    /// Who answers for it.
    pub authority: &'a str,
    /// On what legal basis.
    pub legal_basis: &'a str,
}

/// Writes the letters in the transaction of what they tell, and returns how many.
pub async fn post(
    app: &App,
    conn: &mut AsyncPgConnection,
    assignments: &[Uuid],
    note: &Note<'_>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    if assignments.is_empty() {
        return Ok(0);
    }
    let rows = assignments::by_ids(conn, assignments).await?;
    let rules = Rules::of(conn, &rows).await?;
    let rows = match note.kind {
        LetterKind::Assigned | LetterKind::Extended => begin_reviews(app, conn, rows, &rules, now).await?,
        _ => rows,
    };
    let issuers = letters::issuers(conn).await?;
    write(app, conn, &issuers, (&rows, &rules), note, now).await
}

/// The same to one issuing system that is told again how things stand: nothing begins with these letters.
pub async fn post_to(
    app: &App,
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    assignments: &[Uuid],
    note: &Note<'_>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let rows = assignments::by_ids(conn, assignments).await?;
    let rules = Rules::of(conn, &rows).await?;
    write(app, conn, std::slice::from_ref(issuer), (&rows, &rules), note, now).await
}

async fn write(
    app: &App,
    conn: &mut AsyncPgConnection,
    issuers: &[IssuerRow],
    (rows, rules): (&[AssignmentRow], &Rules),
    note: &Note<'_>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut places: BTreeMap<Uuid, Vec<LetterExposure>> = BTreeMap::new();
    for place in letters::places(conn, &ids).await? {
        let (from, until) = slot(place.from_at, place.until_at);
        let name = format!("{} · {}", place.venue_name, place.point_name);
        places.entry(place.assignment_id).or_default().push(LetterExposure { place: name, from, until });
    }
    let appeal_url = app.config.public_url.join("me/appeals").map(String::from).unwrap_or_default();
    let mut count = 0;
    for issuer in issuers {
        let territory = division(&issuer.division)?;
        let scheme = Scheme::from_number(issuer.scheme).ok_or(StoreError::Corrupt("issuers"))?;
        let mut outgoing = Vec::new();
        for row in rows {
            if territory.covers(&division(&row.division)?) {
                let exposures = places.get(&row.id).cloned().unwrap_or_default();
                let end = rules.end_of(row);
                let appeal_url = format!("{appeal_url}/{}", row.id);
                outgoing.push(letter(row, note, Known { exposures, end, appeal_url, scheme })?);
            }
        }
        count += letters::enqueue(conn, &issuer.id, &outgoing, now).await?;
    }
    Ok(count)
}

/// Notes when the first fact is due of those that are shown from now on, so that their letters say it too. What is known
/// of them already is judged with the next step of `conclude`.
async fn begin_reviews(
    app: &App,
    conn: &mut AsyncPgConnection,
    mut rows: Vec<AssignmentRow>,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Result<Vec<AssignmentRow>, StoreError> {
    let mut reviews = Vec::new();
    for row in &mut rows {
        let end = rules.end_of(row);
        if end == EndConditions::default() {
            continue;
        }
        let life = Rules::life_of(row, now)?;
        let review = judge(&end, &life, &[], now, app.config.local_offset).review;
        (row.review_at, row.awaits) = (review.map(|(at, _)| at), review.map(|(_, kind)| kind.number()));
        reviews.push(Review {
            id: row.id,
            review_at: row.review_at,
            awaits: row.awaits,
            judge_at: Some(now),
        });
    }
    lives::set_reviews(conn, &reviews).await?;
    Ok(rows)
}

/// What a letter says beside the assignment's row and the note.
struct Known {
    exposures: Vec<LetterExposure>,
    end: EndConditions,
    appeal_url: String,
    scheme: Scheme,
}

fn letter(row: &AssignmentRow, note: &Note<'_>, known: Known) -> Result<NewLetter, StoreError> {
    let class = Class::from_number(row.class).ok_or(StoreError::Corrupt("assignments"))?;
    let colour = Colour::from_number(row.colour_now).ok_or(StoreError::Corrupt("assignments"))?;
    let letter = Letter {
        id: Uuid::now_v7(),
        sequence: 0,
        kind: note.kind,
        assignment: row.id,
        visitor: Visitor::from_uuid(row.visitor).to_hex(),
        class,
        rule: row.rule.clone(),
        colour,
        shown: known.scheme.shown(class, colour, row.rule.as_deref()),
        rule_pack: format!("{}@{}", row.pack_id, row.pack_version),
        division: row.division.clone(),
        authority: note.authority.to_owned(),
        legal_basis: note.legal_basis.to_owned(),
        exposures: known.exposures,
        last_exposure_at: row.last_exposure_at,
        expires_at: row.expires_at,
        review_at: row.review_at,
        end: known.end,
        appeal_url: known.appeal_url,
    };
    let body = serde_json::to_value(&letter).map_err(|_unwritable| StoreError::Corrupt("letters"))?;
    Ok(NewLetter { id: letter.id, assignment_id: row.id, visitor: row.visitor, body })
}
