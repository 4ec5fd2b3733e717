//! Codes come out: what a visitor sees, with the history of each assignment, and how many show what.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::apply::{APPLIED, STALE};
use super::{Store, StoreError};
use crate::domain::letter::{Letter, LetterKind};
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::visitor::Visitor;
use crate::issuer::reference::border;
use crate::issuer::reference::schema::{assignments, letters, visitors};
use crate::issuer::reference::standing::Ending;

/// How long somebody can read that something has ended, and why.
const HISTORY_KEPT: TimeDelta = TimeDelta::days(14);

/// What a visitor's code shows, and why.
pub(in crate::issuer::reference) struct Code {
    /// The strongest open colour.
    pub(in crate::issuer::reference) colour: Colour,
    /// The newest letter that arrived; 0 before the first.
    pub(in crate::issuer::reference) sequence: i64,
    /// The open assignments, the strongest first.
    pub(in crate::issuer::reference) open: Vec<Ground>,
    /// What has ended not long ago, the latest first.
    pub(in crate::issuer::reference) past: Vec<Past>,
}

/// One assignment that holds.
pub(in crate::issuer::reference) struct Ground {
    /// What it says now.
    pub(in crate::issuer::reference) letter: Letter,
    /// How it came to this, the oldest step first.
    pub(in crate::issuer::reference) steps: Vec<Told>,
}

/// One assignment that holds no longer; its letter tells no places.
pub(in crate::issuer::reference) struct Past {
    /// What it said last.
    pub(in crate::issuer::reference) letter: Letter,
    /// How it came to its end.
    pub(in crate::issuer::reference) ending: Ending,
    /// When it ended, or when that was learned.
    pub(in crate::issuer::reference) ended_at: DateTime<Utc>,
    /// How it came to this, the oldest step first.
    pub(in crate::issuer::reference) steps: Vec<Told>,
}

/// One letter, as history: what it said and when that was learned.
#[derive(Clone)]
pub(in crate::issuer::reference) struct Told {
    pub(in crate::issuer::reference) kind: LetterKind,
    pub(in crate::issuer::reference) colour: Colour,
    pub(in crate::issuer::reference) at: DateTime<Utc>,
    /// Why, where it takes something back.
    pub(in crate::issuer::reference) reason: Option<String>,
}

/// How many visitors and assignments there are of each sort.
pub(in crate::issuer::reference) struct Counts {
    pub(in crate::issuer::reference) visitors: i64,
    pub(in crate::issuer::reference) visitors_by_colour: BTreeMap<i16, i64>,
    pub(in crate::issuer::reference) open_by_class: BTreeMap<i16, i64>,
    pub(in crate::issuer::reference) letters_applied: i64,
    pub(in crate::issuer::reference) letters_stale: i64,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::SmallInt)]
    number: i16,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// A row of `assignments` as it is read.
type Row = (serde_json::Value, i16, i16, DateTime<Utc>, Option<DateTime<Utc>>);

impl Store {
    /// What a visitor's code shows. Nobody is unknown: who was never heard of is green.
    pub(in crate::issuer::reference) async fn code(
        &self,
        visitor: Visitor,
        now: DateTime<Utc>,
    ) -> Result<Code, StoreError> {
        let mut connection = self.connection().await?;
        let c = &mut connection;
        let sequence = visitors::table.find(visitor.to_uuid()).select(visitors::sequence);
        let sequence = sequence.first::<i64>(c).await.optional()?;
        let rows: Vec<Row> = assignments::table
            .filter(assignments::visitor.eq(visitor.to_uuid()))
            .order((assignments::colour.desc(), assignments::expires_at.desc(), assignments::id))
            .select((
                assignments::letter,
                assignments::colour,
                assignments::ending,
                assignments::expires_at,
                assignments::ended_at,
            ))
            .load(c)
            .await?;
        let mut told = told(c, visitor).await?;
        let (mut open, mut past) = (Vec::new(), Vec::new());
        for row in rows {
            let (letter, ending, over) = read(row, now)?;
            let steps = told.remove(&letter.assignment).unwrap_or_default();
            match over {
                None => open.push(Ground { letter, steps }),
                Some(ended_at) if now - ended_at < HISTORY_KEPT => {
                    past.push(Past { letter, ending, ended_at, steps });
                }
                Some(_) => {}
            }
        }
        for letter in border::measures_of(c, visitor, now).await? {
            open.push(Ground { letter, steps: Vec::new() });
        }
        open.sort_by_key(|one| std::cmp::Reverse((one.letter.colour, one.letter.expires_at)));
        past.sort_by_key(|one| std::cmp::Reverse(one.ended_at));
        let colour = open.iter().map(|one| one.letter.colour).max().unwrap_or(Colour::Green);
        Ok(Code { colour, sequence: sequence.unwrap_or(0), open, past })
    }

