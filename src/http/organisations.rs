//! Organisations and the venues of their chain.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::SeeVenues;
use super::venues::{Organisation, PAGE, Venue, only_own, scope, show, show_organisation};
use super::web::{Web, next_page};
use crate::store::organisations;
use crate::store::register::VenueRow;

/// An organisation with its venues.
#[derive(Debug, Serialize, ToSchema)]
pub struct Chain {
    /// Who it is.
    pub organisation: Organisation,
    /// A page of its venues that the caller may see, in the order of ids.
    pub venues: Vec<Venue>,
}

/// Which page of the venues.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ChainPage {
    /// The id of the last venue of the page before.
    pub after: Option<Uuid>,
}

/// An organisation with a page of its venues that the caller may see; `Link` names the next page.
#[utoipa::path(params(ChainPage), responses((status = 200, body = Chain), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/organisations/{id}")]
pub(crate) async fn see_organisation(
    web: Data<Web>,
    staff: Staff<SeeVenues>,
    id: Path<Uuid>,
    page: Query<ChainPage>,
) -> Result<HttpResponse, ApiError> {
    let (organisation, rows) = chain(&web, &staff.0, *id, page.after).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0)) {
        let query = [("after", Some(last.id.to_string()))];
        response.insert_header(next_page(&format!("/v1/organisations/{id}"), &query));
    }
    let venues = rows.into_iter().map(|row| show(&web, row, Vec::new())).collect::<Result<Vec<_>, _>>()?;
    Ok(response.json(Chain { organisation, venues }))
}

/// An organisation with a page of its venues. Whoever works at venues sees the organisations of those only.
pub async fn chain(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    after: Option<Uuid>,
) -> Result<(Organisation, Vec<VenueRow>), ApiError> {
    let mut conn = web.app.store.conn().await?;
    let row = organisations::organisation(&mut conn, id).await?;
    let row = row.ok_or(ApiError::NotFound("organisation"))?;
    let (division, own) = scope(&mut conn, actor).await?;
    let own = own.as_deref();
    let venues = organisations::venues_of_organisation(&mut conn, id, &division, own, after, PAGE).await?;
    drop(conn);
    if venues.is_empty() && after.is_none() && only_own(actor) {
        actor.refused(web, &format!("organisation {id}")).await?;
        return Err(ApiError::Refused("none of your venues belongs to this organisation"));
    }
    Ok((show_organisation(row)?, venues))
}
