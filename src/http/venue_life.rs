//! The life of a venue: applied for, corrected, reviewed, changed; each step logged for all to see who may.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post, put};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::{RegisterVenues, ReviewVenues, SeeVenues};
use super::point_forms::position_of;
use super::venue_forms::{Draft, NewVenue, text};
use super::venues::{Venue, detail, may_see, permitted, show, show_point};
use super::web::Web;
use super::write::{Reply, Write};
use crate::domain::access::Role;
use crate::domain::likeness::is_same_legal_name;
use crate::domain::venue::VenueState;
use crate::store::register::{self, OrganisationRow, VenueRow};
use crate::store::venue_life::{self, NewStep, StepRow};
use crate::store::{access, audit, divisions, organisations, stops, venue_staff};

/// How many venues of one account may wait for a review at a time.
pub const WAITING_MAX: i64 = 20;

/// The steps by which somebody enters a venue; whoever took one cannot approve it.
const ENTERING: &[&str] = &["submitted", "corrected"];

/// A step of a venue's life.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    /// Counts the venue's steps from 1.
    pub seq: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// `submitted`, `corrected`, `approved`, `rejected`, `suspended`, `reopened`, `closed`, `changed` or
    /// `transferred`.
    pub action: String,
    /// Where it stands after it.
    pub state: VenueState,
    /// Why; of a correction or change, which fields.
    pub reason: String,
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

/// What has happened to a venue, the latest first.
#[utoipa::path(responses((status = 200, body = [Step]), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues/{id}/steps")]
pub(crate) async fn see_steps(
    web: Data<Web>,
    staff: Staff<SeeVenues>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let venue = may_see(&web, &staff.0, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let rows = venue_life::steps(&mut conn, venue.id).await?;
    Ok(HttpResponse::Ok().json(rows.into_iter().map(show_step).collect::<Result<Vec<_>, _>>()?))
}

/// Corrects or changes a venue. While it waits or was rejected, every field may be corrected, and it is
/// submitted again. Once it was approved, its manager may change short name, contact, capacity and
/// superior; an inspector also names, texts and category, and may add stops. Position, outline and
/// division never change then: a venue that moves is closed and registered anew.
#[utoipa::path(request_body = NewVenue, responses((status = 200, body = Venue), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[put("/venues/{id}")]
pub(crate) async fn correct_venue(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<Uuid>,
    write: Write<NewVenue>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        let row = super::venue_changes::correct(&web, conn, &actor, *id, form).await?;
        Ok(Reply::ok(detail(&web, conn, row).await?))
    };
    let answer = write.once(&web, &actor.name, work).await?;
    web.tell_venue(*id).await;
    Ok(answer)
}

/// Approves, rejects, suspends or closes a venue. Nobody approves what they have entered themselves.
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

/// Enters a venue with its organisation and points; whoever enters it answers for it.
pub async fn enter(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    form: NewVenue,
) -> Result<Venue, ApiError> {
    let owner = actor.person()?;
    let draft = form.read(web)?;
    check_place(web, conn, actor, &draft).await?;
    if !actor.is(Role::Inspector) && venue_life::waiting_of(conn, owner).await? >= WAITING_MAX {
        return Err(ApiError::Conflict("20 of your venues wait for a review; wait until one was reviewed"));
    }
    let organisation = organisation_for(conn, &draft.organisation, None).await?;
    let venue = VenueRow { organisation_id: organisation.id, ..draft.venue };
    register::insert_venues(conn, std::slice::from_ref(&venue)).await?;
    stops::insert(conn, &draft.stops).await?;
    register::insert_points(conn, &draft.points).await?;
    venue_staff::link(conn, owner, venue.id, Role::VenueManager).await?;
    let step = Taken { venue: &venue, action: "submitted", audited: "venue.registered", reason: "" };
    take_step(web, conn, actor, step).await?;
    // Whoever enters points reads their codes in the order in which they were named.
    let points = draft.points.into_iter().map(|point| show_point(web, point)).collect::<Result<_, _>>()?;
    Ok(Venue { points, ..detail(web, conn, venue).await? })
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
    let row = venue_life::lock_venue(conn, id).await?.ok_or(ApiError::NotFound("venue"))?;
    let from = register::venue_state(row.state)?;
    if !from.may_become(form.state) {
        return Err(ApiError::Conflict("the venue is not in a state that this decision fits"));
    }
    let approves = form.state == VenueState::Approved;
    if approves && venue_life::has_taken(conn, id, &actor.name, ENTERING).await? {
        actor.refused(web, &format!("approval of venue {id}")).await?;
        return Err(ApiError::Refused("whoever entered or corrected a venue cannot approve it"));
    }
    register::set_venue_state(conn, id, from, form.state, &reason).await?;
    let venue = register::venue(conn, id).await?.ok_or(ApiError::NotFound("venue"))?;
    let action = decision(from, form.state);
    let step = Taken { venue: &venue, action, audited: "venue.reviewed", reason: &reason };
    take_step(web, conn, actor, step).await?;
    Ok(venue)
}

