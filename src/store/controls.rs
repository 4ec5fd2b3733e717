//! Who is under control elsewhere: it keeps a second assignment away, and makes none.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use crate::domain::visitor::Visitor;

/// Somebody's control, as an issuing system told it.
#[derive(Debug, Clone)]
pub struct ControlRow {
    /// Who told it.
    pub issuer_id: String,
    /// Its id there.
    pub id: Uuid,
    /// About whom; or else
    pub visitor: Option<Uuid>,
    /// the name of the key
    pub alias_key: Option<String>,
    /// and what the person is called under it.
    pub alias: Option<Uuid>,
    /// Where.
    pub division: String,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// When it was told.
    pub told_at: DateTime<Utc>,
}

/// Keeps a control, or the new end of one that is known. False when the id stands for somebody or somewhere else.
pub async fn keep(conn: &mut AsyncPgConnection, row: &ControlRow) -> Result<bool, StoreError> {
    let kept = sql_query(
        "insert into controls as c (issuer_id, id, visitor, alias_key, alias, division, until_at, told_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (issuer_id, id) do update set until_at = excluded.until_at, told_at = excluded.told_at
         where (c.visitor, c.alias_key, c.alias, c.division)
               is not distinct from (excluded.visitor, excluded.alias_key, excluded.alias, excluded.division)",
    )
    .bind::<Text, _>(&row.issuer_id)
    .bind::<SqlUuid, _>(row.id)
    .bind::<Nullable<SqlUuid>, _>(row.visitor)
    .bind::<Nullable<Text>, _>(&row.alias_key)
    .bind::<Nullable<SqlUuid>, _>(row.alias)
    .bind::<Text, _>(&row.division)
    .bind::<Timestamptz, _>(row.until_at)
    .bind::<Timestamptz, _>(row.told_at)
    .execute(conn)
    .await?;
    Ok(kept == 1)
}

/// Where a visitor is under control, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controlled {
    /// Where.
    pub division: String,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// Which of these visitors are under control now; of several controls the longest.
pub async fn in_force(
    conn: &mut AsyncPgConnection,
    visitors: &[Visitor],
    now: DateTime<Utc>,
) -> Result<HashMap<Visitor, Controlled>, StoreError> {
    let rows: Vec<Row> = sql_query(
        "select w.visitor, c.division, c.until_at
         from unnest($1) as w (visitor)
         join controls c on c.visitor = w.visitor
         where c.until_at > $2
         union all
         select a.visitor, c.division, c.until_at
         from aliases a
         join controls c on c.alias_key = a.alias_key and c.alias = a.alias
         where a.visitor = any($1) and c.until_at > $2
         order by until_at",
    )
    .bind::<Array<SqlUuid>, _>(visitors.iter().map(|visitor| visitor.to_uuid()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .load(conn)
    .await?;
    let read = |row: Row| {
        (Visitor::from_uuid(row.visitor), Controlled { division: row.division, until: row.until_at })
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Removes controls that ended before `before`, so many at most; returns how many.
pub async fn expire(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "delete from controls where ctid = any(array(select ctid from controls where until_at < $1 limit $2))",
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
    division: String,
    #[diesel(sql_type = Timestamptz)]
    until_at: DateTime<Utc>,
}
