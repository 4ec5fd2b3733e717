//! Answers that were already given, for clients that ask again.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;
use super::schema::idempotency_keys as keys;

/// An answer to a write.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = keys)]
pub struct Answer {
    /// Who asked.
    pub principal: String,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: Vec<u8>,
    /// The status that was answered.
    pub status: i16,
    /// The body that was answered.
    pub body: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// The answer that was given to this key before.
pub async fn find(
    conn: &mut AsyncPgConnection,
    principal: &str,
    key: &str,
) -> Result<Option<Answer>, StoreError> {
    Ok(keys::table.find((principal, key)).select(Answer::as_select()).first(conn).await.optional()?)
}

/// Keeps an answer, in the transaction of the write. A key that is in use fails the transaction.
pub async fn insert(conn: &mut AsyncPgConnection, answer: &Answer) -> Result<(), StoreError> {
    diesel::insert_into(keys::table).values(answer).execute(conn).await?;
    Ok(())
}

/// Forgets the answers from before `until`; returns how many.
pub async fn expire(conn: &mut AsyncPgConnection, until: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(diesel::delete(keys::table.filter(keys::created_at.lt(until))).execute(conn).await?)
}
