//! What other systems call visitors, as their channel told it: a pseudonym under a key that two systems share.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::residences::Told;
use crate::domain::visitor::Visitor;

/// Keeps what channels told; the later word holds, and the same word is written anew once a day.
pub async fn keep(conn: &mut AsyncPgConnection, told: &[Told]) -> Result<(), StoreError> {
    let mut latest: BTreeMap<(Uuid, &str), (Uuid, DateTime<Utc>)> = BTreeMap::new();
    for one in told {
        for alias in &one.aliases {
            latest.insert((one.visitor.to_uuid(), &alias.key), (alias.person.to_uuid(), one.heard_at));
        }
    }
    if latest.is_empty() {
        return Ok(());
    }
    sql_query(
        "insert into aliases as a (visitor, alias_key, alias, told_at)
         select * from unnest($1, $2, $3, $4)
         on conflict (visitor, alias_key) do update set alias = excluded.alias, told_at = excluded.told_at
         where a.told_at + interval '24 hours' <= excluded.told_at
            or (a.told_at <= excluded.told_at and a.alias <> excluded.alias)",
    )
    .bind::<Array<SqlUuid>, _>(latest.keys().map(|key| key.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(latest.keys().map(|key| key.1).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(latest.values().map(|told| told.0).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(latest.values().map(|told| told.1).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// What these visitors are called, by visitor and name of the key.
pub async fn of(
    conn: &mut AsyncPgConnection,
    visitors: &[Visitor],
) -> Result<HashMap<(Visitor, String), Visitor>, StoreError> {
    let rows: Vec<Row> = sql_query("select visitor, alias_key, alias from aliases where visitor = any($1)")
        .bind::<Array<SqlUuid>, _>(visitors.iter().map(|visitor| visitor.to_uuid()).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let read = |row: Row| ((Visitor::from_uuid(row.visitor), row.alias_key), Visitor::from_uuid(row.alias));
    Ok(rows.into_iter().map(read).collect())
}

/// Removes what was told before `before` and not since, so many at most; returns how many.
pub async fn expire(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "delete from aliases where ctid = any(array(select ctid from aliases where told_at < $1 limit $2))",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await?)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Text)]
    alias_key: String,
    #[diesel(sql_type = SqlUuid)]
    alias: Uuid,
}
