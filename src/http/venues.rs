//! Venues and points: entered by who answers for them, reviewed by an inspector.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::{RegisterVenues, ReviewVenues, SeeVenues};
use super::venue_forms::{NewPoint, NewVenue, text};
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use crate::domain::access::Role;
use crate::domain::numbered::Numbered;
use crate::domain::place_code::PlaceCode;
use crate::domain::venue::{Granularity, PointId, VenueState};
use crate::store::register::{self, PointRow, VenueRow};
use crate::store::{access, audit};

/// How many venues one page of a list holds.
pub const PAGE: i64 = 50;

/// A venue as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Venue {
    /// Id.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Word of the category.
    pub category: String,
    /// GB/T 2260 code.
    pub division: String,
    /// Address.
    pub address: String,
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
    /// How many people it holds.
    pub capacity: Option<i32>,
    /// Where it stands.
    pub state: VenueState,
    /// Why.
    pub state_reason: String,
    /// Where its codes hang; left out in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Point>,
}

/// A point as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Point {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// How close together people are there.
    #[schema(value_type = String)]
    pub granularity: Granularity,
    /// Counts the reprints.
    pub generation: i16,
    /// The text of the QR code.
    pub url: String,
    /// The code as a person types it.
    pub typed: String,
    /// Until when posters of older generations answer.
    pub previous_until: Option<DateTime<Utc>>,
    /// Since when no code of it answers.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When its codes end, where that was set beforehand.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct VenueList {
    /// Only venues in this state.
    pub state: Option<VenueState>,
    /// The id of the last venue of the page before.
    pub after: Option<Uuid>,
}

/// Enters a venue. A manager's venue waits for the inspector's review.
#[utoipa::path(request_body = NewVenue, responses((status = 201, body = Venue), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[post("/venues")]
pub(crate) async fn register_venue(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    write: Write<NewVenue>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work =
        async |conn: &mut AsyncPgConnection, form| Ok(Reply::created(enter(&web, conn, &actor, form).await?));
    write.once(&web, &actor.name, work).await
}

/// A page of the venues that the caller may see, in the order of ids; `Link` names the next page.
#[utoipa::path(params(VenueList), responses((status = 200, body = [Venue]), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues")]
pub(crate) async fn list_venues(
    web: Data<Web>,
    staff: Staff<SeeVenues>,
    list: Query<VenueList>,
) -> Result<HttpResponse, ApiError> {
    let rows = page(&web, &staff.0, list.state, list.after).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0)) {
        let state = list.state.and_then(|state| serde_json::json!(state).as_str().map(str::to_owned));
        let query = [("after", Some(last.id.to_string())), ("state", state)];
        response.insert_header(next_page("/v1/venues", &query));
    }
    let venues = rows.into_iter().map(|row| show(&web, row, Vec::new())).collect::<Result<Vec<_>, _>>()?;
    Ok(response.json(venues))
}

/// One venue with its points and their codes.
#[utoipa::path(responses((status = 200, body = Venue), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues/{id}")]
pub(crate) async fn see_venue(
    web: Data<Web>,
    staff: Staff<SeeVenues>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let row = permitted(&web, &staff.0, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let points = register::points_of_venue(&mut conn, row.id).await?;
    Ok(HttpResponse::Ok().json(show(&web, row, points)?))
}

/// Adds a point to a venue.
#[utoipa::path(request_body = NewPoint, responses((status = 201, body = Point), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[post("/venues/{id}/points")]
pub(crate) async fn add_point(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<Uuid>,
    write: Write<NewPoint>,
) -> Result<HttpResponse, ApiError> {
    let venue = permitted(&web, &staff.0, *id).await?;
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::created(add(&web, conn, &actor, &venue, form).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// A reviewer's decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What the venue becomes.
    pub state: VenueState,
    /// Why; shown to the applicant.
    pub reason: String,
}

/// Approves, suspends or closes a venue.
#[utoipa::path(request_body = Review, responses((status = 200, body = Venue), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[post("/venues/{id}/review")]
pub(crate) async fn review_venue(
    web: Data<Web>,
    staff: Staff<ReviewVenues>,
    id: Path<Uuid>,
    write: Write<Review>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::ok(show(&web, decide(&web, conn, &actor, *id, form).await?, Vec::new())?))
    };
    let answer = write.once(&web, &actor.name, work).await?;
    web.tell_venue(*id).await;
    Ok(answer)
}

/// The venue, when the caller may see it: an inspector's or investigator's by division, a manager's own.
pub async fn permitted(web: &Web, actor: &Actor, id: Uuid) -> Result<VenueRow, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let row = register::venue(&mut conn, id).await?.ok_or(ApiError::NotFound("venue"))?;
    let own = access::venues_of(&mut conn, actor.id).await?.contains(&id);
    drop(conn);
    if own && actor.is(Role::VenueManager) {
        return Ok(row);
    }
    if only_manager(actor) {
        actor.refused(web, &format!("venue {id}")).await?;
        return Err(ApiError::Forbidden("this venue is not yours"));
    }
    actor.within(web, &access::division(&row.division)?, &format!("venue {id}")).await?;
    Ok(row)
}

