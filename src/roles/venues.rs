//! `venues import`: a register of venues from a file, with the points where their codes hang.

use std::collections::HashSet;

use anyhow::ensure;
use chrono::FixedOffset;
use diesel_async::AsyncPgConnection;

use super::house::{House, HouseArgs};
use super::refusals::{Refusal, Refusals};
use super::source::Source;
use super::table::{FileArgs, SetArgs};
use super::terminal::{Progress, grouped, remark, say};
use super::venue_batch::{self, Way};
use super::venue_rows::{self, Defaults, Draft, LAYOUT};
use crate::domain::catalogue::Catalogue;
use crate::domain::venue::Division;
use crate::store::divisions;

/// How many venues are stored in one transaction.
const BATCH: usize = 1000;

pub(super) const EXAMPLES: &str = "\
Columns of a table, properties of a GeoJSON feature (.geojson; .geojsonl, .ndjson or .jsonl for one in each line):
  id, name, lat, lng        required; for a feature the geometry says where; with an outline lat and lng may be empty
  category, division, short_name, street, address, capacity, superior, contact_name, contact_phone, state
  organisation, organisation_kind, credit_code
  outline                   a GeoJSON Polygon or MultiPolygon
  point                     names of points, separated by `;`
  granularity, mobile, expires   of its points
  stops                     of a line: number|name|lat|lng, separated by `;`
venues/README.md describes each of them.

Examples:
  placecode venues import venues/sample.csv --set sample
  placecode venues import venues/sample.geojson --set sample-map --dry-run
  placecode venues import venues.tsv --set gowalla --columns id,name,lat,lng --division 310101
  placecode venues import poi.csv.gz --set poi --map id=POI_ID --map name=NAME --category shop --division 410105
  placecode venues import new-contacts.csv --set register --update
Rows that are refused are written to FILE.refused.csv, with what is wrong and what would be right. An import that was
cut off is run again: what it stored is passed over.";

/// Which file, and what stands in for columns that it does not have.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    house: HouseArgs,

    #[command(flatten)]
    file: FileArgs,

    #[command(flatten)]
    set: SetArgs,

    /// The category of rows that name none; `placecode categories` lists them.
    #[arg(long, default_value = "other")]
    category: String,

    /// The division (GB/T 2260) of rows that name none.
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Option<Division>,

    /// The point of rows that name none.
    #[arg(long, default_value = "入口")]
    point: String,

    /// Compare rows that are there already, and take over names, address, street, capacity, contact and superior.
    #[arg(long)]
    update: bool,

    /// How far the local clock is ahead of UTC, for `expires`.
    #[arg(long, env, default_value = "+08:00", allow_hyphen_values = true)]
    local_offset: FixedOffset,
}

/// What became of the rows.
#[derive(Default)]
struct Tally {
    read: u64,
    accepted: u64,
    points: u64,
    changed: u64,
    known: u64,
}

/// Imports a file and returns how many rows were refused.
pub(crate) async fn import(args: &ImportArgs) -> anyhow::Result<u64> {
    let catalogue = Catalogue::shipped()?;
    ensure!(catalogue.get(&args.category).is_some(), "--category {}: not in the catalogue", args.category);
    let mut source = Source::open(&args.file, LAYOUT)?;
    ensure!(
        args.division.is_some() || source.has("division"),
        "the file has no column `division`: give --division for all its rows"
    );
    for column in ["lat", "lng"] {
        ensure!(
            source.has(column) || source.has("outline"),
            "the column `{column}` is missing; name it with --map {column}=NAME, or with --columns when the file has \
             no header, or give outlines"
        );
    }
    tell_unused(&source);
    let mut refusals = Refusals::beside(&args.file.file)?;
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    let defaults = Defaults {
        set: &args.set.name,
        categories: venue_rows::names_of(&catalogue),
        category: &args.category,
        division: args.division,
        point: &args.point,
        offset: args.local_offset,
        bounds: divisions::all_bounds(&mut conn).await?,
    };
    let tally = read_all(&mut conn, args, &mut source, &defaults, &mut refusals).await?;
    if !source.has_header() {
        tell_unused(&source);
    }
    report(args, &tally, refusals.total());
    let refused = refusals.total();
    refusals.close()?.iter().for_each(say);
    drop(conn);
    house.close()?;
    Ok(refused)
}

fn tell_unused(source: &Source) {
    let unused = source.unused();
    if !unused.is_empty() {
        remark(format!("columns that are not used: {}", unused.join(", ")));
    }
}

fn report(args: &ImportArgs, tally: &Tally, refused: u64) {
    let would = |done: &str| if args.file.dry_run { format!("would be {done}") } else { done.to_owned() };
    say(format!("{:>11}  rows read", grouped(tally.read)));
    say(format!(
        "{:>11}  {}, with {} points",
        grouped(tally.accepted),
        would("accepted"),
        grouped(tally.points)
    ));
    if args.update {
        say(format!("{:>11}  {}", grouped(tally.changed), would("changed")));
    }
    say(format!("{:>11}  already there", grouped(tally.known)));
    say(format!("{:>11}  refused", grouped(refused)));
}

async fn read_all(
    conn: &mut AsyncPgConnection,
    args: &ImportArgs,
    source: &mut Source,
    defaults: &Defaults<'_>,
    refusals: &mut Refusals,
) -> anyhow::Result<Tally> {
    let way = Way { set: &args.set.name, update: args.update, dry_run: args.file.dry_run };
    let mut progress = Progress::new("venues", source.progress().1);
    let mut tally = Tally::default();
    let mut seen = HashSet::new();
    let mut batch: Vec<(u64, Draft)> = Vec::with_capacity(BATCH);
    loop {
        let row = source.next_row()?;
        let ended = row.is_none();
        if let Some((line, row)) = row {
            tally.read += 1;
            match row.and_then(|row| venue_rows::read(&row, defaults)) {
                Ok(draft) if !seen.insert(draft.source_ref.clone()) => {
                    let twice =
                        Refusal::new("id", &draft.source_ref, "twice in this file", "one row for each id");
                    refusals.add(line, &twice)?;
                }
                Ok(draft) => batch.push((line, draft)),
                Err(refusal) => refusals.add(line, &refusal)?,
            }
        }
        if batch.len() == BATCH || (ended && !batch.is_empty()) {
            let kept = venue_batch::keep(conn, way, &batch).await?;
            batch.clear();
            tally.accepted += kept.accepted as u64;
            tally.points += kept.points as u64;
            tally.changed += kept.changed as u64;
            tally.known += kept.known as u64;
            for (line, refusal) in &kept.refused {
                refusals.add(*line, refusal)?;
            }
            let (done, total) = source.progress();
            progress.at(done, total, tally.read);
        }
        if ended {
            break;
        }
    }
    progress.end();
    Ok(tally)
}
