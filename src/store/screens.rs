//! Screens that show the rotating code of their point. Links and tokens are kept as hashes only.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::screens;

/// A screen.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = screens)]
pub struct ScreenRow {
    /// Id.
    pub id: Uuid,
    /// The point whose code it shows.
    pub point_id: i64,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the link that enrols it; gone once it was used.
    pub link_hash: Option<Vec<u8>>,
    /// Until when the link works.
    pub link_until: DateTime<Utc>,
    /// SHA-256 of its own token, once it is enrolled.
    pub token_hash: Option<Vec<u8>>,
    /// Since when it shows nothing.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// Adds a screen.
pub async fn insert(conn: &mut AsyncPgConnection, row: &ScreenRow) -> Result<(), StoreError> {
    diesel::insert_into(screens::table).values(row).execute(conn).await?;
    Ok(())
}

/// How many screens of a point may show its code, or may yet be enrolled.
pub async fn count_open(
    conn: &mut AsyncPgConnection,
    point_id: i64,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let open = screens::table.filter(screens::point_id.eq(point_id)).filter(screens::disabled_at.is_null());
    let usable = open.filter(screens::token_hash.is_not_null().or(screens::link_until.gt(now)));
    Ok(usable.count().get_result(conn).await?)
}

/// The screens of a point, the newest first.
pub async fn of_point(
    conn: &mut AsyncPgConnection,
    point_id: i64,
    limit: i64,
) -> Result<Vec<ScreenRow>, StoreError> {
    let own = screens::table.filter(screens::point_id.eq(point_id));
    let newest = own.order((screens::created_at.desc(), screens::id)).limit(limit);
    Ok(newest.select(ScreenRow::as_select()).load(conn).await?)
}

/// One screen.
pub async fn find(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<ScreenRow>, StoreError> {
    Ok(screens::table.find(id).select(ScreenRow::as_select()).first(conn).await.optional()?)
}

/// The screen that a link enrols, while the link works.
pub async fn by_link(
    conn: &mut AsyncPgConnection,
    link_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<ScreenRow>, StoreError> {
    let own = screens::table.filter(screens::link_hash.eq(link_hash)).filter(screens::link_until.gt(now));
    let open = own.filter(screens::disabled_at.is_null());
    Ok(open.select(ScreenRow::as_select()).first(conn).await.optional()?)
}

/// Spends a link: gives the screen its token and forgets the link. `None` when the link works no more, also
/// when another has just spent it.
pub async fn enrol(
    conn: &mut AsyncPgConnection,
    link_hash: &[u8],
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<ScreenRow>, StoreError> {
    let own = screens::table.filter(screens::link_hash.eq(link_hash)).filter(screens::link_until.gt(now));
    let change = (screens::link_hash.eq(None::<Vec<u8>>), screens::token_hash.eq(token_hash));
    let enrolled = diesel::update(own.filter(screens::disabled_at.is_null())).set(change);
    Ok(enrolled.returning(ScreenRow::as_returning()).get_result(conn).await.optional()?)
}

/// The screen whose token this is, ended or not.
pub async fn by_token(
    conn: &mut AsyncPgConnection,
    token_hash: &[u8],
) -> Result<Option<ScreenRow>, StoreError> {
    let own = screens::table.filter(screens::token_hash.eq(token_hash));
    Ok(own.select(ScreenRow::as_select()).first(conn).await.optional()?)
}

/// Ends a screen, enrolled or not; false when it is unknown or ended already.
pub async fn end(conn: &mut AsyncPgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let open = screens::table.filter(screens::id.eq(id)).filter(screens::disabled_at.is_null());
    let change = (screens::disabled_at.eq(now), screens::link_hash.eq(None::<Vec<u8>>));
    Ok(diesel::update(open).set(change).execute(conn).await? == 1)
}
