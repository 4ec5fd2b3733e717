//! `venues export`: the register as a file that an import reads back.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;

use super::house::{House, HouseArgs};
use super::table::set_name;
use super::terminal::{Progress, grouped, remark};
use super::whole_file::Part;
use crate::clock::Clock;
use crate::domain::register_file::Format;
use crate::domain::venue::{Division, VenueState};
use crate::domain::words::{from_word, word};
use crate::store::audit::{self, Act};
use crate::store::register_export::{self, Filter};

pub(super) const EXAMPLES: &str = "\
Examples:
  placecode venues export --format csv --out register.csv
  placecode venues export --format geojson --set gowalla --out gowalla.geojson
  placecode venues export --format geojsonl --division 410100 --state approved | gzip > zhengzhou.geojsonl.gz
What is written is what `placecode venues import` reads. In CSV a cell that a spreadsheet could take for a formula
begins with an apostrophe, which the import takes off. Points get new codes when they are imported: an export is no backup.";

/// Which venues, and where to.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// In which form.
    #[arg(long, value_enum)]
    format: Format,

    /// Only venues of this imported set; their ids stand as in its file.
    #[arg(long, value_parser = set_name)]
    set: Option<String>,

    /// Only venues of this division (GB/T 2260) and all inside it.
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Option<Division>,

    /// Only venues in this state: submitted, approved, suspended, closed or rejected.
    #[arg(long, value_parser = state)]
    state: Option<VenueState>,

    /// The file, which appears when it is complete; standard output without it.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn state(text: &str) -> Result<VenueState, String> {
    from_word(text).ok_or_else(|| "submitted, approved, suspended, closed or rejected".to_owned())
}

/// Writes the venues that are asked for.
pub(crate) async fn export(args: &ExportArgs) -> anyhow::Result<()> {
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    let filter = Filter { division: args.division, set: args.set.clone(), state: args.state, only: None };
    note(&mut conn, args).await?;
    let count = match &args.out {
        None => write(&mut conn, args.format, &filter, &mut std::io::stdout().lock()).await?,
        Some(path) => {
            let part = Part::create(path)?;
            let mut file = BufWriter::new(part.file());
            let count = write(&mut conn, args.format, &filter, &mut file).await?;
            file.flush().with_context(|| path.display().to_string())?;
            drop(file);
            part.complete(path)?;
            count
        }
    };
    remark(format!("{} venues exported", grouped(count)));
    drop(conn);
    house.close()
}

/// The export is written down before anything is shown.
async fn note(conn: &mut AsyncPgConnection, args: &ExportArgs) -> anyhow::Result<()> {
    let detail = json!({
        "format": format!("{:?}", args.format).to_lowercase(),
        "set": args.set,
        "division": args.division.map(|division| division.to_string()),
        "state": args.state.map(word),
    });
    let act = Act { actor: super::ACTOR, action: "register.exported", subject: "venues".to_owned(), detail };
    let now = Clock::System.now();
    conn.transaction::<_, anyhow::Error, _>(async |conn| Ok(audit::append(conn, act, now).await?)).await
}

async fn write(
    conn: &mut AsyncPgConnection,
    format: Format,
    filter: &Filter,
    to: &mut impl Write,
) -> anyhow::Result<u64> {
    let total = u64::try_from(register_export::count(conn, filter).await?)?;
    let mut progress = Progress::new("venues", total);
    let (mut count, mut after) = (0, None);
    to.write_all(format.head().as_bytes())?;
    loop {
        let (records, next) = register_export::page(conn, filter, after).await?;
        let mut text = String::new();
        for record in &records {
            format.add(&mut text, record, count == 0);
            count += 1;
        }
        to.write_all(text.as_bytes())?;
        progress.at(count, total, count);
        if next.is_none() {
            break;
        }
        after = next;
    }
    to.write_all(format.tail().as_bytes())?;
    to.flush()?;
    progress.end();
    Ok(count)
}
