//! Corrections before a venue is approved, and the few changes after it.

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::auth::Actor;
use super::error::ApiError;
use super::point_forms::check_points;
use super::venue_forms::{Draft, NewVenue, area_of};
use super::venue_life::{Taken, check_place, organisation_for, take_step};
use super::web::Web;
use crate::domain::access::Role;
use crate::domain::exposure::grid_cell;
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::venue::VenueState;
use crate::store::register::{self, OrganisationRow, VenueRow};
use crate::store::stops::{self, StopRow};
use crate::store::venue_life;
use crate::store::{StoreError, organisations};

/// Why place and ground stay as they were approved: stays, cells and posters hang on them.
const FROZEN: &str =
    "cannot change once the venue was approved; a venue that moves is closed and registered anew";

/// Why a manager cannot change something.
const REVIEWED: &str = "was reviewed; only an inspector can change it now";

/// Corrects a venue and submits it again, or changes what may change once it was approved.
pub async fn correct(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    form: NewVenue,
) -> Result<VenueRow, ApiError> {
    if !form.points.is_empty() {
        return Err(ApiError::invalid("points", "are added one by one, not by a correction"));
    }
    let row = venue_life::lock_venue(conn, id).await?.ok_or(ApiError::NotFound("venue"))?;
    let organisation = organisations::organisation(conn, row.organisation_id).await?;
    let organisation = organisation.ok_or(StoreError::Corrupt("venues"))?;
    let state = register::venue_state(row.state)?;
    if state == VenueState::Closed {
        return Err(ApiError::Conflict("a closed venue stays as it is; register it anew"));
    }
    if state.is_open_to_correction() {
        resubmit(web, conn, actor, (row, organisation), form).await
    } else {
        change(web, conn, actor, (row, organisation), form).await
    }
}

async fn resubmit(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    (old, owner): (VenueRow, OrganisationRow),
    form: NewVenue,
) -> Result<VenueRow, ApiError> {
    let draft = form.read(web)?;
    check_place(web, conn, actor, &draft).await?;
    let points = register::points_of_venue(conn, old.id).await?;
    check_points(&points, &draft.venue, draft.area.as_ref())?;
    let organisation = organisation_for(conn, &draft.organisation, Some(&owner)).await?;
    let stops = of_venue(draft.stops, old.id);
    let new = VenueRow {
        id: old.id,
        organisation_id: organisation.id,
        source_ref: old.source_ref.clone(),
        created_at: old.created_at,
        ..draft.venue
    };
    let mut changed = differences(&old, &new);
    if stops::of_venue(conn, old.id).await? != stops {
        stops::delete(conn, old.id).await?;
        stops::insert(conn, &stops).await?;
        changed.push("stops");
    }
    venue_life::update_venue(conn, &new).await?;
    let grid = cell_from_i64(new.cell).and_then(grid_cell).map_or(0, cell_to_i64);
    venue_life::move_points(conn, new.id, new.cell, grid).await?;
    let reason = changed.join(", ");
    let step = Taken { venue: &new, action: "corrected", audited: "venue.corrected", reason: &reason };
    take_step(web, conn, actor, step).await?;
    Ok(new)
}

