//! The bounding areas of divisions.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::divisions;
use super::{StoreError, sound};
use crate::domain::bounds::Bounds;
use crate::domain::venue::Division;

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
    rows.into_iter().next().map(DivisionRow::read).transpose()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = divisions)]
struct DivisionRow {
    code: String,
    name: String,
    south_deg: f64,
    west_deg: f64,
    north_deg: f64,
    east_deg: f64,
}

impl DivisionRow {
    fn read(self) -> Result<Known, StoreError> {
        let bounds = Bounds::new(self.south_deg, self.west_deg, self.north_deg, self.east_deg);
        Ok(Known {
            division: sound(self.code.parse().ok(), "divisions")?,
            name: self.name,
            bounds: sound(bounds.ok(), "divisions")?,
        })
    }
}
