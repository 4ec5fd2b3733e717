//! Alarms about points whose code may go round as a photo: counts, never a visitor.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::register::division_pattern;
use super::{StoreError, sound};
use crate::domain::burst::{AlarmState, CONTRADICTED_WEIGHT, Counts, DOUBT_MIN, Past, Sign, Usual};
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;

/// When to look: the hours in question, and the same hours of the days before.
#[derive(Debug, Clone)]
pub struct Window {
    /// When the last hour began.
    pub from: DateTime<Utc>,
    /// When the running hour ends.
    pub until: DateTime<Utc>,
    /// The beginnings of the same hours on the days before, and whether it was this weekday.
    pub before: Vec<(DateTime<Utc>, bool)>,
}

/// A point with some doubt, and what is known to judge it.
#[derive(Debug, Clone, Copy)]
pub struct Suspect {
    /// Which point.
    pub point_id: i64,
    /// The hours in question.
    pub now: Counts,
    /// Since when the point is there, or was first scanned within the past.
    pub since: DateTime<Utc>,
    /// The days before; how many days they are is not known here.
    pub past: Past,
    /// The last alarm about the point, when it was closed, and what it had counted.
    pub last: Option<(Option<DateTime<Utc>>, Counts)>,
}

#[derive(QueryableByName)]
struct SuspectRow {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = BigInt)]
    scans: i64,
    #[diesel(sql_type = BigInt)]
    contradicted: i64,
    #[diesel(sql_type = BigInt)]
    unproven: i64,
    #[diesel(sql_type = Timestamptz)]
    since: DateTime<Utc>,
    #[diesel(sql_type = Array<BigInt>)]
    days: Vec<i64>,
    #[diesel(sql_type = Array<BigInt>)]
    weekdays: Vec<i64>,
    #[diesel(sql_type = Nullable<Array<Integer>>)]
    last: Option<Vec<i32>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    closed_at: Option<DateTime<Utc>>,
}

/// Points with so much doubt that an alarm is possible, the most doubtful first. One range of the index by hours finds
/// them, so this may be asked every few seconds; the past is only read of those that are found.
pub async fn suspects(
    conn: &mut AsyncPgConnection,
    window: &Window,
    limit: i64,
) -> Result<Vec<Suspect>, StoreError> {
    let rows: Vec<SuspectRow> = sql_query(
        "with doubtful as (
             select h.point_id, sum(h.scans) as scans, sum(h.contradicted) as contradicted,
                    sum(h.unproven) as unproven, sum(h.unproven) + $5 * sum(h.contradicted) as doubt
             from point_hours h where h.hour >= $1 and h.hour < $2
             group by h.point_id having sum(h.unproven) + $5 * sum(h.contradicted) >= $6
         ), recent as (
             select d.* from doubtful d join points p on p.id = d.point_id join venues v on v.id = p.venue_id
             where v.state = 1 and p.revoked_at is null order by d.doubt desc, d.point_id limit $7
         )
         select r.point_id, r.scans, r.contradicted, r.unproven, past.days, past.weekdays,
                least(p.created_at, (select min(h.hour) from point_hours h where h.point_id = r.point_id)) as since,
                last.counts as last, last.closed_at
         from recent r join points p on p.id = r.point_id
         cross join lateral (
             select array[coalesce(sum(h.scans), 0), coalesce(sum(h.contradicted), 0), coalesce(sum(h.unproven), 0)] as days,
                    array[coalesce(sum(h.scans) filter (where d.same), 0),
                          coalesce(sum(h.contradicted) filter (where d.same), 0),
                          coalesce(sum(h.unproven) filter (where d.same), 0)] as weekdays
             from unnest($3, $4) as d (from_at, same)
             join point_hours h on h.point_id = r.point_id and h.hour >= d.from_at and h.hour < d.from_at + ($2 - $1)
         ) past
         left join lateral (
             select array[a.scans, a.contradicted, a.unproven] as counts, a.closed_at from point_alarms a
             where a.point_id = r.point_id order by a.raised_at desc limit 1
         ) last on true
         order by r.point_id",
    )
    .bind::<Timestamptz, _>(window.from)
    .bind::<Timestamptz, _>(window.until)
    .bind::<Array<Timestamptz>, _>(window.before.iter().map(|day| day.0).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(window.before.iter().map(|day| day.1).collect::<Vec<_>>())
    .bind::<BigInt, _>(i64::from(CONTRADICTED_WEIGHT))
    .bind::<BigInt, _>(i64::from(DOUBT_MIN))
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    rows.into_iter().map(SuspectRow::read).collect()
}

