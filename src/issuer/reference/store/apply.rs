//! Letters go in, each of them once.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::letter::Letter;
use crate::domain::numbered::Numbered;
use crate::domain::visitor::Visitor;
use crate::issuer::answer::{Applied, Outcome};
use crate::issuer::reference::schema::{assignments, letters, visitors};
use crate::issuer::reference::standing::{Ending, Standing, after};

diesel::define_sql_function! { fn greatest(x: BigInt, y: BigInt) -> BigInt; }

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
}

#[derive(Insertable)]
#[diesel(table_name = letters)]
struct LetterRow {
    id: Uuid,
    visitor: Uuid,
    assignment_id: Uuid,
    result: i16,
    applied_at: DateTime<Utc>,
}

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

async fn apply_all(
    c: &mut AsyncPgConnection,
    addressed: &[Addressed],
    now: DateTime<Utc>,
) -> QueryResult<Vec<Applied>> {
    hold(c, addressed).await?;
    let mut seen = seen(c, addressed).await?;
    let mut known = known(c, addressed).await?;
    let mut changed = HashMap::new();
    let mut arrived = Vec::new();
    let mut applied = Vec::with_capacity(addressed.len());
    for Addressed { visitor, letter } in addressed {
        let about = (visitor.to_uuid(), letter.assignment);
        let result = if seen.insert(letter.id) {
            let standing = after(known.get(&about).copied(), letter.sequence, letter.kind);
            if let Some(standing) = standing {
                known.insert(about, standing);
                changed.insert(about, row(about.0, letter, standing));
            }
            let result = if standing.is_some() { APPLIED } else { STALE };
            let (visitor, assignment_id) = about;
            arrived.push(LetterRow { id: letter.id, visitor, assignment_id, result, applied_at: now });
            if standing.is_some() { Outcome::Applied } else { Outcome::Stale }
        } else {
            Outcome::Repeated
        };
        applied.push(Applied { id: letter.id, result });
    }
    keep(c, changed.into_values().collect(), arrived).await?;
    Ok(applied)
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

async fn known(
    c: &mut AsyncPgConnection,
    addressed: &[Addressed],
) -> QueryResult<HashMap<(Uuid, Uuid), Standing>> {
    let rows: Vec<(Uuid, Uuid, i64, i16)> = assignments::table
        .filter(assignments::visitor.eq_any(addressed.iter().map(|one| one.visitor.to_uuid())))
        .filter(assignments::id.eq_any(addressed.iter().map(|one| one.letter.assignment)))
        .select((assignments::visitor, assignments::id, assignments::sequence, assignments::ending))
        .load(c)
        .await?;
    // The table admits no other number; if it ever did, an assignment that ended is the safe reading.
    let ending = |number| Ending::from_number(number).unwrap_or(Ending::Withdrawn);
    let known =
        |(visitor, id, sequence, number)| ((visitor, id), Standing { sequence, ending: ending(number) });
    Ok(rows.into_iter().map(known).collect())
}

fn row(visitor: Uuid, letter: &Letter, standing: Standing) -> AssignmentRow {
    let mut letter = letter.clone();
    if standing.ending != Ending::Open {
        // Nobody has a reason to read any more where this visitor was.
        letter.exposures.clear();
    }
    AssignmentRow {
        visitor,
        id: letter.assignment,
        sequence: standing.sequence,
        ending: standing.ending.number(),
        class: letter.class.number(),
        colour: letter.colour.number(),
        expires_at: letter.expires_at,
        letter: serde_json::to_value(letter).unwrap_or_default(),
    }
}

async fn keep(
    c: &mut AsyncPgConnection,
    changed: Vec<AssignmentRow>,
    arrived: Vec<LetterRow>,
) -> QueryResult<()> {
    use assignments::{class, colour, ending, expires_at, letter, sequence};
    diesel::insert_into(assignments::table)
        .values(changed)
        .on_conflict((assignments::visitor, assignments::id))
        .do_update()
        .set((
            sequence.eq(excluded(sequence)),
            ending.eq(excluded(ending)),
            class.eq(excluded(class)),
            colour.eq(excluded(colour)),
            expires_at.eq(excluded(expires_at)),
            letter.eq(excluded(letter)),
        ))
        .execute(c)
        .await?;
    diesel::insert_into(letters::table).values(arrived).execute(c).await?;
    Ok(())
}