async fn change(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    (old, owner): (VenueRow, OrganisationRow),
    form: NewVenue,
) -> Result<VenueRow, ApiError> {
    // What is left out of the place stays as it is.
    let placed = form.lat_deg.is_some() || form.lng_deg.is_some();
    let form = NewVenue {
        lat_deg: if placed { form.lat_deg } else { Some(old.lat_deg) },
        lng_deg: if placed { form.lng_deg } else { Some(old.lng_deg) },
        outline: form.outline.or_else(|| old.outline.clone()),
        ..form
    };
    let draft = form.read(web)?;
    check_frozen(&old, &draft)?;
    let organisation = organisation_for(conn, &draft.organisation, Some(&owner)).await?;
    let new = VenueRow { organisation_id: organisation.id, ..changed_row(&old, &draft.venue) };
    let mut changed = differences(&old, &new);
    let more = further_stops(conn, &old, of_venue(draft.stops, old.id)).await?;
    if !more.is_empty() {
        changed.push("stops");
    }
    let own = ["short_name", "contact_name", "contact_phone", "capacity", "superior"];
    if let Some(field) = changed.iter().find(|field| !own.contains(field))
        && !actor.is(Role::Inspector)
    {
        return Err(ApiError::invalid(field, REVIEWED));
    }
    if changed.is_empty() {
        return Ok(old);
    }
    stops::insert(conn, &more).await?;
    venue_life::update_venue(conn, &new).await?;
    let transferred = new.organisation_id != old.organisation_id;
    let (action, audited) =
        if transferred { ("transferred", "venue.transferred") } else { ("changed", "venue.changed") };
    let step = Taken { venue: &new, action, audited, reason: &changed.join(", ") };
    take_step(web, conn, actor, step).await?;
    Ok(new)
}

/// The row with the texts and numbers of the new one, in the place and state of the old one.
fn changed_row(old: &VenueRow, new: &VenueRow) -> VenueRow {
    VenueRow {
        name: new.name.clone(),
        short_name: new.short_name.clone(),
        category: new.category.clone(),
        street: new.street.clone(),
        address: new.address.clone(),
        superior: new.superior.clone(),
        contact_name: new.contact_name.clone(),
        contact_phone: new.contact_phone.clone(),
        capacity: new.capacity,
        ..old.clone()
    }
}

fn check_frozen(old: &VenueRow, draft: &Draft) -> Result<(), ApiError> {
    let moved = (old.lat_deg, old.lng_deg) != (draft.venue.lat_deg, draft.venue.lng_deg);
    if draft.area != area_of(old)? {
        Err(ApiError::invalid("outline", FROZEN))
    } else if moved {
        Err(ApiError::invalid("position", FROZEN))
    } else if old.division != draft.venue.division {
        Err(ApiError::invalid("division", FROZEN))
    } else {
        Ok(())
    }
}

/// The stops that are new to a line in use. Those that it has stay where they are, since stays lie in
/// their cells; a form that names none leaves all of them.
async fn further_stops(
    conn: &mut AsyncPgConnection,
    old: &VenueRow,
    given: Vec<StopRow>,
) -> Result<Vec<StopRow>, ApiError> {
    let known = stops::of_venue(conn, old.id).await?;
    if given.is_empty() || known.iter().all(|stop| given.contains(stop)) {
        return Ok(given.into_iter().filter(|stop| !known.contains(stop)).collect());
    }
    Err(ApiError::invalid("stops", "that a line in use has cannot change; only further ones can be added"))
}

fn of_venue(stops: Vec<StopRow>, venue_id: Uuid) -> Vec<StopRow> {
    let mut stops: Vec<StopRow> = stops.into_iter().map(|stop| StopRow { venue_id, ..stop }).collect();
    stops.sort_by_key(|stop| stop.number);
    stops
}

/// The names of the fields in which two forms of a venue differ.
fn differences(old: &VenueRow, new: &VenueRow) -> Vec<&'static str> {
    let all = [
        ("organisation", old.organisation_id != new.organisation_id),
        ("name", old.name != new.name),
        ("short_name", old.short_name != new.short_name),
        ("category", old.category != new.category),
        ("division", old.division != new.division),
        ("street", old.street != new.street),
        ("address", old.address != new.address),
        ("position", (old.lat_deg, old.lng_deg) != (new.lat_deg, new.lng_deg)),
        ("outline", old.outline != new.outline),
        ("superior", old.superior != new.superior),
        ("contact_name", old.contact_name != new.contact_name),
        ("contact_phone", old.contact_phone != new.contact_phone),
        ("capacity", old.capacity != new.capacity),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}
