//! One batch of an import of venues: what is new is stored, all or none, in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use uuid::Uuid;

use super::named_id::named_id;
use super::refusals::Refusal;
use super::venue_points::{DraftPoint, DraftStop};
use super::venue_rows::Draft;
use super::venue_update::{self, Difference};
use crate::clock::Clock;
use crate::domain::area::Area;
use crate::domain::exposure::grid_cell;
use crate::domain::numbered::Numbered;
use crate::domain::position::{POINT_RESOLUTION, Position, cell_to_i64};
use crate::domain::venue::PointId;
use crate::store::StoreError;
use crate::store::audit::{self, Act};
use crate::store::imports;
use crate::store::register::{self, OrganisationRow, PointRow, VenueRow};
use crate::store::stops::{self, StopRow};

/// How many rows one statement enters; Postgres takes 65,535 values in one.
const ROWS_AT_ONCE: usize = 1000;

/// How a batch is stored.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    /// What the source is called.
    pub(super) set: &'a str,
    /// Whether rows that are there already are compared and changed.
    pub(super) update: bool,
    /// Whether nothing is to be stored.
    pub(super) dry_run: bool,
}

/// What became of a batch.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) accepted: usize,
    pub(super) points: usize,
    pub(super) changed: usize,
    pub(super) known: usize,
    pub(super) refused: Vec<(u64, Refusal)>,
}

/// Stores those of the batch that are new, and changes those that are not when an update is wanted.
pub(super) async fn keep(
    conn: &mut AsyncPgConnection,
    way: Way<'_>,
    batch: &[(u64, Draft)],
) -> anyhow::Result<Kept> {
    let now = Clock::System.now();
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        imports::lock(conn).await?;
        let refs: Vec<String> = batch.iter().map(|(_, draft)| draft.source_ref.clone()).collect();
        let known = known(conn, way, &refs).await?;
        let mut kept = Kept::default();
        let mut new = Vec::new();
        let mut changes = Vec::new();
        for (line, draft) in batch {
            match known.get(&draft.source_ref) {
                None => new.push(draft),
                Some(None) => kept.known += 1,
                Some(Some(row)) => match venue_update::compare(row, draft) {
                    Ok(Difference::None) => kept.known += 1,
                    Ok(Difference::Changed(row)) => changes.push(*row),
                    Err(refusal) => kept.refused.push((*line, refusal)),
                },
            }
        }
        kept.accepted = new.len();
        kept.points = new.iter().map(|draft| draft.points.len()).sum();
        kept.changed = changes.len();
        if !way.dry_run {
            write(conn, way.set, &new, &changes, now).await?;
        }
        Ok(kept)
    })
    .await
}

/// Which venues of a batch are there already; with their rows when they are to be compared.
async fn known(
    conn: &mut AsyncPgConnection,
    way: Way<'_>,
    refs: &[String],
) -> Result<HashMap<String, Option<VenueRow>>, StoreError> {
    if !way.update {
        let known = imports::known_venues(conn, refs).await?;
        return Ok(known.into_iter().map(|source| (source, None)).collect());
    }
    let rows = imports::known_rows(conn, refs).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.source_ref.clone()?, Some(row)))).collect())
}

async fn write(
    conn: &mut AsyncPgConnection,
    set: &str,
    new: &[&Draft],
    changes: &[VenueRow],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let subject = || format!("set {set}");
    if !new.is_empty() {
        let points = store(conn, set, new, now).await?;
        let detail = json!({ "venues": new.len(), "points": points });
        let act = Act { actor: super::ACTOR, action: "venues.imported", subject: subject(), detail };
        audit::append(conn, act, now).await?;
    }
    if !changes.is_empty() {
        for row in changes {
            imports::update_details(conn, row).await?;
        }
        let detail = json!({ "venues": changes.len() });
        let act = Act { actor: super::ACTOR, action: "venues.updated", subject: subject(), detail };
        audit::append(conn, act, now).await?;
    }
    Ok(())
}

async fn store(
    conn: &mut AsyncPgConnection,
    set: &str,
    new: &[&Draft],
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let organisations = organisations(conn, set, new, now).await?;
    let mut venues = Vec::with_capacity(new.len());
    let (mut points, mut stops) = (Vec::new(), Vec::new());
    for (draft, organisation_id) in new.iter().zip(organisations) {
        let venue = venue_row(draft, organisation_id, now);
        points.extend(draft.points.iter().map(|point| point_row(draft, venue.id, point, now)));
        stops.extend(draft.stops.iter().map(|stop| stop_row(venue.id, stop)));
        venues.push(venue);
    }
    number(conn, &mut points).await?;
    let inserted = register::insert_venues(conn, &venues).await?;
    ensure!(
        inserted == venues.len(),
        "somebody else entered venues of the set {set} meanwhile; run the import again"
    );
    for some in points.chunks(ROWS_AT_ONCE) {
        register::insert_points(conn, some).await?;
    }
    for some in stops.chunks(ROWS_AT_ONCE) {
        stops::insert(conn, some).await?;
    }
    Ok(points.len())
}

