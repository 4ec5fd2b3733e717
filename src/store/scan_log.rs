//! How far the scan log has been drained, and what of it could not be read.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, SmallInt, Text, Timestamptz};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;

/// How far one shard of the log has been drained. Holds the row until the transaction ends, so that
/// one drain at a time works on a shard; `None` when another one does. A drain that stands still in the
/// middle, or whose machine is gone, loses the row after fifteen seconds, and its transaction is undone. A
/// batch always asks for few rows of large tables, so no plan that reads a table as a whole is right.
pub async fn lock_position(
    conn: &mut AsyncPgConnection,
    shard: i16,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    sql_query(
        "select set_config('idle_in_transaction_session_timeout', '15s', true),
                set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)",
    )
    .execute(conn)
    .await?;
    sql_query("insert into log_positions (shard, position, updated_at) values ($1, '0-0', $2) on conflict do nothing")
        .bind::<SmallInt, _>(shard)
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    let row: Option<Position> = sql_query(
        "select shard, position, drained from log_positions where shard = $1 for update skip locked",
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

/// Keeps all drains out until the transaction ends, and lets them know that somebody else wrote scans: the
/// stays of a visitor are computed from all scans of the visitor, so two that compute them must not overlap.
pub async fn exclude_drains(conn: &mut AsyncPgConnection) -> Result<(), StoreError> {
    sql_query(
        "select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)",
    )
    .execute(conn)
    .await?;
    sql_query("update log_positions set other_writes = other_writes + 1").execute(conn).await?;
    Ok(())
}

/// How far every shard has been drained.
pub async fn positions(conn: &mut AsyncPgConnection) -> Result<Vec<Position>, StoreError> {
    Ok(sql_query("select shard, position, drained from log_positions order by shard").load(conn).await?)
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
