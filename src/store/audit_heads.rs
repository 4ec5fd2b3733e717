//! Published heads of the audit log, and the moments that they close.

use chrono::{DateTime, NaiveDate, Utc};
use data_encoding::HEXLOWER;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bytea, Nullable};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::audit_heads;
use super::{StoreError, sound};
use crate::domain::audit::{GENESIS, hex};
use crate::domain::audit_heads::Head;

/// A head as its row.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_heads)]
struct HeadRow {
    number: i64,
    day: NaiveDate,
    daily: bool,
    seq: i64,
    hash: Vec<u8>,
    before: Vec<u8>,
    at_micros: i64,
    key_id: String,
    signature: Vec<u8>,
}

impl HeadRow {
    fn of(head: &Head) -> Result<Self, StoreError> {
        let bytes = |text: &str| sound(HEXLOWER.decode(text.as_bytes()).ok(), "audit_heads");
        Ok(Self {
            number: head.number,
            day: head.day,
            daily: head.daily,
            seq: head.seq,
            hash: bytes(&head.hash)?,
            before: bytes(&head.before)?,
            at_micros: head.at_micros,
            key_id: head.key_id.clone(),
            signature: bytes(&head.signature)?,
        })
    }

    fn read(self) -> Head {
        Head {
            number: self.number,
            day: self.day,
            daily: self.daily,
            seq: self.seq,
            hash: hex(&self.hash),
            before: hex(&self.before),
            at_micros: self.at_micros,
            key_id: self.key_id,
            signature: hex(&self.signature),
        }
    }
}

/// Keeps other publishers away until the transaction ends; readers go on.
pub async fn lock(conn: &mut AsyncPgConnection) -> Result<(), StoreError> {
    sql_query("lock table audit_heads in share row exclusive mode").execute(conn).await?;
    Ok(())
}

/// The last head.
pub async fn last(conn: &mut AsyncPgConnection) -> Result<Option<Head>, StoreError> {
    let newest = audit_heads::table.order(audit_heads::number.desc()).select(HeadRow::as_select());
    Ok(newest.first(conn).await.optional()?.map(HeadRow::read))
}

/// The last day that has its head.
pub async fn last_day(conn: &mut AsyncPgConnection) -> Result<Option<NaiveDate>, StoreError> {
    let daily = audit_heads::table.filter(audit_heads::daily);
    Ok(daily.select(diesel::dsl::max(audit_heads::day)).first(conn).await?)
}

/// Keeps a head. It never changes again.
pub async fn insert(conn: &mut AsyncPgConnection, head: &Head) -> Result<(), StoreError> {
    diesel::insert_into(audit_heads::table).values(HeadRow::of(head)?).execute(conn).await?;
    Ok(())
}

/// Heads in their order, after the one with that number.
pub async fn page(conn: &mut AsyncPgConnection, after: i64, limit: i64) -> Result<Vec<Head>, StoreError> {
    let rows =
        audit_heads::table.filter(audit_heads::number.gt(after)).order(audit_heads::number).limit(limit);
    let rows: Vec<HeadRow> = rows.select(HeadRow::as_select()).load(conn).await?;
    Ok(rows.into_iter().map(HeadRow::read).collect())
}

/// The last heads, the newest first.
pub async fn newest(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<Head>, StoreError> {
    let rows = audit_heads::table.order(audit_heads::number.desc()).limit(limit);
    let rows: Vec<HeadRow> = rows.select(HeadRow::as_select()).load(conn).await?;
    Ok(rows.into_iter().map(HeadRow::read).collect())
}

/// The time of the earliest entry.
pub async fn earliest(conn: &mut AsyncPgConnection) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row: Number =
        sql_query("select min(at_micros) as number from audit_entries").get_result(conn).await?;
    Ok(row.number.and_then(DateTime::from_timestamp_micros))
}

/// Number and hash of the last entry before the first, after entry `after`, that was written at `until` or later;
/// of the last entry of all where there is none.
pub async fn before(
    conn: &mut AsyncPgConnection,
    after: i64,
    until: DateTime<Utc>,
) -> Result<(i64, String), StoreError> {
    let row: Option<Place> = sql_query(
        "select e.seq, e.hash from audit_entries e
         where e.seq = coalesce((select min(l.seq) from audit_entries l where l.seq > $1 and l.at_micros >= $2) - 1,
                                (select h.seq from audit_head h))",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(until.timestamp_micros())
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map_or_else(|| (0, hex(&GENESIS)), |row| (row.seq, hex(&row.hash))))
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
}

#[derive(QueryableByName)]
struct Place {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Bytea)]
    hash: Vec<u8>,
}