    /// How many visitors show which colour, and why.
    pub(in crate::issuer::reference) async fn counts(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Counts, StoreError> {
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
}

/// The letter of a row, how it ended, and when it was over; `None` while it holds.
fn read(row: Row, now: DateTime<Utc>) -> QueryResult<(Letter, Ending, Option<DateTime<Utc>>)> {
    let (letter, colour, ending, expires_at, ended_at) = row;
    let mut letter: Letter = serde_json::from_value(letter)
        .map_err(|error| diesel::result::Error::DeserializationError(error.into()))?;
    // The table admits no other numbers.
    letter.colour = Colour::from_number(colour).unwrap_or(letter.colour);
    let ending = match Ending::from_number(ending).unwrap_or(Ending::Withdrawn) {
        Ending::Open if expires_at <= now => Ending::Expired,
        ending => ending,
    };
    if ending == Ending::Open {
        return Ok((letter, ending, None));
    }
    letter.exposures.clear();
    Ok((letter, ending, Some(ended_at.unwrap_or(expires_at))))
}

/// What letters said about each assignment of a visitor, in the order in which they were written. What comes after an
/// end is no step, unless it outweighs it.
async fn told(c: &mut AsyncPgConnection, visitor: Visitor) -> QueryResult<HashMap<Uuid, Vec<Told>>> {
    type Row = (Uuid, Option<String>, Option<i16>, Option<String>, DateTime<Utc>);
    let rows: Vec<Row> = letters::table
        .filter(letters::visitor.eq(visitor.to_uuid()))
        .filter(letters::sequence.is_not_null())
        .order((letters::sequence, letters::id))
        .select((
            letters::assignment_id,
            letters::kind,
            letters::colour,
            letters::reason,
            letters::applied_at,
        ))
        .load(c)
        .await?;
    let mut all: HashMap<Uuid, Vec<Told>> = HashMap::new();
    for (assignment, kind, colour, reason, at) in rows {
        let kind = kind.and_then(|kind| serde_json::from_value(kind.into()).ok());
        let Some((kind, colour)) = kind.zip(colour.and_then(Colour::from_number)) else { continue };
        let steps = all.entry(assignment).or_default();
        let ended = steps.last().map_or(0, |last| Ending::from(last.kind).weight());
        if ended == 0 || Ending::from(kind).weight() > ended {
            steps.push(Told { kind, colour, at, reason });
        }
    }
    Ok(all)
}

fn tally(counts: Vec<Count>) -> BTreeMap<i16, i64> {
    counts.into_iter().map(|row| (row.number, row.count)).collect()
}

impl Counts {
    /// Visitors whose code shows `colour`.
    pub(in crate::issuer::reference) fn of_colour(&self, colour: Colour) -> i64 {
        let count = |colour: Colour| self.visitors_by_colour.get(&colour.number()).copied().unwrap_or(0);
        match colour {
            // Known, and nothing open that is stronger.
            Colour::Green => self.visitors - count(Colour::Yellow) - count(Colour::Red),
            Colour::Yellow | Colour::Red => count(colour),
        }
    }

    /// Open assignments of `class`.
    pub(in crate::issuer::reference) fn of_class(&self, class: Class) -> i64 {
        self.open_by_class.get(&class.number()).copied().unwrap_or(0)
    }
}
