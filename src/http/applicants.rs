//! Accounts that applicants make themselves, to enter venues of their own.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use diesel_async::AsyncPgConnection;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::{Account, hashed, login, show_account};
use super::admin::division;
use super::error::ApiError;
use super::limits::client_of;
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write};
use crate::domain::access::Role;
use crate::intake::limits::APPLICANTS;
use crate::store::access::{self, StaffRow};
use crate::store::audit;

/// Somebody who wants to enter venues.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApplicant {
    /// The name to sign in with: 2 to 40 of `a-z 0-9 . _ -`.
    pub login: String,
    /// At least 12 characters.
    pub password: String,
    /// The name to show, up to 100 characters.
    pub display_name: String,
    /// GB/T 2260 code of where the venues are; a province for a chain.
    pub division: String,
}

/// Makes an account that may enter venues and sees nothing but its own. Five an hour from one address.
#[utoipa::path(request_body = NewApplicant, responses((status = 201, body = Account), (status = "default", body = super::error::Problem)), tag = "venues")]
#[post("/applicants")]
pub(crate) async fn apply(
    web: Data<Web>,
    request: HttpRequest,
    write: Write<NewApplicant>,
) -> Result<HttpResponse, ApiError> {
    let from = client_of(&web, &request).address;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::created(show_account(&join(&web, conn, &from, form).await?)?))
    };
    write.unkept(&web, work).await
}

/// Makes an applicant's account. What is wrong with the form is told before anything is counted.
pub async fn join(
    web: &Web,
    conn: &mut AsyncPgConnection,
    from: &[u8],
    form: NewApplicant,
) -> Result<StaffRow, ApiError> {
    let now = web.now();
    let row = StaffRow {
        id: Uuid::now_v7(),
        login: login(&form.login)?,
        display_name: text("display_name", &form.display_name, 1, 100)?,
        password_hash: String::new(),
        roles: access::role_numbers(&[Role::VenueManager]),
        division: division(&form.division)?,
        disabled_at: None,
        created_at: now,
    };
    crate::password::check(&form.password).map_err(|error| ApiError::invalid("password", error))?;
    web.within(APPLICANTS, from).await?;
    let row = StaffRow { password_hash: hashed(form.password).await?, ..row };
    access::insert_staff(conn, &row).await?;
    let act = audit::Act {
        actor: &format!("staff:{}", row.login),
        action: "applicant.joined",
        subject: format!("staff {}", row.id),
        detail: serde_json::json!({ "division": row.division }),
    };
    audit::append(conn, act, now).await?;
    Ok(row)
}
