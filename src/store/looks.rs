//! Who looked at whose stays.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::looks;
use crate::domain::visitor::Visitor;

/// One look: at a case's trail, at the contacts of a run, or at one person among them.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = looks)]
pub struct Look {
    /// Its id.
    pub id: Uuid,
    /// The case that it was made for.
    pub case_id: Uuid,
    /// The run whose contacts were seen.
    pub run_id: Option<Uuid>,
    /// The role of who looked.
    pub role: i16,
    /// What for.
    pub purpose: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Number of a kind.
    pub kind: i16,
    /// The jurisdiction of who looked.
    pub division: Option<String>,
    /// The one whom it was at, where it was at one.
    pub visitor: Option<Uuid>,
}

/// Writes a look down.
pub async fn insert(conn: &mut AsyncPgConnection, look: &Look) -> Result<(), StoreError> {
    diesel::insert_into(looks::table).values(look).execute(conn).await?;
    Ok(())
}

/// How many looks one statement writes.
const BLOCK: usize = 1000;

/// Writes many looks down.
pub async fn insert_all(conn: &mut AsyncPgConnection, all: &[Look]) -> Result<(), StoreError> {
    for block in all.chunks(BLOCK) {
        diesel::insert_into(looks::table).values(block).execute(conn).await?;
    }
    Ok(())
}

/// A page of the looks that concern a visitor, the newest first: at the visitor alone, at a run that the visitor is a
/// contact of, or at a case of the visitor. `before` is the last one of the page before.
pub async fn of_visitor(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SeenLook>, StoreError> {
    Ok(sql_query(
        "select l.id, l.role, l.purpose, l.at, l.kind, l.division, c.authority
         from looks l join cases c on c.id = l.case_id
         where (l.visitor = $1
                or l.visitor is null and l.run_id in (select run_id from contacts where visitor = $1)
                or l.case_id in (select id from cases where visitor = $1))
           and ($2 is null or (l.at, l.id) < (select b.at, b.id from looks b where b.id = $2))
         order by l.at desc, l.id desc limit $3",
    )
    .bind::<SqlUuid, _>(visitor.to_uuid())
    .bind::<Nullable<SqlUuid>, _>(before)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// A look as the visitor may see it.
#[derive(Debug, Clone, QueryableByName)]
pub struct SeenLook {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// The role of who looked.
    #[diesel(sql_type = SmallInt)]
    pub role: i16,
    /// What for.
    #[diesel(sql_type = Text)]
    pub purpose: String,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// Number of a kind.
    #[diesel(sql_type = SmallInt)]
    pub kind: i16,
    /// The jurisdiction of who looked; of old looks unknown.
    #[diesel(sql_type = Nullable<Text>)]
    pub division: Option<String>,
    /// The health authority that reported the case for which somebody looked.
    #[diesel(sql_type = Text)]
    pub authority: String,
}
