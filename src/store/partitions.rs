//! The daily partitions of scans and stays: made ahead, dropped when retention ends.

use chrono::{DateTime, Days, NaiveDate, Utc};
use diesel::sql_types::{Array, Date, Text, Timestamptz};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;

/// The tables that are partitioned by day.
pub const TABLES: [&str; 4] = ["scans", "stays", "stay_changes", "stay_packs"];

/// Makes the partitions of the days from `first` to `last`, both included, where they are missing.
/// Days are those of UTC. Returns how many were made.
pub async fn ensure(
    conn: &mut AsyncPgConnection,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<usize, StoreError> {
    let mut made = 0;
    for table in TABLES {
        let present = days(conn, table).await?;
        let mut day = first;
        while day <= last {
            let next = day.checked_add_days(Days::new(1)).ok_or(StoreError::Corrupt("partitions"))?;
            if !present.contains(&day) {
                sql_query(format!(
                    "create table if not exists {table}_{} partition of {table} for values from ('{day} 00:00:00Z') to ('{next} 00:00:00Z')",
                    day.format("%Y%m%d"),
                ))
                .execute(conn)
                .await?;
                made += 1;
            }
            day = next;
        }
    }
    Ok(made)
}

/// Notes that scans of these days were imported now, so that retention counts from now.
pub async fn note_imported(
    conn: &mut AsyncPgConnection,
    days: &[NaiveDate],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "insert into imported_days (day, imported_at) select distinct day, $2 from unnest($1) as day
         on conflict (day) do update set imported_at = excluded.imported_at",
    )
    .bind::<Array<Date>, _>(days)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops the partitions of all days before `first_kept`, but for those imported since, and returns which.
pub async fn drop_before(
    conn: &mut AsyncPgConnection,
    first_kept: NaiveDate,
) -> Result<Vec<String>, StoreError> {
    let spared: Vec<Day> =
        sql_query("select day from imported_days where (imported_at at time zone 'UTC')::date >= $1")
            .bind::<Date, _>(first_kept)
            .load(conn)
            .await?;
    let mut dropped = Vec::new();
    for table in TABLES {
        for day in days(conn, table).await? {
            if day < first_kept && !spared.iter().any(|spared| spared.day == day) {
                let name = format!("{table}_{}", day.format("%Y%m%d"));
                sql_query(format!("drop table {name}")).execute(conn).await?;
                dropped.push(name);
            }
        }
    }
    let spared: Vec<NaiveDate> = spared.iter().map(|spared| spared.day).collect();
    sql_query("delete from packed_days where day < $1 and day <> all($2)")
        .bind::<Date, _>(first_kept)
        .bind::<Array<Date>, _>(spared)
        .execute(conn)
        .await?;
    Ok(dropped)
}

/// The days that a table has partitions for, in order.
pub async fn days(conn: &mut AsyncPgConnection, table: &str) -> Result<Vec<NaiveDate>, StoreError> {
    let rows: Vec<Name> = sql_query(
        "select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = $1::regclass order by 1",
    )
    .bind::<Text, _>(table)
    .load(conn)
    .await?;
    let day = |row: &Name| {
        row.name.rsplit_once('_').and_then(|(_, day)| NaiveDate::parse_from_str(day, "%Y%m%d").ok())
    };
    Ok(rows.iter().filter_map(day).collect())
}

#[derive(QueryableByName)]
struct Day {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}
