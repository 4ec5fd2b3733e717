//! `scans import`: scans of any age from a file. They become stays by the same rules as live ones.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;

use super::house::{House, HouseArgs};
use super::refusals::{Refusal, Refusals};
use super::scan_places::Places;
use super::scan_rows::{self, Context, Draft, LAYOUT};
use super::table::{FileArgs, SetArgs, Table};
use super::terminal::{Progress, grouped, remark, say};
use super::visitor::{IdentityArgs, visitor_key};
use crate::clock::Clock;
use crate::domain::catalogue::Catalogue;
use crate::domain::scan::{LATE_MAX, Scan};
use crate::pipeline::drain;
use crate::store::audit::{self, Act};
use crate::store::{partitions, scans};

/// How many rows are read before their places are looked up.
const BLOCK: usize = 5000;
/// How many scans are sorted by time in memory. Files are seldom sorted, and scans of one day lie together.
const CHUNK: usize = 200_000;
/// How many scans are stored in one transaction.
const BATCH: usize = 5000;
/// How many days the scans of one transaction span at most: each day is a partition.
const BATCH_DAYS: TimeDelta = TimeDelta::days(31);
/// How often a transaction that Postgres refused is tried, and how long to wait before.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(300);

pub(super) const EXAMPLES: &str = "\
Columns: visitor or visitor_hex, time, one of venue, point and code, direction, presence, id. `time` is required.
  visitor      identity number as the channel knows it; see --identity-kind and --visitor-key-file
  visitor_hex  the pseudonym instead: 32 hexadecimal digits
  time         2026-03-01T08:30:00+08:00 (RFC 3339), or 2026-03-01 08:30:00 by the local clock
  venue        id in the imported set that --set names; with several points, `point` names one of them
  point        point id, or with `venue` the point's name;   code  the text of the poster
  direction    entry (when absent), exit or passing
  presence     unproven (when absent), plausible, verified or contradicted
  id           the source's own id of the scan; when absent it follows from the row

Examples:
  placecode scans import paper-list.csv --set register
  placecode scans import checkins.tsv.gz --set gowalla --columns visitor,time,-,-,venue --identity-kind other
Rows that are refused are written to FILE.refused.csv, with what is wrong and what would be right.";

/// Which file, and how its rows are read.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    house: HouseArgs,

    #[command(flatten)]
    file: FileArgs,

    #[command(flatten)]
    set: SetArgs,

    #[command(flatten)]
    identity: IdentityArgs,

    /// How far the local clock is ahead of UTC; must be what the service itself is told.
    #[arg(long, env, default_value = "+08:00", allow_hyphen_values = true)]
    local_offset: FixedOffset,
}

/// What became of the rows.
#[derive(Default)]
struct Tally {
    read: u64,
    accepted: u64,
    known: u64,
}

/// Imports a file and returns how many rows were refused.
pub(crate) async fn import(args: &ImportArgs) -> anyhow::Result<u64> {
    let mut table = Table::open(&args.file, LAYOUT)?;
    ensure!(
        table.has("visitor") || table.has("visitor_hex"),
        "the file has neither a column `visitor` nor `visitor_hex`: name one with --map or --columns"
    );
    ensure!(
        ["venue", "point", "code"].iter().any(|column| table.has(column)),
        "the file has no column `venue`, `point` or `code`: name one with --map or --columns"
    );
    if !table.unused.is_empty() {
        remark(format!("columns that are not used: {}", table.unused.join(", ")));
    }
    let mut refusals = Refusals::beside(&args.file.file)?;
    let house = House::open(&args.house).await?;
    let keys = house.keys()?;
    let key = table.has("visitor").then(|| visitor_key(&args.identity, &house)).transpose()?;
    let context = Context {
        set: &args.set.name,
        offset: args.local_offset,
        kind: args.identity.identity_kind.into(),
        key,
        keys: &keys,
        now: Clock::System.now(),
    };
    let mut conn = house.store()?.conn().await?;
    let mut import = Import {
        conn: &mut conn,
        catalogue: Catalogue::shipped()?,
        context,
        places: Places::default(),
        chunk: Vec::new(),
        tally: Tally::default(),
        dry_run: args.file.dry_run,
    };
    import.all(&mut table, &mut refusals).await?;
    let tally = import.tally;
    let refused = refusals.total();
    say(format!("{:>11}  rows read", grouped(tally.read)));
    if args.file.dry_run {
        say(format!("{:>11}  would be accepted, or are there already", grouped(tally.accepted)));
    } else {
        say(format!("{:>11}  accepted", grouped(tally.accepted)));
        say(format!("{:>11}  already there", grouped(tally.known)));
    }
    say(format!("{:>11}  refused", grouped(refused)));
    refusals.close()?.iter().for_each(say);
    drop(conn);
    house.close()?;
    Ok(refused)
}

/// An import that is under way.
struct Import<'a> {
    conn: &'a mut AsyncPgConnection,
    catalogue: Catalogue,
    context: Context<'a>,
    places: Places,
    chunk: Vec<Scan>,
    tally: Tally,
    dry_run: bool,
}

