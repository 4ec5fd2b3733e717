//! Letters go in, each of them once.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Timestamptz};
use diesel::upsert::excluded;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::letter::{Letter, LetterKind};
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Colour;
use crate::domain::visitor::Visitor;
use crate::issuer::answer::{Applied, Outcome};
use crate::issuer::reference::api::word;
use crate::issuer::reference::schema::{assignments, letters, visitors};
use crate::issuer::reference::standing::{Ending, Standing};

diesel::define_sql_function! { fn greatest(x: BigInt, y: BigInt) -> BigInt; }
diesel::define_sql_function! {
    fn coalesce(x: Nullable<Timestamptz>, y: Nullable<Timestamptz>) -> Nullable<Timestamptz>;
}

/// A letter and the visitor that it names.
pub(in crate::issuer::reference) struct Addressed {
    pub(in crate::issuer::reference) visitor: Visitor,
    pub(in crate::issuer::reference) letter: Letter,
}

#[derive(Insertable)]
#[diesel(table_name = assignments)]
struct AssignmentRow {
    visitor: Uuid,
    id: Uuid,
    sequence: i64,
    ending: i16,
    class: i16,
    colour: i16,
    expires_at: DateTime<Utc>,
    letter: serde_json::Value,
    letter_id: Uuid,
    ended_at: Option<DateTime<Utc>>,
}

#[derive(Insertable)]
#[diesel(table_name = letters)]
struct LetterRow {
    id: Uuid,
    visitor: Uuid,
    assignment_id: Uuid,
    result: i16,
    applied_at: DateTime<Utc>,
    sequence: i64,
    kind: String,
    colour: i16,
    reason: Option<String>,
}

/// A visitor and one of the assignments about them.
type About = (Uuid, Uuid);

/// An assignment after the letters of an envelope: how it stands, and the letter whose words it has now, where that is
/// one of the envelope.
type Changed<'a> = BTreeMap<About, (Standing, Option<&'a Letter>)>;

impl Store {
    /// Applies letters in their order, all or none of them.
    pub(in crate::issuer::reference) async fn apply(
        &self,
        addressed: &[Addressed],
        now: DateTime<Utc>,
    ) -> Result<Vec<Applied>, StoreError> {
        let mut connection = self.connection().await?;
        let applied = connection.transaction(async |c| apply_all(c, addressed, now).await).await?;
        Ok(applied)
    }
}

pub(super) const APPLIED: i16 = 0;
pub(super) const STALE: i16 = 1;

/// Applies letters in their order, within a transaction of the caller.
pub(super) async fn apply_all(
    c: &mut AsyncPgConnection,
    addressed: &[Addressed],
    now: DateTime<Utc>,
) -> QueryResult<Vec<Applied>> {
    hold(c, addressed).await?;
    let mut seen = seen(c, addressed).await?;
    let known = known(c, addressed).await?;
    let mut changed = Changed::new();
    let mut arrived = Vec::new();
    let mut applied = Vec::with_capacity(addressed.len());
    for Addressed { visitor, letter } in addressed {
        let about = (visitor.to_uuid(), letter.assignment);
        let result = if seen.insert(letter.id) {
            let before = changed.get(&about).map(|(standing, _)| standing).or_else(|| known.get(&about));
            let result = match after(before.copied(), letter) {
                None => Outcome::Stale,
                Some(standing) => {
                    let earlier = changed.get(&about).and_then(|(_, words)| *words);
                    let words = if standing.letter == letter.id { Some(letter) } else { earlier };
                    changed.insert(about, (standing, words));
                    Outcome::Applied
                }
            };
            arrived.push(letter_row(about.0, letter, result, now));
            result
        } else {
            Outcome::Repeated
        };
        applied.push(Applied { id: letter.id, result });
    }
    keep(c, changed, now).await?;
    diesel::insert_into(letters::table).values(arrived).execute(c).await?;
    Ok(applied)
}

/// How an assignment stands after a letter, or `None` when the letter is stale and changes nothing.
fn after(known: Option<Standing>, letter: &Letter) -> Option<Standing> {
    let said = Standing::of(letter.kind, letter.sequence, letter.id, letter.colour);
    let Some(known) = known else { return Some(said) };
    let both = known.with(said);
    (both != known).then_some(both)
}