/// The point with its venue, when the caller may see the venue.
pub async fn permitted_point(web: &Web, actor: &Actor, id: i64) -> Result<(PointRow, VenueRow), ApiError> {
    let mut conn = web.app.store.conn().await?;
    let point = register::point(&mut conn, id).await?.ok_or(ApiError::NotFound("point"))?;
    drop(conn);
    let venue = permitted(web, actor, point.venue_id).await?;
    Ok((point, venue))
}

/// A page of the venues that the caller may see.
pub async fn page(
    web: &Web,
    actor: &Actor,
    state: Option<VenueState>,
    after: Option<Uuid>,
) -> Result<Vec<VenueRow>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let own = if only_manager(actor) { Some(access::venues_of(&mut conn, actor.id).await?) } else { None };
    Ok(register::venue_page(&mut conn, &actor.division, own.as_deref(), state, after, PAGE).await?)
}

/// Enters a venue with its organisation and points; whoever enters it answers for it.
pub async fn enter(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    form: NewVenue,
) -> Result<Venue, ApiError> {
    let owner = actor.person()?;
    let (organisation, venue, points) = form.rows(web)?;
    let division = access::division(&venue.division)?;
    if !actor.division.covers(&division) {
        return Err(ApiError::Forbidden("this division is not yours"));
    }
    let known = match &organisation.credit_code {
        Some(code) => register::organisation_by_code(conn, code).await?,
        None => None,
    };
    let venue =
        VenueRow { organisation_id: known.as_ref().map_or(organisation.id, |known| known.id), ..venue };
    if known.is_none() {
        register::insert_organisation(conn, &organisation).await?;
    }
    register::insert_venues(conn, std::slice::from_ref(&venue)).await?;
    register::insert_points(conn, &points).await?;
    access::link_venue(conn, owner, venue.id).await?;
    note(web, conn, actor, "venue.registered", format!("venue {}", venue.id)).await?;
    show(web, venue, points)
}

/// Adds a point to a venue.
pub async fn add(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    venue: &VenueRow,
    form: NewPoint,
) -> Result<Point, ApiError> {
    let row = form.row(web, venue)?;
    register::insert_points(conn, std::slice::from_ref(&row)).await?;
    note(web, conn, actor, "point.added", format!("point {}", row.id)).await?;
    show_point(web, row)
}

/// Moves a venue to another state.
pub async fn decide(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    form: Review,
) -> Result<VenueRow, ApiError> {
    let reason = text("reason", &form.reason, 1, 500)?;
    let row = register::venue(conn, id).await?.ok_or(ApiError::NotFound("venue"))?;
    let from = register::venue_state(row.state)?;
    let moved =
        from.may_become(form.state) && register::set_venue_state(conn, id, from, form.state, &reason).await?;
    if !moved {
        return Err(ApiError::Conflict("the venue is not in a state that this decision fits"));
    }
    note(web, conn, actor, "venue.reviewed", format!("venue {id}")).await?;
    register::venue(conn, id).await?.ok_or(ApiError::NotFound("venue"))
}

/// A venue as staff see it.
pub fn show(web: &Web, row: VenueRow, points: Vec<PointRow>) -> Result<Venue, ApiError> {
    Ok(Venue {
        id: row.id,
        state: register::venue_state(row.state)?,
        name: row.name,
        category: row.category,
        division: row.division,
        address: row.address,
        lat_deg: row.lat_deg,
        lng_deg: row.lng_deg,
        capacity: row.capacity,
        state_reason: row.state_reason,
        points: points.into_iter().map(|point| show_point(web, point)).collect::<Result<_, _>>()?,
    })
}

/// A point as staff see it, with its code.
pub fn show_point(web: &Web, row: PointRow) -> Result<Point, ApiError> {
    let broken = || ApiError::Internal(anyhow::anyhow!("a row of `points` holds a value that cannot be"));
    let generation = u8::try_from(row.generation).map_err(|_range| broken())?;
    let code = PlaceCode { point: PointId::from_i64(row.id).ok_or_else(broken)?, generation };
    let signed = code.sign(&web.app.keys).ok_or_else(broken)?;
    Ok(Point {
        id: row.id,
        name: row.name,
        granularity: Granularity::from_number(row.granularity).ok_or_else(broken)?,
        generation: row.generation,
        url: signed.url(&web.app.config.public_url),
        typed: signed.typed(),
        previous_until: row.previous_until,
        revoked_at: row.revoked_at,
        expires_at: row.expires_at,
    })
}

fn only_manager(actor: &Actor) -> bool {
    !actor.is(Role::Inspector) && !actor.is(Role::Investigator)
}

async fn note(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    action: &'static str,
    subject: String,
) -> Result<(), ApiError> {
    let act = audit::Act { actor: &actor.name, action, subject, detail: serde_json::json!({}) };
    Ok(audit::append(conn, act, web.now()).await?)
}
