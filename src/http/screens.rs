//! Screens at the door: added by who answers for the point, enrolled by a link that works once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Actor, Staff, new_token, token_hash};
use super::error::ApiError;
use super::permissions::RegisterVenues;
use super::venue_forms::text;
use super::venues::permitted_point;
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::venue::PointId;
use crate::store::audit::{self, Act};
use crate::store::screens::{self, ScreenRow};

/// How long the link that enrols a screen works.
pub const LINK_LIFE: TimeDelta = TimeDelta::minutes(10);

/// How many screens a point may have that are not ended.
const SCREENS_MAX: i64 = 20;

/// How many screens of a point are listed, ended ones among them.
const LISTED_MAX: i64 = 100;

/// How many screens one replica remembers for when Postgres is away.
const KNOWN_MAX: usize = 10_000;

/// A screen that is to show the rotating code of a point.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewScreen {
    /// What people call it.
    pub name: String,
}

/// A screen as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Screen {
    /// Id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// Where it stands: waits for its link, shows codes, or was ended.
    pub state: ScreenState,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// Since when it shows nothing.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Where a screen stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScreenState {
    /// Its link has not been used yet.
    Waiting,
    /// Its link was not used in time.
    Lapsed,
    /// It has a token of its own.
    Enrolled,
    /// It was ended.
    Ended,
}

/// A new screen with the link that enrols it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddedScreen {
    /// The screen.
    #[serde(flatten)]
    pub screen: Screen,
    /// To be opened on the screen itself. It works once, and is told this once.
    pub link: String,
    /// Until when it works.
    pub link_until: DateTime<Utc>,
}

/// Adds a screen to a point and tells the link that enrols it, this once.
#[utoipa::path(request_body = NewScreen, responses((status = 201, body = AddedScreen), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[post("/points/{id}/screens")]
pub(crate) async fn add_screen(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<i64>,
    write: Write<NewScreen>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted_point(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: NewScreen| {
        Ok(Reply::created(add(&web, conn, &actor, *id, &form.name).await?))
    };
    write.unkept(&web, work).await
}

/// The screens of a point, the newest first; ended ones among them.
#[utoipa::path(responses((status = 200, body = [Screen]), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/points/{id}/screens")]
pub(crate) async fn list_screens(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    permitted_point(&web, &staff.0, *id).await?;
    Ok(HttpResponse::Ok().json(list(&web, *id).await?))
}

/// Ends a screen: from its next picture on it shows no code.
#[utoipa::path(responses((status = 204), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[delete("/screens/{id}")]
pub(crate) async fn end_screen(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    end(&web, &staff.0, *id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Adds a screen to a point that the caller may change.
pub async fn add(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    point: i64,
    name: &str,
) -> Result<AddedScreen, ApiError> {
    let now = web.now();
    if screens::count_open(conn, point, now).await? >= SCREENS_MAX {
        return Err(ApiError::Conflict("a point has at most 20 screens; end one first"));
    }
    let token = new_token();
    let row = ScreenRow {
        id: Uuid::now_v7(),
        point_id: point,
        name: text("name", name, 1, 100)?,
        link_hash: Some(token_hash(&token)),
        link_until: now + LINK_LIFE,
        token_hash: None,
        disabled_at: None,
        created_at: now,
    };
    screens::insert(conn, &row).await?;
    note(conn, &actor.name, "screen.added", &row, now).await?;
    let link = web.app.config.public_url.join(&format!("/screen/enrol/{token}"));
    let link = link.map_err(|error| ApiError::Internal(error.into()))?.to_string();
    Ok(AddedScreen { link, link_until: row.link_until, screen: show(row, now) })
}

/// The screens of a point that the caller may see.
pub async fn list(web: &Web, point: i64) -> Result<Vec<Screen>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let rows = screens::of_point(&mut conn, point, LISTED_MAX).await?;
    Ok(rows.into_iter().map(|row| show(row, web.now())).collect())
}

/// Ends a screen, when the caller may change its point, which is returned.
pub async fn end(web: &Web, actor: &Actor, id: Uuid) -> Result<i64, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let row = screens::find(&mut conn, id).await?.ok_or(ApiError::NotFound("screen"))?;
    permitted_point(web, actor, row.point_id).await?;
    let now = web.now();
    transaction(&mut conn, async |conn| {
        // To end it twice is to end it.
        if screens::end(conn, id, now).await? {
            note(conn, &actor.name, "screen.ended", &row, now).await?;
        }
        Ok(())
    })
    .await?;
    Ok(row.point_id)
}

/// The screen that a link would enrol, while it works.
pub async fn offered(web: &Web, link: &str) -> Result<Option<ScreenRow>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    Ok(screens::by_link(&mut conn, &token_hash(link), web.now()).await?)
}

/// Spends a link and gives the screen a token of its own; `None` when the link works no more.
pub async fn enrol(web: &Web, link: &str) -> Result<Option<String>, ApiError> {
    let (token, now) = (new_token(), web.now());
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| {
        let enrolled = screens::enrol(conn, &token_hash(link), &token_hash(&token), now).await?;
        let Some(row) = enrolled else { return Ok(None) };
        note(conn, &format!("screen:{}", row.id), "screen.enrolled", &row, now).await?;
        Ok(Some(token))
    })
    .await
}

/// What a screen's token says: its point, and whether it was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownScreen {
    /// Where it stands.
    pub point: PointId,
    /// Whether it shows nothing any more.
    pub is_ended: bool,
}

/// Screens by the hash of their token. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct KnownScreens(Arc<Mutex<HashMap<Vec<u8>, KnownScreen>>>);

/// The screen whose token this is. A screen that was seen before goes on while Postgres is away, since
/// scanning does; it cannot be ended then either.
pub async fn known(web: &Web, token: &str) -> Result<Option<KnownScreen>, ApiError> {
    let hash = token_hash(token);
    let asked = async {
        let mut conn = web.app.store.conn().await?;
        Ok(screens::by_token(&mut conn, &hash).await?)
    };
    let remembered = || web.screens.0.lock().unwrap_or_else(PoisonError::into_inner);
    match asked.await {
        Ok(None) => Ok(None),
        Ok(Some(row)) => {
            let point = PointId::from_i64(row.point_id).ok_or(ApiError::NotFound("point"))?;
            let screen = KnownScreen { point, is_ended: row.disabled_at.is_some() };
            let mut known = remembered();
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(hash, screen);
            Ok(Some(screen))
        }
        Err(ApiError::Busy) => remembered().get(&hash).copied().map(Some).ok_or(ApiError::Busy),
        Err(error) => Err(error),
    }
}

fn show(row: ScreenRow, now: DateTime<Utc>) -> Screen {
    let state = if row.disabled_at.is_some() {
        ScreenState::Ended
    } else if row.token_hash.is_some() {
        ScreenState::Enrolled
    } else if row.link_until > now {
        ScreenState::Waiting
    } else {
        ScreenState::Lapsed
    };
    Screen { id: row.id, name: row.name, state, created_at: row.created_at, ended_at: row.disabled_at }
}

async fn note(
    conn: &mut AsyncPgConnection,
    actor: &str,
    action: &'static str,
    row: &ScreenRow,
    now: DateTime<Utc>,
) -> Result<(), ApiError> {
    let act = Act {
        actor,
        action,
        subject: format!("screen {}", row.id),
        detail: json!({ "point": row.point_id }),
    };
    Ok(audit::append(conn, act, now).await?)
}