/// Makes and locks the rows of the visitors, always in the same order, so that two envelopes about the
/// same visitors wait for each other instead of standing in each other's way.
async fn hold(c: &mut AsyncPgConnection, addressed: &[Addressed]) -> QueryResult<()> {
    let mut newest: BTreeMap<Uuid, i64> = BTreeMap::new();
    for Addressed { visitor, letter } in addressed {
        let sequence = newest.entry(visitor.to_uuid()).or_default();
        *sequence = letter.sequence.max(*sequence);
    }
    let rows: Vec<_> = newest
        .into_iter()
        .map(|(visitor, sequence)| (visitors::visitor.eq(visitor), visitors::sequence.eq(sequence)))
        .collect();
    diesel::insert_into(visitors::table)
        .values(rows)
        .on_conflict(visitors::visitor)
        .do_update()
        .set(visitors::sequence.eq(greatest(visitors::sequence, excluded(visitors::sequence))))
        .execute(c)
        .await?;
    Ok(())
}

async fn seen(c: &mut AsyncPgConnection, addressed: &[Addressed]) -> QueryResult<HashSet<Uuid>> {
    let ids = addressed.iter().map(|one| one.letter.id);
    let seen = letters::table.filter(letters::id.eq_any(ids)).select(letters::id).load(c).await?;
    Ok(seen.into_iter().collect())
}

async fn known(c: &mut AsyncPgConnection, addressed: &[Addressed]) -> QueryResult<HashMap<About, Standing>> {
    let rows: Vec<(Uuid, Uuid, i64, i16, Uuid, i16)> = assignments::table
        .filter(assignments::visitor.eq_any(addressed.iter().map(|one| one.visitor.to_uuid())))
        .filter(assignments::id.eq_any(addressed.iter().map(|one| one.letter.assignment)))
        .select((
            assignments::visitor,
            assignments::id,
            assignments::sequence,
            assignments::ending,
            assignments::letter_id,
            assignments::colour,
        ))
        .load(c)
        .await?;
    let known = |(visitor, id, sequence, ending, letter, colour)| {
        // The table admits no other numbers; if it ever did, an end and the weakest colour are the safe reading.
        let ending = Ending::from_number(ending).unwrap_or(Ending::Withdrawn);
        let colour = Colour::from_number(colour).unwrap_or(Colour::Green);
        ((visitor, id), Standing { ending, sequence, letter, colour })
    };
    Ok(rows.into_iter().map(known).collect())
}

fn letter_row(visitor: Uuid, letter: &Letter, result: Outcome, now: DateTime<Utc>) -> LetterRow {
    // A letter that takes something back says on what ground in the place of the legal basis.
    let reason = (letter.kind == LetterKind::Withdrawn).then(|| letter.legal_basis.clone());
    LetterRow {
        id: letter.id,
        visitor,
        assignment_id: letter.assignment,
        result: if result == Outcome::Applied { APPLIED } else { STALE },
        applied_at: now,
        sequence: letter.sequence,
        kind: word(&letter.kind),
        colour: letter.colour.number(),
        reason,
    }
}

fn assignment_row(visitor: Uuid, letter: &Letter, standing: &Standing, now: DateTime<Utc>) -> AssignmentRow {
    // As it was written: the weakest colour stands beside it, since an older letter may name it later.
    let mut words = letter.clone();
    let ended = standing.ending != Ending::Open;
    if ended {
        // Nobody has a reason to read any more where this visitor was.
        words.exposures.clear();
    }
    AssignmentRow {
        visitor,
        id: letter.assignment,
        sequence: standing.sequence,
        ending: standing.ending.number(),
        class: letter.class.number(),
        colour: standing.colour.number(),
        expires_at: letter.expires_at,
        letter: serde_json::to_value(words).unwrap_or_default(),
        letter_id: letter.id,
        ended_at: ended.then_some(now),
    }
}

async fn keep(c: &mut AsyncPgConnection, changed: Changed<'_>, now: DateTime<Utc>) -> QueryResult<()> {
    use assignments::{class, colour, ended_at, ending, expires_at, letter, letter_id, sequence, table};
    let mut rows = Vec::new();
    for ((visitor, id), (standing, words)) in changed {
        if let Some(words) = words {
            rows.push(assignment_row(visitor, words, &standing, now));
        } else {
            // An older letter named a weaker colour: the words are those that were known.
            let weaker = colour.eq(standing.colour.number());
            diesel::update(table.find((visitor, id))).set(weaker).execute(c).await?;
        }
    }
    diesel::insert_into(table)
        .values(rows)
        .on_conflict((assignments::visitor, assignments::id))
        .do_update()
        .set((
            sequence.eq(excluded(sequence)),
            ending.eq(excluded(ending)),
            class.eq(excluded(class)),
            colour.eq(excluded(colour)),
            expires_at.eq(excluded(expires_at)),
            letter.eq(excluded(letter)),
            letter_id.eq(excluded(letter_id)),
            ended_at.eq(coalesce(ended_at, excluded(ended_at))),
        ))
        .execute(c)
        .await?;
    Ok(())
}
