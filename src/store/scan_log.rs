//! How far the scan log has been drained, and what of it could not be read.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Integer, SmallInt, Text, Timestamptz};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;

/// How far one shard of the log has been drained. Holds the row until the transaction ends, so that
/// one drain at a time works on a shard; `None` when another one does. A drain that stands still in the
/// middle, or whose machine is gone, loses the row after fifteen seconds, and its transaction is undone. A
/// plan that is compiled because it looks dear takes far longer to compile than to run.
pub async fn lock_position(
    conn: &mut AsyncPgConnection,
    shard: i16,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    sql_query(
        "select set_config('idle_in_transaction_session_timeout', '15s', true), set_config('jit', 'off', true)",
    )
    .execute(conn)
    .await?;
    sql_query("insert into log_positions (shard, position, updated_at) values ($1, '0-0', $2) on conflict do nothing")
        .bind::<SmallInt, _>(shard)
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    let row: Option<Position> = sql_query(
        "select shard, position, drained, updated_at from log_positions where shard = $1 for update skip locked",
    )
    .bind::<SmallInt, _>(shard)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.position))
}

/// Moves the position of a shard, in the transaction that stores what was drained.
pub async fn move_position(
    conn: &mut AsyncPgConnection,
    shard: i16,
    position: &str,
    drained: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "update log_positions set position = $2, drained = drained + $3, updated_at = $4 where shard = $1",
    )
    .bind::<SmallInt, _>(shard)
    .bind::<Text, _>(position)
    .bind::<BigInt, _>(drained)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps all drains out until the transaction ends: the stays of a visitor are computed from all scans of
/// the visitor, so two that compute them must not overlap.
pub async fn exclude_drains(conn: &mut AsyncPgConnection) -> Result<(), StoreError> {
    sql_query("select set_config('jit', 'off', true)").execute(conn).await?;
    sql_query("select shard from log_positions order by shard for update").execute(conn).await?;
    Ok(())
}

/// How far every shard has been drained.
pub async fn positions(conn: &mut AsyncPgConnection) -> Result<Vec<Position>, StoreError> {
    Ok(sql_query("select shard, position, drained, updated_at from log_positions order by shard")
        .load(conn)
        .await?)
}

/// The position of one shard.
#[derive(Debug, Clone, QueryableByName)]
pub struct Position {
    /// Which shard.
    #[diesel(sql_type = SmallInt)]
    pub shard: i16,
    /// The last log entry that is stored.
    #[diesel(sql_type = Text)]
    pub position: String,
    /// How many scans were drained in all.
    #[diesel(sql_type = BigInt)]
    pub drained: i64,
    /// When something was drained last.
    #[diesel(sql_type = Timestamptz)]
    pub updated_at: DateTime<Utc>,
}

/// Keeps a log entry that cannot be read, so that it blocks nothing and is not lost.
pub async fn bury_entry(
    conn: &mut AsyncPgConnection,
    shard: i16,
    position: &str,
    entry: &[u8],
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "insert into dead_entries (shard, position, entry, reason, found_at) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind::<SmallInt, _>(shard)
    .bind::<Text, _>(position)
    .bind::<diesel::sql_types::Bytea, _>(entry)
    .bind::<Text, _>(reason)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// An entry, or a part of one, that could not be read.
#[derive(Debug, Clone, QueryableByName)]
pub struct DeadEntry {
    /// Of which shard.
    #[diesel(sql_type = SmallInt)]
    pub shard: i16,
    /// Where it stood.
    #[diesel(sql_type = Text)]
    pub position: String,
    /// How many bytes it has.
    #[diesel(sql_type = Integer)]
    pub bytes: i32,
    /// Why it cannot be read.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// When it was found.
    #[diesel(sql_type = Timestamptz)]
    pub found_at: DateTime<Utc>,
}

/// Entries that could not be read and that nobody has looked at, the oldest first, without what is in them:
/// it may be half a scan.
pub async fn dead_entries(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<DeadEntry>, StoreError> {
    Ok(sql_query(
        "select shard, position, length(entry) as bytes, reason, found_at from dead_entries
         where looked_at is null order by found_at, shard, position limit $1",
    )
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// Notes that somebody has looked at an entry. `false` when there is none that nobody has looked at.
pub async fn close_dead_entry(
    conn: &mut AsyncPgConnection,
    (shard, position): (i16, &str),
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let closed = sql_query(
        "update dead_entries set looked_at_by = $3, looked_at = $4
         where shard = $1 and position = $2 and looked_at is null",
    )
    .bind::<SmallInt, _>(shard)
    .bind::<Text, _>(position)
    .bind::<Text, _>(by)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(closed > 0)
}
