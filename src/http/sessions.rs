//! Sessions of staff.

use std::sync::LazyLock;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Staff, new_token, token_hash};
use super::error::ApiError;
use super::permissions::SignedIn;
use super::web::Web;
use super::write::{Write, transaction};
use crate::domain::access::Role;
use crate::intake::limits::LOGINS;
use crate::password;
use crate::store::access::{self, SessionRow};
use crate::store::audit;

/// What an unknown name's password is compared with, so that the answer takes as long as for a known one.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| password::hash("the password of nobody at all").unwrap_or_default());

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The name to sign in with.
    pub login: String,
    /// The password.
    pub password: String,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// Send it as a bearer token.
    pub token: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// The name to show.
    pub name: String,
    /// What the person may do.
    pub roles: Vec<Role>,
    /// What the person may see.
    pub division: String,
}

/// Opens a session.
#[utoipa::path(request_body = SignIn, responses((status = 201, body = Session), (status = "default", body = super::error::Problem)), tag = "staff")]
#[post("/sessions")]
pub(crate) async fn sign_in(web: Data<Web>, write: Write<SignIn>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Created().json(open(&web, &write.into_body()?).await?))
}

/// Ends the session whose token is sent.
#[utoipa::path(responses((status = 204), (status = "default", body = super::error::Problem)), tag = "staff", security(("staff" = [])))]
#[delete("/sessions")]
pub(crate) async fn sign_out(
    web: Data<Web>,
    _staff: Staff<SignedIn>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let header = super::scans::header(&request, "authorization").unwrap_or_default();
    close(&web, header.trim_start_matches("Bearer ")).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Opens a session, for the API and the page. An unknown name costs as much time as a wrong password.
pub async fn open(web: &Web, form: &SignIn) -> Result<Session, ApiError> {
    let now = web.now();
    web.within(LOGINS, form.login.as_bytes()).await?;
    let mut conn = web.app.store.conn().await?;
    let row = access::staff_by_login(&mut conn, &form.login).await?;
    drop(conn);
    let hash = row.as_ref().map_or_else(|| NOBODY.clone(), |row| row.password_hash.clone());
    let given = form.password.clone();
    let verified = tokio::task::spawn_blocking(move || password::verify(&given, &hash)).await;
    let row = row.filter(|_| verified.unwrap_or(false));
    let row = row.ok_or(ApiError::Unauthenticated("name or password is wrong"))?;
    let token = new_token();
    let life = TimeDelta::from_std(web.app.config.session_life).unwrap_or(TimeDelta::hours(1));
    let session = SessionRow {
        token_hash: token_hash(&token),
        staff_id: row.id,
        expires_at: now + life,
        created_at: now,
    };
    let mut conn = web.app.store.conn().await?;
    let actor = format!("staff:{}", row.login);
    transaction(&mut conn, async |conn| {
        access::insert_session(conn, &session).await?;
        let act = audit::Act {
            actor: &actor,
            action: "session.opened",
            subject: format!("staff {}", row.id),
            detail: serde_json::json!({}),
        };
        Ok(audit::append(conn, act, now).await?)
    })
    .await?;
    Ok(Session {
        token,
        expires_at: session.expires_at,
        roles: access::roles(&row.roles)?,
        name: row.display_name,
        division: row.division,
    })
}

/// Ends a session, for the API and the page.
pub async fn close(web: &Web, token: &str) -> Result<(), ApiError> {
    let (hash, now) = (token_hash(token), web.now());
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| {
        let Some(row) = access::staff_by_session(conn, &hash, now).await? else { return Ok(()) };
        access::delete_session(conn, &hash).await?;
        let act = audit::Act {
            actor: &format!("staff:{}", row.login),
            action: "session.closed",
            subject: format!("staff {}", row.id),
            detail: serde_json::json!({}),
        };
        Ok(audit::append(conn, act, now).await?)
    })
    .await
}
