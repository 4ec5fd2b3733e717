//! What an import asks of the register: which rows are there already, and where scans belong.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use h3o::CellIndex;
use uuid::Uuid;

use super::register::{OrganisationRow, VenueRow, venue_state};
use super::schema::{organisations, points, venues};
use super::{StoreError, sound};
use crate::domain::position::cell_from_i64;
use crate::domain::venue::{PointId, VenueState};

/// Lets one import of venues write at a time, until the transaction ends.
pub async fn lock(conn: &mut AsyncPgConnection) -> Result<(), StoreError> {
    sql_query("select pg_advisory_xact_lock(hashtextextended('placecode/venues-import', 0))")
        .execute(conn)
        .await?;
    Ok(())
}

/// Which of these source references are venues already.
pub async fn known_venues(conn: &mut AsyncPgConnection, refs: &[String]) -> Result<Vec<String>, StoreError> {
    let known =
        venues::table.filter(venues::source_ref.eq_any(refs)).select(venues::source_ref.assume_not_null());
    Ok(known.load(conn).await?)
}

/// The venues that have these source references, as they stand.
pub async fn known_rows(conn: &mut AsyncPgConnection, refs: &[String]) -> Result<Vec<VenueRow>, StoreError> {
    let known = venues::table.filter(venues::source_ref.eq_any(refs));
    Ok(known.select(VenueRow::as_select()).load(conn).await?)
}

/// Writes what a file may change of a venue: names, address, capacity, whom to call, who supervises.
pub async fn update_details(conn: &mut AsyncPgConnection, row: &VenueRow) -> Result<(), StoreError> {
    let change = (
        venues::name.eq(&row.name),
        venues::short_name.eq(&row.short_name),
        venues::street.eq(&row.street),
        venues::address.eq(&row.address),
        venues::capacity.eq(row.capacity),
        venues::superior.eq(&row.superior),
        venues::contact_name.eq(&row.contact_name),
        venues::contact_phone.eq(&row.contact_phone),
    );
    diesel::update(venues::table.find(row.id)).set(change).execute(conn).await?;
    Ok(())
}

/// Which of these numbers are points already.
pub async fn taken_points(conn: &mut AsyncPgConnection, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    Ok(points::table.filter(points::id.eq_any(ids)).select(points::id).load(conn).await?)
}

/// Adds organisations; those whose id or credit code is there already are passed over.
pub async fn insert_organisations(
    conn: &mut AsyncPgConnection,
    rows: &[OrganisationRow],
) -> Result<(), StoreError> {
    diesel::insert_into(organisations::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

/// The organisations that have one of these credit codes.
pub async fn organisations_by_code(
    conn: &mut AsyncPgConnection,
    codes: &[String],
) -> Result<Vec<(String, Uuid)>, StoreError> {
    let found = organisations::table.filter(organisations::credit_code.eq_any(codes));
    Ok(found.select((organisations::credit_code.assume_not_null(), organisations::id)).load(conn).await?)
}

/// A point as an import of scans sees it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The point.
    pub point: PointId,
    /// Its name.
    pub name: String,
    /// Its cell.
    pub cell: CellIndex,
    /// Since when no code of it answers.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The state of its venue.
    pub venue_state: VenueState,
    /// Where its venue was imported from.
    pub source_ref: Option<String>,
}

const PLACES: &str = "select p.id, p.name, p.cell, p.revoked_at, v.state, v.source_ref
    from points p join venues v on v.id = p.venue_id";

/// The points of the venues that have these source references.
pub async fn places_of_venues(
    conn: &mut AsyncPgConnection,
    refs: &[String],
) -> Result<Vec<Place>, StoreError> {
    let query = sql_query(format!("{PLACES} where v.source_ref = any($1) order by p.name, p.id"));
    let rows: Vec<PlaceRow> = query.bind::<Array<Text>, _>(refs).load(conn).await?;
    rows.into_iter().map(PlaceRow::read).collect()
}

/// The points that have these ids.
pub async fn places(conn: &mut AsyncPgConnection, ids: &[PointId]) -> Result<Vec<Place>, StoreError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.to_i64()).collect();
    let query = sql_query(format!("{PLACES} where p.id = any($1)"));
    let rows: Vec<PlaceRow> = query.bind::<Array<BigInt>, _>(ids).load(conn).await?;
    rows.into_iter().map(PlaceRow::read).collect()
}

#[derive(QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    cell: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    revoked_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = SmallInt)]
    state: i16,
    #[diesel(sql_type = Nullable<Text>)]
    source_ref: Option<String>,
}

impl PlaceRow {
    fn read(self) -> Result<Place, StoreError> {
        Ok(Place {
            point: sound(PointId::from_i64(self.id), "points")?,
            name: self.name,
            cell: sound(cell_from_i64(self.cell), "points")?,
            revoked_at: self.revoked_at,
            venue_state: venue_state(self.state)?,
            source_ref: self.source_ref,
        })
    }
}
