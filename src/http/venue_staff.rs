//! Who works at a venue: invitations by its manager, and how they are taken.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::{hashed, login};
use super::auth::{Actor, Staff, new_token, token_hash};
use super::error::ApiError;
use super::permissions::RegisterVenues;
use super::venue_forms::text;
use super::venues::permitted;
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::access::Role;
use crate::domain::numbered::Numbered;
use crate::store::access::{self, StaffRow};
use crate::store::register::{self, VenueRow};
use crate::store::venue_staff::{self, InvitationRow};
use crate::store::{StoreError, audit, venue_life};

/// For how many days an invitation can be taken.
pub const INVITATION_DAYS: i64 = 7;

/// How many invitations of one venue may be open at a time.
const OPEN_MAX: usize = 50;

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// `venue_manager` or `door_staff`.
    pub role: Role,
}

/// An invitation with its link, which is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationLink {
    /// Id.
    pub id: Uuid,
    /// As what.
    pub role: Role,
    /// Give it to the person; it works once.
    pub link: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// An invitation that can still be taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenInvitation {
    /// Id.
    pub id: Uuid,
    /// As what.
    pub role: Role,
    /// Who invites.
    pub invited_by: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Somebody who works at a venue.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// The account.
    pub id: Uuid,
    /// The name to sign in with.
    pub login: String,
    /// The name to show.
    pub display_name: String,
    /// As what.
    pub role: Role,
}

/// Who works at a venue, and who may come.
#[derive(Debug, Serialize, ToSchema)]
pub struct VenueStaff {
    /// Those who do, by name.
    pub staff: Vec<Member>,
    /// Invitations that can still be taken, the latest first.
    pub invitations: Vec<OpenInvitation>,
}

/// Who works at a venue, and the invitations that are open.
#[utoipa::path(responses((status = 200, body = VenueStaff), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues/{id}/staff")]
pub(crate) async fn see_venue_staff(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    permitted(&web, &staff.0, *id).await?;
    Ok(HttpResponse::Ok().json(listed(&web, *id).await?))
}

/// Makes a link by which one person comes to work at the venue. It is valid for seven days and works once.
#[utoipa::path(request_body = NewInvitation, responses((status = 201, body = InvitationLink), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[post("/venues/{id}/invitations")]
pub(crate) async fn invite(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<Uuid>,
    write: Write<NewInvitation>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: NewInvitation| {
        Ok(Reply::created(make_invitation(&web, conn, &actor, *id, form.role).await?))
    };
    write.unkept(&web, work).await
}

