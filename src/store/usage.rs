//! How much points are used: counts by hour, and the judgement of each day.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types::{
    Array, BigInt, Date, Double, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::register::division_pattern;
use crate::domain::numbered::Numbered;
use crate::domain::usage::Usage;
use crate::domain::venue::Division;

/// The scans of one point in one hour.
#[derive(Debug, Clone, QueryableByName)]
pub struct HourCount {
    /// Which point.
    #[diesel(sql_type = BigInt)]
    pub point_id: i64,
    /// When the hour began.
    #[diesel(sql_type = Timestamptz)]
    pub hour: DateTime<Utc>,
    /// How many scans.
    #[diesel(sql_type = Integer)]
    pub scans: i32,
}

/// The scans of a venue's points by hour, since `from`.
pub async fn hours_of_venue(
    conn: &mut AsyncPgConnection,
    venue_id: Uuid,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<HourCount>, StoreError> {
    Ok(sql_query(
        "select h.point_id, h.hour, h.scans from points p
         join point_hours h on h.point_id = p.id and h.hour >= $2 and h.hour < $3
         where p.venue_id = $1 order by h.hour, h.point_id",
    )
    .bind::<SqlUuid, _>(venue_id)
    .bind::<Timestamptz, _>(from)
    .bind::<Timestamptz, _>(until)
    .load(conn)
    .await?)
}

/// A point that is to be judged, with what was counted.
#[derive(Debug, Clone, QueryableByName)]
pub struct Due {
    /// Which point.
    #[diesel(sql_type = BigInt)]
    pub point_id: i64,
    /// Since when it is there, or was first scanned within the baseline.
    #[diesel(sql_type = Timestamptz)]
    pub since: DateTime<Utc>,
    /// Scans of the week.
    #[diesel(sql_type = BigInt)]
    pub week: i64,
    /// Contradicted ones of the week.
    #[diesel(sql_type = BigInt)]
    pub contradicted: i64,
    /// Scans of the baseline.
    #[diesel(sql_type = BigInt)]
    pub baseline: i64,
    /// The last hour with a scan.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_scan_at: Option<DateTime<Utc>>,
}

/// What is counted for a judgement.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// The local day that is judged for.
    pub day: NaiveDate,
    /// When the baseline begins.
    pub baseline_from: DateTime<Utc>,
    /// When the week begins and the baseline ends.
    pub week_from: DateTime<Utc>,
    /// When the week ends.
    pub until: DateTime<Utc>,
}

/// Points of approved venues that were not judged for the day yet, with their counts.
pub async fn due(conn: &mut AsyncPgConnection, window: &Window, limit: i64) -> Result<Vec<Due>, StoreError> {
    Ok(sql_query(
        "with due as (
             select p.id, p.created_at from points p join venues v on v.id = p.venue_id
             left join point_usage u on u.point_id = p.id
             where v.state = 1 and p.revoked_at is null and (u.judged_for is null or u.judged_for < $1)
             order by p.id limit $2
         )
         select due.id as point_id, least(due.created_at, min(h.hour)) as since,
                coalesce(sum(h.scans) filter (where h.hour >= $4), 0) as week,
                coalesce(sum(h.contradicted) filter (where h.hour >= $4), 0) as contradicted,
                coalesce(sum(h.scans) filter (where h.hour < $4), 0) as baseline,
                max(h.hour) as last_scan_at
         from due left join point_hours h on h.point_id = due.id and h.hour >= $3 and h.hour < $5
         group by due.id, due.created_at order by due.id",
    )
    .bind::<Date, _>(window.day)
    .bind::<BigInt, _>(limit)
    .bind::<Timestamptz, _>(window.baseline_from)
    .bind::<Timestamptz, _>(window.week_from)
    .bind::<Timestamptz, _>(window.until)
    .load(conn)
    .await?)
}

/// A judgement.
#[derive(Debug, Clone, QueryableByName)]
pub struct UsageRow {
    /// Which point.
    #[diesel(sql_type = BigInt)]
    pub point_id: i64,
    /// Number of a [`Usage`].
    #[diesel(sql_type = SmallInt)]
    pub usage: i16,
    /// Scans of the week.
    #[diesel(sql_type = Integer)]
    pub week_scans: i32,
    /// What was expected.
    #[diesel(sql_type = Double)]
    pub week_expected: f64,
    /// Contradicted ones.
    #[diesel(sql_type = Integer)]
    pub week_contradicted: i32,
    /// The last hour with a scan.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_scan_at: Option<DateTime<Utc>>,
}

