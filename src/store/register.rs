//! Organisations, venues and points.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{organisations, points, venues};
use super::{StoreError, sound};
use crate::domain::numbered::Numbered;
use crate::domain::venue::{Division, VenueState};

/// Who answers for venues.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = organisations)]
pub struct OrganisationRow {
    /// Id.
    pub id: Uuid,
    /// Full legal name.
    pub legal_name: String,
    /// Unified social credit code.
    pub credit_code: Option<String>,
    /// When it was entered.
    pub created_at: DateTime<Utc>,
    /// Number of an [`crate::domain::venue::OrganisationKind`].
    pub kind: i16,
}

/// One address.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = venues)]
pub struct VenueRow {
    /// Id.
    pub id: Uuid,
    /// Who answers for it.
    pub organisation_id: Uuid,
    /// Where it was imported from.
    pub source_ref: Option<String>,
    /// Name.
    pub name: String,
    /// Word of the category.
    pub category: String,
    /// GB/T 2260 code.
    pub division: String,
    /// Address.
    pub address: String,
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
    /// Cell at the resolution of points.
    pub cell: i64,
    /// Whom to call.
    pub contact_name: String,
    /// At which number.
    pub contact_phone: String,
    /// How many people it holds.
    pub capacity: Option<i32>,
    /// Number of a [`VenueState`].
    pub state: i16,
    /// Why it is in that state.
    pub state_reason: String,
    /// When it was entered.
    pub created_at: DateTime<Utc>,
    /// What people call it, up to 16 characters.
    pub short_name: String,
    /// Street or town within the division.
    pub street: String,
    /// Which authority supervises it.
    pub superior: String,
    /// Its outline as a GeoJSON geometry, where it is wider than a door.
    pub outline: Option<serde_json::Value>,
    /// The cells of the outline, compacted.
    pub cells: Vec<i64>,
}

/// Where a code hangs.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = points)]
pub struct PointRow {
    /// Id, 40 random bits.
    pub id: i64,
    /// Its venue.
    pub venue_id: Uuid,
    /// Door, floor, room, table, carriage.
    pub name: String,
    /// Number of a granularity.
    pub granularity: i16,
    /// Cell at the resolution of points.
    pub cell: i64,
    /// The companion cell.
    pub grid_cell: i64,
    /// What new posters carry.
    pub generation: i16,
    /// Until when older posters answer.
    pub previous_until: Option<DateTime<Utc>>,
    /// Since when none answers.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was entered.
    pub created_at: DateTime<Utc>,
    /// Degrees north, where it is not the venue's.
    pub lat_deg: Option<f64>,
    /// Degrees east, where it is not the venue's.
    pub lng_deg: Option<f64>,
    /// Whether it moves: a carriage, a bus, a taxi.
    pub is_mobile: bool,
    /// When its codes end, where that was set beforehand.
    pub expires_at: Option<DateTime<Utc>>,
    /// The row of a vehicle that it is.
    pub row_no: Option<i16>,
    /// The seat in that row.
    pub seat: Option<String>,
}

/// The organisation of that credit code.
pub async fn organisation_by_code(
    conn: &mut AsyncPgConnection,
    code: &str,
) -> Result<Option<OrganisationRow>, StoreError> {
    let found = organisations::table.filter(organisations::credit_code.eq(code));
    Ok(found.select(OrganisationRow::as_select()).first(conn).await.optional()?)
}

