//! Staff, sessions, machine tokens, devices and channels.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{channels, devices, machine_tokens, sessions, staff, staff_venues};
use super::{StoreError, sound};
use crate::domain::access::Role;
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;

/// A member of staff.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = staff)]
pub struct StaffRow {
    /// Id.
    pub id: Uuid,
    /// The name to sign in with.
    pub login: String,
    /// The name to show.
    pub display_name: String,
    /// Argon2, in its own text form.
    pub password_hash: String,
    /// Numbers of roles.
    pub roles: Vec<i16>,
    /// What the person may see.
    pub division: String,
    /// Since when the account is closed.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A session of a member of staff.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub struct SessionRow {
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    /// Whose.
    pub staff_id: Uuid,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// A machine with a token.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = machine_tokens)]
pub struct MachineRow {
    /// Id.
    pub id: Uuid,
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    /// What it is.
    pub name: String,
    /// Numbers of roles.
    pub roles: Vec<i16>,
    /// What it may see.
    pub division: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// A digital sentinel or gate.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = devices)]
pub struct DeviceRow {
    /// Id.
    pub id: Uuid,
    /// What it is.
    pub name: String,
    /// Where it stands.
    pub point_id: i64,
    /// Its Ed25519 key.
    pub public_key: Vec<u8>,
    /// Since when it is out of use.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A client that verifies persons.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = channels)]
pub struct ChannelRow {
    /// Id, the `kid` of its assertions.
    pub id: String,
    /// Name to show.
    pub name: String,
    /// Its Ed25519 key.
    pub public_key: Vec<u8>,
    /// Where a visitor is sent to be verified.
    pub page_url: String,
    /// Since when it is out of use.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Roles as Postgres keeps them.
pub fn role_numbers(roles: &[Role]) -> Vec<i16> {
    roles.iter().map(|role| role.number()).collect()
}

/// Roles from what Postgres kept.
pub fn roles(numbers: &[i16]) -> Result<Vec<Role>, StoreError> {
    numbers.iter().map(|number| sound(Role::from_number(*number), "staff")).collect()
}

/// A division from what Postgres kept.
pub fn division(text: &str) -> Result<Division, StoreError> {
    sound(text.parse().ok(), "division")
}

/// Adds a member of staff; a login that is taken is a unique violation.
pub async fn insert_staff(conn: &mut AsyncPgConnection, row: &StaffRow) -> Result<(), StoreError> {
    diesel::insert_into(staff::table).values(row).execute(conn).await?;
    Ok(())
}

/// The open account of that login.
pub async fn staff_by_login(
    conn: &mut AsyncPgConnection,
    login: &str,
) -> Result<Option<StaffRow>, StoreError> {
    let open = staff::table.filter(staff::login.eq(login)).filter(staff::disabled_at.is_null());
    Ok(open.select(StaffRow::as_select()).first(conn).await.optional()?)
}

/// The accounts with these ids, open or not.
pub async fn staff_by_ids(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<Vec<StaffRow>, StoreError> {
    Ok(staff::table.filter(staff::id.eq_any(ids)).select(StaffRow::as_select()).load(conn).await?)
}

/// A page of accounts in the order of ids.
pub async fn staff_page(
    conn: &mut AsyncPgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StaffRow>, StoreError> {
    let after = after.unwrap_or(Uuid::nil());
    let page = staff::table.filter(staff::id.gt(after)).order(staff::id).limit(limit);
    Ok(page.select(StaffRow::as_select()).load(conn).await?)
}

/// Closes an account and ends its sessions; false when there is none that is open.
pub async fn disable_staff(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let open = staff::table.filter(staff::id.eq(id)).filter(staff::disabled_at.is_null());
    let closed = diesel::update(open).set(staff::disabled_at.eq(now)).execute(conn).await?;
    diesel::delete(sessions::table.filter(sessions::staff_id.eq(id))).execute(conn).await?;
    Ok(closed == 1)
}

/// Opens a session.
pub async fn insert_session(conn: &mut AsyncPgConnection, row: &SessionRow) -> Result<(), StoreError> {
    diesel::insert_into(sessions::table).values(row).execute(conn).await?;
    Ok(())
}

/// The account that a session belongs to, while both are open.
pub async fn staff_by_session(
    conn: &mut AsyncPgConnection,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<StaffRow>, StoreError> {
    let open = sessions::table
        .inner_join(staff::table.on(staff::id.eq(sessions::staff_id)))
        .filter(sessions::token_hash.eq(token_hash))
        .filter(sessions::expires_at.gt(now))
        .filter(staff::disabled_at.is_null());
    Ok(open.select(StaffRow::as_select()).first(conn).await.optional()?)
}

/// Ends a session.
pub async fn delete_session(conn: &mut AsyncPgConnection, token_hash: &[u8]) -> Result<(), StoreError> {
    diesel::delete(sessions::table.find(token_hash)).execute(conn).await?;
    Ok(())
}

/// Forgets the sessions that ended before `now`; returns how many.
pub async fn expire_sessions(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(diesel::delete(sessions::table.filter(sessions::expires_at.le(now))).execute(conn).await?)
}

/// Adds a machine.
pub async fn insert_machine(conn: &mut AsyncPgConnection, row: &MachineRow) -> Result<(), StoreError> {
    diesel::insert_into(machine_tokens::table).values(row).execute(conn).await?;
    Ok(())
}

/// The machine whose token this is, while the token lasts.
pub async fn machine_by_token(
    conn: &mut AsyncPgConnection,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<MachineRow>, StoreError> {
    let open = machine_tokens::table
        .filter(machine_tokens::token_hash.eq(token_hash))
        .filter(machine_tokens::expires_at.gt(now));
    Ok(open.select(MachineRow::as_select()).first(conn).await.optional()?)
}

/// Adds a device.
pub async fn insert_device(conn: &mut AsyncPgConnection, row: &DeviceRow) -> Result<(), StoreError> {
    diesel::insert_into(devices::table).values(row).execute(conn).await?;
    Ok(())
}

/// A device that is in use.
pub async fn device(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<DeviceRow>, StoreError> {
    let open = devices::table.find(id).filter(devices::disabled_at.is_null());
    Ok(open.select(DeviceRow::as_select()).first(conn).await.optional()?)
}

/// Adds a channel, or gives it a new key, name or page.
pub async fn upsert_channel(conn: &mut AsyncPgConnection, row: &ChannelRow) -> Result<(), StoreError> {
    diesel::insert_into(channels::table)
        .values(row)
        .on_conflict(channels::id)
        .do_update()
        .set((
            channels::name.eq(&row.name),
            channels::public_key.eq(&row.public_key),
            channels::page_url.eq(&row.page_url),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The channels that are in use.
pub async fn channels(conn: &mut AsyncPgConnection) -> Result<Vec<ChannelRow>, StoreError> {
    let open = channels::table.filter(channels::disabled_at.is_null()).order(channels::id);
    Ok(open.select(ChannelRow::as_select()).load(conn).await?)
}

/// The venues that somebody works at, as a manager or at the door.
pub async fn venues_of(conn: &mut AsyncPgConnection, staff_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let own = staff_venues::table.filter(staff_venues::staff_id.eq(staff_id));
    Ok(own.select(staff_venues::venue_id).load(conn).await?)
}
