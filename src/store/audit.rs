//! The audit log: appended in the transaction of what it tells.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bytea, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;

use super::StoreError;
use crate::domain::audit::{Entry, hex};

/// What is to be written down. `actor` is a member of staff, a machine or the pipeline; neither it
/// nor `detail` ever holds a visitor.
#[derive(Debug)]
pub struct Act<'a> {
    /// Who.
    pub actor: &'a str,
    /// What was done, such as `run.preview`.
    pub action: &'a str,
    /// To what, such as `run 0193…`.
    pub subject: String,
    /// The rest.
    pub detail: serde_json::Value,
}

/// Appends to the chain. The row of the head is locked until the transaction ends, so the chain has
/// one order and no gap.
pub async fn append(
    conn: &mut AsyncPgConnection,
    act: Act<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let head: Head = sql_query("select seq, hash from audit_head for update").get_result(conn).await?;
    let prev: [u8; 32] = head.hash.try_into().map_err(|_length| StoreError::Corrupt("audit_head"))?;
    let entry = Entry {
        seq: head.seq + 1,
        at_micros: now.timestamp_micros(),
        actor: act.actor.to_owned(),
        action: act.action.to_owned(),
        subject: act.subject,
        detail: act.detail.to_string(),
        prev: hex(&prev),
        hash: String::new(),
    };
    let hash = entry.hash_of(&prev);
    sql_query(
        "with entry as (
             insert into audit_entries (seq, at_micros, actor, action, subject, detail, prev, hash)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
         )
         update audit_head set seq = $1, hash = $8",
    )
    .bind::<BigInt, _>(entry.seq)
    .bind::<BigInt, _>(entry.at_micros)
    .bind::<Text, _>(entry.actor)
    .bind::<Text, _>(entry.action)
    .bind::<Text, _>(entry.subject)
    .bind::<Text, _>(entry.detail)
    .bind::<Bytea, _>(prev.to_vec())
    .bind::<Bytea, _>(hash.to_vec())
    .execute(conn)
    .await?;
    Ok(())
}

/// A page of the log, in order, after entry `after`.
pub async fn page(conn: &mut AsyncPgConnection, after: i64, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let rows: Vec<EntryRow> = sql_query(
        "select seq, at_micros, actor, action, subject, detail, prev, hash
         from audit_entries where seq > $1 order by seq limit $2",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(EntryRow::read).collect())
}

/// The end of the chain as the table keeps it: number and hash of the last entry.
pub async fn head(conn: &mut AsyncPgConnection) -> Result<(i64, String), StoreError> {
    let head: Head = sql_query("select seq, hash from audit_head").get_result(conn).await?;
    Ok((head.seq, hex(&head.hash)))
}

#[derive(QueryableByName, Serialize)]
struct Head {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Bytea)]
    hash: Vec<u8>,
}

#[derive(QueryableByName)]
struct EntryRow {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = BigInt)]
    at_micros: i64,
    #[diesel(sql_type = Text)]
    actor: String,
    #[diesel(sql_type = Text)]
    action: String,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Text)]
    detail: String,
    #[diesel(sql_type = Bytea)]
    prev: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    hash: Vec<u8>,
}

impl EntryRow {
    fn read(self) -> Entry {
        Entry {
            seq: self.seq,
            at_micros: self.at_micros,
            actor: self.actor,
            action: self.action,
            subject: self.subject,
            detail: self.detail,
            prev: hex(&self.prev),
            hash: hex(&self.hash),
        }
    }
}
