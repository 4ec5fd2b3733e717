//! Rule packs as they were loaded: read by name, and page by page.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;
use super::schema::rule_packs;

/// A loaded pack.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = rule_packs)]
pub struct RulePackRow {
    /// Its name.
    pub id: String,
    /// Which version.
    pub version: i32,
    /// Its text.
    pub body: String,
    /// When it was loaded.
    pub loaded_at: DateTime<Utc>,
}

/// One pack.
pub async fn find(
    conn: &mut AsyncPgConnection,
    id: &str,
    version: i32,
) -> Result<Option<RulePackRow>, StoreError> {
    let row = rule_packs::table.find((id, version)).select(RulePackRow::as_select());
    Ok(row.first(conn).await.optional()?)
}

/// The packs behind a name and version, in the order of these.
pub async fn page(
    conn: &mut AsyncPgConnection,
    after: Option<(&str, i32)>,
    limit: i64,
) -> Result<Vec<RulePackRow>, StoreError> {
    // Before the first name stands the empty one.
    let (id, version) = after.unwrap_or_default();
    let behind = rule_packs::id.gt(id).or(rule_packs::id.eq(id).and(rule_packs::version.gt(version)));
    let page = rule_packs::table.filter(behind).order((rule_packs::id, rule_packs::version)).limit(limit);
    Ok(page.select(RulePackRow::as_select()).load(conn).await?)
}
