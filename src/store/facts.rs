//! The register as taking a scan sees it: every point with its venue in one row.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Deserialize;
use uuid::Uuid;

use super::register::venue_state;
use super::{StoreError, sound};
use crate::domain::area::{along, phone_cells};
use crate::domain::point::{PointFacts, Stop};
use crate::domain::position::{PHONE_RESOLUTION, Position, cell_from_i64};
use crate::domain::venue::PointId;

const FACTS: &str = "select p.id, p.name, p.cell, p.generation, p.previous_until, p.revoked_at, p.expires_at, p.changed_at,
    v.id as venue_id, v.name as venue_name, v.category, v.division, v.state as venue_state, v.cells, p.is_mobile,
    coalesce(p.lat_deg, v.lat_deg) as lat_deg, coalesce(p.lng_deg, v.lng_deg) as lng_deg,
    case when p.is_mobile then (
        select jsonb_agg(jsonb_build_object('number', s.number, 'name', s.name, 'cell', s.cell) order by s.number)
        from stops s where s.venue_id = v.id) end as stops
    from points p join venues v on v.id = p.venue_id";

/// The facts about some points; unknown ones are left out.
pub async fn facts(conn: &mut AsyncPgConnection, ids: &[PointId]) -> Result<Vec<PointFacts>, StoreError> {
    let query = sql_query(format!("{FACTS} where p.id = any($1)"));
    let ids: Vec<i64> = ids.iter().map(|id| id.to_i64()).collect();
    let rows: Vec<FactsRow> = query.bind::<Array<BigInt>, _>(ids).load(conn).await?;
    rows.into_iter().map(FactsRow::read).collect()
}

/// The facts about points that changed at or after `since`, by the database's clock, and what that
/// clock shows now.
pub async fn facts_changed_since(
    conn: &mut AsyncPgConnection,
    since: DateTime<Utc>,
) -> Result<(Vec<PointFacts>, DateTime<Utc>), StoreError> {
    let now: DatabaseTime = sql_query("select clock_timestamp() as at").get_result(conn).await?;
    let query = sql_query(format!("{FACTS} where p.changed_at >= $1"));
    let rows: Vec<FactsRow> = query.bind::<Timestamptz, _>(since).load(conn).await?;
    Ok((rows.into_iter().map(FactsRow::read).collect::<Result<_, _>>()?, now.at))
}

#[derive(QueryableByName)]
struct DatabaseTime {
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct FactsRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    cell: i64,
    #[diesel(sql_type = SmallInt)]
    generation: i16,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    previous_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    revoked_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    expires_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = SqlUuid)]
    venue_id: Uuid,
    #[diesel(sql_type = Text)]
    venue_name: String,
    #[diesel(sql_type = Text)]
    category: String,
    #[diesel(sql_type = Text)]
    division: String,
    #[diesel(sql_type = SmallInt)]
    venue_state: i16,
    #[diesel(sql_type = Bool)]
    is_mobile: bool,
    #[diesel(sql_type = Array<BigInt>)]
    cells: Vec<i64>,
    #[diesel(sql_type = Double)]
    lat_deg: f64,
    #[diesel(sql_type = Double)]
    lng_deg: f64,
    #[diesel(sql_type = Timestamptz)]
    changed_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    stops: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct StopFacts {
    number: i16,
    name: String,
    cell: i64,
}

impl FactsRow {
    fn read(self) -> Result<PointFacts, StoreError> {
        let stops = self.stops.unwrap_or_else(|| serde_json::json!([]));
        let stops: Vec<StopFacts> = sound(serde_json::from_value(stops).ok(), "stops")?;
        let stops = stops.into_iter().map(StopFacts::read).collect::<Result<Vec<_>, _>>()?;
        let position = sound(Position::new(self.lat_deg, self.lng_deg).ok(), "points")?;
        let near = if self.is_mobile {
            along(stops.iter().map(|stop| stop.cell))
        } else {
            let area = self.cells.into_iter().map(|cell| sound(cell_from_i64(cell), "venues"));
            phone_cells(
                [Ok(position.cell(PHONE_RESOLUTION))]
                    .into_iter()
                    .chain(area)
                    .collect::<Result<Vec<_>, _>>()?,
            )
        };
        Ok(PointFacts {
            id: sound(PointId::from_i64(self.id), "points")?,
            name: self.name,
            cell: sound(cell_from_i64(self.cell), "points")?,
            near,
            stops,
            generation: sound(u8::try_from(self.generation).ok(), "points")?,
            previous_until: self.previous_until,
            revoked_at: self.revoked_at,
            expires_at: self.expires_at,
            venue: self.venue_id,
            venue_name: self.venue_name,
            category: self.category,
            division: self.division,
            venue_state: venue_state(self.venue_state)?,
            changed_at: self.changed_at,
        })
    }
}

impl StopFacts {
    fn read(self) -> Result<Stop, StoreError> {
        Ok(Stop { number: self.number, name: self.name, cell: sound(cell_from_i64(self.cell), "stops")? })
    }
}
