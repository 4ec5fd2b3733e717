//! The clock by which days are dropped, as it was seen before.

use chrono::{DateTime, Utc};
use diesel::sql_types::Timestamptz;
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;

/// What the clock said, and since when it has moved on without a leap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Sighting {
    /// What it said.
    #[diesel(sql_type = Timestamptz)]
    pub seen_at: DateTime<Utc>,
    /// Since when it is steady.
    #[diesel(sql_type = Timestamptz)]
    pub steady_since: DateTime<Utc>,
}

/// The last sighting, `None` before the first. Holds it until the transaction ends.
pub async fn last_sighting(conn: &mut AsyncPgConnection) -> Result<Option<Sighting>, StoreError> {
    let row = sql_query("select seen_at, steady_since from retention_clock for update");
    Ok(row.get_result(conn).await.optional()?)
}

/// Keeps a sighting in the place of the last one.
pub async fn note_sighting(conn: &mut AsyncPgConnection, sighting: Sighting) -> Result<(), StoreError> {
    sql_query(
        "insert into retention_clock (seen_at, steady_since) values ($1, $2)
         on conflict (only_row) do update set seen_at = excluded.seen_at, steady_since = excluded.steady_since",
    )
    .bind::<Timestamptz, _>(sighting.seen_at)
    .bind::<Timestamptz, _>(sighting.steady_since)
    .execute(conn)
    .await?;
    Ok(())
}

/// What the clock of Postgres says.
pub async fn postgres_now(conn: &mut AsyncPgConnection) -> Result<DateTime<Utc>, StoreError> {
    #[derive(QueryableByName)]
    struct Now {
        #[diesel(sql_type = Timestamptz)]
        now: DateTime<Utc>,
    }
    Ok(sql_query("select clock_timestamp() as now").get_result::<Now>(conn).await?.now)
}
