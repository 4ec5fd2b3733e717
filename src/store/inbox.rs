//! Entries of scans that came in while Redis was away, until the drain has stored them.

use diesel::sql_types::{Array, BigInt, Bytea, Nullable, SmallInt};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;

/// An entry that waits.
#[derive(Debug, Clone, QueryableByName)]
pub struct InboxEntry {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The scans, as the log has them.
    #[diesel(sql_type = Bytea)]
    pub entry: Vec<u8>,
}

/// Keeps entries, each with its shard, in one statement and so all or none. `false` when so many wait that
/// there is no room.
pub async fn append(
    conn: &mut AsyncPgConnection,
    entries: &[(i16, Vec<u8>)],
    waiting_max: i64,
) -> Result<bool, StoreError> {
    let (shards, entries): (Vec<i16>, Vec<&[u8]>) =
        entries.iter().map(|(shard, entry)| (*shard, entry.as_slice())).unzip();
    let kept = sql_query(
        "insert into inbox (shard, entry) select * from unnest($1, $2)
         where coalesce((select max(id) from inbox) - (select min(id) from inbox), 0) < $3",
    )
    .bind::<Array<SmallInt>, _>(shards)
    .bind::<Array<Bytea>, _>(entries)
    .bind::<BigInt, _>(waiting_max)
    .execute(conn)
    .await?;
    Ok(kept > 0)
}

/// The oldest entries of a shard.
pub async fn oldest(
    conn: &mut AsyncPgConnection,
    shard: i16,
    count: i64,
) -> Result<Vec<InboxEntry>, StoreError> {
    Ok(sql_query("select id, entry from inbox where shard = $1 order by id limit $2")
        .bind::<SmallInt, _>(shard)
        .bind::<BigInt, _>(count)
        .load(conn)
        .await?)
}

/// The oldest entries of all shards up to a number.
pub async fn up_to(conn: &mut AsyncPgConnection, id: i64, count: i64) -> Result<Vec<InboxEntry>, StoreError> {
    Ok(sql_query("select id, entry from inbox where id <= $1 order by id limit $2")
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(count)
        .load(conn)
        .await?)
}

/// Removes entries, in the transaction that stores their scans.
pub async fn remove(conn: &mut AsyncPgConnection, entries: &[InboxEntry]) -> Result<(), StoreError> {
    if !entries.is_empty() {
        sql_query("delete from inbox where id = any($1)")
            .bind::<Array<BigInt>, _>(entries.iter().map(|entry| entry.id).collect::<Vec<_>>())
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// How many entries wait, and the number of the newest.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Waiting {
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
    /// The newest; absent when none waits.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub newest: Option<i64>,
}

/// What waits.
pub async fn waiting(conn: &mut AsyncPgConnection) -> Result<Waiting, StoreError> {
    Ok(sql_query("select count(*) as count, max(id) as newest from inbox").get_result(conn).await?)
}

/// Whether an entry up to `id` waits still.
pub async fn waits_until(conn: &mut AsyncPgConnection, id: i64) -> Result<bool, StoreError> {
    let found: Waiting = sql_query(
        "select count(*) as count, max(id) as newest from (select id from inbox where id <= $1 limit 1) as one",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await?;
    Ok(found.count > 0)
}
