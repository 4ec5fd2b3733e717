//! Comparisons of what issuing systems hold with what they should: asked for, under way, and what they came to.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;

/// One comparison with an issuing system.
#[derive(Debug, Clone, QueryableByName)]
pub struct ReconciliationRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// With which system.
    #[diesel(sql_type = Text)]
    pub issuer_id: String,
    /// Who asked for it.
    #[diesel(sql_type = Text)]
    pub asked_by: String,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub asked_at: DateTime<Utc>,
    /// 0 waits, 1 under way, 2 done, 3 failed.
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// The instant that both sides spoke about.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub held_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ended_at: Option<DateTime<Utc>>,
    /// How many assignments it should hold.
    #[diesel(sql_type = BigInt)]
    pub ours: i64,
    /// How many it holds.
    #[diesel(sql_type = BigInt)]
    pub theirs: i64,
    /// The digest of what it should hold.
    #[diesel(sql_type = Text)]
    pub digest_ours: String,
    /// The digest of what it holds.
    #[diesel(sql_type = Text)]
    pub digest_theirs: String,
    /// How many buckets differ.
    #[diesel(sql_type = Integer)]
    pub buckets: i32,
    /// How many assignments do not stand alike.
    #[diesel(sql_type = BigInt)]
    pub drift: i64,
    /// For how many of them a letter was written.
    #[diesel(sql_type = BigInt)]
    pub mended: i64,
    /// How many cannot be mended by a letter.
    #[diesel(sql_type = BigInt)]
    pub reported: i64,
    /// Open assignments that it was never told of.
    #[diesel(sql_type = BigInt)]
    pub untold: i64,
    /// What a system that takes its letters itself has found.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub findings: Option<serde_json::Value>,
    /// Why it failed.
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    /// How many drifts had been mended before and came back.
    #[diesel(sql_type = BigInt)]
    pub returned: i64,
}

const COLUMNS: &str =
    "r.id, r.issuer_id, r.asked_by, r.asked_at, r.state, r.held_at, r.ended_at, r.ours, r.theirs,
    r.digest_ours, r.digest_theirs, r.buckets, r.drift, r.mended, r.reported, r.untold, r.findings, r.error,
    (select count(*) from drifts d where d.reconciliation_id = r.id and d.returned) as returned";

/// Asks for a comparison; false when one waits or is under way.
pub async fn ask(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    issuer_id: &str,
    asked_by: &str,
    findings: Option<serde_json::Value>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let asked = sql_query(
        "insert into reconciliations (id, issuer_id, asked_by, asked_at, findings) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(issuer_id)
    .bind::<Text, _>(asked_by)
    .bind::<Timestamptz, _>(now)
    .bind::<Nullable<Jsonb>, _>(findings)
    .execute(conn)
    .await?;
    Ok(asked == 1)
}

/// Takes a comparison that waits, or that was begun before `stale` and never ended.
pub async fn next(
    conn: &mut AsyncPgConnection,
    stale: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<ReconciliationRow>, StoreError> {
    Ok(sql_query(format!(
        "update reconciliations r set state = 1, held_at = $1
         where r.id = (select id from reconciliations where state = 0 or state = 1 and held_at < $2
                       order by asked_at limit 1 for update skip locked)
         returning {COLUMNS}"
    ))
    .bind::<Timestamptz, _>(now)
    .bind::<Timestamptz, _>(stale)
    .get_result(conn)
    .await
    .optional()?)
}

/// Notes how a comparison ended: its state, counts, digests and error are those of the row.
pub async fn end(
    conn: &mut AsyncPgConnection,
    row: &ReconciliationRow,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "update reconciliations set state = $2, ended_at = $3, ours = $4, theirs = $5, digest_ours = $6,
                digest_theirs = $7, buckets = $8, drift = $9, mended = $10, reported = $11, untold = $12, error = $13
         where id = $1",
    )
    .bind::<SqlUuid, _>(row.id)
    .bind::<SmallInt, _>(row.state)
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(row.ours)
    .bind::<BigInt, _>(row.theirs)
    .bind::<Text, _>(&row.digest_ours)
    .bind::<Text, _>(&row.digest_theirs)
    .bind::<Integer, _>(row.buckets)
    .bind::<BigInt, _>(row.drift)
    .bind::<BigInt, _>(row.mended)
    .bind::<BigInt, _>(row.reported)
    .bind::<BigInt, _>(row.untold)
    .bind::<Nullable<Text>, _>(row.error.as_deref())
    .execute(conn)
    .await?;
    Ok(())
}

/// When the last comparison with an issuing system ended, and whether it failed.
pub async fn last(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
) -> Result<Option<(DateTime<Utc>, bool)>, StoreError> {
    let row: Option<LastRow> = sql_query(
        "select ended_at, state = 3 as failed from reconciliations where issuer_id = $1 and ended_at is not null
         order by ended_at desc limit 1",
    )
    .bind::<Text, _>(issuer_id)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| (row.ended_at, row.failed)))
}

