//! Who looked at whose stays.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::looks;
use crate::domain::visitor::Visitor;

/// One look: at a case's trail, or at the contacts of a run.
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
}

/// Writes a look down.
pub async fn insert(conn: &mut AsyncPgConnection, look: &Look) -> Result<(), StoreError> {
    diesel::insert_into(looks::table).values(look).execute(conn).await?;
    Ok(())
}

/// The looks that concern a visitor, the newest first: at a run that the visitor is a contact of, or
/// at a case of the visitor.
pub async fn of_visitor(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    limit: i64,
) -> Result<Vec<SeenLook>, StoreError> {
    Ok(sql_query(
        "select l.role, l.purpose, l.at from looks l
         where l.run_id in (select run_id from contacts where visitor = $1)
            or l.case_id in (select id from cases where visitor = $1)
         order by l.at desc limit $2",
    )
    .bind::<SqlUuid, _>(visitor.to_uuid())
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// A look as the visitor may see it.
#[derive(Debug, Clone, QueryableByName)]
pub struct SeenLook {
    /// The role of who looked.
    #[diesel(sql_type = SmallInt)]
    pub role: i16,
    /// What for.
    #[diesel(sql_type = Text)]
    pub purpose: String,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
}
