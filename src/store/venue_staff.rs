//! Who works at a venue, and invitations to do so.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{invitations, staff, staff_venues};
use super::{StoreError, sound};
use crate::domain::access::Role;
use crate::domain::numbered::Numbered;

/// How many people and how many invitations of one venue are listed at the most.
const LISTED_MAX: i64 = 500;

/// An invitation. The link itself is not kept, only its hash.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = invitations)]
pub struct InvitationRow {
    /// Id.
    pub id: Uuid,
    /// To which venue.
    pub venue_id: Uuid,
    /// SHA-256 of the link's token.
    pub token_hash: Vec<u8>,
    /// As what: number of a [`Role`] that is of a venue.
    pub role: i16,
    /// Who invites, as in the audit log.
    pub invited_by: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When it was taken or ended.
    pub used_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Somebody who works at a venue.
#[derive(Debug, Clone, Queryable)]
pub struct MemberRow {
    /// The account.
    pub id: Uuid,
    /// The name to sign in with.
    pub login: String,
    /// The name to show.
    pub display_name: String,
    /// As what: number of a [`Role`] that is of a venue.
    pub role: i16,
}

/// As what somebody works at a venue; `None` when not at all.
pub async fn role_at(
    conn: &mut AsyncPgConnection,
    staff_id: Uuid,
    venue_id: Uuid,
) -> Result<Option<Role>, StoreError> {
    let own = staff_venues::table.find((staff_id, venue_id)).select(staff_venues::role);
    let role: Option<i16> = own.first(conn).await.optional()?;
    role.map(|role| sound(Role::from_number(role), "staff_venues")).transpose()
}

/// Lets somebody work at a venue; whoever does already gets the other role.
pub async fn link(
    conn: &mut AsyncPgConnection,
    staff_id: Uuid,
    venue_id: Uuid,
    role: Role,
) -> Result<(), StoreError> {
    let row = (
        staff_venues::staff_id.eq(staff_id),
        staff_venues::venue_id.eq(venue_id),
        staff_venues::role.eq(role.number()),
    );
    diesel::insert_into(staff_venues::table)
        .values(row)
        .on_conflict((staff_venues::staff_id, staff_venues::venue_id))
        .do_update()
        .set(staff_venues::role.eq(role.number()))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends somebody's work at a venue; false when there was none.
pub async fn unlink(
    conn: &mut AsyncPgConnection,
    staff_id: Uuid,
    venue_id: Uuid,
) -> Result<bool, StoreError> {
    Ok(diesel::delete(staff_venues::table.find((staff_id, venue_id))).execute(conn).await? == 1)
}

/// Who works at a venue under an open account, by name.
pub async fn members(conn: &mut AsyncPgConnection, venue_id: Uuid) -> Result<Vec<MemberRow>, StoreError> {
    let own = staff_venues::table
        .inner_join(staff::table.on(staff::id.eq(staff_venues::staff_id)))
        .filter(staff_venues::venue_id.eq(venue_id))
        .filter(staff::disabled_at.is_null())
        .order((staff::display_name, staff::id))
        .limit(LISTED_MAX);
    let columns = (staff::id, staff::login, staff::display_name, staff_venues::role);
    Ok(own.select(columns).load(conn).await?)
}

/// Gives an account another set of roles.
pub async fn set_roles(conn: &mut AsyncPgConnection, id: Uuid, roles: &[i16]) -> Result<(), StoreError> {
    diesel::update(staff::table.find(id)).set(staff::roles.eq(roles)).execute(conn).await?;
    Ok(())
}

/// Adds an invitation.
pub async fn insert_invitation(conn: &mut AsyncPgConnection, row: &InvitationRow) -> Result<(), StoreError> {
    diesel::insert_into(invitations::table).values(row).execute(conn).await?;
    Ok(())
}

/// The invitations of a venue that can still be taken, the latest first.
pub async fn open_invitations(
    conn: &mut AsyncPgConnection,
    venue_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<InvitationRow>, StoreError> {
    let open = invitations::table
        .filter(invitations::venue_id.eq(venue_id))
        .filter(invitations::used_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .order(invitations::id.desc())
        .limit(LISTED_MAX);
    Ok(open.select(InvitationRow::as_select()).load(conn).await?)
}

/// The invitation of that link, while it can be taken.
pub async fn open_invitation(
    conn: &mut AsyncPgConnection,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<InvitationRow>, StoreError> {
    let open = invitations::table
        .filter(invitations::token_hash.eq(token_hash))
        .filter(invitations::used_at.is_null())
        .filter(invitations::expires_at.gt(now));
    Ok(open.select(InvitationRow::as_select()).first(conn).await.optional()?)
}

/// Takes or ends an invitation of a venue; false when it cannot be any more.
pub async fn use_invitation(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    venue_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let open = invitations::table
        .filter(invitations::id.eq(id))
        .filter(invitations::venue_id.eq(venue_id))
        .filter(invitations::used_at.is_null())
        .filter(invitations::expires_at.gt(now));
    Ok(diesel::update(open).set(invitations::used_at.eq(now)).execute(conn).await? == 1)
}
