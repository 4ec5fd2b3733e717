//! The rows of a small register: one organisation, a venue of each of some kinds, its points.

use chrono::{DateTime, Utc};
use placecode::domain::exposure::grid_cell;
use placecode::domain::numbered::Numbered;
use placecode::domain::position::{POINT_RESOLUTION, Position, cell_to_i64};
use placecode::domain::venue::{Granularity, VenueState};
use placecode::store::register::{OrganisationRow, PointRow, VenueRow};
use uuid::Uuid;

pub const ORGANISATION: Uuid = Uuid::from_u128(1);

pub fn organisation(now: DateTime<Utc>) -> OrganisationRow {
    OrganisationRow {
        id: ORGANISATION,
        legal_name: "郑州某某有限公司".to_owned(),
        credit_code: None,
        created_at: now,
        kind: 0,
    }
}

pub fn venue(id: Uuid, category: &str, position: Position, now: DateTime<Utc>) -> VenueRow {
    VenueRow {
        id,
        organisation_id: ORGANISATION,
        source_ref: None,
        name: category.to_owned(),
        category: category.to_owned(),
        division: "410105".to_owned(),
        address: "郑州市金水区花园路1号".to_owned(),
        lat_deg: position.lat_deg(),
        lng_deg: position.lng_deg(),
        cell: cell_to_i64(position.cell(POINT_RESOLUTION)),
        contact_name: String::new(),
        contact_phone: String::new(),
        capacity: None,
        state: VenueState::Approved.number(),
        state_reason: String::new(),
        created_at: now,
        short_name: String::new(),
        street: String::new(),
        superior: String::new(),
        outline: None,
        cells: Vec::new(),
    }
}

pub fn point(id: i64, venue_id: Uuid, position: Position, now: DateTime<Utc>) -> PointRow {
    let cell = position.cell(POINT_RESOLUTION);
    PointRow {
        id,
        venue_id,
        name: format!("{id}"),
        granularity: Granularity::Hall as i16,
        cell: cell_to_i64(cell),
        grid_cell: grid_cell(cell).map_or(0, cell_to_i64),
        generation: 1,
        previous_until: None,
        revoked_at: None,
        created_at: now,
        lat_deg: None,
        lng_deg: None,
        is_mobile: false,
        expires_at: None,
        row_no: None,
        seat: None,
    }
}
