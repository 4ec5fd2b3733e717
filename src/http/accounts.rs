//! Accounts of staff, and tokens of machines.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::admin::division;
use super::auth::{Staff, new_token, token_hash};
use super::error::ApiError;
use super::permissions::Administer;
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::access::Role;
use crate::password;
use crate::store::access::{self, MachineRow, StaffRow};

/// How many accounts one page of a list holds.
const PAGE: i64 = 100;

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStaff {
    /// The name to sign in with: 2 to 40 of `a-z 0-9 . _ -`.
    pub login: String,
    /// The name to show.
    pub display_name: String,
    /// At least 12 characters.
    pub password: String,
    /// What the person is there for.
    pub roles: Vec<Role>,
    /// What the person may see.
    pub division: String,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// Id.
    pub id: Uuid,
    /// The name to sign in with.
    pub login: String,
    /// The name to show.
    pub display_name: String,
    /// What the person is there for.
    pub roles: Vec<Role>,
    /// What the person may see.
    pub division: String,
    /// Since when it is closed.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StaffList {
    /// The id of the last account of the page before.
    pub after: Option<Uuid>,
}

/// Makes an account.
#[utoipa::path(request_body = NewStaff, responses((status = 201, body = Account), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[post("/staff")]
pub(crate) async fn add_staff(
    web: Data<Web>,
    staff: Staff<Administer>,
    write: Write<NewStaff>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form: NewStaff| {
        let hash = hashed(form.password).await?;
        let row = StaffRow {
            id: Uuid::now_v7(),
            login: login(&form.login)?,
            display_name: text("display_name", &form.display_name, 1, 100)?,
            password_hash: hash,
            roles: role_numbers(&form.roles)?,
            division: division(&form.division)?,
            disabled_at: None,
            created_at: web.now(),
        };
        access::insert_staff(conn, &row).await?;
        actor.note(&web, conn, "staff.added", format!("staff {}", row.id)).await?;
        Ok(Reply::created(show_account(&row)?))
    };
    write.once(&web, &actor.name, work).await
}

/// A page of accounts, in the order of ids; `Link` names the next page.
#[utoipa::path(params(StaffList), responses((status = 200, body = [Account]), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[get("/staff")]
pub(crate) async fn list_staff(
    web: Data<Web>,
    _staff: Staff<Administer>,
    list: Query<StaffList>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let rows = access::staff_page(&mut conn, list.after, PAGE).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0)) {
        response.insert_header(("Link", format!("</v1/staff?after={}>; rel=\"next\"", last.id)));
    }
    Ok(response.json(rows.iter().map(show_account).collect::<Result<Vec<_>, _>>()?))
}

/// Closes an account and ends its sessions.
#[utoipa::path(responses((status = 204), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[delete("/staff/{id}")]
pub(crate) async fn close_account(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| {
        if !access::disable_staff(conn, *id, web.now()).await? {
            return Err(ApiError::NotFound("open account"));
        }
        staff.0.note(&web, conn, "staff.closed", format!("staff {id}")).await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A new machine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMachine {
    /// What it is.
    pub name: String,
    /// What it is there for.
    pub roles: Vec<Role>,
    /// What it may see.
    pub division: String,
    /// After how many days its token ends; 1 to 400.
    pub days: i64,
}

/// A machine's token. It is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachineToken {
    /// Id.
    pub id: Uuid,
    /// Send it as a bearer token.
    pub token: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Makes a token for a machine.
#[utoipa::path(request_body = NewMachine, responses((status = 201, body = MachineToken), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[post("/machines")]
pub(crate) async fn add_machine(
    web: Data<Web>,
    staff: Staff<Administer>,
    write: Write<NewMachine>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form: NewMachine| {
        if !(1..=400).contains(&form.days) {
            return Err(ApiError::invalid("days", "must lie between 1 and 400"));
        }
        let (now, token) = (web.now(), new_token());
        let row = MachineRow {
            id: Uuid::now_v7(),
            token_hash: token_hash(&token),
            name: text("name", &form.name, 1, 100)?,
            roles: role_numbers(&form.roles)?,
            division: division(&form.division)?,
            expires_at: now + TimeDelta::days(form.days),
            created_at: now,
        };
        access::insert_machine(conn, &row).await?;
        actor.note(&web, conn, "machine.added", format!("machine {}", row.id)).await?;
        Ok(Reply::created(MachineToken { id: row.id, token, expires_at: row.expires_at }))
    };
    write.unkept(&web, work).await
}

/// What is kept of a password, once it is found long enough.
pub(super) async fn hashed(password: String) -> Result<String, ApiError> {
    let hash = tokio::task::spawn_blocking(move || password::hash(&password)).await;
    let hash = hash.map_err(|error| ApiError::Internal(error.into()))?;
    hash.map_err(|error| ApiError::invalid("password", error))
}

pub(super) fn show_account(row: &StaffRow) -> Result<Account, ApiError> {
    Ok(Account {
        id: row.id,
        login: row.login.clone(),
        display_name: row.display_name.clone(),
        roles: access::roles(&row.roles)?,
        division: row.division.clone(),
        disabled_at: row.disabled_at,
    })
}

fn role_numbers(roles: &[Role]) -> Result<Vec<i16>, ApiError> {
    let mut numbers = access::role_numbers(roles);
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        Err(ApiError::invalid("roles", "must name at least one role"))
    } else {
        Ok(numbers)
    }
}

pub(super) fn login(text: &str) -> Result<String, ApiError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if (2..=40).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid("login", "must be 2 to 40 of a-z 0-9 . _ -"))
    }
}
