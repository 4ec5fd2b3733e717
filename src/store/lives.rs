//! The lives of assignments to read: their events, who is to be judged, what is overdue, the colour that results.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::assignments::AssignmentRow;
use super::register::division_pattern;
use super::schema::{assignment_events, assignments};
use crate::domain::assignment::AssignmentState;
use crate::domain::ending::effective;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Colour;
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;

/// The states in which a colour rests on an assignment.
const OPEN: [AssignmentState; 2] = [AssignmentState::Released, AssignmentState::Delivered];

/// One event of an assignment.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = assignment_events)]
pub struct EventRow {
    /// Of which assignment.
    pub assignment_id: Uuid,
    /// Counts them from 1.
    pub seq: i32,
    /// Number of a kind of event.
    pub kind: i16,
    /// Number of the state after it.
    pub state: i16,
    /// Number of the colour after it.
    pub colour: i16,
    /// The last exposure as it is known after it.
    pub last_exposure_at: DateTime<Utc>,
    /// When the assignment ends by itself, as it is after it.
    pub expires_at: DateTime<Utc>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The run whose contact gives the ground of an extension.
    pub run_id: Option<Uuid>,
    /// The fact that decided.
    pub fact_id: Option<Uuid>,
}

/// The events of one assignment, the first first.
pub async fn events(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Vec<EventRow>, StoreError> {
    let own = assignment_events::table.filter(assignment_events::assignment_id.eq(id));
    Ok(own.order(assignment_events::seq).select(EventRow::as_select()).load(conn).await?)
}

/// When these assignments were released, or extended the last time.
pub async fn shown_at(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, DateTime<Utc>>, StoreError> {
    #[derive(QueryableByName)]
    struct Shown {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
        #[diesel(sql_type = Timestamptz)]
        at: DateTime<Utc>,
    }
    let rows: Vec<Shown> = sql_query(
        "select assignment_id as id, max(at) as at from assignment_events
         where assignment_id = any($1) and kind in (1, 3) group by assignment_id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.at)).collect())
}

/// The colour that results for each of these visitors from what is open; who is not in the answer is green.
pub async fn effective_colours(
    conn: &mut AsyncPgConnection,
    visitors: &[Visitor],
) -> Result<BTreeMap<Visitor, Colour>, StoreError> {
    let ids: Vec<Uuid> = visitors.iter().map(|visitor| visitor.to_uuid()).collect();
    let open = assignments::table
        .filter(assignments::visitor.eq_any(ids))
        .filter(assignments::state.eq_any(OPEN.map(Numbered::number)))
        .select((assignments::visitor, assignments::colour_now));
    let mut colours: BTreeMap<Visitor, Vec<Colour>> = BTreeMap::new();
    for (visitor, colour) in open.load::<(Uuid, i16)>(conn).await? {
        let colour = Colour::from_number(colour).ok_or(StoreError::Corrupt("assignments"))?;
        colours.entry(Visitor::from_uuid(visitor)).or_default().push(colour);
    }
    Ok(colours.into_iter().map(|(visitor, open)| (visitor, effective(open))).collect())
}

/// The open assignments of visitors, held until the transaction ends.
pub async fn open_of(
    conn: &mut AsyncPgConnection,
    visitors: &[Uuid],
) -> Result<Vec<AssignmentRow>, StoreError> {
    let open = assignments::table
        .filter(assignments::visitor.eq_any(visitors))
        .filter(assignments::state.eq_any(OPEN.map(Numbered::number)))
        .order(assignments::id)
        .for_update();
    Ok(open.select(AssignmentRow::as_select()).load(conn).await?)
}

