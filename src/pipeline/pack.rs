//! Stays of closed days → packs: a fifth of the room, and one row to read for dozens of stays.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::Outcome;
use crate::app::App;
use crate::domain::stay::Stay;
use crate::domain::stay_pack::{PackedStay, closed_before};
use crate::domain::venue::PointId;
use crate::store::packing::{self, Name};
use crate::store::{StoreError, partitions};

/// How many rows are read at a time, which bounds the memory; a point's stays of a day are kept together.
const PAGE: usize = 20_000;

/// How long nothing may have been imported into a day, or unpacked from it, before it is packed: what changes it comes
/// in batches, and each would unpack it again.
const QUIET: TimeDelta = TimeDelta::days(1);

/// Packs the oldest closed day that waits for it. A day that somebody writes to or reads for long is left for later. Nothing
/// rests on the clock: a day that was packed too early is read and written like any other.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let mut conn = app.store.conn().await?;
    let days = partitions::days(&mut conn, "stays").await?;
    let closed = closed_before(now, app.config.local_offset);
    for day in packing::due(&mut conn, &days, closed, now - QUIET).await? {
        if pack_day(&mut conn, day, now).await? {
            return Ok(Outcome::Worked(1));
        }
    }
    Ok(Outcome::Idle)
}

/// Packs all rows of a day in one transaction, so that a stay is always either a row or packed; false when the day is
/// busy, and nothing has changed.
pub async fn pack_day(
    conn: &mut AsyncPgConnection,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    partitions::ensure(conn, day, day).await?;
    let packed = conn
        .transaction::<_, StoreError, _>(async |conn| {
            if !packing::lock_day(conn, day).await? {
                return Ok(false);
            }
            pack_rows(conn, day).await?;
            packing::finish(conn, day, now).await?;
            Ok(true)
        })
        .await;
    match packed {
        Ok(true) => packing::analyze(conn, day).await.map(|()| true),
        Err(StoreError::Query(diesel::result::Error::DatabaseError(_, why)))
            if why.message().contains("lock timeout") =>
        {
            Ok(false)
        }
        busy => busy,
    }
}

async fn pack_rows(conn: &mut AsyncPgConnection, day: NaiveDate) -> Result<(), StoreError> {
    let named = packing::named(conn, day).await?;
    let mut by_point: BTreeMap<PointId, Vec<PackedStay>> = BTreeMap::new();
    let mut after: Option<Stay> = None;
    loop {
        let page = packing::page(conn, day, after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().cloned();
        for stay in page {
            let name: Name = (stay.point.to_i64(), stay.span.from(), stay.visitor.to_uuid(), stay.id);
            let id = named.contains(&name).then_some(stay.id);
            let Stay { visitor, point, cell, span, ended_by, presence, .. } = stay;
            by_point.entry(point).or_default().push(PackedStay {
                visitor,
                span,
                cell,
                ended_by,
                presence,
                id,
            });
        }
        if is_last {
            return packing::store(conn, by_point).await;
        }
        // The stays of the last point may go on in the next page.
        let rest = after.as_ref().and_then(|stay| by_point.remove_entry(&stay.point));
        packing::store(conn, std::mem::take(&mut by_point)).await?;
        by_point.extend(rest);
    }
}
