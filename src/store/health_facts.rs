//! Facts of health that issuing systems tell, and whose facts have not been judged yet.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use crate::domain::ending::{Fact, FactKind};
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;

/// One fact as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// What and when, by the system's own number.
    pub fact: Fact,
    /// Of whom.
    pub visitor: Uuid,
}

#[derive(QueryableByName)]
struct FactRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    division: String,
}

impl FactRow {
    fn told(&self) -> Result<Told, StoreError> {
        let kind = FactKind::from_number(self.kind).ok_or(StoreError::Corrupt("health_facts"))?;
        Ok(Told { fact: Fact { id: self.id, kind, at: self.at }, visitor: self.visitor })
    }
}

/// Keeps what one system told and has their visitors judged. What it told before is not kept twice; returns how many
/// are new.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    told: &[Told],
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    #[derive(QueryableByName)]
    struct Visitor {
        #[diesel(sql_type = SqlUuid)]
        visitor: Uuid,
    }
    let new: Vec<Visitor> = sql_query(
        "insert into health_facts (issuer_id, id, visitor, kind, at, received_at)
         select $1, q.id, q.visitor, q.kind, q.at, $6 from unnest($2, $3, $4, $5) as q (id, visitor, kind, at) order by q.id
         on conflict do nothing returning visitor",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Array<SqlUuid>, _>(told.iter().map(|one| one.fact.id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(told.iter().map(|one| one.visitor).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(told.iter().map(|one| one.fact.kind.number()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(told.iter().map(|one| one.fact.at).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .load(conn)
    .await?;
    let visitors: BTreeSet<Uuid> = new.iter().map(|row| row.visitor).collect();
    // The update holds a row that is there, so that who judges waits for what this transaction has told.
    sql_query(
        "insert into facts_waiting (visitor, since) select v, $2 from unnest($1) as q (v) order by v
         on conflict (visitor) do update set since = least(facts_waiting.since, excluded.since)",
    )
    .bind::<Array<SqlUuid>, _>(visitors.into_iter().collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(new.len())
}

/// The facts that one system has told under these numbers.
pub async fn told(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Told>, StoreError> {
    let rows: Vec<FactRow> = sql_query(
        "select id, visitor, kind, at, '' as division from health_facts where issuer_id = $1 and id = any($2)",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    rows.iter().map(|row| Ok((row.id, row.told()?))).collect()
}

/// The most facts that are kept of any one of these visitors.
pub async fn most_of(conn: &mut AsyncPgConnection, visitors: &[Uuid]) -> Result<i64, StoreError> {
    #[derive(QueryableByName)]
    struct Most {
        #[diesel(sql_type = BigInt)]
        most: i64,
    }
    let row: Most = sql_query(
        "select coalesce(max(q.n), 0) as most
         from (select count(*) as n from health_facts where visitor = any($1) group by visitor) q",
    )
    .bind::<Array<SqlUuid>, _>(visitors)
    .get_result(conn)
    .await?;
    Ok(row.most)
}

/// Takes visitors whose facts are to be judged, so many at most. If the transaction fails, they wait again.
pub async fn take_waiting(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<Uuid>, StoreError> {
    #[derive(QueryableByName)]
    struct Visitor {
        #[diesel(sql_type = SqlUuid)]
        visitor: Uuid,
    }
    let taken: Vec<Visitor> = sql_query(
        "delete from facts_waiting where visitor in (
             select visitor from facts_waiting order by since, visitor limit $1 for update skip locked)
         returning visitor",
    )
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    Ok(taken.into_iter().map(|row| row.visitor).collect())
}

/// A fact, and the division whose system told it.
#[derive(Debug, Clone)]
pub struct Heard {
    /// What was told.
    pub told: Told,
    /// Whose people that system answers for.
    pub division: Division,
}

/// All facts of these visitors.
pub async fn of(conn: &mut AsyncPgConnection, visitors: &[Uuid]) -> Result<Vec<Heard>, StoreError> {
    let rows: Vec<FactRow> = sql_query(
        "select f.id, f.visitor, f.kind, f.at, i.division
         from health_facts f join issuers i on i.id = f.issuer_id where f.visitor = any($1)",
    )
    .bind::<Array<SqlUuid>, _>(visitors)
    .load(conn)
    .await?;
    rows.iter()
        .map(|row| Ok(Heard { told: row.told()?, division: super::access::division(&row.division)? }))
        .collect()
}

/// Drops facts that came before a moment, so many at most.
pub async fn expire(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    let query = sql_query(
        "delete from health_facts where (issuer_id, id) in (
             select issuer_id, id from health_facts where received_at < $1 limit $2)",
    );
    Ok(query.bind::<Timestamptz, _>(before).bind::<BigInt, _>(limit).execute(conn).await?)
}
