//! What a venue may know of its visitors: how many, by point and hour, and never who.

use std::collections::{BTreeMap, HashMap, HashSet};

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::SeeVenues;
use super::venues::may_see;
use super::web::Web;
use crate::domain::local_day::day_start;
use crate::domain::position::cell_from_i64;
use crate::domain::small_count::Shown;
use crate::domain::venue::PointId;
use crate::store::register::{self, PointRow, VenueRow};
use crate::store::{alarms, usage};

/// The counts of a venue today, by its local day. Those below five are hidden.
#[derive(Debug, Serialize, ToSchema)]
pub struct VenueCounts {
    /// When the local day began.
    pub since: DateTime<Utc>,
    /// Different visitors who are there now; absent while nobody can tell.
    pub here_now: Option<Shown>,
    /// How many the venue holds.
    pub capacity: Option<i32>,
    /// Whether it is full; absent when it has no capacity or nobody can tell.
    pub full: Option<bool>,
    /// Scans of all points in each hour of the day so far.
    pub hours: Vec<Shown>,
    /// Scans of the day.
    pub scans: Shown,
    /// The same for each point.
    pub points: Vec<PointCounts>,
}

/// The counts of a point.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointCounts {
    /// Which point.
    pub point_id: i64,
    /// Its name.
    pub name: String,
    /// Different visitors of the day.
    pub visitors: Shown,
    /// Scans of the day.
    pub scans: Shown,
    /// Scans in each hour of the day so far.
    pub hours: Vec<Shown>,
    /// Whether an inspector has been told that a photo of its code may be going round.
    pub alarm: bool,
}

/// The counts of a venue: who is there now, and today's scans by hour and point.
#[utoipa::path(responses((status = 200, body = VenueCounts), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues/{id}/counts")]
pub(crate) async fn see_counts(
    web: Data<Web>,
    staff: Staff<SeeVenues>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let venue = may_see(&web, &staff.0, *id).await?;
    Ok(HttpResponse::Ok().json(counts(&web, &venue).await?))
}

/// What the venue may know now.
pub async fn counts(web: &Web, venue: &VenueRow) -> Result<VenueCounts, ApiError> {
    let now = web.now();
    let since = day_start(now, web.app.config.local_offset);
    let mut conn = web.app.store.conn().await?;
    let points = register::points_of_venue(&mut conn, venue.id).await?;
    let visitors = register::visitors_by_point(&mut conn, venue.id, since, now).await?;
    let scans = usage::hours_of_venue(&mut conn, venue.id, since, now).await?;
    let alarms = alarms::open_at_venue(&mut conn, venue.id).await?;
    drop(conn);
    let hours = usize::try_from((now - since).num_hours()).unwrap_or(0) + 1;
    let mut table: BTreeMap<i64, Vec<u64>> =
        points.iter().map(|point| (point.id, vec![0; hours.min(25)])).collect();
    for count in scans {
        let hour = usize::try_from((count.hour - since).num_hours()).unwrap_or(usize::MAX);
        let cell = table.get_mut(&count.point_id).and_then(|row| row.get_mut(hour));
        if let Some(cell) = cell {
            *cell += u64::try_from(count.scans).unwrap_or(0);
        }
    }
    let visitors: HashMap<i64, u64> = visitors
        .into_iter()
        .map(|count| (count.point_id, u64::try_from(count.visitors).unwrap_or(0)))
        .collect();
    let here = here_now(web, venue, &points).await;
    let capacity = venue.capacity.and_then(|capacity| u64::try_from(capacity).ok());
    Ok(VenueCounts {
        since,
        here_now: here.map(Shown::of),
        capacity: venue.capacity,
        full: here.zip(capacity).map(|(here, capacity)| here >= capacity),
        hours: (0..hours.min(25)).map(|hour| Shown::sum(column(&table, hour))).collect(),
        scans: Shown::sum(table.values().flatten().copied()),
        points: points.iter().map(|point| point_counts(point, &table, &visitors, &alarms)).collect(),
    })
}

fn column(table: &BTreeMap<i64, Vec<u64>>, hour: usize) -> impl Iterator<Item = u64> {
    table.values().filter_map(move |row| row.get(hour).copied())
}

fn point_counts(
    point: &PointRow,
    table: &BTreeMap<i64, Vec<u64>>,
    visitors: &HashMap<i64, u64>,
    alarms: &[i64],
) -> PointCounts {
    let hours = table.get(&point.id).map_or(&[][..], Vec::as_slice);
    PointCounts {
        point_id: point.id,
        name: point.name.clone(),
        visitors: Shown::of(visitors.get(&point.id).copied().unwrap_or(0)),
        scans: Shown::sum(hours.iter().copied()),
        hours: hours.iter().copied().map(Shown::of).collect(),
        alarm: alarms.contains(&point.id),
    }
}

/// How many different visitors are at the venue's points now; `None` while nobody can tell.
async fn here_now(web: &Web, venue: &VenueRow, points: &[PointRow]) -> Option<u64> {
    let longest = web.app.catalogue.get(&venue.category).map_or(1440, |category| category.longest_mins);
    let own: HashSet<i64> = points.iter().map(|point| point.id).collect();
    let mut cells: HashSet<_> = points.iter().filter_map(|point| cell_from_i64(point.cell)).collect();
    // Windows of a vehicle stand in the cells of its line's stops.
    if let Some(mobile) = points.iter().find(|point| point.is_mobile) {
        let facts = web.point(PointId::from_i64(mobile.id)?).await.ok()?;
        cells.extend(facts.stops.iter().map(|stop| stop.cell));
    }
    let mut here = HashSet::new();
    for cell in cells {
        let windows = web.app.intake.open_windows(cell, TimeDelta::minutes(longest.into()), web.now()).await;
        let windows = windows.ok()?.into_iter().filter(|window| own.contains(&window.point.to_i64()));
        here.extend(windows.map(|window| window.visitor));
    }
    u64::try_from(here.len()).ok()
}