/// Ends an invitation before anybody has taken it.
#[utoipa::path(responses((status = 204), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[delete("/venues/{id}/invitations/{invitation}")]
pub(crate) async fn end_invitation(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    ids: Path<(Uuid, Uuid)>,
) -> Result<HttpResponse, ApiError> {
    let (venue, invitation) = ids.into_inner();
    permitted(&web, &staff.0, venue).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| end(&web, conn, &staff.0, venue, invitation).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends somebody's work at a venue, but not that of its last manager. The account stays.
#[utoipa::path(responses((status = 204), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[delete("/venues/{id}/staff/{member}")]
pub(crate) async fn remove_venue_staff(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    ids: Path<(Uuid, Uuid)>,
) -> Result<HttpResponse, ApiError> {
    let (venue, member) = ids.into_inner();
    permitted(&web, &staff.0, venue).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| remove(&web, conn, &staff.0, venue, member).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Who works at a venue, and the invitations that are open.
pub async fn listed(web: &Web, venue_id: Uuid) -> Result<VenueStaff, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let staff = venue_staff::members(&mut conn, venue_id).await?.into_iter().map(|row| {
        let role = role(row.role, "staff_venues")?;
        Ok(Member { id: row.id, login: row.login, display_name: row.display_name, role })
    });
    let staff = staff.collect::<Result<_, ApiError>>()?;
    let open = venue_staff::open_invitations(&mut conn, venue_id, web.now()).await?.into_iter().map(|row| {
        let role = role(row.role, "invitations")?;
        Ok(OpenInvitation { id: row.id, role, invited_by: row.invited_by, expires_at: row.expires_at })
    });
    Ok(VenueStaff { staff, invitations: open.collect::<Result<_, ApiError>>()? })
}

/// Makes a link by which one person comes to work at a venue. Only its hash is kept.
pub async fn make_invitation(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    venue_id: Uuid,
    role: Role,
) -> Result<InvitationLink, ApiError> {
    if !role.is_of_a_venue() {
        return Err(ApiError::invalid("role", "must be venue_manager or door_staff"));
    }
    let now = web.now();
    venue_life::lock_venue(conn, venue_id).await?.ok_or(ApiError::NotFound("venue"))?;
    if venue_staff::open_invitations(conn, venue_id, now).await?.len() >= OPEN_MAX {
        return Err(ApiError::Conflict("50 invitations of this venue are open; end some of them first"));
    }
    let token = new_token();
    let row = InvitationRow {
        id: Uuid::now_v7(),
        venue_id,
        token_hash: token_hash(&token),
        role: role.number(),
        invited_by: actor.name.clone(),
        expires_at: now + TimeDelta::days(INVITATION_DAYS),
        used_at: None,
        created_at: now,
    };
    venue_staff::insert_invitation(conn, &row).await?;
    note(web, conn, &actor.name, "invitation.made", (venue_id, row.id, Some(role))).await?;
    let path = format!("join/{token}");
    let link = web.app.config.public_url.join(&path).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(InvitationLink { id: row.id, role, link: link.to_string(), expires_at: row.expires_at })
}

/// Ends an invitation that nobody has taken.
pub async fn end(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    venue_id: Uuid,
    id: Uuid,
) -> Result<(), ApiError> {
    if !venue_staff::use_invitation(conn, id, venue_id, web.now()).await? {
        return Err(ApiError::NotFound("open invitation"));
    }
    note(web, conn, &actor.name, "invitation.ended", (venue_id, id, None)).await
}

/// Ends somebody's work at a venue, but not that of its last manager.
pub async fn remove(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    venue_id: Uuid,
    member: Uuid,
) -> Result<(), ApiError> {
    // Two managers who remove each other at once would leave none.
    venue_life::lock_venue(conn, venue_id).await?.ok_or(ApiError::NotFound("venue"))?;
    let manager = Role::VenueManager.number();
    let staff = venue_staff::members(conn, venue_id).await?;
    let others = staff.iter().filter(|one| one.role == manager && one.id != member).count();
    let manages = staff.iter().any(|one| one.role == manager && one.id == member);
    if manages && others == 0 {
        return Err(ApiError::Conflict("this is the last manager of the venue; invite another first"));
    }
    if !venue_staff::unlink(conn, member, venue_id).await? {
        return Err(ApiError::NotFound("member of the venue's staff"));
    }
    note(web, conn, &actor.name, "venue.staff_removed", (venue_id, member, None)).await
}

/// An invitation that somebody has opened, with its venue.
pub async fn opened(
    conn: &mut AsyncPgConnection,
    token: &str,
    now: DateTime<Utc>,
) -> Result<(InvitationRow, VenueRow, Role), ApiError> {
    let row = venue_staff::open_invitation(conn, &token_hash(token), now).await?;
    let row = row.ok_or(ApiError::NotFound("invitation that can still be taken"))?;
    let venue = register::venue(conn, row.venue_id).await?.ok_or(ApiError::NotFound("venue"))?;
    let role = role(row.role, "invitations")?;
    Ok((row, venue, role))
}

/// What somebody without an account fills in.
#[derive(Debug)]
pub struct NewMember {
    /// The name to sign in with.
    pub login: String,
    /// The password.
    pub password: String,
    /// The name to show.
    pub display_name: String,
}

/// Takes an invitation with a new account.
pub async fn sign_up(
    web: &Web,
    conn: &mut AsyncPgConnection,
    token: &str,
    form: NewMember,
) -> Result<(), ApiError> {
    let now = web.now();
    let (invitation, venue, role) = opened(conn, token, now).await?;
    let row = StaffRow {
        id: Uuid::now_v7(),
        login: login(&form.login)?,
        display_name: text("display_name", &form.display_name, 1, 100)?,
        password_hash: hashed(form.password).await?,
        roles: access::role_numbers(&[role]),
        division: venue.division,
        disabled_at: None,
        created_at: now,
    };
    access::insert_staff(conn, &row).await?;
    taken(web, conn, (&format!("staff:{}", row.login), row.id), &invitation, role).await
}

/// Takes an invitation with the account that is signed in. An account of an office cannot: its reach is
/// not the venue's to widen.
pub async fn take(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    token: &str,
) -> Result<(), ApiError> {
    let id = actor.person()?;
    let (invitation, venue, role) = opened(conn, token, web.now()).await?;
    if !actor.roles.iter().all(|role| role.is_of_a_venue()) {
        return Err(ApiError::Forbidden("an account of an office cannot work for a venue; use another one"));
    }
    if venue_staff::role_at(conn, id, venue.id).await? == Some(Role::VenueManager) {
        return Err(ApiError::Conflict("you manage this venue already"));
    }
    let mut roles = access::role_numbers(&actor.roles);
    roles.push(role.number());
    roles.sort_unstable();
    roles.dedup();
    venue_staff::set_roles(conn, id, &roles).await?;
    taken(web, conn, (&actor.name, id), &invitation, role).await
}

async fn taken(
    web: &Web,
    conn: &mut AsyncPgConnection,
    (name, id): (&str, Uuid),
    invitation: &InvitationRow,
    role: Role,
) -> Result<(), ApiError> {
    let venue = invitation.venue_id;
    // Of two who open one link at once, the second finds it used.
    if !venue_staff::use_invitation(conn, invitation.id, venue, web.now()).await? {
        return Err(ApiError::NotFound("invitation that can still be taken"));
    }
    venue_staff::link(conn, id, venue, role).await?;
    note(web, conn, name, "invitation.taken", (venue, invitation.id, Some(role))).await
}

async fn note(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &str,
    action: &str,
    (venue, what, role): (Uuid, Uuid, Option<Role>),
) -> Result<(), ApiError> {
    let subject = format!("venue {venue}");
    let detail = serde_json::json!({ "id": what, "role": role });
    Ok(audit::append(conn, audit::Act { actor, action, subject, detail }, web.now()).await?)
}

fn role(number: i16, table: &'static str) -> Result<Role, StoreError> {
    Role::from_number(number).ok_or(StoreError::Corrupt(table))
}
