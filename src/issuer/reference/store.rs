//! What the issuing system keeps: letters go in once, codes come out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use uuid::Uuid;

use super::schema::{assignments, letters, visitors};
use super::standing::{Ending, Standing, after};
use crate::domain::letter::Letter;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::visitor::Visitor;
use crate::issuer::answer::{Applied, Outcome};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/issuer");

const CONNECTIONS: usize = 8;

/// How long a request waits for a connection before it is told to come again.
const WAIT: Duration = Duration::from_secs(5);

/// How long an assignment is kept after its last day: longer than any letter about it is on its way.
const KEPT_AFTER: TimeDelta = TimeDelta::days(30);

diesel::define_sql_function! { fn greatest(x: BigInt, y: BigInt) -> BigInt; }

/// The database of the issuing system.
#[derive(Clone)]
pub(super) struct Store {
    pool: Pool<AsyncPgConnection>,
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("no connection to the database")]
    Away,
    #[error("the database refused: {0}")]
    Database(#[from] diesel::result::Error),
}

/// A letter and the visitor that it names.
pub(super) struct Addressed {
    pub(super) visitor: Visitor,
    pub(super) letter: Letter,
}

/// What a visitor's code shows, and why.
pub(super) struct Code {
    /// The strongest open colour.
    pub(super) colour: Colour,
    /// The newest letter that arrived; 0 before the first.
    pub(super) sequence: i64,
    /// The open assignments, the strongest first.
    pub(super) open: Vec<Letter>,
}

/// How many visitors and assignments there are of each sort.
pub(super) struct Counts {
    pub(super) visitors: i64,
    pub(super) visitors_by_colour: BTreeMap<i16, i64>,
    pub(super) open_by_class: BTreeMap<i16, i64>,
    pub(super) letters_applied: i64,
    pub(super) letters_stale: i64,
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

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::SmallInt)]
    number: i16,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Store {
    /// Brings the tables up to date and makes the pool. Needs a runtime of several threads.
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let connection = AsyncPgConnection::establish(url).await?;
        AsyncMigrationHarness::new(connection)
            .run_pending_migrations(MIGRATIONS)
            .map_err(|error| anyhow::anyhow!("the migration failed: {error}"))?;
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(url);
        Ok(Self { pool: Pool::builder(manager).max_size(CONNECTIONS).build()? })
    }

    async fn connection(&self) -> Result<Object<AsyncPgConnection>, StoreError> {
        let waited = tokio::time::timeout(WAIT, self.pool.get()).await;
        waited.ok().and_then(Result::ok).ok_or(StoreError::Away)
    }

    /// Whether the database answers.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        diesel::sql_query("select 1").execute(&mut connection).await?;
        Ok(())
    }

    /// Applies letters in their order, all or none of them.
    pub(super) async fn apply(
        &self,
        addressed: &[Addressed],
        now: DateTime<Utc>,
    ) -> Result<Vec<Applied>, StoreError> {
        let mut connection = self.connection().await?;
        let applied = connection.transaction(async |c| apply_all(c, addressed, now).await).await?;
        Ok(applied)
    }

    /// What a visitor's code shows. Nobody is unknown: who was never heard of is green.
    pub(super) async fn code(&self, visitor: Visitor, now: DateTime<Utc>) -> Result<Code, StoreError> {
        let mut connection = self.connection().await?;
        let sequence = visitors::table
            .find(visitor.to_uuid())
            .select(visitors::sequence)
            .first::<i64>(&mut connection)
            .await
            .optional()?;
        let rows: Vec<serde_json::Value> = assignments::table
            .filter(assignments::visitor.eq(visitor.to_uuid()))
            .filter(assignments::ending.eq(Ending::Open.number()))
            .filter(assignments::expires_at.gt(now))
            .order((assignments::colour.desc(), assignments::expires_at.desc(), assignments::id))
            .select(assignments::letter)
            .load(&mut connection)
            .await?;
        let open = rows.into_iter().map(serde_json::from_value).collect::<Result<Vec<Letter>, _>>();
        let open = open.map_err(|error| diesel::result::Error::DeserializationError(error.into()))?;
        let colour = open.iter().map(|letter| letter.colour).max().unwrap_or(Colour::Green);
        Ok(Code { colour, sequence: sequence.unwrap_or(0), open })
    }

    /// How many visitors show which colour, and why.
    pub(super) async fn counts(&self, now: DateTime<Utc>) -> Result<Counts, StoreError> {
        let mut connection = self.connection().await?;
        let c = &mut connection;
        let by_colour = "select colour as number, count(*) as count from (
                select max(colour) as colour from assignments where ending = 0 and expires_at > $1 group by visitor
            ) as strongest group by colour";
        let by_class = "select class as number, count(*) as count from assignments
            where ending = 0 and expires_at > $1 group by class";
        let results = "select result as number, count(*) as count from letters group by result";
        let timed = |sql: &str| diesel::sql_query(sql).bind::<diesel::sql_types::Timestamptz, _>(now);
        let letters = tally(diesel::sql_query(results).load(c).await?);
        let result = |number| letters.get(&number).copied().unwrap_or(0);
        Ok(Counts {
            visitors: visitors::table.count().get_result(c).await?,
            visitors_by_colour: tally(timed(by_colour).load(c).await?),
            open_by_class: tally(timed(by_class).load(c).await?),
            letters_applied: result(APPLIED),
            letters_stale: result(STALE),
        })
    }

    /// Deletes what ended long ago, with its letters, and visitors of whom nothing is left. Answers how
    /// many assignments went.
    pub(super) async fn forget(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut connection = self.connection().await?;
        let gone = diesel::delete(assignments::table.filter(assignments::expires_at.lt(now - KEPT_AFTER)))
            .execute(&mut connection)
            .await?;
        // Should a letter about such a visitor arrive just now, the foreign key refuses the deletion.
        let bare = "delete from visitors as v
            where not exists (select from assignments as a where a.visitor = v.visitor)";
        diesel::sql_query(bare).execute(&mut connection).await?;
        Ok(gone)
    }
}

const APPLIED: i16 = 0;
const STALE: i16 = 1;

fn tally(counts: Vec<Count>) -> BTreeMap<i16, i64> {
    counts.into_iter().map(|row| (row.number, row.count)).collect()
}

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

impl Counts {
    /// Visitors whose code shows `colour`.
    pub(super) fn of_colour(&self, colour: Colour) -> i64 {
        let count = |colour: Colour| self.visitors_by_colour.get(&colour.number()).copied().unwrap_or(0);
        match colour {
            // Known, and nothing open that is stronger.
            Colour::Green => self.visitors - count(Colour::Yellow) - count(Colour::Red),
            Colour::Yellow | Colour::Red => count(colour),
        }
    }

    /// Open assignments of `class`.
    pub(super) fn of_class(&self, class: Class) -> i64 {
        self.open_by_class.get(&class.number()).copied().unwrap_or(0)
    }
}
