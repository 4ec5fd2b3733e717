//! `divisions`: where administrative divisions lie, so that a venue far outside its own is refused.

use std::collections::BTreeMap;

use anyhow::ensure;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;

use super::house::{House, HouseArgs};
use super::refusals::{Refusal, Refusals};
use super::row::Row;
use super::source::Source;
use super::table::{FileArgs, Layout};
use super::terminal::{grouped, say};
use super::venue_fields::need;
use crate::clock::Clock;
use crate::domain::division_bounds::Bounds;
use crate::domain::venue::Division;
use crate::store::audit::{self, Act};
use crate::store::divisions::{self, DivisionRow};

const LAYOUT: Layout = Layout {
    known: &["code", "adcode", "name", "south", "west", "north", "east"],
    required: &["name", "south", "west", "north", "east"],
};

/// How many divisions one file may hold; China has some 3,200 down to the county.
const DIVISIONS_MAX: usize = 10_000;
/// How many rows one statement enters.
const ROWS_AT_ONCE: usize = 1000;

pub(super) const EXAMPLES: &str = "\
Columns of a table: code (GB/T 2260; also called adcode), name, south, west, north, east (degrees, WGS 84).
Of a GeoJSON feature: code or adcode, and name; its bounding box is taken.

Examples:
  placecode divisions import venues/divisions.csv
  placecode divisions import 410100_full.geojson --dry-run
  placecode divisions list
A code that is there already is replaced. Rows that are refused are written to FILE.refused.csv; the others are imported.";

/// Which file.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    house: HouseArgs,

    #[command(flatten)]
    file: FileArgs,
}

/// Imports a file and returns how many rows were refused.
pub(crate) async fn import(args: &ImportArgs) -> anyhow::Result<u64> {
    let mut source = Source::open(&args.file, LAYOUT)?;
    ensure!(
        source.has("code") || source.has("adcode"),
        "the column `code` is missing; name it with --map code=NAME"
    );
    let mut refusals = Refusals::beside(&args.file.file)?;
    let rows = read(&mut source, &mut refusals)?;
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    if !args.file.dry_run && !rows.is_empty() {
        store(&mut conn, &rows).await?;
    }
    let taken = if args.file.dry_run { "would be accepted" } else { "accepted" };
    say(format!("{:>11}  {taken}", grouped(rows.len() as u64)));
    say(format!("{:>11}  refused", grouped(refusals.total())));
    let refused = refusals.total();
    refusals.close()?.iter().for_each(say);
    drop(conn);
    house.close()?;
    Ok(refused)
}

/// Prints what is loaded, in the order of the codes.
pub(crate) async fn list(args: &HouseArgs) -> anyhow::Result<()> {
    let house = House::open(args).await?;
    let mut conn = house.store()?.conn().await?;
    let rows = divisions::all(&mut conn).await?;
    say("code    south     west      north     east      name");
    for row in &rows {
        let DivisionRow { code, name, south_deg, west_deg, north_deg, east_deg } = row;
        say(format!("{code}  {south_deg:<8}  {west_deg:<8}  {north_deg:<8}  {east_deg:<8}  {name}"));
    }
    drop(conn);
    house.close()
}

fn read(source: &mut Source, refusals: &mut Refusals) -> anyhow::Result<Vec<DivisionRow>> {
    let mut rows = BTreeMap::new();
    while let Some((line, row)) = source.next_row()? {
        match row.and_then(|row| division(&row)) {
            Ok(row) if rows.contains_key(&row.code) => {
                let twice =
                    Refusal::new("code", &row.code, "twice in this file", "one row for each division");
                refusals.add(line, &twice)?;
            }
            Ok(row) => drop(rows.insert(row.code.clone(), row)),
            Err(refusal) => refusals.add(line, &refusal)?,
        }
        ensure!(
            rows.len() <= DIVISIONS_MAX,
            "more than {DIVISIONS_MAX} divisions; this is no file of divisions"
        );
    }
    Ok(rows.into_values().collect())
}

fn division(row: &Row) -> Result<DivisionRow, Refusal> {
    let code = match row.get("code") {
        Some(code) => code,
        None => row
            .need("adcode")
            .map_err(|_empty| Refusal::new("code", "", "empty", "six digits (GB/T 2260)"))?,
    };
    let code: Division = code.parse().map_err(|_digits| {
        Refusal::new("code", code, "no division code", "six digits (GB/T 2260), such as 410105")
    })?;
    let bounds = match row.shape()? {
        Some((column, geometry)) => Bounds::around(&geometry).ok_or_else(|| {
            let right = "a Polygon or MultiPolygon in degrees, longitude first (WGS 84)";
            Refusal::new(column, &geometry.to_string(), "has no bounds", right)
        })?,
        None => bounds(row)?,
    };
    let [south_deg, west_deg, north_deg, east_deg] = bounds.degrees();
    let name = need(row, "name", 100)?;
    Ok(DivisionRow { code: code.to_string(), name, south_deg, west_deg, north_deg, east_deg })
}

fn bounds(row: &Row) -> Result<Bounds, Refusal> {
    let degrees = |column: &'static str| {
        let text = row.need(column)?;
        text.parse::<f64>().map_err(|_text| {
            Refusal::new(column, text, "no number", "degrees (WGS 84) with a decimal point, such as 34.7")
        })
    };
    let [south, west, north, east] =
        [degrees("south")?, degrees("west")?, degrees("north")?, degrees("east")?];
    Bounds::new(south, west, north, east).map_err(|error| {
        let value = format!("{south}, {west}, {north}, {east}");
        Refusal::new("south", &value, "no bounds", &error.to_string())
    })
}

/// All or none.
async fn store(conn: &mut AsyncPgConnection, rows: &[DivisionRow]) -> anyhow::Result<()> {
    let now = Clock::System.now();
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        for some in rows.chunks(ROWS_AT_ONCE) {
            divisions::insert(conn, some).await?;
        }
        let detail = json!({ "divisions": rows.len() });
        let subject = "divisions".to_owned();
        let act = Act { actor: super::ACTOR, action: "divisions.imported", subject, detail };
        Ok(audit::append(conn, act, now).await?)
    })
    .await
}
