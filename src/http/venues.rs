//! Venues and points: entered by who answers for them, seen by who may.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::{RegisterVenues, SeeVenues};
use super::point_forms::NewPoint;
use super::venue_forms::{NewVenue, area_of};
use super::venue_life::enter;
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use crate::domain::access::Role;
use crate::domain::numbered::Numbered;
use crate::domain::place_code::PlaceCode;
use crate::domain::venue::{Division, Granularity, OrganisationKind, PointId, VenueState};
use crate::store::register::{self, OrganisationRow, PointRow, VenueRow};
use crate::store::{StoreError, access, organisations, stops, venue_staff};

/// How many venues one page of a list holds.
pub const PAGE: i64 = 50;

/// A venue as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Venue {
    /// Id.
    pub id: Uuid,
    /// Who answers for it.
    pub organisation_id: Uuid,
    /// Name.
    pub name: String,
    /// What people call it.
    pub short_name: String,
    /// Word of the category.
    pub category: String,
    /// GB/T 2260 code.
    pub division: String,
    /// Street or town within the division.
    pub street: String,
    /// Address.
    pub address: String,
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
    /// Which authority supervises it.
    pub superior: String,
    /// Whom to call.
    pub contact_name: String,
    /// At which number.
    pub contact_phone: String,
    /// How many people it holds.
    pub capacity: Option<i32>,
    /// Where it stands.
    pub state: VenueState,
    /// Why.
    pub state_reason: String,
    /// Who answers for it; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Organisation>,
    /// The ground that it covers as GeoJSON, where it is wider than a door; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outline: Option<serde_json::Value>,
    /// The stops of its line; left out in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<Stop>,
    /// Where its codes hang; left out in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Point>,
}

/// Who answers for a venue.
#[derive(Debug, Serialize, ToSchema)]
pub struct Organisation {
    /// Id.
    pub id: Uuid,
    /// Full legal name.
    pub name: String,
    /// What kind of body it is.
    pub kind: OrganisationKind,
    /// Unified social credit code.
    pub credit_code: Option<String>,
}

/// A stop of a line as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stop {
    /// Its number on the line.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
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
    /// Degrees north, where it does not hang at the venue's own position.
    pub lat_deg: Option<f64>,
    /// Degrees east.
    pub lng_deg: Option<f64>,
    /// Whether it moves along a line.
    pub mobile: bool,
    /// Which row of a vehicle it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<i16>,
    /// Which seat of that row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seat: Option<String>,
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
    let row = may_see(&web, &staff.0, *id).await?;
    let mut conn = web.app.store.conn().await?;
    Ok(HttpResponse::Ok().json(detail(&web, &mut conn, row).await?))
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
    let answer = write.once(&web, &actor.name, work).await?;
    web.tell_venue(*id).await;
    Ok(answer)
}

/// The venue, when the caller answers for it: an inspector's or investigator's by division, a manager's
/// own. Whoever only stands at its door is refused.
pub async fn permitted(web: &Web, actor: &Actor, id: Uuid) -> Result<VenueRow, ApiError> {
    seen_as(web, actor, id, &[Role::VenueManager]).await
}

/// The venue, when the caller may see it: as [`permitted`], and whoever works at its door.
pub async fn may_see(web: &Web, actor: &Actor, id: Uuid) -> Result<VenueRow, ApiError> {
    seen_as(web, actor, id, &[Role::VenueManager, Role::DoorStaff]).await
}

async fn seen_as(web: &Web, actor: &Actor, id: Uuid, as_one_of: &[Role]) -> Result<VenueRow, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let row = register::venue(&mut conn, id).await?.ok_or(ApiError::NotFound("venue"))?;
    let own = venue_staff::role_at(&mut conn, actor.id, id).await?;
    drop(conn);
    if own.is_some_and(|role| as_one_of.contains(&role) && actor.is(role)) {
        return Ok(row);
    }
    if only_own(actor) {
        actor.refused(web, &format!("venue {id}")).await?;
        return Err(ApiError::Refused("this venue is not yours"));
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
    let (division, own) = scope(&mut conn, actor).await?;
    Ok(register::venue_page(&mut conn, &division, own.as_deref(), state, after, PAGE).await?)
}

/// Which venues the caller may see: all of a division, or only these wherever they are.
pub async fn scope(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
) -> Result<(Division, Option<Vec<Uuid>>), ApiError> {
    if only_own(actor) {
        Ok((Division::COUNTRY, Some(access::venues_of(conn, actor.id).await?)))
    } else {
        Ok((actor.division, None))
    }
}

/// Adds a point to a venue.
pub async fn add(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    venue: &VenueRow,
    form: NewPoint,
) -> Result<Point, ApiError> {
    let row = form.row(web, venue, area_of(venue)?.as_ref())?;
    register::insert_points(conn, std::slice::from_ref(&row)).await?;
    actor.note(web, conn, "point.added", format!("point {}", row.id)).await?;
    show_point(web, row)
}

/// A venue as staff see it.
pub fn show(web: &Web, row: VenueRow, points: Vec<PointRow>) -> Result<Venue, ApiError> {
    Ok(Venue {
        id: row.id,
        organisation_id: row.organisation_id,
        state: register::venue_state(row.state)?,
        name: row.name,
        short_name: row.short_name,
        category: row.category,
        division: row.division,
        street: row.street,
        address: row.address,
        lat_deg: row.lat_deg,
        lng_deg: row.lng_deg,
        superior: row.superior,
        contact_name: row.contact_name,
        contact_phone: row.contact_phone,
        capacity: row.capacity,
        state_reason: row.state_reason,
        organisation: None,
        outline: None,
        stops: Vec::new(),
        points: points.into_iter().map(|point| show_point(web, point)).collect::<Result<_, _>>()?,
    })
}

/// A venue with all that belongs to it.
pub async fn detail(web: &Web, conn: &mut AsyncPgConnection, row: VenueRow) -> Result<Venue, ApiError> {
    let points = register::points_of_venue(conn, row.id).await?;
    let organisation = organisations::organisation(conn, row.organisation_id).await?;
    let organisation = organisation.ok_or(StoreError::Corrupt("venues"))?;
    let stops = stops::of_venue(conn, row.id).await?.into_iter().map(|stop| Stop {
        number: stop.number,
        name: stop.name,
        lat_deg: stop.lat_deg,
        lng_deg: stop.lng_deg,
    });
    let (stops, outline) = (stops.collect(), row.outline.clone());
    let organisation = Some(show_organisation(organisation)?);
    Ok(Venue { organisation, outline, stops, ..show(web, row, points)? })
}

/// An organisation as staff see it.
pub fn show_organisation(row: OrganisationRow) -> Result<Organisation, ApiError> {
    let kind = OrganisationKind::from_number(row.kind).ok_or(StoreError::Corrupt("organisations"))?;
    Ok(Organisation { id: row.id, name: row.legal_name, kind, credit_code: row.credit_code })
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
        lat_deg: row.lat_deg,
        lng_deg: row.lng_deg,
        mobile: row.is_mobile,
        row: row.row_no,
        seat: row.seat,
        generation: row.generation,
        url: signed.url(&web.app.config.public_url),
        typed: signed.typed(),
        previous_until: row.previous_until,
        revoked_at: row.revoked_at,
        expires_at: row.expires_at,
    })
}

/// Whether somebody sees only the venues that they work at.
pub fn only_own(actor: &Actor) -> bool {
    !actor.is(Role::Inspector) && !actor.is(Role::Investigator)
}
