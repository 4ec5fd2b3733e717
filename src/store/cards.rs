//! Cards that visitors without a phone carry, by their keyed hash.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Bool, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::visitor_cards as cards;

/// A card.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = cards)]
pub struct CardRow {
    /// What is kept of its text.
    pub card_hash: Vec<u8>,
    /// Whose it is.
    pub visitor: Uuid,
    /// Which channel had vouched for the visitor.
    pub channel: String,
    /// Since when it is good.
    pub issued_at: DateTime<Utc>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// When its visitor ended it.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Adds a card, unless its visitor has `open_max` in use; false then. To be called in a transaction.
pub async fn insert(conn: &mut AsyncPgConnection, row: &CardRow, open_max: i64) -> Result<bool, StoreError> {
    // One at a time for one visitor, or two that are asked for at once would both find room.
    sql_query("select pg_advisory_xact_lock(hashtextextended('placecode/cards/' || $1, 0))")
        .bind::<Text, _>(row.visitor.to_string())
        .execute(conn)
        .await?;
    let open = cards::table.filter(cards::visitor.eq(row.visitor)).filter(cards::revoked_at.is_null());
    let open: i64 = open.filter(cards::expires_at.gt(row.issued_at)).count().get_result(conn).await?;
    if open >= open_max {
        return Ok(false);
    }
    diesel::insert_into(cards::table).values(row).execute(conn).await?;
    Ok(true)
}

/// The cards with these hashes, ended ones among them.
pub async fn find(conn: &mut AsyncPgConnection, hashes: &[Vec<u8>]) -> Result<Vec<CardRow>, StoreError> {
    let found = cards::table.filter(cards::card_hash.eq_any(hashes));
    Ok(found.select(CardRow::as_select()).load(conn).await?)
}

/// Ends all cards of a visitor; returns how many were in use.
pub async fn end_all(
    conn: &mut AsyncPgConnection,
    visitor: Uuid,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let open = cards::table.filter(cards::visitor.eq(visitor)).filter(cards::revoked_at.is_null());
    let open = open.filter(cards::expires_at.gt(now));
    Ok(diesel::update(open).set(cards::revoked_at.eq(now)).execute(conn).await?)
}

/// Removes the cards that ended before `until`; returns how many.
pub async fn expire(conn: &mut AsyncPgConnection, until: DateTime<Utc>) -> Result<usize, StoreError> {
    let ended = sql::<Bool>("least(expires_at, revoked_at) < ").bind::<Timestamptz, _>(until);
    Ok(diesel::delete(cards::table.filter(ended)).execute(conn).await?)
}
