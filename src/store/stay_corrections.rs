//! What visitors said of their own stays, and whether it came in time.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::{points, stay_corrections, venues};
use crate::domain::visitor::Visitor;

/// How far around a stay a case at the same venue makes a correction late. It is wider than any rule: too late costs
/// an appeal, too early would cost the evidence.
const AROUND: TimeDelta = TimeDelta::days(1);

/// A correction as the table keeps it.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = stay_corrections)]
pub struct CorrectionRow {
    /// Id.
    pub id: Uuid,
    /// Whose stay.
    pub visitor: Uuid,
    /// The scan that opened the stay.
    pub scan_id: Uuid,
    /// Where, as the stay said.
    pub point_id: i64,
    /// Since when.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// How the end was known.
    pub ended_by: i16,
    /// What proved it.
    pub presence: i16,
    /// Number of what is said.
    pub said: i16,
    /// When the visitor left, where that is said.
    pub left_at: Option<DateTime<Utc>>,
    /// When it was said.
    pub at: DateTime<Utc>,
    /// 0: the stays were brought in line; 1: it came too late.
    pub outcome: Option<i16>,
    /// When that was judged.
    pub settled_at: Option<DateTime<Utc>>,
}

/// Records a correction; false when the stay has one.
pub async fn insert(conn: &mut AsyncPgConnection, row: &CorrectionRow) -> Result<bool, StoreError> {
    let new = diesel::insert_into(stay_corrections::table).values(row);
    Ok(new
        .on_conflict((stay_corrections::visitor, stay_corrections::scan_id))
        .do_nothing()
        .execute(conn)
        .await?
        == 1)
}

/// The corrections of a visitor that begin at or after `since`, with the names of the place, the newest stay first.
pub async fn of_visitor(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(CorrectionRow, String, String)>, StoreError> {
    let own = stay_corrections::table
        .inner_join(points::table.on(points::id.eq(stay_corrections::point_id)))
        .inner_join(venues::table.on(venues::id.eq(points::venue_id)))
        .filter(stay_corrections::visitor.eq(visitor.to_uuid()))
        .filter(stay_corrections::from_at.ge(since))
        .order(stay_corrections::from_at.desc())
        .limit(limit);
    Ok(own.select((CorrectionRow::as_select(), venues::name, points::name)).load(conn).await?)
}

/// The oldest correction that is not judged, held until the transaction ends.
pub async fn next(conn: &mut AsyncPgConnection) -> Result<Option<CorrectionRow>, StoreError> {
    let waiting = stay_corrections::table
        .filter(stay_corrections::outcome.is_null())
        .order(stay_corrections::at)
        .select(CorrectionRow::as_select())
        .for_update()
        .skip_locked();
    Ok(waiting.first(conn).await.optional()?)
}

/// Notes what became of a correction.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    in_time: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let outcome = i16::from(!in_time);
    diesel::update(stay_corrections::table.find(id))
        .set((stay_corrections::outcome.eq(outcome), stay_corrections::settled_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets corrections of stays that began before `before`; returns how many.
pub async fn expire(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> Result<usize, StoreError> {
    let over = stay_corrections::table.filter(stay_corrections::from_at.lt(before));
    Ok(diesel::delete(over).execute(conn).await?)
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// Whether a correction comes too late: the visitor is a case, a run has used the stay, or a case that stands was at
/// the same venue around that time, by its scans or by what it told.
pub async fn is_late(conn: &mut AsyncPgConnection, row: &CorrectionRow) -> Result<bool, StoreError> {
    let late: Yes = sql_query(
        "select exists (select 1 from cases where visitor = $1 and withdrawn_at is null)
             or exists (
                 select 1 from contacts c join exposures e on e.run_id = c.run_id and e.visitor = c.visitor
                 where c.visitor = $1 and e.stay_point_id = $2 and e.stay_from_at = $3)
             or exists (
                 select 1 from contacts c join exposures e on e.run_id = c.run_id and e.via_visitor = c.visitor
                 where c.visitor = $1 and e.via_point_id = $2 and e.via_from_at = $3)
             or exists (
                 select 1 from cases c join scans s on s.visitor = c.visitor join points p on p.id = s.point_id
                 where c.withdrawn_at is null and s.occurred_at >= $4 and s.occurred_at < $5
                   and p.venue_id = (select venue_id from points where id = $2))
             or exists (
                 select 1 from trail_stays t join cases c on c.id = t.case_id left join points p on p.id = t.point_id
                 where c.withdrawn_at is null and t.from_at < $5 and t.until_at > $4
                   and coalesce(p.venue_id, t.venue_id) = (select venue_id from points where id = $2)) as yes",
    )
    .bind::<SqlUuid, _>(row.visitor)
    .bind::<BigInt, _>(row.point_id)
    .bind::<Timestamptz, _>(row.from_at)
    .bind::<Timestamptz, _>(row.from_at - AROUND)
    .bind::<Timestamptz, _>(row.until_at + AROUND)
    .get_result(conn)
    .await?;
    Ok(late.yes)
}
