//! Agreements of mutual recognition: every version is kept, and the newest one holds.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::agreements;
use super::{StoreError, access, sound};
use crate::domain::numbered::Numbered;
use crate::domain::recognition::{Agreement, Field, Route};

/// One version of an agreement.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = agreements)]
pub struct AgreementRow {
    /// Id, which both sides know.
    pub id: String,
    /// Counts its versions.
    pub version: i32,
    /// Our side.
    pub own_division: String,
    /// For whose people.
    pub division: String,
    /// Where hand-overs go.
    pub url: String,
    /// The name of what we sign with, in the file of secrets.
    pub secret: String,
    /// What the other side signs its receipts with, as `whpk_…`; without it, the same secret.
    pub public_key: Option<String>,
    /// Number of a [`Route`].
    pub route: i16,
    /// Words of [`Field`]s.
    pub fields: Vec<String>,
    /// The name of the key that persons are named under.
    pub alias_key: String,
    /// Since when.
    pub valid_from: DateTime<Utc>,
    /// Until when.
    pub valid_until: DateTime<Utc>,
    /// On what legal basis it was made.
    pub legal_basis: String,
    /// Who entered this version.
    pub entered_by: String,
    /// When.
    pub entered_at: DateTime<Utc>,
}

impl AgreementRow {
    /// What is agreed.
    pub fn read(&self) -> Result<Agreement, StoreError> {
        let fields: Option<BTreeSet<Field>> = self.fields.iter().map(|word| Field::of_word(word)).collect();
        Ok(Agreement {
            id: self.id.clone(),
            division: access::division(&self.division)?,
            route: sound(Route::from_number(self.route), "agreements")?,
            fields: sound(fields, "agreements")?,
            alias_key: self.alias_key.clone(),
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        })
    }
}

/// Adds a version.
pub async fn insert(conn: &mut AsyncPgConnection, row: &AgreementRow) -> Result<(), StoreError> {
    diesel::insert_into(agreements::table).values(row).execute(conn).await?;
    Ok(())
}

/// The newest version of an agreement.
pub async fn newest(conn: &mut AsyncPgConnection, id: &str) -> Result<Option<AgreementRow>, StoreError> {
    let versions = agreements::table.filter(agreements::id.eq(id)).order(agreements::version.desc());
    Ok(versions.select(AgreementRow::as_select()).first(conn).await.optional()?)
}

/// All versions of an agreement, the newest first, so many at most.
pub async fn versions(
    conn: &mut AsyncPgConnection,
    id: &str,
    limit: i64,
) -> Result<Vec<AgreementRow>, StoreError> {
    let versions = agreements::table.filter(agreements::id.eq(id)).order(agreements::version.desc());
    Ok(versions.limit(limit).select(AgreementRow::as_select()).load(conn).await?)
}

/// The newest version of every agreement.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<AgreementRow>, StoreError> {
    let newest = agreements::table
        .distinct_on(agreements::id)
        .order((agreements::id, agreements::version.desc()))
        .select(AgreementRow::as_select());
    Ok(newest.load(conn).await?)
}
