//! `venues import`: a register of venues from a file, with the points where their codes hang.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use uuid::Uuid;

use super::house::{House, HouseArgs};
use super::named_id::named_id;
use super::refusals::{Refusal, Refusals};
use super::table::{Table, TableArgs};
use super::terminal::{Progress, grouped, remark, say};
use super::venue_rows::{self, Defaults, Draft, LAYOUT};
use crate::clock::Clock;
use crate::domain::catalogue::Catalogue;
use crate::domain::exposure::grid_cell;
use crate::domain::numbered::Numbered;
use crate::domain::position::{POINT_RESOLUTION, cell_to_i64};
use crate::domain::venue::{Division, OrganisationKind, PointId, VenueState};
use crate::store::audit::{self, Act};
use crate::store::register::{self, OrganisationRow, PointRow, VenueRow};
use crate::store::{StoreError, imports};

/// How many venues are stored in one transaction.
const BATCH: usize = 1000;

pub(super) const EXAMPLES: &str = "\
Columns: id, name, category, division, address, lat, lng, capacity, credit_code, organisation, contact_name,
contact_phone, point (names of points, separated by `;`). id, name, lat and lng are required.

Examples:
  placecode venues import venues/sample.csv --set sample
  placecode venues import venues.tsv --set gowalla --columns id,name,lat,lng --division 310101
  placecode venues import poi.csv.gz --set poi --map id=POI_ID --map name=NAME --category shop --division 410105
Rows that are refused are written to FILE.refused.csv, with what is wrong and what would be right.";

/// Which file, and what stands in for columns that it does not have.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    house: HouseArgs,

    #[command(flatten)]
    table: TableArgs,

    /// The category of rows that name none; venues/categories.toml lists them.
    #[arg(long, default_value = "other")]
    category: String,

    /// The division (GB/T 2260) of rows that name none.
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Option<Division>,

    /// The point of rows that name none.
    #[arg(long, default_value = "入口")]
    point: String,
}

/// What became of the rows.
#[derive(Default)]
struct Tally {
    read: u64,
    accepted: u64,
    points: u64,
    known: u64,
}

/// Imports a file and returns how many rows were refused.
pub(crate) async fn import(args: &ImportArgs) -> anyhow::Result<u64> {
    let catalogue = Catalogue::shipped()?;
    ensure!(catalogue.get(&args.category).is_some(), "--category {}: not in the catalogue", args.category);
    let mut table = Table::open(&args.table, LAYOUT)?;
    ensure!(
        args.division.is_some() || table.has("division"),
        "the file has no column `division`: give --division for all its rows"
    );
    if !table.unused.is_empty() {
        remark(format!("columns that are not used: {}", table.unused.join(", ")));
    }
    let mut refusals = Refusals::beside(&args.table.file)?;
    let house = House::open(&args.house).await?;
    let defaults =
        Defaults::new(&catalogue, &args.table.set, &args.category, args.division, args.point.as_str());
    let mut conn = house.store()?.conn().await?;
    let tally = read_all(&mut conn, args, &mut table, &defaults, &mut refusals).await?;
    let refused = refusals.total();
    say(format!("{:>11}  rows read", grouped(tally.read)));
    let taken = if args.table.dry_run { "would be accepted" } else { "accepted" };
    say(format!("{:>11}  {taken}, with {} points", grouped(tally.accepted), grouped(tally.points)));
    say(format!("{:>11}  already there", grouped(tally.known)));
    say(format!("{:>11}  refused", grouped(refused)));
    refusals.close()?.iter().for_each(say);
    drop(conn);
    house.close()?;
    Ok(refused)
}