/// The word for a decision.
fn decision(from: VenueState, to: VenueState) -> &'static str {
    match (from, to) {
        (VenueState::Suspended, VenueState::Approved) => "reopened",
        (_, VenueState::Approved) => "approved",
        (_, VenueState::Rejected) => "rejected",
        (_, VenueState::Suspended) => "suspended",
        (_, VenueState::Closed) => "closed",
        (_, VenueState::Submitted) => "submitted",
    }
}

/// A step that is being taken, as the venue stands after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken<'a> {
    pub(super) venue: &'a VenueRow,
    pub(super) action: &'static str,
    /// What the audit log calls it.
    pub(super) audited: &'static str,
    pub(super) reason: &'a str,
}

/// Writes a step down: for the auditor and for the applicant, in the transaction of what it tells.
pub(super) async fn take_step(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    taken: Taken<'_>,
) -> Result<(), ApiError> {
    let Taken { venue, action, audited, reason } = taken;
    let now = web.now();
    let act = audit::Act {
        actor: &actor.name,
        action: audited,
        subject: format!("venue {}", venue.id),
        detail: serde_json::json!({ "step": action }),
    };
    audit::append(conn, act, now).await?;
    let state = register::venue_state(venue.state)?;
    let step = NewStep { venue_id: venue.id, actor: &actor.name, action, state, reason };
    Ok(venue_life::add_step(conn, step, now).await?)
}

/// Refuses, and writes down, a venue of another jurisdiction; refuses one outside its division's bounds.
pub(super) async fn check_place(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    draft: &Draft,
) -> Result<(), ApiError> {
    let division = access::division(&draft.venue.division)?;
    if !actor.division.covers(&division) {
        actor.refused(web, &format!("a venue in division {division}")).await?;
        return Err(ApiError::Refused("this division is not yours"));
    }
    let position = position_of(&draft.venue)?;
    match divisions::bounds_of(conn, &division).await? {
        Some(known) if !known.bounds.contains(&position) => {
            let (name, code, bounds) = (&known.name, known.division, known.bounds);
            let reason = format!("lies outside {name} ({code}), whose bounds are {bounds}");
            Err(ApiError::invalid("position", reason))
        }
        Some(_) | None => Ok(()),
    }
}

/// The organisation that answers for a venue: the one of that credit code, whose legal name must be the
/// same; the one that does already, where neither has a code; else a new one.
pub(super) async fn organisation_for(
    conn: &mut AsyncPgConnection,
    given: &OrganisationRow,
    current: Option<&OrganisationRow>,
) -> Result<OrganisationRow, ApiError> {
    if let Some(current) = current
        && current.credit_code == given.credit_code
        && is_same_legal_name(&current.legal_name, &given.legal_name)
    {
        return Ok(current.clone());
    }
    let known = organisations::find_or_insert(conn, given).await?;
    if is_same_legal_name(&known.legal_name, &given.legal_name) {
        return Ok(known);
    }
    let name = &known.legal_name;
    let reason = format!("must be the name on the licence: this credit code is registered for `{name}`");
    Err(ApiError::invalid("organisation", reason))
}

/// A step as staff see it.
pub fn show_step(row: StepRow) -> Result<Step, ApiError> {
    let state = register::venue_state(row.state)?;
    let StepRow { seq, at, actor, action, reason, .. } = row;
    Ok(Step { seq, at, actor, action, state, reason })
}
