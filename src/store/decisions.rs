//! The words of officers that let runs go, withdrawn cases that wait to be undone, and switches.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::{releases, switches};

/// The switch that holds all outgoing letters.
pub const EMERGENCY_STOP: &str = "emergency_stop";

/// One officer's word that a run may go out.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = releases)]
pub struct ReleaseRow {
    /// Which run.
    pub run_id: Uuid,
    /// Who.
    pub officer_id: Uuid,
    /// On what legal basis.
    pub legal_basis: String,
    /// Whether a chief officer gave it.
    pub chief: bool,
    /// When.
    pub at: DateTime<Utc>,
    /// How many people the officer confirmed that the run colours.
    pub people: Option<i32>,
}

/// Adds an officer's word; false when that officer has given it before.
pub async fn insert_release(conn: &mut AsyncPgConnection, row: &ReleaseRow) -> Result<bool, StoreError> {
    let added =
        diesel::insert_into(releases::table).values(row).on_conflict_do_nothing().execute(conn).await?;
    Ok(added == 1)
}

/// A withdrawn case on which something still hangs. Held until the transaction ends.
pub async fn withdrawn_case(conn: &mut AsyncPgConnection) -> Result<Option<Uuid>, StoreError> {
    let row: Option<Id> = sql_query(
        "select c.id from cases c
         where c.withdrawn_at is not null
           and exists (select 1 from runs r where r.case_id = c.id and r.state not in (2, 6, 7))
         order by c.id limit 1 for update of c skip locked",
    )
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.id))
}

/// The words given for a run, the first first.
pub async fn releases(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Vec<ReleaseRow>, StoreError> {
    let own = releases::table.filter(releases::run_id.eq(run_id)).order(releases::at);
    Ok(own.select(ReleaseRow::as_select()).load(conn).await?)
}

/// Whether a switch is on; one that was never touched is off.
pub async fn switch(conn: &mut AsyncPgConnection, name: &str) -> Result<bool, StoreError> {
    let on = switches::table.find(name).select(switches::is_on).first(conn).await.optional()?;
    Ok(on.unwrap_or(false))
}

/// Turns a switch.
pub async fn set_switch(
    conn: &mut AsyncPgConnection,
    name: &str,
    on: bool,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let change = (switches::is_on.eq(on), switches::changed_by.eq(by), switches::changed_at.eq(now));
    diesel::insert_into(switches::table)
        .values((switches::name.eq(name), change))
        .on_conflict(switches::name)
        .do_update()
        .set(change)
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}