impl Import<'_> {
    async fn all(&mut self, table: &mut Table, refusals: &mut Refusals) -> anyhow::Result<()> {
        let mut progress = Progress::new("reading scans", table.progress().1);
        loop {
            let block = self.block(table)?;
            let ended = block.len() < BLOCK;
            self.place(block, refusals).await?;
            if self.chunk.len() >= CHUNK || ended {
                self.store().await?;
            }
            let (done, total) = table.progress();
            progress.at(done, total, self.tally.read);
            if ended {
                break;
            }
        }
        progress.end();
        self.sign().await
    }

    fn block(&mut self, table: &mut Table) -> anyhow::Result<Vec<(u64, Result<Draft, Refusal>)>> {
        let mut block = Vec::with_capacity(BLOCK);
        while block.len() < BLOCK
            && let Some((line, row)) = table.next_row()?
        {
            block.push((line, row.and_then(|row| scan_rows::read(&row, &self.context))));
        }
        self.tally.read += block.len() as u64;
        Ok(block)
    }

    /// Looks up where the scans of a block were, and adds those that stand to the chunk.
    async fn place(
        &mut self,
        block: Vec<(u64, Result<Draft, Refusal>)>,
        refusals: &mut Refusals,
    ) -> anyhow::Result<()> {
        let drafts = block.iter().filter_map(|(_, draft)| draft.as_ref().ok());
        self.places.learn(self.conn, drafts).await?;
        let now = self.context.now;
        for (line, draft) in block {
            match draft.and_then(|draft| self.places.scan(&draft, now)) {
                Ok(scan) => self.chunk.push(scan),
                Err(refusal) => refusals.add(line, &refusal)?,
            }
        }
        Ok(())
    }

    /// Stores the chunk in the order of time, so that each transaction touches few days.
    async fn store(&mut self) -> anyhow::Result<()> {
        let mut chunk = std::mem::take(&mut self.chunk);
        if self.dry_run {
            self.tally.accepted += chunk.len() as u64;
            return Ok(());
        }
        chunk.sort_unstable_by_key(|scan| (scan.occurred_at, scan.visitor, scan.id));
        let (mut done, total) = (0, chunk.len() as u64);
        let mut progress = Progress::new("storing scans", total);
        for batch in batches(&chunk) {
            let stored = self.store_patiently(batch).await? as u64;
            self.tally.accepted += stored;
            self.tally.known += batch.len() as u64 - stored;
            done += batch.len() as u64;
            progress.at(done, total, self.tally.accepted + self.tally.known);
        }
        progress.end();
        Ok(())
    }

    /// Workers make and drop partitions meanwhile, which Postgres may answer with a refusal that passes.
    async fn store_patiently(&mut self, batch: &[Scan]) -> anyhow::Result<usize> {
        let mut attempt = 1;
        loop {
            match self.store_batch(batch).await {
                Ok(stored) => return Ok(stored),
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(error) => {
                    remark(format!("a transaction is tried again: {error:#}"));
                    tokio::time::sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
            }
        }
    }

    async fn store_batch(&mut self, batch: &[Scan]) -> anyhow::Result<usize> {
        let days: BTreeSet<NaiveDate> = batch.iter().map(|scan| scan.occurred_at.date_naive()).collect();
        // Outside the transaction, since making a partition keeps everybody else from the whole table.
        if let (Some(first), Some(last)) = (days.first(), days.last()) {
            partitions::ensure(self.conn, *first, *last).await.context("making the partitions")?;
        }
        let (catalogue, offset, now) = (&self.catalogue, self.context.offset, self.context.now);
        let old = old_days(days, now);
        self.conn
            .transaction::<_, anyhow::Error, _>(async |conn| {
                scans::exclude_drains(conn).await?;
                let stored = drain::store(conn, catalogue, offset, batch).await.context("storing scans")?;
                if stored > 0 && !old.is_empty() {
                    partitions::note_imported(conn, &old, now).await?;
                }
                Ok(stored)
            })
            .await
    }

    /// Writes down that history was imported. What changed nothing is not written down.
    async fn sign(&mut self) -> anyhow::Result<()> {
        if self.dry_run || self.tally.accepted == 0 {
            return Ok(());
        }
        let subject = format!("set {}", self.context.set);
        let detail = json!({ "scans": self.tally.accepted });
        let now = Clock::System.now();
        self.conn
            .transaction::<_, anyhow::Error, _>(async |conn| {
                let act = Act { actor: super::ACTOR, action: "scans.imported", subject, detail };
                Ok(audit::append(conn, act, now).await?)
            })
            .await
    }
}

/// The days for which retention counts from the import. Scans that could have arrived live are no reason to keep
/// a day's other scans any longer.
fn old_days(days: BTreeSet<NaiveDate>, now: DateTime<Utc>) -> Vec<NaiveDate> {
    let first_live = (now - LATE_MAX).date_naive();
    days.into_iter().filter(|day| *day < first_live).collect()
}

/// Cuts scans that are sorted by time into transactions.
fn batches(sorted: &[Scan]) -> impl Iterator<Item = &[Scan]> {
    let mut rest = sorted;
    std::iter::from_fn(move || {
        let first = rest.first()?.occurred_at;
        let near = rest.iter().take(BATCH).take_while(|scan| scan.occurred_at - first < BATCH_DAYS).count();
        let (batch, others) = rest.split_at(near);
        rest = others;
        Some(batch)
    })
}
