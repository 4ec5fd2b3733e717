//! What coverage is reckoned from: scans by point and hour, and the stays that a run's contacts rest on.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, SmallInt, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::runs::RunRow;
use super::{StoreError, cases, sound};
use crate::domain::coverage::{
    Counted, Coverage, Ends, PlaceCoverage, Presences, StaysMix, hours_of, weeks_since,
};
use crate::domain::exposure::TrailStay;
use crate::domain::numbered::Numbered;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::venue::PointId;

/// The coverage of a trail: of each stay that overlaps `infectious`, in the order of time, and of all.
pub async fn of_trail(
    conn: &mut AsyncPgConnection,
    trail: &[TrailStay],
    infectious: Span,
) -> Result<Coverage, StoreError> {
    let within = |stay: &TrailStay| Some((stay.venue, stay.point, stay.span.overlap(&infectious)?));
    let mut stays: Vec<_> = trail.iter().filter_map(within).collect();
    stays.sort_by_key(|(venue, point, span)| (*span, *point, *venue));
    let asked: Vec<(i64, Span)> =
        stays.iter().filter_map(|(_, point, span)| Some(((*point)?.to_i64(), *span))).collect();
    let mut counted = counted(conn, &asked).await?.into_iter();
    let places = stays.iter().map(|(venue, point, span)| {
        let counted = point.and_then(|_known| counted.next());
        PlaceCoverage::of(*venue, point.map(PointId::to_i64), *span, counted)
    });
    Ok(Coverage::over(places.collect()))
}

/// The coverage of a computed run by the trail of its case as it stands; none for a run that is not computed.
pub async fn of_run(conn: &mut AsyncPgConnection, run: &RunRow) -> Result<Option<Coverage>, StoreError> {
    let infectious = run.infectious_from.zip(run.infectious_until);
    let Some((from, until)) = infectious else { return Ok(None) };
    let infectious = sound(Span::new(from, until).ok(), "runs")?;
    let trail = cases::trail(conn, run.case_id).await?;
    let trail = trail.iter().map(cases::TrailRow::read).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(of_trail(conn, &trail, infectious).await?))
}

/// How the ends of the stays behind a run's contacts are known, and what proves them. A stay that met the case
/// twice counts once.
pub async fn mix(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<StaysMix, StoreError> {
    let rows: Vec<MixRow> = sql_query(
        "select ended_by, presence, count(*) as stays
         from (select distinct visitor, stay_point_id, stay_from_at, ended_by, presence from exposures
               where run_id = $1) as met
         group by 1, 2",
    )
    .bind::<SqlUuid, _>(run_id)
    .load(conn)
    .await?;
    let (mut ends, mut presence) = (Ends::default(), Presences::default());
    for row in rows {
        let stays = count(row.stays);
        match sound(EndedBy::from_number(row.ended_by), "exposures")? {
            EndedBy::Assumed => ends.assumed += stays,
            EndedBy::ClosingTime => ends.closing_time += stays,
            EndedBy::NextScan => ends.next_scan += stays,
            EndedBy::Left => ends.left += stays,
        }
        match sound(Presence::from_number(row.presence), "exposures")? {
            Presence::Contradicted => return Err(StoreError::Corrupt("exposures")),
            Presence::Unproven => presence.unproven += stays,
            Presence::Plausible => presence.plausible += stays,
            Presence::Verified => presence.verified += stays,
        }
    }
    Ok(StaysMix::new(ends, presence))
}

/// What was counted at each point around each stay, in the order of the stays.
async fn counted(conn: &mut AsyncPgConnection, stays: &[(i64, Span)]) -> Result<Vec<Counted>, StoreError> {
    let since = first_seen(conn, stays).await?;
    let windows: Vec<(i64, Span)> = stays
        .iter()
        .flat_map(|(point, span)| hours_of(*span).into_iter().map(move |w| (*point, w)))
        .collect();
    let mut scans = scans_within(conn, &windows).await?.into_iter();
    let one = |(point, span): &(i64, Span)| {
        let mut sums = scans.by_ref().take(hours_of(*span).len());
        Counted {
            seen: sums.next().unwrap_or_default(),
            before: sums.sum(),
            weeks: since.get(point).map_or(0, |since| weeks_since(*span, *since)),
        }
    };
    Ok(stays.iter().map(one).collect())
}

/// The scans at points in some spans, one sum for each.
async fn scans_within(conn: &mut AsyncPgConnection, windows: &[(i64, Span)]) -> Result<Vec<u64>, StoreError> {
    let rows: Vec<Sum> = sql_query(
        "select coalesce(sum(h.scans), 0)::bigint as scans
         from unnest($1, $2, $3) with ordinality as w (point_id, from_at, until_at, n)
         left join point_hours h on h.point_id = w.point_id and h.hour >= w.from_at and h.hour < w.until_at
         group by w.n order by w.n",
    )
    .bind::<Array<BigInt>, _>(windows.iter().map(|(point, _)| *point).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(windows.iter().map(|(_, span)| span.from()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(windows.iter().map(|(_, span)| span.until()).collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| count(row.scans)).collect())
}

/// Since when each point is there: made, or first scanned where its scans were imported from before.
async fn first_seen(
    conn: &mut AsyncPgConnection,
    stays: &[(i64, Span)],
) -> Result<HashMap<i64, DateTime<Utc>>, StoreError> {
    let rows: Vec<Since> = sql_query(
        "select p.id as point_id, least(p.created_at, (select min(h.hour) from point_hours h where h.point_id = p.id)) as since
         from points p where p.id = any($1)",
    )
    .bind::<Array<BigInt>, _>(stays.iter().map(|(point, _)| *point).collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.point_id, row.since)).collect())
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[derive(QueryableByName)]
struct MixRow {
    #[diesel(sql_type = SmallInt)]
    ended_by: i16,
    #[diesel(sql_type = SmallInt)]
    presence: i16,
    #[diesel(sql_type = BigInt)]
    stays: i64,
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = BigInt)]
    scans: i64,
}

#[derive(QueryableByName)]
struct Since {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    since: DateTime<Utc>,
}
