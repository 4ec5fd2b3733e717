//! Scan log → Postgres: scans are stored and their stays computed, each scan once, in batches.
//!
//! The position in the log moves in the transaction that stores the rows, and the key of a scan is the
//! client's own id, so no kill at any moment loses or doubles one.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, FixedOffset, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::{Outcome, day_of};
use crate::app::App;
use crate::domain::catalogue::{Catalogue, Category};
use crate::domain::scan::Scan;
use crate::domain::span::Span;
use crate::domain::stay::{Stay, reach, stays_of};
use crate::domain::visitor::Visitor;
use crate::intake::entry::decode;
use crate::intake::log::{LogEntry, has_passed};
use crate::store::{StoreError, partitions, scans};

/// Drains one batch of every shard.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut moved = Vec::new();
    for shard in app.intake.shards() {
        moved.push(drain(app, shard).await?);
    }
    Ok(moved.into_iter().sum())
}

async fn drain(app: &App, shard: i16) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let mut conn = app.store.conn().await?;
    let drained = conn
        .transaction::<_, anyhow::Error, _>(async |conn| {
            let Some(position) = scans::lock_position(conn, shard, now).await? else { return Ok(None) };
            let position = surviving(app, shard, position).await?;
            let entries = app.intake.read(shard, &position, app.config.drain_batch).await?;
            let Some(last) = entries.last().map(|entry| entry.position.clone()) else { return Ok(None) };
            let read = read(conn, shard, &entries, now).await?;
            let stored = store(conn, &app.catalogue, app.config.local_offset, &read).await?;
            let new = i64::try_from(stored).context("a batch is small")?;
            scans::move_position(conn, shard, &last, new, now).await?;
            Ok(Some((last, entries.len())))
        })
        .await?;
    let Some((last, count)) = drained else { return Ok(Outcome::Idle) };
    app.intake.trim(shard, &last).await?;
    Ok(Outcome::of(count))
}

/// The position to read on from. A log that ends before it was lost and begun anew, so it is read from
/// its beginning: what Postgres has already is not stored twice.
async fn surviving(app: &App, shard: i16, position: String) -> anyhow::Result<String> {
    let end = app.intake.end(shard).await?;
    if end == "0-0" || has_passed(&end, &position) {
        return Ok(position);
    }
    tracing::error!(shard, "the scan log ends before what was drained: it was lost and begun anew");
    Ok("0-0".to_owned())
}

async fn read(
    conn: &mut AsyncPgConnection,
    shard: i16,
    entries: &[LogEntry],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Scan>> {
    let mut scans = Vec::new();
    for entry in entries {
        let (read, unreadable) = decode(&entry.record);
        scans.extend(read);
        for (number, part) in unreadable.iter().enumerate() {
            tracing::error!(shard, error = %part.why, "a log entry cannot be read");
            let position = format!("{}/{number}", entry.position);
            scans::bury_entry(conn, shard, &position, &part.bytes, &part.why.to_string(), now).await?;
        }
    }
    Ok(scans)
}

/// Stores scans and brings the stays of their visitors in line. Returns how many scans were new. Runs
/// inside a transaction of the caller; the import uses it too, so that imported scans end by the same
/// rules as live ones.
pub async fn store(
    conn: &mut AsyncPgConnection,
    catalogue: &Catalogue,
    offset: FixedOffset,
    new: &[Scan],
) -> Result<usize, StoreError> {
    let spans = spans_by_visitor(new);
    let (Some(first), Some(last)) = (spans.values().map(|s| s.0).min(), spans.values().map(|s| s.1).max())
    else {
        return Ok(0);
    };
    partitions::ensure(conn, day_of(first), day_of(last)).await?;
    let stored = scans::insert(conn, new).await?;
    if stored == 0 {
        return Ok(0);
    }
    let reaches: Vec<_> =
        spans.into_iter().map(|(v, (first, last))| (v, reach(first, last, offset))).collect();
    let scans_in: Vec<(Visitor, Span)> =
        reaches.iter().map(|(visitor, reach)| (*visitor, reach.scans)).collect();
    let stays_in: Vec<(Visitor, Span)> =
        reaches.iter().map(|(visitor, reach)| (*visitor, reach.stays)).collect();
    let known = scans::within(conn, &scans_in).await?;
    let wanted = wanted_stays(catalogue, offset, known, &stays_in)?;
    let present = scans::stays_beginning_within(conn, &stays_in).await?;
    let (gone, changed) = difference(present, &wanted);
    scans::remove_stays(conn, &gone).await?;
    scans::write_stays(conn, &changed).await?;
    Ok(stored)
}

/// For each visitor, when the first and the last of the new scans occurred.
fn spans_by_visitor(new: &[Scan]) -> BTreeMap<Visitor, (DateTime<Utc>, DateTime<Utc>)> {
    let mut spans = BTreeMap::new();
    for scan in new {
        let at = scan.occurred_at;
        let span = spans.entry(scan.visitor).or_insert((at, at));
        *span = (span.0.min(at), span.1.max(at));
    }
    spans
}

fn wanted_stays(
    catalogue: &Catalogue,
    offset: FixedOffset,
    known: Vec<(Scan, String)>,
    stays_in: &[(Visitor, Span)],
) -> Result<Vec<Stay>, StoreError> {
    let mut by_visitor: BTreeMap<Visitor, Vec<(Scan, &Category)>> = BTreeMap::new();
    for (scan, word) in known {
        let category = catalogue.get(&word).ok_or(StoreError::Corrupt("venues"))?;
        by_visitor.entry(scan.visitor).or_default().push((scan, category));
    }
    let within: BTreeMap<Visitor, Span> = stays_in.iter().copied().collect();
    let mut wanted = Vec::new();
    for (visitor, scans) in by_visitor {
        let inside = |stay: &Stay| within.get(&visitor).is_some_and(|span| span.contains(stay.span.from()));
        wanted.extend(stays_of(scans, offset).into_iter().filter(inside));
    }
    Ok(wanted)
}

/// What must be removed and what must be written to turn `present` into `wanted`.
fn difference(present: Vec<Stay>, wanted: &[Stay]) -> (Vec<Stay>, Vec<Stay>) {
    let key = |stay: &Stay| (stay.point, stay.span.from(), stay.id, stay.visitor);
    let present: BTreeMap<_, Stay> = present.into_iter().map(|stay| (key(&stay), stay)).collect();
    let changed: Vec<Stay> =
        wanted.iter().filter(|stay| present.get(&key(stay)) != Some(stay)).cloned().collect();
    let wanted: std::collections::BTreeSet<_> = wanted.iter().map(key).collect();
    let gone = present.into_iter().filter(|(key, _)| !wanted.contains(key)).map(|(_, stay)| stay).collect();
    (gone, changed)
}