#[derive(QueryableByName)]
struct LastRow {
    #[diesel(sql_type = Timestamptz)]
    ended_at: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    failed: bool,
}

/// The comparisons with one issuing system, the newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    limit: i64,
) -> Result<Vec<ReconciliationRow>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from reconciliations r where issuer_id = $1 order by asked_at desc, id desc limit $2"
    );
    Ok(sql_query(sql).bind::<Text, _>(issuer_id).bind::<BigInt, _>(limit).load(conn).await?)
}

/// The newest comparison with each issuing system.
pub async fn newest(conn: &mut AsyncPgConnection) -> Result<Vec<ReconciliationRow>, StoreError> {
    let sql = format!(
        "select distinct on (issuer_id) {COLUMNS} from reconciliations r order by issuer_id, asked_at desc, id desc"
    );
    Ok(sql_query(sql).load(conn).await?)
}

/// A drift to be written down.
#[derive(Debug, Clone, Copy)]
pub struct NewDrift {
    /// Which assignment.
    pub assignment: Uuid,
    /// Number of a kind of drift.
    pub kind: i16,
    /// Whether a letter was written.
    pub mended: bool,
    /// Whether an earlier comparison had mended it.
    pub returned: bool,
}

/// Writes drifts down; one that is there already stays as it is.
pub async fn insert_drifts(
    conn: &mut AsyncPgConnection,
    reconciliation_id: Uuid,
    drifts: &[NewDrift],
) -> Result<(), StoreError> {
    sql_query(
        "insert into drifts (reconciliation_id, assignment_id, kind, mended, returned)
         select $1, d.* from unnest($2, $3, $4, $5) as d on conflict do nothing",
    )
    .bind::<SqlUuid, _>(reconciliation_id)
    .bind::<Array<SqlUuid>, _>(drifts.iter().map(|drift| drift.assignment).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(drifts.iter().map(|drift| drift.kind).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(drifts.iter().map(|drift| drift.mended).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(drifts.iter().map(|drift| drift.returned).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// The drifts of a comparison: those that came back first, then those that could not be mended.
pub async fn drifts(
    conn: &mut AsyncPgConnection,
    reconciliation_id: Uuid,
    limit: i64,
) -> Result<Vec<DriftRow>, StoreError> {
    Ok(sql_query(
        "select assignment_id, kind, mended, returned from drifts where reconciliation_id = $1
         order by returned desc, mended, assignment_id limit $2",
    )
    .bind::<SqlUuid, _>(reconciliation_id)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// A drift as it was written down.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct DriftRow {
    /// Which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: Uuid,
    /// Number of a kind of drift.
    #[diesel(sql_type = SmallInt)]
    pub kind: i16,
    /// Whether a letter was written.
    #[diesel(sql_type = Bool)]
    pub mended: bool,
    /// Whether an earlier comparison had mended it.
    #[diesel(sql_type = Bool)]
    pub returned: bool,
}

/// Of these assignments, those that an earlier comparison with an issuing system had mended, and whether they had come
/// back before.
pub async fn mended_before(
    conn: &mut AsyncPgConnection,
    row: &ReconciliationRow,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, bool>, StoreError> {
    let rows: Vec<MendedRow> = sql_query(
        "select d.assignment_id, bool_or(d.returned) as returned
         from drifts d join reconciliations r on r.id = d.reconciliation_id
         where d.assignment_id = any($2) and r.issuer_id = $1 and r.id <> $3 and d.mended group by d.assignment_id",
    )
    .bind::<Text, _>(&row.issuer_id)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<SqlUuid, _>(row.id)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.assignment_id, row.returned)).collect())
}

#[derive(QueryableByName)]
struct MendedRow {
    #[diesel(sql_type = SqlUuid)]
    assignment_id: Uuid,
    #[diesel(sql_type = Bool)]
    returned: bool,
}

/// Deletes comparisons that were asked for before a time, with their drifts.
pub async fn forget(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> Result<usize, StoreError> {
    let gone = sql_query("delete from reconciliations where asked_at < $1 and state in (2, 3)");
    Ok(gone.bind::<Timestamptz, _>(before).execute(conn).await?)
}
