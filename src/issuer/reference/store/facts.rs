//! The outbox of facts: kept before anybody is told that they arrived, sent to the service until it has them.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::numbered::Numbered;
use crate::domain::visitor::Visitor;
use crate::issuer::reference::facts::{Fact, FactKind};
use crate::issuer::reference::schema::facts;

/// How often somebody may say how they are within a day: a slip can be mended, and the outbox is not flooded.
const OWN_PER_DAY: i64 = 10;

const WAITS: i16 = 0;
const TAKEN: i16 = 1;
const REFUSED: i16 = 2;

/// A fact that waits, and how often it was sent.
#[derive(Queryable, QueryableByName, Clone)]
#[diesel(table_name = facts)]
pub(in crate::issuer::reference) struct Waiting {
    pub(in crate::issuer::reference) id: Uuid,
    pub(in crate::issuer::reference) visitor: Uuid,
    pub(in crate::issuer::reference) kind: i16,
    pub(in crate::issuer::reference) at: DateTime<Utc>,
    pub(in crate::issuer::reference) attempts: i32,
}

#[derive(Insertable)]
#[diesel(table_name = facts)]
struct Row {
    id: Uuid,
    visitor: Uuid,
    kind: i16,
    at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
}

impl Store {
    /// Keeps facts and answers how many of them are new.
    pub(in crate::issuer::reference) async fn record(
        &self,
        told: &[Fact],
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let mut connection = self.connection().await?;
        Ok(insert(&mut connection, told, now).await?)
    }

    /// Keeps what somebody says of themselves; `false` when they have said it often enough for a day.
    pub(in crate::issuer::reference) async fn record_own(
        &self,
        fact: &Fact,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        let visitor = fact.visitor.to_uuid();
        let kept = async |c: &mut Object<AsyncPgConnection>| {
            lock(c, visitor).await?;
            let since = now - TimeDelta::days(1);
            let today = facts::table.filter(facts::visitor.eq(visitor)).filter(facts::recorded_at.gt(since));
            let count: i64 = today
                .filter(facts::kind.eq_any(FactKind::CHECK_INS.map(Numbered::number)))
                .count()
                .get_result(c)
                .await?;
            if count >= OWN_PER_DAY {
                return Ok::<_, diesel::result::Error>(false);
            }
            insert(c, std::slice::from_ref(fact), now).await?;
            Ok(true)
        };
        Ok(connection.transaction(kept).await?)
    }

    /// When somebody last said how they are.
    pub(in crate::issuer::reference) async fn checked_in_at(
        &self,
        visitor: Visitor,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut connection = self.connection().await?;
        let own = facts::table
            .filter(facts::visitor.eq(visitor.to_uuid()))
            .filter(facts::kind.eq_any(FactKind::CHECK_INS.map(Numbered::number)));
        Ok(own.select(diesel::dsl::max(facts::at)).get_result(&mut connection).await?)
    }

    /// Takes up to `limit` facts that are due, the oldest first, and lets nobody else take them before `until`.
    pub(in crate::issuer::reference) async fn take_facts(
        &self,
        limit: i64,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Waiting>, StoreError> {
        let mut connection = self.connection().await?;
        let sql = "update facts set attempts = attempts + 1, due_at = $2
            where id in (select id from facts where state = 0 and due_at <= $1 order by due_at, id limit $3
                for update skip locked)
            returning id, visitor, kind, at, attempts";
        let query = diesel::sql_query(sql).bind::<Timestamptz, _>(now).bind::<Timestamptz, _>(until);
        Ok(query.bind::<BigInt, _>(limit).load(&mut connection).await?)
    }

    /// The service has these.
    pub(in crate::issuer::reference) async fn facts_taken(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        self.settle(ids, TAKEN).await
    }

    /// The service will never take these.
    pub(in crate::issuer::reference) async fn facts_refused(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        self.settle(ids, REFUSED).await
    }

    async fn settle(&self, ids: &[Uuid], state: i16) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let rows = facts::table.filter(facts::id.eq_any(ids)).filter(facts::state.eq(WAITS));
        diesel::update(rows).set(facts::state.eq(state)).execute(&mut connection).await?;
        Ok(())
    }

    /// These are sent again, not before `due_at`.
    pub(in crate::issuer::reference) async fn facts_later(
        &self,
        ids: &[Uuid],
        due_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let rows = facts::table.filter(facts::id.eq_any(ids)).filter(facts::state.eq(WAITS));
        diesel::update(rows).set(facts::due_at.eq(due_at)).execute(&mut connection).await?;
        Ok(())
    }

    /// How many facts wait, and how many the service refused.
    pub(in crate::issuer::reference) async fn facts_counted(&self) -> Result<(i64, i64), StoreError> {
        let mut connection = self.connection().await?;
        let c = &mut connection;
        let waiting = facts::table.filter(facts::state.eq(WAITS)).count().get_result(c).await?;
        let refused = facts::table.filter(facts::state.eq(REFUSED)).count().get_result(c).await?;
        Ok((waiting, refused))
    }
}

async fn insert(c: &mut AsyncPgConnection, told: &[Fact], now: DateTime<Utc>) -> QueryResult<usize> {
    let row = |fact: &Fact| Row {
        id: fact.id,
        visitor: fact.visitor.to_uuid(),
        kind: fact.kind.number(),
        at: fact.at,
        recorded_at: now,
        due_at: now,
    };
    let rows: Vec<Row> = told.iter().map(row).collect();
    diesel::insert_into(facts::table).values(rows).on_conflict(facts::id).do_nothing().execute(c).await
}

/// Whoever counts something of one visitor and adds to it waits for others who do, until the transaction ends.
pub(super) async fn lock(c: &mut AsyncPgConnection, visitor: Uuid) -> QueryResult<()> {
    let (high, _) = visitor.as_u64_pair();
    let lock = diesel::sql_query("select pg_advisory_xact_lock($1)");
    lock.bind::<BigInt, _>(i64::from_be_bytes(high.to_be_bytes())).execute(c).await?;
    Ok(())
}
