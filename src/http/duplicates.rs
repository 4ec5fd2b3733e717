//! Likely duplicates of a venue, for whoever reviews it.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use diesel_async::AsyncPgConnection;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::ReviewVenues;
use super::venues::permitted;
use super::web::Web;
use crate::domain::likeness::{Entry, Likeness, compare, neighbourhood};
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::venue::VenueState;
use crate::store::register::{self, VenueRow};
use crate::store::{StoreError, organisations};

/// How many likely duplicates of one venue are shown.
const SHOWN_MAX: usize = 20;

/// An entry that may be the same venue.
#[derive(Debug, Serialize, ToSchema)]
pub struct Duplicate {
    /// Id.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Address.
    pub address: String,
    /// Where it stands.
    pub state: VenueState,
    /// Why it may be the same.
    pub why: Likeness,
}

/// Entries that may be the same venue, the latest first; 20 at most. A reviewer decides.
#[utoipa::path(responses((status = 200, body = [Duplicate]), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues/{id}/duplicates")]
pub(crate) async fn see_duplicates(
    web: Data<Web>,
    staff: Staff<ReviewVenues>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let venue = permitted(&web, &staff.0, *id).await?;
    let mut conn = web.app.store.conn().await?;
    Ok(HttpResponse::Ok().json(of(&mut conn, &venue).await?))
}

/// Entries that may be the same venue.
pub async fn of(conn: &mut AsyncPgConnection, venue: &VenueRow) -> Result<Vec<Duplicate>, ApiError> {
    let owner = organisations::organisation(conn, venue.organisation_id).await?;
    let owner = owner.ok_or(StoreError::Corrupt("venues"))?;
    let here = cell_from_i64(venue.cell).ok_or(StoreError::Corrupt("venues"))?;
    let one = Entry {
        name: &venue.name,
        address: &venue.address,
        credit_code: owner.credit_code.as_deref(),
        cell: here,
    };
    let cells: Vec<i64> = neighbourhood(here).into_iter().map(cell_to_i64).collect();
    let mut found = Vec::new();
    for row in organisations::comparable(conn, venue, &cells).await? {
        let cell = cell_from_i64(row.cell).ok_or(StoreError::Corrupt("venues"))?;
        let credit_code = row.credit_code.as_deref();
        let other = Entry { name: &row.name, address: &row.address, credit_code, cell };
        if let Some(why) = compare(&one, &other) {
            let state = register::venue_state(row.state)?;
            found.push(Duplicate { id: row.id, name: row.name, address: row.address, state, why });
        }
    }
    found.truncate(SHOWN_MAX);
    Ok(found)
}