impl SuspectRow {
    fn read(self) -> Result<Suspect, StoreError> {
        let last = self.last.map(of_three).transpose()?;
        Ok(Suspect {
            point_id: self.point_id,
            now: of_three(vec![self.scans, self.contradicted, self.unproven])?,
            since: self.since,
            past: Past { days: of_three(self.days)?, day_count: 0, weekdays: of_three(self.weekdays)? },
            last: last.map(|counts| (self.closed_at, counts)),
        })
    }
}

/// Scans, contradicted and unproven ones, as a row lists them.
fn of_three<N: TryInto<u32>>(numbers: Vec<N>) -> Result<Counts, StoreError> {
    let counts: Result<Vec<u32>, _> = numbers.into_iter().map(TryInto::try_into).collect();
    match counts.ok().as_deref() {
        Some([scans, contradicted, unproven]) => {
            Ok(Counts { scans: *scans, contradicted: *contradicted, unproven: *unproven })
        }
        _ => Err(StoreError::Corrupt("point_hours")),
    }
}

/// An alarm that is to be raised.
#[derive(Debug, Clone, Copy)]
pub struct NewAlarm {
    /// Id.
    pub id: Uuid,
    /// Which point.
    pub point_id: i64,
    /// The running hour.
    pub hour: DateTime<Utc>,
    /// What was counted.
    pub now: Counts,
    /// What is usual.
    pub usual: Option<Usual>,
    /// What speaks for a photo.
    pub sign: Sign,
}

/// Raises an alarm; false when one is open about the point.
pub async fn raise(
    conn: &mut AsyncPgConnection,
    new: &NewAlarm,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let usual = |of: fn(&Usual) -> f64| new.usual.as_ref().map(of);
    let raised = sql_query(
        "insert into point_alarms (id, point_id, raised_at, hour, scans, contradicted, unproven, usual_scans,
                                   usual_contradicted, usual_unproven, sign)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (point_id) where state = 0 do nothing",
    )
    .bind::<SqlUuid, _>(new.id)
    .bind::<BigInt, _>(new.point_id)
    .bind::<Timestamptz, _>(now)
    .bind::<Timestamptz, _>(new.hour)
    .bind::<Integer, _>(whole(new.now.scans))
    .bind::<Integer, _>(whole(new.now.contradicted))
    .bind::<Integer, _>(whole(new.now.unproven))
    .bind::<Nullable<Double>, _>(usual(|usual| usual.scans))
    .bind::<Nullable<Double>, _>(usual(|usual| usual.contradicted))
    .bind::<Nullable<Double>, _>(usual(|usual| usual.unproven))
    .bind::<SmallInt, _>(new.sign.number())
    .execute(conn)
    .await?;
    Ok(raised == 1)
}

/// Keeps higher counts of an open alarm; false when they are not higher.
pub async fn grow(conn: &mut AsyncPgConnection, point_id: i64, now: &Counts) -> Result<bool, StoreError> {
    let grown = sql_query(
        "update point_alarms set scans = $2, contradicted = $3, unproven = $4
         where point_id = $1 and state = 0 and unproven + $5 * contradicted < $4 + $5 * $3",
    )
    .bind::<BigInt, _>(point_id)
    .bind::<Integer, _>(whole(now.scans))
    .bind::<Integer, _>(whole(now.contradicted))
    .bind::<Integer, _>(whole(now.unproven))
    .bind::<Integer, _>(whole(CONTRADICTED_WEIGHT))
    .execute(conn)
    .await?;
    Ok(grown == 1)
}

