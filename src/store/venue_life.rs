//! What happens to a venue after it was entered: its steps, its corrections, its stops.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::register::VenueRow;
use super::schema::{points, venue_steps, venues};
use crate::domain::numbered::Numbered;
use crate::domain::venue::VenueState;

/// How many steps of one venue are shown at the most, the latest first.
const STEPS_MAX: i64 = 500;

/// One step of a venue's life. It is never changed.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = venue_steps)]
pub struct StepRow {
    /// Counts the venue's steps from 1.
    pub seq: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as in the audit log.
    pub actor: String,
    /// What was done, such as `approved`.
    pub action: String,
    /// The state after it: number of a [`VenueState`].
    pub state: i16,
    /// Why.
    pub reason: String,
}

/// A step that is being taken.
#[derive(Debug, Clone, Copy)]
pub struct NewStep<'a> {
    /// Of which venue.
    pub venue_id: Uuid,
    /// Who takes it.
    pub actor: &'a str,
    /// What is done.
    pub action: &'a str,
    /// The state after it.
    pub state: VenueState,
    /// Why.
    pub reason: &'a str,
}

/// Writes a step down. The caller has appended to the audit log in the same transaction, whose lock keeps
/// the numbers of one venue in order.
pub async fn add_step(
    conn: &mut AsyncPgConnection,
    step: NewStep<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "insert into venue_steps (venue_id, seq, at, actor, action, state, reason)
         select $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5, $6 from venue_steps where venue_id = $1",
    )
    .bind::<SqlUuid, _>(step.venue_id)
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(step.actor)
    .bind::<Text, _>(step.action)
    .bind::<SmallInt, _>(step.state.number())
    .bind::<Text, _>(step.reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// The steps of a venue, the latest first.
pub async fn steps(conn: &mut AsyncPgConnection, venue_id: Uuid) -> Result<Vec<StepRow>, StoreError> {
    let own = venue_steps::table.filter(venue_steps::venue_id.eq(venue_id));
    let own = own.order(venue_steps::seq.desc()).limit(STEPS_MAX);
    Ok(own.select(StepRow::as_select()).load(conn).await?)
}

/// Whether somebody has taken one of these steps of a venue.
pub async fn has_taken(
    conn: &mut AsyncPgConnection,
    venue_id: Uuid,
    actor: &str,
    actions: &[&str],
) -> Result<bool, StoreError> {
    let taken = venue_steps::table
        .filter(venue_steps::venue_id.eq(venue_id))
        .filter(venue_steps::actor.eq(actor))
        .filter(venue_steps::action.eq_any(actions.to_vec()));
    Ok(diesel::select(diesel::dsl::exists(taken)).get_result(conn).await?)
}

/// The venue, which nobody else changes until the transaction ends.
pub async fn lock_venue(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<VenueRow>, StoreError> {
    let one = venues::table.find(id).select(VenueRow::as_select()).for_update();
    Ok(one.first(conn).await.optional()?)
}

/// Writes everything about a venue that can change.
pub async fn update_venue(conn: &mut AsyncPgConnection, row: &VenueRow) -> Result<(), StoreError> {
    diesel::update(venues::table.find(row.id))
        .set((
            (
                venues::organisation_id.eq(row.organisation_id),
                venues::name.eq(&row.name),
                venues::category.eq(&row.category),
                venues::division.eq(&row.division),
                venues::address.eq(&row.address),
                venues::lat_deg.eq(row.lat_deg),
                venues::lng_deg.eq(row.lng_deg),
                venues::cell.eq(row.cell),
                venues::outline.eq(&row.outline),
                venues::cells.eq(&row.cells),
            ),
            (
                venues::contact_name.eq(&row.contact_name),
                venues::contact_phone.eq(&row.contact_phone),
                venues::capacity.eq(row.capacity),
                venues::short_name.eq(&row.short_name),
                venues::street.eq(&row.street),
                venues::superior.eq(&row.superior),
                venues::state.eq(row.state),
                venues::state_reason.eq(&row.state_reason),
            ),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Moves the points that hang at the venue's own position, or that move with its line, along with it.
pub async fn move_points(
    conn: &mut AsyncPgConnection,
    venue_id: Uuid,
    cell: i64,
    grid_cell: i64,
) -> Result<(), StoreError> {
    let own = points::table.filter(points::venue_id.eq(venue_id)).filter(points::lat_deg.is_null());
    let change = (points::cell.eq(cell), points::grid_cell.eq(grid_cell));
    diesel::update(own).set(change).execute(conn).await?;
    Ok(())
}

/// How many venues that somebody manages wait for a review. The account is locked until the transaction
/// ends, so that two applications at once are counted one after the other.
pub async fn waiting_of(conn: &mut AsyncPgConnection, staff_id: Uuid) -> Result<i64, StoreError> {
    sql_query("select id from staff where id = $1 for update")
        .bind::<SqlUuid, _>(staff_id)
        .execute(conn)
        .await?;
    let count: Count = sql_query(
        "select count(*) as number from staff_venues s join venues v on v.id = s.venue_id
         where s.staff_id = $1 and s.role = 1 and v.state = $2",
    )
    .bind::<SqlUuid, _>(staff_id)
    .bind::<SmallInt, _>(VenueState::Submitted.number())
    .get_result(conn)
    .await?;
    Ok(count.number)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}
