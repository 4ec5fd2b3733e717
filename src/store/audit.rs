//! The audit log: appended in the transaction of what it tells.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bytea, Text, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use uuid::Uuid;

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

/// Appends to the chain, in one question: the row of the head moves and is locked until the transaction ends, so
/// the chain has one order and no gap. Append last, since every other writer waits meanwhile.
pub async fn append(
    conn: &mut AsyncPgConnection,
    act: Act<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "with moved as (
             update audit_head set prev = hash, seq = seq + 1, hash = audit_hash(hash, seq + 1, $1, $2, $3, $4, $5)
             returning seq, prev, hash
         )
         insert into audit_entries (seq, at_micros, actor, action, subject, detail, prev, hash)
         select seq, $1, $2, $3, $4, $5, prev, hash from moved",
    )
    .bind::<BigInt, _>(now.timestamp_micros())
    .bind::<Text, _>(act.actor)
    .bind::<Text, _>(act.action)
    .bind::<Text, _>(act.subject)
    .bind::<Text, _>(act.detail.to_string())
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

/// The end of the chain as the table keeps it, and the number of the last entry that there is: both of one moment.
pub async fn end(conn: &mut AsyncPgConnection) -> Result<(i64, String, i64), StoreError> {
    let end: End = sql_query(
        "select seq, hash, coalesce((select max(seq) from audit_entries), 0) as last from audit_head",
    )
    .get_result(conn)
    .await?;
    Ok((end.seq, hex(&end.hash), end.last))
}

/// A run whose assignments are not those that the log tells of.
#[derive(Debug, QueryableByName)]
pub struct Untold {
    /// Which run.
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    /// How many assignments it has.
    #[diesel(sql_type = BigInt)]
    pub assignments: i64,
    /// How many the log tells of.
    #[diesel(sql_type = BigInt)]
    pub told: i64,
    /// How many of them were let go, though the log tells of no release.
    #[diesel(sql_type = BigInt)]
    pub unreleased: i64,
}

/// Runs whose assignments are not those that the log tells of: somebody has written them past the service. A chain
/// that verifies says nothing of what never came into it.
pub async fn untold_runs(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<Untold>, StoreError> {
    let rows = sql_query(
        "with told as (
             select subject, sum(coalesce((detail::json ->> 'count')::bigint, 0)) filter
                        (where action = 'run.assignments_proposed') as made,
                    bool_or(action = 'run.released') as released
             from audit_entries where action in ('run.assignments_proposed', 'run.released') group by subject
         ), made as (
             select run_id, count(*) as count, count(*) filter (where state in (1, 2, 3, 5)) as out
             from assignments group by run_id
         )
         select m.run_id, m.count as assignments, coalesce(t.made, 0)::bigint as told,
                case when coalesce(t.released, false) then 0 else m.out end as unreleased
         from made m left join told t on t.subject = 'run ' || m.run_id
         where m.count <> coalesce(t.made, 0) or (m.out > 0 and not coalesce(t.released, false))
         order by m.run_id limit $1",
    )
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    Ok(rows)
}

#[derive(QueryableByName)]
struct End {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Bytea)]
    hash: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    last: i64,
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
