//! Divisions whose bounding area is known.

use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::divisions;
use super::{StoreError, sound};
use crate::domain::division_bounds::{Bounds, DivisionBounds};
use crate::domain::venue::Division;

/// A division with its box of degrees, WGS 84.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = divisions)]
pub struct DivisionRow {
    /// GB/T 2260 code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Southern edge.
    pub south_deg: f64,
    /// Western edge.
    pub west_deg: f64,
    /// Northern edge.
    pub north_deg: f64,
    /// Eastern edge.
    pub east_deg: f64,
}

/// Adds divisions; those whose code is there already are replaced. No code may come twice.
pub async fn insert(conn: &mut AsyncPgConnection, rows: &[DivisionRow]) -> Result<(), StoreError> {
    let replaced = (
        divisions::name.eq(excluded(divisions::name)),
        divisions::south_deg.eq(excluded(divisions::south_deg)),
        divisions::west_deg.eq(excluded(divisions::west_deg)),
        divisions::north_deg.eq(excluded(divisions::north_deg)),
        divisions::east_deg.eq(excluded(divisions::east_deg)),
    );
    let insert = diesel::insert_into(divisions::table).values(rows);
    insert.on_conflict(divisions::code).do_update().set(replaced).execute(conn).await?;
    Ok(())
}

/// All divisions in the order of their codes; China has some 3,200.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<DivisionRow>, StoreError> {
    Ok(divisions::table.order(divisions::code).select(DivisionRow::as_select()).load(conn).await?)
}

/// A division whose bounding area is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its code.
    pub division: Division,
    /// Its name.
    pub name: String,
    /// Its area.
    pub bounds: Bounds,
}

/// The bounding area that a place of this division must lie in: that of the division itself, else of
/// its prefecture, else of its province, whichever is loaded; `None` when none of them is.
pub async fn bounds_of(
    conn: &mut AsyncPgConnection,
    division: &Division,
) -> Result<Option<Known>, StoreError> {
    let codes: Vec<String> = division.with_wider().iter().map(ToString::to_string).collect();
    let rows: Vec<DivisionRow> = divisions::table
        .filter(divisions::code.eq_any(codes))
        // Trailing zeros make a wider division, so the smallest has the highest code.
        .order(divisions::code.desc())
        .limit(1)
        .select(DivisionRow::as_select())
        .load(conn)
        .await?;
    let known = |row: DivisionRow| {
        let (division, bounds) = row.bounds()?;
        Ok(Known { division, name: row.name, bounds })
    };
    rows.into_iter().next().map(known).transpose()
}

/// Where all divisions lie, to check many positions against.
pub async fn all_bounds(conn: &mut AsyncPgConnection) -> Result<DivisionBounds, StoreError> {
    all(conn).await?.iter().map(DivisionRow::bounds).collect()
}

impl DivisionRow {
    fn bounds(&self) -> Result<(Division, Bounds), StoreError> {
        let code = sound(self.code.parse().ok(), "divisions")?;
        let bounds = Bounds::new(self.south_deg, self.west_deg, self.north_deg, self.east_deg);
        Ok((code, sound(bounds.ok(), "divisions")?))
    }
}