fn whole(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// An alarm with its place.
#[derive(Debug, Clone, QueryableByName)]
pub struct AlarmRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Which point.
    #[diesel(sql_type = BigInt)]
    pub point_id: i64,
    /// The point's name.
    #[diesel(sql_type = Text)]
    pub point_name: String,
    /// Its venue.
    #[diesel(sql_type = SqlUuid)]
    pub venue_id: Uuid,
    /// The venue's name.
    #[diesel(sql_type = Text)]
    pub venue_name: String,
    /// The venue's address.
    #[diesel(sql_type = Text)]
    pub address: String,
    /// When it was raised.
    #[diesel(sql_type = Timestamptz)]
    pub raised_at: DateTime<Utc>,
    /// Scans of the two hours.
    #[diesel(sql_type = Integer)]
    pub scans: i32,
    /// Contradicted ones.
    #[diesel(sql_type = Integer)]
    pub contradicted: i32,
    /// Unproven ones.
    #[diesel(sql_type = Integer)]
    pub unproven: i32,
    /// Usual scans.
    #[diesel(sql_type = Nullable<Double>)]
    pub usual_scans: Option<f64>,
    /// Usually contradicted.
    #[diesel(sql_type = Nullable<Double>)]
    pub usual_contradicted: Option<f64>,
    /// Usually unproven.
    #[diesel(sql_type = Nullable<Double>)]
    pub usual_unproven: Option<f64>,
    /// Number of a [`Sign`].
    #[diesel(sql_type = SmallInt)]
    pub sign: i16,
    /// Number of an [`AlarmState`].
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// When it was closed.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub closed_at: Option<DateTime<Utc>>,
    /// By whom.
    #[diesel(sql_type = Nullable<Text>)]
    pub closed_by: Option<String>,
    /// Why.
    #[diesel(sql_type = Text)]
    pub reason: String,
}

impl AlarmRow {
    /// What speaks for a photo.
    pub fn sign(&self) -> Result<Sign, StoreError> {
        sound(Sign::from_number(self.sign), "point_alarms")
    }

    /// What became of it.
    pub fn state(&self) -> Result<AlarmState, StoreError> {
        sound(AlarmState::from_number(self.state), "point_alarms")
    }
}

const COLUMNS: &str = "select a.id, a.point_id, p.name as point_name, v.id as venue_id, v.name as venue_name, v.address,
    a.raised_at, a.scans, a.contradicted, a.unproven, a.usual_scans, a.usual_contradicted, a.usual_unproven, a.sign,
    a.state, a.closed_at, a.closed_by, a.reason
    from point_alarms a join points p on p.id = a.point_id join venues v on v.id = p.venue_id";

/// A page of the alarms of a division, and all inside it, in one state, the newest first, older than `before`.
pub async fn page(
    conn: &mut AsyncPgConnection,
    division: &Division,
    state: AlarmState,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AlarmRow>, StoreError> {
    let sql = format!(
        "{COLUMNS} where v.division like $1 and a.state = $2 and a.id < $3 order by a.id desc limit $4"
    );
    Ok(sql_query(sql)
        .bind::<Text, _>(division_pattern(division))
        .bind::<SmallInt, _>(state.number())
        .bind::<SqlUuid, _>(before.unwrap_or(Uuid::max()))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}

/// One alarm.
pub async fn find(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<AlarmRow>, StoreError> {
    let sql = format!("{COLUMNS} where a.id = $1");
    Ok(sql_query(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()?)
}

/// The points of a venue about which an alarm is open.
pub async fn open_at_venue(conn: &mut AsyncPgConnection, venue_id: Uuid) -> Result<Vec<i64>, StoreError> {
    let rows: Vec<PointOnly> = sql_query(
        "select a.point_id from points p join point_alarms a on a.point_id = p.id and a.state = 0
         where p.venue_id = $1",
    )
    .bind::<SqlUuid, _>(venue_id)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.point_id).collect())
}

#[derive(QueryableByName)]
struct PointOnly {
    #[diesel(sql_type = BigInt)]
    point_id: i64,
}

/// Closes an alarm; false when it was closed already.
pub async fn close(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    state: AlarmState,
    by: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let closed = sql_query(
        "update point_alarms set state = $2, closed_by = $3, reason = $4, closed_at = $5 where id = $1 and state = 0",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<SmallInt, _>(state.number())
    .bind::<Text, _>(by)
    .bind::<Text, _>(reason)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(closed == 1)
}