/// Keeps the judgements of a day.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    day: NaiveDate,
    rows: &[UsageRow],
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "insert into point_usage (point_id, judged_for, usage, week_scans, week_expected, week_contradicted, last_scan_at)
         select r.point_id, $1, r.usage, r.scans, r.expected, r.contradicted, r.last_scan_at
         from unnest($2, $3, $4, $5, $6, $7) as r (point_id, usage, scans, expected, contradicted, last_scan_at)
         on conflict (point_id) do update
         set judged_for = excluded.judged_for, usage = excluded.usage, week_scans = excluded.week_scans,
             week_expected = excluded.week_expected, week_contradicted = excluded.week_contradicted,
             last_scan_at = coalesce(excluded.last_scan_at, point_usage.last_scan_at)",
    )
    .bind::<Date, _>(day)
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.point_id).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(rows.iter().map(|row| row.usage).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|row| row.week_scans).collect::<Vec<_>>())
    .bind::<Array<Double>, _>(rows.iter().map(|row| row.week_expected).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|row| row.week_contradicted).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(rows.iter().map(|row| row.last_scan_at).collect::<Vec<_>>())
    .execute(conn)
    .await?)
}

/// The judgement of one point, where there is one.
pub async fn of_point(conn: &mut AsyncPgConnection, point_id: i64) -> Result<Option<UsageRow>, StoreError> {
    let row = sql_query(
        "select point_id, usage, week_scans, week_expected, week_contradicted, last_scan_at
         from point_usage where point_id = $1",
    );
    Ok(row.bind::<BigInt, _>(point_id).get_result(conn).await.optional()?)
}

/// The scans of a point in some spans, one sum for each.
pub async fn scans_within(
    conn: &mut AsyncPgConnection,
    point_id: i64,
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Result<Vec<i64>, StoreError> {
    let rows: Vec<Sum> = sql_query(
        "select coalesce(sum(h.scans), 0) as scans
         from unnest($2, $3) with ordinality as w (from_at, until_at, n)
         left join point_hours h on h.point_id = $1 and h.hour >= w.from_at and h.hour < w.until_at
         group by w.n order by w.n",
    )
    .bind::<BigInt, _>(point_id)
    .bind::<Array<Timestamptz>, _>(spans.iter().map(|span| span.0).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(spans.iter().map(|span| span.1).collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.scans).collect())
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = BigInt)]
    scans: i64,
}

/// A point that calls for a look, with its place.
#[derive(Debug, Clone, QueryableByName)]
pub struct OddPoint {
    /// The judgement.
    #[diesel(embed)]
    pub judged: UsageRow,
    /// Name of the point.
    #[diesel(sql_type = Text)]
    pub point_name: String,
    /// The venue.
    #[diesel(sql_type = SqlUuid)]
    pub venue_id: Uuid,
    /// Name of the venue.
    #[diesel(sql_type = Text)]
    pub venue_name: String,
    /// Its address.
    #[diesel(sql_type = Text)]
    pub address: String,
}

/// A page of the points of a division, and all inside it, that were judged so, in the order of ids.
pub async fn odd_points(
    conn: &mut AsyncPgConnection,
    division: &Division,
    usage: Usage,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<OddPoint>, StoreError> {
    Ok(sql_query(
        "select u.point_id, u.usage, u.week_scans, u.week_expected, u.week_contradicted, u.last_scan_at,
                p.name as point_name, v.id as venue_id, v.name as venue_name, v.address
         from point_usage u join points p on p.id = u.point_id join venues v on v.id = p.venue_id
         where u.usage = $2 and u.point_id > $3 and v.division like $1 and v.state = 1 and p.revoked_at is null
         order by u.point_id limit $4",
    )
    .bind::<Text, _>(division_pattern(division))
    .bind::<SmallInt, _>(usage.number())
    .bind::<BigInt, _>(after.unwrap_or(-1))
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// Removes counts of before `day`, so many at most. Returns how many.
pub async fn drop_before(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "delete from point_hours where ctid = any(array(select ctid from point_hours where hour < $1 limit $2))",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await?)
}
