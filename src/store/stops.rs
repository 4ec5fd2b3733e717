//! The stops of lines: where the visitors of a vehicle get on and off.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::stops;

/// A stop of a line.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = stops)]
pub struct StopRow {
    /// The line.
    pub venue_id: Uuid,
    /// Its number on the line, from 1.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
    /// Cell at the resolution of points.
    pub cell: i64,
    /// The companion cell.
    pub grid_cell: i64,
}

/// The stops of a line in their order.
pub async fn of_venue(conn: &mut AsyncPgConnection, venue_id: Uuid) -> Result<Vec<StopRow>, StoreError> {
    let own = stops::table.filter(stops::venue_id.eq(venue_id)).order(stops::number);
    Ok(own.select(StopRow::as_select()).load(conn).await?)
}

/// Adds stops to lines.
pub async fn insert(conn: &mut AsyncPgConnection, rows: &[StopRow]) -> Result<(), StoreError> {
    diesel::insert_into(stops::table).values(rows).execute(conn).await?;
    Ok(())
}

/// Takes all stops from a line, of which nobody has scanned any.
pub async fn delete(conn: &mut AsyncPgConnection, venue_id: Uuid) -> Result<(), StoreError> {
    diesel::delete(stops::table.filter(stops::venue_id.eq(venue_id))).execute(conn).await?;
    Ok(())
}
