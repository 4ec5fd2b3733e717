//! Organisations with the venues of their chain, and entries that may be one venue.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::register::{OrganisationRow, VenueRow};
use super::schema::{organisations, venues};
use crate::domain::venue::Division;

/// How many entries are compared with one venue at the most: a cell of a mall may hold hundreds.
const COMPARED_MAX: i64 = 500;

/// One organisation.
pub async fn organisation(
    conn: &mut AsyncPgConnection,
    id: Uuid,
) -> Result<Option<OrganisationRow>, StoreError> {
    let one = organisations::table.find(id).select(OrganisationRow::as_select());
    Ok(one.first(conn).await.optional()?)
}

/// Adds an organisation, unless its credit code is there, and gives the one that has the code.
pub async fn find_or_insert(
    conn: &mut AsyncPgConnection,
    row: &OrganisationRow,
) -> Result<OrganisationRow, StoreError> {
    super::register::insert_organisation(conn, row).await?;
    let known = match &row.credit_code {
        Some(code) => super::register::organisation_by_code(conn, code).await?,
        None => None,
    };
    Ok(known.unwrap_or_else(|| row.clone()))
}

/// A page of an organisation's venues in the order of ids: of a division, or only these.
pub async fn venues_of_organisation(
    conn: &mut AsyncPgConnection,
    organisation_id: Uuid,
    division: &Division,
    only: Option<&[Uuid]>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<VenueRow>, StoreError> {
    let mut page = venues::table
        .filter(venues::organisation_id.eq(organisation_id))
        .filter(venues::division.like(super::register::division_pattern(division)))
        .filter(venues::id.gt(after.unwrap_or(Uuid::nil())))
        .into_boxed();
    if let Some(only) = only {
        page = page.filter(venues::id.eq_any(only.to_vec()));
    }
    Ok(page.order(venues::id).limit(limit).select(VenueRow::as_select()).load(conn).await?)
}

/// An entry that may be the same venue as another.
#[derive(Debug, Clone, QueryableByName)]
pub struct EntryRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Name.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Address.
    #[diesel(sql_type = Text)]
    pub address: String,
    /// Cell at the resolution of points.
    #[diesel(sql_type = BigInt)]
    pub cell: i64,
    /// Number of a state.
    #[diesel(sql_type = diesel::sql_types::SmallInt)]
    pub state: i16,
    /// The credit code of who answers for it.
    #[diesel(sql_type = Nullable<Text>)]
    pub credit_code: Option<String>,
}

/// What may be the same venue as `venue`: entries of the same organisation or in one of these cells,
/// the nearest in time first. Closed ones are passed over, since whoever moves closes and registers anew.
pub async fn comparable(
    conn: &mut AsyncPgConnection,
    venue: &VenueRow,
    cells: &[i64],
) -> Result<Vec<EntryRow>, StoreError> {
    Ok(sql_query(
        "with found as (
             select v.id from venues v join organisations o on o.id = v.organisation_id
             where v.organisation_id = $1 and v.state <> 3 and o.credit_code is not null
             union
             select v.id from venues v where v.cell = any($2) and v.state <> 3
         )
         select v.id, v.name, v.address, v.cell, v.state, o.credit_code
         from found f join venues v on v.id = f.id join organisations o on o.id = v.organisation_id
         where v.id <> $3 order by v.id desc limit $4",
    )
    .bind::<SqlUuid, _>(venue.organisation_id)
    .bind::<Array<BigInt>, _>(cells.to_vec())
    .bind::<SqlUuid, _>(venue.id)
    .bind::<BigInt, _>(COMPARED_MAX)
    .load(conn)
    .await?)
}