/// Open assignments that are to be judged by now, so many at most; held until the transaction ends.
pub async fn to_judge(
    conn: &mut AsyncPgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<AssignmentRow>, StoreError> {
    let due = assignments::table
        .filter(assignments::state.eq_any(OPEN.map(Numbered::number)))
        .filter(assignments::judge_at.le(now))
        .order(assignments::judge_at)
        .limit(limit)
        .for_update()
        .skip_locked();
    Ok(due.select(AssignmentRow::as_select()).load(conn).await?)
}

/// When an assignment is looked at again.
#[derive(Debug, Clone, Copy)]
pub struct Review {
    /// Which.
    pub id: Uuid,
    /// When a fact that would end it is overdue.
    pub review_at: Option<DateTime<Utc>>,
    /// Number of the kind of fact.
    pub awaits: Option<i16>,
    /// When it is judged again without any fact.
    pub judge_at: Option<DateTime<Utc>>,
}

/// Notes when open assignments are looked at again.
pub async fn set_reviews(conn: &mut AsyncPgConnection, reviews: &[Review]) -> Result<(), StoreError> {
    sql_query(
        "update assignments a set review_at = q.review_at, awaits = q.awaits, judge_at = q.judge_at
         from unnest($1, $2, $3, $4) as q (id, review_at, awaits, judge_at)
         where a.id = q.id and a.state in (1, 2)
           and (a.review_at, a.awaits, a.judge_at) is distinct from (q.review_at, q.awaits, q.judge_at)",
    )
    .bind::<Array<SqlUuid>, _>(reviews.iter().map(|one| one.id).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(reviews.iter().map(|one| one.review_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<SmallInt>>, _>(reviews.iter().map(|one| one.awaits).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(reviews.iter().map(|one| one.judge_at).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// How many assignments of one case and class wait for a fact that is overdue, or ended by their days without it.
#[derive(Debug, Clone, QueryableByName)]
pub struct OverdueRow {
    /// Of which case.
    #[diesel(sql_type = SqlUuid)]
    pub case_id: Uuid,
    /// Number of the class.
    #[diesel(sql_type = SmallInt)]
    pub class: i16,
    /// Number of the kind of fact that is awaited.
    #[diesel(sql_type = SmallInt)]
    pub awaits: i16,
    /// Whether their days are over, without the fact.
    #[diesel(sql_type = Bool)]
    pub expired: bool,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
    /// How many of them for longer than a day.
    #[diesel(sql_type = BigInt)]
    pub over_a_day: i64,
    /// For how many whole hours the longest.
    #[diesel(sql_type = Integer)]
    pub longest_hours: i32,
}

/// Which part of what is overdue is asked for.
#[derive(Debug, Clone, Copy)]
pub struct OverduePage<'a> {
    /// Only assignments of this division.
    pub division: &'a Division,
    /// Only cases before this one.
    pub before: Option<Uuid>,
    /// How many cases.
    pub cases: i64,
    /// Since when assignments may have expired to be counted.
    pub expired_since: DateTime<Utc>,
}

/// What is overdue now, the newest cases first.
pub async fn overdue(
    conn: &mut AsyncPgConnection,
    page: &OverduePage<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<OverdueRow>, StoreError> {
    Ok(sql_query(
        "with late as (
             select case_id, class, awaits, state = 3 as expired, $1 - review_at as late
             from assignments
             where review_at <= $1 and awaits is not null and division like $2
               and (state in (1, 2) or state = 3 and expires_at > $5)
               and ($3 is null or case_id < $3)
         )
         select case_id, class, awaits, expired, count(*) as count,
                count(*) filter (where late > interval '24 hours') as over_a_day,
                floor(extract(epoch from max(late)) / 3600)::integer as longest_hours
         from late
         where case_id in (select distinct case_id from late order by case_id desc limit $4)
         group by case_id, class, awaits, expired order by case_id desc, class, awaits, expired",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(division_pattern(page.division))
    .bind::<Nullable<SqlUuid>, _>(page.before)
    .bind::<BigInt, _>(page.cases)
    .bind::<Timestamptz, _>(page.expired_since)
    .load(conn)
    .await?)
}
