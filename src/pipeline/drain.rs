//! Scan log → Postgres: scans are stored and their stays computed, each scan once, in batches.
//!
//! The position in the log moves in the transaction that stores the rows, and the key of a scan is the
//! client's own id, so no kill at any moment loses or doubles one.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::settle_stays::{Changes, Rules, store};
use super::{Outcome, day_of};
use crate::app::App;
use crate::domain::scan::Scan;
use crate::intake::entry::decode;
use crate::intake::log::LogEntry;
use crate::store::inbox::{self, InboxEntry};
use crate::store::{partitions, scan_log};

/// How many entries of the log are asked for at once; one may hold hundreds of scans.
const ENTRIES: u32 = 200;

/// How many entries of the inbox are taken at once.
const INBOX_ENTRIES: i64 = 200;

/// Drains one batch of every shard. Several drains share the work: whoever holds the row of a shard drains
/// it, and a row is free again when its holder ends, dies, or stands still.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut moved = Vec::new();
    for shard in app.intake.shards() {
        let drained = drain(app, shard).await;
        if drained.is_err() {
            // Perhaps a partition that is remembered was dropped meanwhile.
            known_days(app).clear();
        }
        moved.push(drained?);
    }
    Ok(moved.into_iter().sum())
}

/// What waits in a shard, and the scans of it.
#[derive(Default)]
struct Batch {
    log: Vec<LogEntry>,
    inbox: Vec<InboxEntry>,
    scans: Vec<Scan>,
}

async fn drain(app: &App, shard: i16) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let mut conn = app.store.conn().await?;
    let drained = conn
        .transaction::<_, anyhow::Error, _>(async |conn| {
            let Some(position) = scan_log::lock_position(conn, shard, now).await? else { return Ok(None) };
            let batch = waiting(app, conn, shard).await?;
            if batch.log.is_empty() && batch.inbox.is_empty() {
                return Ok(None);
            }
            make_days(app, conn, &batch.scans).await?;
            let rules = Rules { catalogue: &app.catalogue, offset: app.config.local_offset };
            let stored = store(conn, rules, &batch.scans, Changes::Traced).await?;
            inbox::remove(conn, &batch.inbox).await?;
            let last = batch.log.last().map_or(position, |entry| entry.position.clone());
            let new = i64::try_from(stored).context("a batch is small")?;
            scan_log::move_position(conn, shard, &last, new, now).await?;
            Ok(Some(batch))
        })
        .await?;
    let Some(batch) = drained else { return Ok(Outcome::Idle) };
    known_days(app).extend(days(&batch.scans));
    if app.intake.remove(shard, &batch.log).await.is_err() {
        // They are stored, and come again without effect until they can be removed.
        tracing::warn!(shard, "drained entries were not removed from the log");
    }
    Ok(Outcome::of(batch.scans.len().max(batch.log.len() + batch.inbox.len())))
}

/// Reads what waits in the log and in the inbox of a shard. While Redis is away the inbox is drained alone.
async fn waiting(app: &App, conn: &mut AsyncPgConnection, shard: i16) -> anyhow::Result<Batch> {
    let now = app.clock.now();
    let mut batch = Batch { inbox: inbox::oldest(conn, shard, INBOX_ENTRIES).await?, ..Batch::default() };
    for entry in &batch.inbox {
        let position = format!("inbox/{}", entry.id);
        batch.scans.extend(read(conn, shard, &position, &entry.entry, now).await?);
    }
    let wanted = usize::try_from(app.config.drain_batch).unwrap_or(usize::MAX);
    while batch.scans.len() < wanted {
        let after = batch.log.last().map(|entry| entry.position.clone());
        let Ok(entries) = app.intake.read(shard, after.as_deref(), ENTRIES).await else { break };
        for entry in &entries {
            batch.scans.extend(read(conn, shard, &entry.position, &entry.record, now).await?);
        }
        let is_end = entries.len() < ENTRIES as usize;
        batch.log.extend(entries);
        if is_end {
            break;
        }
    }
    Ok(batch)
}

/// The scans of an entry. What cannot be read of it is kept apart for an operator and blocks nothing.
async fn read(
    conn: &mut AsyncPgConnection,
    shard: i16,
    position: &str,
    entry: &[u8],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Scan>> {
    let (scans, unreadable) = decode(entry);
    for (number, part) in unreadable.iter().enumerate() {
        tracing::error!(shard, error = %part.why, "a log entry cannot be read");
        let position = format!("{position}/{number}");
        scan_log::bury_entry(conn, shard, &position, &part.bytes, &part.why.to_string(), now).await?;
    }
    Ok(scans)
}

fn known_days(app: &App) -> std::sync::MutexGuard<'_, BTreeSet<NaiveDate>> {
    app.known_days.lock().unwrap_or_else(PoisonError::into_inner)
}

fn days(scans: &[Scan]) -> BTreeSet<NaiveDate> {
    scans.iter().map(|scan| day_of(scan.occurred_at)).collect()
}

/// Makes the partitions that the scans need, unless they are known to be there.
async fn make_days(app: &App, conn: &mut AsyncPgConnection, scans: &[Scan]) -> anyhow::Result<()> {
    let days = days(scans);
    if days.is_subset(&known_days(app)) {
        return Ok(());
    }
    for day in days {
        partitions::ensure(conn, day, day).await?;
    }
    Ok(())
}
