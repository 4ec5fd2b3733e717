//! What an assignment rests on beside its own run: other runs of its case, and what became of earlier assignments.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::assignments::AssignmentRow;
use super::schema::assignments;
use crate::domain::assignment::AssignmentState;
use crate::domain::numbered::Numbered;

/// The reason that stands in the event of an assignment that was taken back because an appeal was granted.
pub const APPEAL_GRANTED: &str = "appeal granted";

/// A proposal that is not to go out as it stands, because its visitor has had an assignment of the case in that class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Known {
    /// The proposal.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// The assignment that its visitor has or had.
    #[diesel(sql_type = SqlUuid)]
    pub other: Uuid,
    /// 0: the proposal takes the place of the other, which is open: it is stronger. 1: the other is open and no weaker.
    /// 2: the other has ended for the same exposure.
    #[diesel(sql_type = SmallInt)]
    pub how: i16,
}

/// Of a run's proposals those whose visitors have an open assignment of the same case and class, or had one that ended
/// for the same exposure. A colour that has become weaker is only given anew for a later exposure.
pub async fn known(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Vec<Known>, StoreError> {
    Ok(sql_query(
        "select distinct on (a.id) a.id, o.id as other,
                (case when o.state not in (1, 2) then 2
                      when a.colour > o.colour
                           or a.colour > o.colour_now and a.last_exposure_at > o.last_exposure_at then 0
                      else 1 end)::smallint as how
         from assignments a
         join assignments o on o.visitor = a.visitor and o.case_id = a.case_id and o.class = a.class and o.id <> a.id
         where a.run_id = $1 and a.state = 0
           and (o.state in (1, 2)
                or o.last_exposure_at >= a.last_exposure_at and o.colour >= a.colour
                   and (o.state in (3, 5) or o.state = 4 and exists (
                       select 1 from assignment_events e
                       where e.assignment_id = o.id and e.kind = 6 and e.reason = $2)))
         order by a.id, o.state in (1, 2) desc, o.id",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Text, _>(APPEAL_GRANTED)
    .load(conn)
    .await?)
}

/// The assignments of a case that have not ended. The runs of the case and the assignments are held until the
/// transaction ends, so that none is let go meanwhile.
pub async fn living_of_case(
    conn: &mut AsyncPgConnection,
    case_id: Uuid,
) -> Result<Vec<AssignmentRow>, StoreError> {
    let runs = sql_query("select 1 from runs where case_id = $1 order by id for update");
    runs.bind::<SqlUuid, _>(case_id).execute(conn).await?;
    let living = [AssignmentState::Proposed, AssignmentState::Released, AssignmentState::Delivered];
    let own = assignments::table
        .filter(assignments::case_id.eq(case_id))
        .filter(assignments::state.eq_any(living.map(Numbered::number)))
        .order(assignments::id)
        .for_update();
    Ok(own.select(AssignmentRow::as_select()).load(conn).await?)
}

/// What of its case rests on nothing any more once a run is undone: the proposals of that run, and each open assignment
/// for which no released run stands that finds its visitor in that class, in no weaker colour, and leaves nobody out.
/// They are held until the transaction ends.
pub async fn fallen_with(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
) -> Result<Vec<AssignmentRow>, StoreError> {
    #[derive(QueryableByName)]
    struct Id {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let ids: Vec<Id> = sql_query(
        "select a.id from assignments a join runs u on u.id = $1 and u.case_id = a.case_id
         where a.state = 0 and a.run_id = $1
            or a.state in (1, 2) and not exists (
               select 1 from runs r join contacts c on c.run_id = r.id
               where r.case_id = a.case_id and r.state = 5 and r.id <> $1
                 and not exists (select 1 from undoings n where n.run_id = r.id)
                 and c.visitor = a.visitor and c.class = a.class and c.colour >= a.colour and c.excluded_at is null)
         order by a.id for update of a",
    )
    .bind::<SqlUuid, _>(run_id)
    .load(conn)
    .await?;
    let ids: Vec<Uuid> = ids.into_iter().map(|row| row.id).collect();
    super::assignments::by_ids(conn, &ids).await
}

/// Until when the runs that stand carry an open assignment that was extended.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Carried {
    /// Which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Until when; earlier than its row says, which never becomes shorter.
    #[diesel(sql_type = Timestamptz)]
    pub until: DateTime<Utc>,
}

/// Of these assignments those whose extension rests on nothing any more, because the run that gave it was undone: until
/// when the runs that stand carry each.
pub async fn carried(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<Vec<Carried>, StoreError> {
    Ok(sql_query(
        "select q.id, q.until from (
             select a.id, a.expires_at, max(c.last_at + (f.expires_at - f.last_exposure_at)) as until
             from assignments a
             join assignment_events f on f.assignment_id = a.id and f.seq = 1
             join runs r on r.case_id = a.case_id and r.state = 5
             join contacts c on c.run_id = r.id and c.visitor = a.visitor and c.class = a.class
                  and c.colour >= a.colour and c.excluded_at is null
             where a.id = any($1) and a.state in (1, 2) and a.days_from_release is null
               and exists (select 1 from assignment_events e where e.assignment_id = a.id and e.kind = 3)
               and not exists (select 1 from undoings n where n.run_id = r.id)
             group by a.id, a.expires_at) q
         where q.until < q.expires_at",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?)
}

/// Has every open assignment of a run's case judged that was extended, since the run is undone.
pub async fn judge_extended(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let query = sql_query(
        "update assignments a set judge_at = $2 from runs r
         where r.id = $1 and a.case_id = r.case_id and a.state in (1, 2)
           and exists (select 1 from assignment_events e where e.assignment_id = a.id and e.kind = 3)",
    );
    query.bind::<SqlUuid, _>(run_id).bind::<Timestamptz, _>(now).execute(conn).await?;
    Ok(())
}