/// The organisation of each venue: by its credit code, else by its name within the set, else the set itself.
async fn organisations(
    conn: &mut AsyncPgConnection,
    set: &str,
    new: &[&Draft],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Uuid>> {
    let row = |draft: &&Draft| {
        let code = draft.credit_code.as_ref().map(|code| code.as_str().to_owned());
        let name = draft.organisation.as_deref();
        let id = match &code {
            Some(code) => named_id("organisation", &[code]),
            None => named_id("organisation", &[set, name.unwrap_or_default()]),
        };
        let legal_name = name.unwrap_or(if code.is_some() { &draft.name } else { set }).to_owned();
        let kind = draft.organisation_kind.number();
        OrganisationRow { id, legal_name, credit_code: code, created_at: now, kind }
    };
    let rows: Vec<OrganisationRow> = new.iter().map(row).collect();
    let distinct: BTreeMap<Uuid, OrganisationRow> =
        rows.iter().rev().map(|row| (row.id, row.clone())).collect();
    imports::insert_organisations(conn, &distinct.into_values().collect::<Vec<_>>()).await?;
    // An organisation that was there already has an id of its own.
    let codes: Vec<String> = rows.iter().filter_map(|row| row.credit_code.clone()).collect();
    let by_code: BTreeMap<String, Uuid> =
        imports::organisations_by_code(conn, &codes).await?.into_iter().collect();
    let id = |row: &OrganisationRow| match &row.credit_code {
        Some(code) => by_code.get(code).copied().context("an organisation that was just entered is there"),
        None => Ok(row.id),
    };
    rows.iter().map(id).collect()
}

fn venue_row(draft: &Draft, organisation_id: Uuid, now: DateTime<Utc>) -> VenueRow {
    let cells = draft.outline.as_ref().map_or(&[][..], Area::cells);
    VenueRow {
        id: Uuid::now_v7(),
        organisation_id,
        source_ref: Some(draft.source_ref.clone()),
        name: draft.name.clone(),
        category: draft.category.clone(),
        division: draft.division.to_string(),
        address: draft.address.clone(),
        lat_deg: draft.position.lat_deg(),
        lng_deg: draft.position.lng_deg(),
        cell: cell_to_i64(draft.position.cell(POINT_RESOLUTION)),
        contact_name: draft.contact_name.clone(),
        contact_phone: draft.contact_phone.clone(),
        capacity: draft.capacity,
        state: draft.state.number(),
        state_reason: "imported".to_owned(),
        created_at: now,
        short_name: draft.short_name.clone(),
        street: draft.street.clone(),
        superior: draft.superior.clone(),
        outline: draft.outline.as_ref().map(Area::to_json),
        cells: cells.iter().copied().map(cell_to_i64).collect(),
    }
}

fn point_row(draft: &Draft, venue_id: Uuid, point: &DraftPoint, now: DateTime<Utc>) -> PointRow {
    let (cell, grid_cell) = cells(&point.position.unwrap_or(draft.position));
    PointRow {
        id: draw(),
        venue_id,
        name: point.name.clone(),
        granularity: point.granularity.number(),
        cell,
        grid_cell,
        generation: 1,
        previous_until: None,
        revoked_at: None,
        created_at: now,
        lat_deg: point.position.map(|position| position.lat_deg()),
        lng_deg: point.position.map(|position| position.lng_deg()),
        is_mobile: point.is_mobile,
        expires_at: point.expires_at,
        row_no: None,
        seat: None,
    }
}

fn stop_row(venue_id: Uuid, stop: &DraftStop) -> StopRow {
    let (cell, grid_cell) = cells(&stop.position);
    StopRow {
        venue_id,
        number: stop.number,
        name: stop.name.clone(),
        lat_deg: stop.position.lat_deg(),
        lng_deg: stop.position.lng_deg(),
        cell,
        grid_cell,
    }
}

/// The cell of a position and its companion cell: the parent of the cell, which is not always the cell that the
/// position itself lies in.
fn cells(position: &Position) -> (i64, i64) {
    let cell = position.cell(POINT_RESOLUTION);
    (cell_to_i64(cell), cell_to_i64(grid_cell(cell).unwrap_or(cell)))
}

fn draw() -> i64 {
    rand::random_range(0..PointId::END).cast_signed()
}

/// Draws other numbers for points whose number is taken.
async fn number(conn: &mut AsyncPgConnection, points: &mut [PointRow]) -> Result<(), StoreError> {
    loop {
        let ids: Vec<i64> = points.iter().map(|point| point.id).collect();
        let taken: HashSet<i64> = imports::taken_points(conn, &ids).await?.into_iter().collect();
        let mut drawn = HashSet::new();
        let mut again = false;
        for point in points.iter_mut() {
            if taken.contains(&point.id) || !drawn.insert(point.id) {
                point.id = draw();
                again = true;
            }
        }
        if !again {
            return Ok(());
        }
    }
}
