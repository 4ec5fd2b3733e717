//! `audit verify`: walks the hash chain of the audit log, in the database or in an export.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::house::{House, HouseArgs};
use super::terminal::{Progress, grouped, say};
use crate::domain::audit::{Entry, Verifier};
use crate::store::audit;

/// How many entries are read at once.
const PAGE: i64 = 5000;

/// Which log is verified.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// An export (one JSON entry in each line) instead of the database. Needs no servers.
    #[arg(long)]
    file: Option<PathBuf>,

    /// The hash that the last entry must have, as it was noted earlier or elsewhere: without it an export whose
    /// end was cut off looks whole.
    #[arg(long)]
    head: Option<String>,
}

/// Verifies the chain; the first broken entry is an error that names it.
pub(crate) async fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let (count, hash) = if let Some(file) = &args.file {
        offline(file)?
    } else {
        let house = House::open(&args.house).await?;
        let head = online(&house).await;
        house.close()?;
        head?
    };
    if let Some(expected) = &args.head {
        ensure!(
            *expected == hash,
            "the last entry is {count} with hash {hash}, not {expected}: entries are missing at the end, or added"
        );
    }
    say(format!("{} entries, unbroken. The last hash is {hash}", grouped(count.unsigned_abs())));
    Ok(())
}

fn offline(file: &Path) -> anyhow::Result<(i64, String)> {
    let place = || file.display().to_string();
    let reader = BufReader::new(File::open(file).with_context(place)?);
    let mut verifier = Verifier::default();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.with_context(place)?;
        let entry: Entry = serde_json::from_str(&line)
            .with_context(|| format!("{}, line {number}: no audit entry", place()))?;
        verifier.add(&entry).with_context(place)?;
    }
    Ok(verifier.head())
}

async fn online(house: &House) -> anyhow::Result<(i64, String)> {
    let mut conn = house.store()?.conn().await?;
    // The head is read first: entries may be added while we walk.
    let (last, hash) = audit::head(&mut conn).await?;
    let mut verifier = Verifier::default();
    let mut progress = Progress::new("entries verified", last.unsigned_abs());
    loop {
        let (after, _) = verifier.head();
        let page = audit::page(&mut conn, after, PAGE.min(last - after)).await?;
        if page.is_empty() {
            break;
        }
        page.iter().try_for_each(|entry| verifier.add(entry))?;
        let done = verifier.head().0.unsigned_abs();
        progress.at(done, last.unsigned_abs(), done);
    }
    progress.end();
    let found = verifier.head();
    if found != (last, hash.clone()) {
        bail!(
            "the log ends with entry {} and the table of heads says {last}: entries were removed at the end",
            found.0
        );
    }
    Ok((last, hash))
}