/// Adds an organisation.
pub async fn insert_organisation(
    conn: &mut AsyncPgConnection,
    row: &OrganisationRow,
) -> Result<(), StoreError> {
    diesel::insert_into(organisations::table).values(row).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

/// Adds venues; those whose `source_ref` is there already are passed over. Returns how many were new.
pub async fn insert_venues(conn: &mut AsyncPgConnection, rows: &[VenueRow]) -> Result<usize, StoreError> {
    Ok(diesel::insert_into(venues::table).values(rows).on_conflict_do_nothing().execute(conn).await?)
}

/// Adds points. An id that is taken is a unique violation; the caller draws another.
pub async fn insert_points(conn: &mut AsyncPgConnection, rows: &[PointRow]) -> Result<usize, StoreError> {
    Ok(diesel::insert_into(points::table).values(rows).execute(conn).await?)
}

/// One venue.
pub async fn venue(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<VenueRow>, StoreError> {
    Ok(venues::table.find(id).select(VenueRow::as_select()).first(conn).await.optional()?)
}

/// A page of venues in the order of ids: of a division and all inside it, or of a manager.
pub async fn venue_page(
    conn: &mut AsyncPgConnection,
    division: &Division,
    only: Option<&[Uuid]>,
    state: Option<VenueState>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<VenueRow>, StoreError> {
    let mut page = venues::table
        .filter(venues::division.like(division_pattern(division)))
        .filter(venues::id.gt(after.unwrap_or(Uuid::nil())))
        .into_boxed();
    if let Some(only) = only {
        page = page.filter(venues::id.eq_any(only.to_vec()));
    }
    if let Some(state) = state {
        page = page.filter(venues::state.eq(state.number()));
    }
    Ok(page.order(venues::id).limit(limit).select(VenueRow::as_select()).load(conn).await?)
}

/// What a division code begins with when it lies inside `division`, for `like`.
pub(super) fn division_pattern(division: &Division) -> String {
    format!("{}%", division.prefix())
}

/// Moves a venue to another state, unless it has left the state that the caller saw; false then.
pub async fn set_venue_state(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    from: VenueState,
    to: VenueState,
    reason: &str,
) -> Result<bool, StoreError> {
    let seen = venues::table.filter(venues::id.eq(id)).filter(venues::state.eq(from.number()));
    let change = (venues::state.eq(to.number()), venues::state_reason.eq(reason));
    Ok(diesel::update(seen).set(change).execute(conn).await? == 1)
}

/// The points of a venue, by name.
pub async fn points_of_venue(
    conn: &mut AsyncPgConnection,
    venue_id: Uuid,
) -> Result<Vec<PointRow>, StoreError> {
    let own =
        points::table.filter(points::venue_id.eq(venue_id)).order((points::name, points::id)).limit(2000);
    Ok(own.select(PointRow::as_select()).load(conn).await?)
}

/// One point.
pub async fn point(conn: &mut AsyncPgConnection, id: i64) -> Result<Option<PointRow>, StoreError> {
    Ok(points::table.find(id).select(PointRow::as_select()).first(conn).await.optional()?)
}

/// Raises the generation of a point's code; older posters answer until `previous_until`. Returns the
/// new generation, or `None` when the point is unknown or has used all 255.
pub async fn rotate_code(
    conn: &mut AsyncPgConnection,
    id: i64,
    previous_until: DateTime<Utc>,
) -> Result<Option<i16>, StoreError> {
    let turning = points::table.filter(points::id.eq(id)).filter(points::generation.lt(255));
    let change = (points::generation.eq(points::generation + 1), points::previous_until.eq(previous_until));
    Ok(diesel::update(turning).set(change).returning(points::generation).get_result(conn).await.optional()?)
}

/// Ends all codes of a point at once; false when the point is unknown.
pub async fn revoke_code(
    conn: &mut AsyncPgConnection,
    id: i64,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let change = points::revoked_at.eq(now);
    Ok(diesel::update(points::table.find(id)).set(change).execute(conn).await? == 1)
}

/// How many visitors were at each point of a venue in a span. Counts only.
pub async fn visitors_by_point(
    conn: &mut AsyncPgConnection,
    venue_id: Uuid,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<PointCount>, StoreError> {
    Ok(sql_query(
        "select p.id as point_id, count(distinct s.visitor) as visitors
         from points p left join stays s on s.point_id = p.id and s.from_at >= $2 and s.from_at < $3
         where p.venue_id = $1 group by p.id order by p.id",
    )
    .bind::<SqlUuid, _>(venue_id)
    .bind::<Timestamptz, _>(from)
    .bind::<Timestamptz, _>(until)
    .load(conn)
    .await?)
}

/// A count for one point.
#[derive(Debug, Clone, QueryableByName)]
pub struct PointCount {
    /// Which point.
    #[diesel(sql_type = BigInt)]
    pub point_id: i64,
    /// How many different visitors.
    #[diesel(sql_type = BigInt)]
    pub visitors: i64,
}

/// The state of a venue from what Postgres kept.
pub fn venue_state(number: i16) -> Result<VenueState, StoreError> {
    sound(VenueState::from_number(number), "venues")
}
