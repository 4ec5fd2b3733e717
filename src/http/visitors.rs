//! The visitor's own side: own stays, and who looked at them.

use std::collections::HashSet;

use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Vouched;
use super::error::ApiError;
use super::web::{Web, next_page};
use crate::domain::access::Role;
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::own_correction::Said;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::store::stay_corrections::{self, CorrectionRow};
use crate::store::{StoreError, looks, stays};

/// How many stays the visitor is shown.
const ROWS_MAX: i64 = 500;

/// How many looks one page holds.
pub const LOOKS_PAGE: i64 = 100;

/// One of the visitor's own stays.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OwnStay {
    /// Its id, by which it can be corrected.
    pub id: Uuid,
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
    /// What the visitor has said of it since; the rest is then as it was before.
    pub correction: Option<OwnCorrection>,
}

/// What the visitor has said of an own stay.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OwnCorrection {
    /// What.
    pub said: Said,
    /// When the visitor left, where that is said.
    pub left_at: Option<DateTime<Utc>>,
    /// When it was said.
    pub at: DateTime<Utc>,
}

/// Somebody's look at the visitor's stays.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnLook {
    /// Its id, for the next page.
    pub id: Uuid,
    /// What was looked at, or computed on.
    pub kind: LookKind,
    /// The role of who looked.
    pub role: Role,
    /// The jurisdiction of who looked, by GB/T 2260; of looks before this was kept, unknown.
    pub division: Option<String>,
    /// The health authority for whose case.
    pub authority: String,
    /// What for.
    pub purpose: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which page of the looks.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LooksPage {
    /// The id of the last look of the page before.
    pub before: Option<Uuid>,
}

/// The visitor's own stays within retention, the newest first.
#[utoipa::path(responses((status = 200, body = [OwnStay]), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/stays")]
pub(crate) async fn own_stays(web: Data<Web>, visitor: Vouched) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(stays(&web, &visitor).await?))
}

/// A page of who looked at the visitor's stays, or computed on them: what for and when, the newest first; `Link` names
/// the next page.
#[utoipa::path(params(LooksPage), responses((status = 200, body = [OwnLook]), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/looks")]
pub(crate) async fn own_looks(
    web: Data<Web>,
    visitor: Vouched,
    page: Query<LooksPage>,
) -> Result<HttpResponse, ApiError> {
    let looks = looks_at(&web, &visitor, page.before).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = last_of_full(&looks) {
        response.insert_header(next_page("/v1/me/looks", &[("before", Some(last.to_string()))]));
    }
    Ok(response.json(looks))
}

/// The last look of a page that may have another behind it.
pub fn last_of_full(looks: &[OwnLook]) -> Option<Uuid> {
    let is_full = i64::try_from(looks.len()).is_ok_and(|count| count >= LOOKS_PAGE);
    looks.last().filter(|_| is_full).map(|look| look.id)
}

/// The visitor's own stays, for the API and the page.
pub async fn stays(web: &Web, visitor: &Vouched) -> Result<Vec<OwnStay>, ApiError> {
    kept_stays(web, visitor, ROWS_MAX).await
}

/// The visitor's own stays within retention, the newest `max`. One that the visitor has corrected is shown as it was, with
/// what was said: whether that came in time would tell of a case that was reported there.
pub async fn kept_stays(web: &Web, visitor: &Vouched, max: i64) -> Result<Vec<OwnStay>, ApiError> {
    let now = web.now();
    let since = now - TimeDelta::days(web.app.config.retention_days.into());
    let span =
        Span::new(since, now + TimeDelta::days(1)).map_err(|error| ApiError::Internal(error.into()))?;
    let mut conn = web.app.store.conn().await?;
    let visitor = visitor.token.visitor;
    let own = stays::of_visitor(&mut conn, visitor, span, max).await?;
    let corrected = stay_corrections::of_visitor(&mut conn, visitor, since, max).await?;
    drop(conn);
    let ids: HashSet<Uuid> = corrected.iter().map(|(row, ..)| row.scan_id).collect();
    let shown = |placed: stays::PlacedStay| OwnStay {
        id: placed.stay.id,
        venue: placed.venue_name,
        point: placed.point_name,
        from: placed.stay.span.from(),
        until: placed.stay.span.until(),
        ended_by: placed.stay.ended_by,
        presence: placed.stay.presence,
        correction: None,
    };
    let untouched = own.into_iter().filter(|placed| !ids.contains(&placed.stay.id)).map(shown);
    let mut all: Vec<OwnStay> = untouched.collect();
    for (row, venue, point) in corrected {
        all.push(as_it_was(&row, venue, point)?);
    }
    all.sort_by_key(|stay| (std::cmp::Reverse(stay.from), stay.id));
    Ok(all)
}

/// A stay as it was before the visitor corrected it.
pub(super) fn as_it_was(row: &CorrectionRow, venue: String, point: String) -> Result<OwnStay, StoreError> {
    let corrupt = || StoreError::Corrupt("stay_corrections");
    let said = Said::from_number(row.said).ok_or_else(corrupt)?;
    Ok(OwnStay {
        id: row.scan_id,
        venue,
        point,
        from: row.from_at,
        until: row.until_at,
        ended_by: EndedBy::from_number(row.ended_by).ok_or_else(corrupt)?,
        presence: Presence::from_number(row.presence).ok_or_else(corrupt)?,
        correction: Some(OwnCorrection { said, left_at: row.left_at, at: row.at }),
    })
}

/// A page of who looked at the visitor's stays, for the API and the page.
pub async fn looks_at(web: &Web, visitor: &Vouched, before: Option<Uuid>) -> Result<Vec<OwnLook>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let seen = looks::of_visitor(&mut conn, visitor.token.visitor, before, LOOKS_PAGE).await?;
    let shown = |look: looks::SeenLook| {
        Some(OwnLook {
            id: look.id,
            kind: LookKind::from_number(look.kind)?,
            role: Role::from_number(look.role)?,
            division: look.division,
            authority: look.authority,
            purpose: look.purpose,
            at: look.at,
        })
    };
    Ok(seen.into_iter().filter_map(shown).collect())
}
