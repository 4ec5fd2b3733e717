//! Assignments and their events: a row says what its last event says.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::assignments;
use crate::domain::assignment::{AssignmentState, EventKind};
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Colour;

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
    /// Where the days count from the release: how many; else they count from the last exposure.
    pub days_from_release: Option<i32>,
    /// Number of the kind of fact that is awaited.
    pub awaits: Option<i16>,
}

/// How long the assignments of a class last.
#[derive(Debug, Clone, Copy)]
pub struct ClassDays {
    /// Number of a class.
    pub class: i16,
    /// Days.
    pub days: i32,
    /// Whether they count from the release; else from the last exposure.
    pub from_release: bool,
}

/// Makes an assignment for every contact of a proposed run who is to get a colour and is not left out. A run that
/// follows up another makes them only for those who have none of that class yet, or one that has become weaker before
/// they were exposed again. None is made for a case that was taken back. Returns the new ones.
pub async fn propose(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    division: &str,
    days: &[ClassDays],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, StoreError> {
    let made: Vec<Id> = sql_query(
        "insert into assignments (id, run_id, case_id, visitor, class, colour, pack_id, pack_version, division,
                                  last_exposure_at, expires_at, proposed_at, rule, colour_now, days_from_release)
         select gen_random_uuid(), r.id, r.case_id, c.visitor, c.class, c.colour, r.pack_id, r.pack_version, $2,
                c.last_at, c.last_at + make_interval(days => d.days), $5, c.rule, c.colour,
                case when d.from_release then d.days end
         from runs r
         join cases k on k.id = r.case_id and k.withdrawn_at is null
         join contacts c on c.run_id = r.id
         join unnest($3, $4, $6) as d (class, days, from_release) on d.class = c.class
         where r.id = $1 and c.colour > 0 and c.excluded_at is null
           and (r.base_run is null or not exists (
               select 1 from assignments o
               where o.visitor = c.visitor and o.case_id = r.case_id and o.class = c.class and o.colour = c.colour
                 and (o.state in (1, 2) and (o.colour_now >= c.colour or o.last_exposure_at >= c.last_at)
                      or o.state = 3 and o.last_exposure_at >= c.last_at)))
         returning id",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Text, _>(division)
    .bind::<Array<SmallInt>, _>(days.iter().map(|d| d.class).collect::<Vec<_>>())
    .bind::<Array<diesel::sql_types::Integer>, _>(days.iter().map(|d| d.days).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .bind::<Array<Bool>, _>(days.iter().map(|d| d.from_release).collect::<Vec<_>>())
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
/// not be followed by it are passed over. Where the days count from the release, they begin with it. Returns the ids
/// that moved.
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
    hold(conn, ids).await?;
    let moved: Vec<Id> = sql_query(
        "with moved as (
             update assignments
             set state = $2,
                 expires_at = case when $2 = 1 and days_from_release is not null
                                   then greatest(expires_at, $4 + make_interval(days => days_from_release))
                                   else expires_at end
             where id = any($1) and state = any($3)
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

/// Holds assignments until the transaction ends, in one order, so that whoever counts their events next counts all.
pub async fn hold(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<(), StoreError> {
    let query = sql_query("select 1 from assignments where id = any($1) order by id for no key update");
    query.bind::<Array<SqlUuid>, _>(ids).execute(conn).await?;
    Ok(())
}

/// Makes the open assignments last longer whose visitors a run finds exposed later in the same class: those whose colour
/// is not weaker than what the run gives. The days count anew by the rule under which each was decided. Returns the ids.
pub async fn extend(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    actor: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, StoreError> {
    let longer = "select o.id from contacts c join runs r on r.id = c.run_id
                  join assignments o on o.case_id = r.case_id and o.visitor = c.visitor and o.class = c.class
                  where c.run_id = $1 and c.excluded_at is null and c.colour between 1 and o.colour_now
                    and o.state in (1, 2) and c.last_at > o.last_exposure_at order by o.id for update of o";
    let held: Vec<Id> = sql_query(longer).bind::<SqlUuid, _>(run_id).load(conn).await?;
    let grown: Vec<Id> = sql_query(
        "with grown as (
             update assignments a
             set last_exposure_at = c.last_at,
                 expires_at = greatest(a.expires_at,
                     case when a.days_from_release is null then c.last_at + (f.expires_at - f.last_exposure_at)
                          else $3 + make_interval(days => a.days_from_release) end)
             from contacts c, assignment_events f
             where a.id = any($2) and a.state in (1, 2) and c.run_id = $1 and c.visitor = a.visitor
               and c.last_at > a.last_exposure_at and f.assignment_id = a.id and f.seq = 1
             returning a.id, a.state, a.colour_now, a.last_exposure_at, a.expires_at
         )
         insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor,
                                        reason, run_id)
         select g.id, 1 + (select count(*) from assignment_events e where e.assignment_id = g.id), $6, g.state,
                g.colour_now, g.last_exposure_at, g.expires_at, $3, $4, $5, $1
         from grown g returning assignment_id as id",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Array<SqlUuid>, _>(held.into_iter().map(|row| row.id).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(actor)
    .bind::<Text, _>(reason)
    .bind::<SmallInt, _>(EventKind::Extended.number())
    .load(conn)
    .await?;
    Ok(grown.into_iter().map(|row| row.id).collect())
}

/// A weaker colour for an assignment, or its end.
#[derive(Debug, Clone)]
pub struct Weaker {
    /// Which.
    pub id: Uuid,
    /// The colour that follows; green ends it.
    pub colour: Colour,
    /// Why.
    pub reason: String,
    /// The fact that decided.
    pub fact: Option<Uuid>,
}

/// Gives open assignments a weaker colour, or ends them, and writes the events down; what is not open, or not stronger,
/// is passed over. Returns the ids that changed.
pub async fn downgrade(
    conn: &mut AsyncPgConnection,
    changes: &[Weaker],
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, StoreError> {
    let changed: Vec<Id> = sql_query(
        "with asked as (select * from unnest($1, $2, $3, $4) as q (id, colour, reason, fact)), weaker as (
             update assignments a
             set state = case when q.colour = 0 then 5 else a.state end,
                 colour_now = case when q.colour = 0 then a.colour_now else q.colour end
             from asked q where a.id = q.id and a.state in (1, 2) and q.colour < a.colour_now
             returning a.id, a.state, a.colour_now, a.last_exposure_at, a.expires_at, q.reason, q.fact
         )
         insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor,
                                        reason, fact_id)
         select w.id, 1 + (select count(*) from assignment_events e where e.assignment_id = w.id),
                case when w.state = 5 then 5 else 4 end, w.state, w.colour_now, w.last_exposure_at, w.expires_at, $5, $6,
                w.reason, w.fact
         from weaker w returning assignment_id as id",
    )
    .bind::<Array<SqlUuid>, _>(changes.iter().map(|one| one.id).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(changes.iter().map(|one| one.colour.number()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changes.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(changes.iter().map(|one| one.fact).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(actor)
    .load(conn)
    .await?;
    Ok(changed.into_iter().map(|row| row.id).collect())
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
