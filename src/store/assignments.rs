//! Assignments and their events: a row says what its last event says.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::assignments;
use crate::domain::assignment::AssignmentState;
use crate::domain::numbered::Numbered;

/// An assignment as the table keeps it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = assignments)]
pub struct AssignmentRow {
    /// Id.
    pub id: Uuid,
    /// The run that proposed it.
    pub run_id: Uuid,
    /// The case that it rests on.
    pub case_id: Uuid,
    /// Whose.
    pub visitor: Uuid,
    /// Number of a class.
    pub class: i16,
    /// Number of a colour.
    pub colour: i16,
    /// By which pack.
    pub pack_id: String,
    /// In which version.
    pub pack_version: i32,
    /// Whose decision.
    pub division: String,
    /// Number of a state.
    pub state: i16,
    /// When the last exposure ended.
    pub last_exposure_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When it was proposed.
    pub proposed_at: DateTime<Utc>,
    /// Which rule of the class was met, where a pack has several.
    pub rule: Option<String>,
    /// Number of the colour that is shown; never stronger than the one that was decided.
    pub colour_now: i16,
    /// When a fact that would end it is overdue.
    pub review_at: Option<DateTime<Utc>>,
}

/// How long the assignments of a class last, in days from the last exposure.
#[derive(Debug, Clone, Copy)]
pub struct ClassDays {
    /// Number of a class.
    pub class: i16,
    /// Days.
    pub days: i32,
}

