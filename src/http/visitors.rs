//! The visitor's own side: own stays, and who looked at them.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Vouched;
use super::error::ApiError;
use super::web::Web;
use crate::domain::access::Role;
use crate::domain::numbered::Numbered;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::store::{looks, stays};

/// How many rows the visitor is shown.
const ROWS_MAX: i64 = 500;

/// One of the visitor's own stays.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnStay {
    /// Name of the venue.
    pub venue: String,
    /// Name of the point.
    pub point: String,
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// How the end is known.
    pub ended_by: EndedBy,
    /// What proves it.
    pub presence: Presence,
}

/// Somebody's look at the visitor's stays.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnLook {
    /// The role of who looked.
    pub role: Role,
    /// What for.
    pub purpose: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The visitor's own stays within retention, the newest first.
#[utoipa::path(responses((status = 200, body = [OwnStay]), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/stays")]
pub(crate) async fn own_stays(web: Data<Web>, visitor: Vouched) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(stays(&web, &visitor).await?))
}

/// Who looked at the visitor's stays, what for and when.
#[utoipa::path(responses((status = 200, body = [OwnLook]), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/looks")]
pub(crate) async fn own_looks(web: Data<Web>, visitor: Vouched) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(looks_at(&web, &visitor).await?))
}

/// The visitor's own stays, for the API and the page.
pub async fn stays(web: &Web, visitor: &Vouched) -> Result<Vec<OwnStay>, ApiError> {
    let now = web.now();
    let since = now - TimeDelta::days(web.app.config.retention_days.into());
    let span =
        Span::new(since, now + TimeDelta::days(1)).map_err(|error| ApiError::Internal(error.into()))?;
    let mut conn = web.app.store.conn().await?;
    let own = stays::of_visitor(&mut conn, visitor.token.visitor, span, ROWS_MAX).await?;
    let shown = |placed: stays::PlacedStay| OwnStay {
        venue: placed.venue_name,
        point: placed.point_name,
        from: placed.stay.span.from(),
        until: placed.stay.span.until(),
        ended_by: placed.stay.ended_by,
        presence: placed.stay.presence,
    };
    Ok(own.into_iter().map(shown).collect())
}

/// Who looked at the visitor's stays, for the API and the page.
pub async fn looks_at(web: &Web, visitor: &Vouched) -> Result<Vec<OwnLook>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let seen = looks::of_visitor(&mut conn, visitor.token.visitor, ROWS_MAX).await?;
    let shown = |look: looks::SeenLook| {
        Some(OwnLook { role: Role::from_number(look.role)?, purpose: look.purpose, at: look.at })
    };
    Ok(seen.into_iter().filter_map(shown).collect())
}