async fn read_all(
    conn: &mut AsyncPgConnection,
    args: &ImportArgs,
    table: &mut Table,
    defaults: &Defaults<'_>,
    refusals: &mut Refusals,
) -> anyhow::Result<Tally> {
    let mut progress = Progress::new("venues", table.progress().1);
    let mut tally = Tally::default();
    let mut seen = HashSet::new();
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let row = table.next_row()?;
        let ended = row.is_none();
        if let Some((line, row)) = row {
            tally.read += 1;
            match row.and_then(|row| venue_rows::read(&row, defaults)) {
                Ok(draft) if !seen.insert(draft.source_ref.clone()) => {
                    let twice =
                        Refusal::new("id", &draft.source_ref, "twice in this file", "one row for each id");
                    refusals.add(line, &twice)?;
                }
                Ok(draft) => batch.push(draft),
                Err(refusal) => refusals.add(line, &refusal)?,
            }
        }
        if batch.len() == BATCH || (ended && !batch.is_empty()) {
            keep(conn, args, &batch, &mut tally).await?;
            batch.clear();
            let (done, total) = table.progress();
            progress.at(done, total, tally.read);
        }
        if ended {
            break;
        }
    }
    progress.end();
    Ok(tally)
}

/// Stores those of the batch that are new, all or none.
async fn keep(
    conn: &mut AsyncPgConnection,
    args: &ImportArgs,
    batch: &[Draft],
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let (accepted, points) = conn
        .transaction::<_, anyhow::Error, _>(async |conn| {
            imports::lock(conn).await?;
            let refs: Vec<String> = batch.iter().map(|draft| draft.source_ref.clone()).collect();
            let known: BTreeSet<String> = imports::known_venues(conn, &refs).await?.into_iter().collect();
            let new: Vec<&Draft> = batch.iter().filter(|draft| !known.contains(&draft.source_ref)).collect();
            if args.table.dry_run || new.is_empty() {
                return Ok((new.len(), new.iter().map(|draft| draft.points.len()).sum()));
            }
            let points = store(conn, &args.table.set, &new, now).await?;
            let subject = format!("set {}", args.table.set);
            let detail = json!({ "venues": new.len(), "points": points });
            audit::append(conn, Act { actor: super::ACTOR, action: "venues.imported", subject, detail }, now)
                .await?;
            Ok((new.len(), points))
        })
        .await?;
    tally.accepted += accepted as u64;
    tally.points += points as u64;
    tally.known += (batch.len() - accepted) as u64;
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
    let mut points = Vec::new();
    for (draft, organisation_id) in new.iter().zip(organisations) {
        let venue = venue_row(draft, organisation_id, now);
        points.extend(draft.points.iter().map(|name| point_row(draft, venue.id, name, now)));
        venues.push(venue);
    }
    number(conn, &mut points).await?;
    let inserted = register::insert_venues(conn, &venues).await?;
    ensure!(
        inserted == venues.len(),
        "somebody else entered venues of the set {set} meanwhile; run the import again"
    );
    for some in points.chunks(BATCH) {
        register::insert_points(conn, some).await?;
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
        OrganisationRow {
            id,
            legal_name,
            credit_code: code,
            created_at: now,
            kind: OrganisationKind::default().number(),
        }
    };
    let rows: Vec<OrganisationRow> = new.iter().map(row).collect();
    let distinct: BTreeMap<Uuid, OrganisationRow> = rows.iter().map(|row| (row.id, row.clone())).collect();
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
        state: VenueState::Approved.number(),
        state_reason: "imported".to_owned(),
        created_at: now,
        short_name: String::new(),
        street: String::new(),
        superior: String::new(),
        outline: None,
        cells: Vec::new(),
    }
}

fn point_row(draft: &Draft, venue_id: Uuid, name: &str, now: DateTime<Utc>) -> PointRow {
    let cell = draft.position.cell(POINT_RESOLUTION);
    PointRow {
        id: draw(),
        venue_id,
        name: name.to_owned(),
        granularity: draft.granularity.number(),
        cell: cell_to_i64(cell),
        // The parent of the point's cell, which is not always the cell that the position itself lies in.
        grid_cell: cell_to_i64(grid_cell(cell).unwrap_or(cell)),
        generation: 1,
        previous_until: None,
        revoked_at: None,
        created_at: now,
        lat_deg: None,
        lng_deg: None,
        is_mobile: false,
        expires_at: None,
    }
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