/// Makes an assignment for every contact of a proposed run who is to get a colour and is not left out. A run that
/// follows up another makes them only for those who have none of that class yet. Returns the new ones.
pub async fn propose(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    division: &str,
    days: &[ClassDays],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, StoreError> {
    let made: Vec<Id> = sql_query(
        "insert into assignments (id, run_id, case_id, visitor, class, colour, pack_id, pack_version, division,
                                  last_exposure_at, expires_at, proposed_at, rule, colour_now)
         select gen_random_uuid(), r.id, r.case_id, c.visitor, c.class, c.colour, r.pack_id, r.pack_version, $2,
                c.last_at, c.last_at + make_interval(days => d.days), $5, c.rule, c.colour
         from runs r
         join contacts c on c.run_id = r.id
         join unnest($3, $4) as d (class, days) on d.class = c.class
         where r.id = $1 and c.colour > 0 and c.excluded_at is null
           and (r.base_run is null or not exists (
               select 1 from assignments o
               where o.visitor = c.visitor and o.case_id = r.case_id and o.class = c.class and o.colour = c.colour
                 and (o.state in (1, 2) or o.state = 3 and o.last_exposure_at >= c.last_at)))
         returning id",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Text, _>(division)
    .bind::<Array<SmallInt>, _>(days.iter().map(|d| d.class).collect::<Vec<_>>())
    .bind::<Array<diesel::sql_types::Integer>, _>(days.iter().map(|d| d.days).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .load(conn)
    .await?;
    Ok(made.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Moves assignments to another state and writes the event down; those that are in a state that may
/// not be followed by it are passed over. Returns the ids that moved.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    to: AssignmentState,
    actor: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, StoreError> {
    let from: Vec<i16> = AssignmentState::ALL
        .iter()
        .filter(|state| state.may_become(to))
        .map(|state| state.number())
        .collect();
    // A statement of its own: after a wait, the next one sees the events of whom it waited for.
    super::outbox::hold_assignments(conn, ids).await?;
    let moved: Vec<Id> = sql_query(
        "with moved as (
             update assignments set state = $2 where id = any($1) and state = any($3)
             returning id, colour_now, last_exposure_at, expires_at
         )
         insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor,
                                        reason)
         select m.id, 1 + (select count(*) from assignment_events e where e.assignment_id = m.id), $7, $2, m.colour_now,
                m.last_exposure_at, m.expires_at, $4, $5, $6
         from moved m returning assignment_id as id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<SmallInt, _>(to.number())
    .bind::<Array<SmallInt>, _>(from)
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(actor)
    .bind::<Text, _>(reason)
    .bind::<SmallInt, _>(to.event().number())
    .load(conn)
    .await?;
    Ok(moved.into_iter().map(|row| row.id).collect())
}

/// Writes down that assignments were proposed.
pub async fn note_proposed(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor)
         select a.id, 1, 0, 0, a.colour_now, a.last_exposure_at, a.expires_at, $2, $3
         from assignments a where a.id = any($1)",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(actor)
    .execute(conn)
    .await?;
    Ok(())
}

/// The ids of a run's assignments in a state.
pub async fn ids_of_run(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    state: AssignmentState,
) -> Result<Vec<Uuid>, StoreError> {
    let own = assignments::table
        .filter(assignments::run_id.eq(run_id))
        .filter(assignments::state.eq(state.number()));
    Ok(own.select(assignments::id).load(conn).await?)
}

/// Of a run's proposals, those that another run of the same case has already let go for the same
/// visitor in the same class; they would be a second assignment for one reason.
pub async fn already_open(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let rows: Vec<Id> = sql_query(
        "select a.id from assignments a
         join assignments o on o.visitor = a.visitor and o.case_id = a.case_id and o.class = a.class and o.state in (1, 2)
         where a.run_id = $1 and a.state = 0",
    )
    .bind::<SqlUuid, _>(run_id)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The assignments of a case that have not ended.
pub async fn living_of_case(
    conn: &mut AsyncPgConnection,
    case_id: Uuid,
) -> Result<Vec<AssignmentRow>, StoreError> {
    let living = [AssignmentState::Proposed, AssignmentState::Released, AssignmentState::Delivered];
    let own = assignments::table
        .filter(assignments::case_id.eq(case_id))
        .filter(assignments::state.eq_any(living.map(Numbered::number)));
    Ok(own.select(AssignmentRow::as_select()).load(conn).await?)
}

/// The assignments of a run that have not ended.
pub async fn living_of_run(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
) -> Result<Vec<AssignmentRow>, StoreError> {
    let living = [AssignmentState::Proposed, AssignmentState::Released, AssignmentState::Delivered];
    let own = assignments::table
        .filter(assignments::run_id.eq(run_id))
        .filter(assignments::state.eq_any(living.map(Numbered::number)));
    Ok(own.select(AssignmentRow::as_select()).load(conn).await?)
}

/// Some assignments by id.
pub async fn by_ids(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<Vec<AssignmentRow>, StoreError> {
    let some = assignments::table.filter(assignments::id.eq_any(ids)).order(assignments::id);
    Ok(some.select(AssignmentRow::as_select()).load(conn).await?)
}

/// Open assignments whose days are over, so many at most.
pub async fn ending(
    conn: &mut AsyncPgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<AssignmentRow>, StoreError> {
    let open = [AssignmentState::Released, AssignmentState::Delivered].map(Numbered::number);
    let over = assignments::table
        .filter(assignments::state.eq_any(open))
        .filter(assignments::expires_at.le(now))
        .order(assignments::expires_at)
        .limit(limit)
        .for_update()
        .skip_locked();
    Ok(over.select(AssignmentRow::as_select()).load(conn).await?)
}

/// How many assignments of a run there are, by class, colour and state.
pub async fn counts_of_run(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Vec<Count>, StoreError> {
    Ok(sql_query(
        "select class, colour, state, count(*) as count from assignments where run_id = $1
         group by class, colour, state order by class, colour, state",
    )
    .bind::<SqlUuid, _>(run_id)
    .load(conn)
    .await?)
}

/// How many assignments share class, colour and state.
#[derive(Debug, Clone, QueryableByName)]
pub struct Count {
    /// Number of a class.
    #[diesel(sql_type = SmallInt)]
    pub class: i16,
    /// Number of a colour.
    #[diesel(sql_type = SmallInt)]
    pub colour: i16,
    /// Number of a state.
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}
