//! Codes come out: what a visitor sees, and how many show what.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::apply::{APPLIED, STALE};
use super::{Store, StoreError};
use crate::domain::letter::Letter;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::visitor::Visitor;
use crate::issuer::reference::border::with_measures;
use crate::issuer::reference::schema::{assignments, visitors};
use crate::issuer::reference::standing::Ending;

/// What a visitor's code shows, and why.
pub(in crate::issuer::reference) struct Code {
    /// The strongest open colour.
    pub(in crate::issuer::reference) colour: Colour,
    /// The newest letter that arrived; 0 before the first.
    pub(in crate::issuer::reference) sequence: i64,
    /// The open assignments, the strongest first.
    pub(in crate::issuer::reference) open: Vec<Letter>,
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

impl Store {
    /// What a visitor's code shows. Nobody is unknown: who was never heard of is green.
    pub(in crate::issuer::reference) async fn code(
        &self,
        visitor: Visitor,
        now: DateTime<Utc>,
    ) -> Result<Code, StoreError> {
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
        let open = with_measures(&mut connection, visitor, now, open).await?;
        let colour = open.iter().map(|letter| letter.colour).max().unwrap_or(Colour::Green);
        Ok(Code { colour, sequence: sequence.unwrap_or(0), open })
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
