//! What inspectors found in front of posters.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::inspections;

/// One visit of an inspector.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = inspections)]
pub struct InspectionRow {
    /// Id.
    pub id: Uuid,
    /// Which poster.
    pub point_id: i64,
    /// The inspector's login.
    pub inspector: String,
    /// When.
    pub at: DateTime<Utc>,
    /// How far from the registered place the inspector stood.
    pub distance_m: Option<i32>,
    /// Number of a [`crate::domain::inspection::Finding`].
    pub finding: i16,
    /// What else there is to say.
    pub note: String,
}

/// Keeps a visit.
pub async fn insert(conn: &mut AsyncPgConnection, row: &InspectionRow) -> Result<(), StoreError> {
    diesel::insert_into(inspections::table).values(row).execute(conn).await?;
    Ok(())
}

/// The last visits to a point, the newest first.
pub async fn of_point(
    conn: &mut AsyncPgConnection,
    point_id: i64,
    limit: i64,
) -> Result<Vec<InspectionRow>, StoreError> {
    let own = inspections::table.filter(inspections::point_id.eq(point_id));
    let newest = own.order((inspections::at.desc(), inspections::id)).limit(limit);
    Ok(newest.select(InspectionRow::as_select()).load(conn).await?)
}
