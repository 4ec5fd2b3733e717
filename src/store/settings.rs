//! What each kind of process was last started with, as digests: no values, no keys.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::settings_seen;
use super::{StoreError, sound};

/// Digests by name.
pub type Digests = BTreeMap<String, [u8; 32]>;

/// What a kind of process was last started with. Held against others until the transaction ends, so that of several
/// replicas one notes a change.
pub async fn seen(conn: &mut AsyncPgConnection, process: &str) -> Result<Digests, StoreError> {
    sql_query("lock table settings_seen in share row exclusive mode").execute(conn).await?;
    let own = settings_seen::table.filter(settings_seen::process.eq(process));
    let rows: Vec<(String, Vec<u8>)> =
        own.select((settings_seen::name, settings_seen::digest)).load(conn).await?;
    let read =
        |(name, digest): (String, Vec<u8>)| Ok((name, sound(digest.try_into().ok(), "settings_seen")?));
    rows.into_iter().map(read).collect()
}

/// Keeps what a kind of process is started with now.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    process: &str,
    digests: &Digests,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let own = settings_seen::table.filter(settings_seen::process.eq(process));
    diesel::delete(own).execute(conn).await?;
    let rows: Vec<_> = digests
        .iter()
        .map(|(name, digest)| {
            (
                settings_seen::process.eq(process),
                settings_seen::name.eq(name),
                settings_seen::digest.eq(digest.to_vec()),
                settings_seen::at.eq(now),
            )
        })
        .collect();
    diesel::insert_into(settings_seen::table).values(rows).execute(conn).await?;
    Ok(())
}
