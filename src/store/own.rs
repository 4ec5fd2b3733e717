//! What a visitor may know of the own assignments: those that were let go, with their events and their ground.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use crate::domain::visitor::Visitor;

/// The columns of [`OwnRow`], of an assignment `a` that was let go.
const COLUMNS: &str = "select a.id, a.run_id, a.class, a.rule, a.colour_now, a.pack_id, a.pack_version, a.division, a.state,
        a.last_exposure_at, a.expires_at, a.review_at, r.at as released_at, c.authority,
        (select string_agg(distinct l.legal_basis, '; ') from releases l where l.run_id = a.run_id) as legal_basis
    from assignments a
    join assignment_events r on r.assignment_id = a.id and r.kind = 1
    join cases c on c.id = a.case_id
    where a.visitor = $1";

/// An assignment that was let go.
#[derive(Debug, Clone, QueryableByName)]
pub struct OwnRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// The run that it rests on; never shown.
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    /// Number of a class.
    #[diesel(sql_type = SmallInt)]
    pub class: i16,
    /// Which rule of the class.
    #[diesel(sql_type = Nullable<Text>)]
    pub rule: Option<String>,
    /// Number of the colour that is shown.
    #[diesel(sql_type = SmallInt)]
    pub colour_now: i16,
    /// By which pack.
    #[diesel(sql_type = Text)]
    pub pack_id: String,
    /// In which version.
    #[diesel(sql_type = Integer)]
    pub pack_version: i32,
    /// Whose decision.
    #[diesel(sql_type = Text)]
    pub division: String,
    /// Number of a state.
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// When the last exposure ended.
    #[diesel(sql_type = Timestamptz)]
    pub last_exposure_at: DateTime<Utc>,
    /// When it ends by itself.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
    /// When a fact that would end it is overdue.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub review_at: Option<DateTime<Utc>>,
    /// When it was let go.
    #[diesel(sql_type = Timestamptz)]
    pub released_at: DateTime<Utc>,
    /// Who answers for the decision.
    #[diesel(sql_type = Text)]
    pub authority: String,
    /// On what legal basis.
    #[diesel(sql_type = Nullable<Text>)]
    pub legal_basis: Option<String>,
}

/// A page of a visitor's assignments that were let go, the newest first. `before` is the last one of the page before.
pub async fn assignments(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<OwnRow>, StoreError> {
    let page = format!(
        "{COLUMNS} and ($2 is null or (r.at, a.id) < (
             select b.at, b.assignment_id from assignment_events b where b.assignment_id = $2 and b.kind = 1))
         order by r.at desc, a.id desc limit $3"
    );
    Ok(sql_query(page)
        .bind::<SqlUuid, _>(visitor.to_uuid())
        .bind::<Nullable<SqlUuid>, _>(before)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}

/// One assignment of a visitor that was let go.
pub async fn assignment(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    id: Uuid,
) -> Result<Option<OwnRow>, StoreError> {
    let one = sql_query(format!("{COLUMNS} and a.id = $2"));
    let one = one.bind::<SqlUuid, _>(visitor.to_uuid()).bind::<SqlUuid, _>(id);
    Ok(one.get_result(conn).await.optional()?)
}

/// What happened to an assignment since it was let go.
#[derive(Debug, Clone, QueryableByName)]
pub struct EventRow {
    /// Which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: Uuid,
    /// Number of a kind.
    #[diesel(sql_type = SmallInt)]
    pub kind: i16,
    /// Number of the colour since then.
    #[diesel(sql_type = SmallInt)]
    pub colour: i16,
    /// When it ends by itself since then.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// Why, as it was written down.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
}

/// The events of some assignments since they were let go, in their order.
pub async fn events(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<Vec<EventRow>, StoreError> {
    Ok(sql_query(
        "select assignment_id, kind, colour, expires_at, at, reason from assignment_events
         where assignment_id = any($1) and kind <> 0 order by assignment_id, seq",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?)
}

/// A meeting that an assignment rests on.
#[derive(Debug, Clone, QueryableByName)]
pub struct MeetingRow {
    /// Which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: Uuid,
    /// The point of the visitor's own stay.
    #[diesel(sql_type = BigInt)]
    pub point_id: i64,
    /// Name of the venue.
    #[diesel(sql_type = Text)]
    pub venue_name: String,
    /// Name of the point.
    #[diesel(sql_type = Text)]
    pub point_name: String,
    /// Since when.
    #[diesel(sql_type = Timestamptz)]
    pub from_at: DateTime<Utc>,
    /// Until when.
    #[diesel(sql_type = Timestamptz)]
    pub until_at: DateTime<Utc>,
}

/// The first `each` meetings that counted for each of some assignments.
pub async fn meetings(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    each: i64,
) -> Result<Vec<MeetingRow>, StoreError> {
    Ok(sql_query(
        "select a.id as assignment_id, e.stay_point_id as point_id, v.name as venue_name, p.name as point_name,
                e.from_at, e.until_at
         from assignments a
         cross join lateral (
             select * from exposures o where o.run_id = a.run_id and o.visitor = a.visitor and o.counted
             order by o.from_at, o.seq limit $2
         ) e
         join points p on p.id = e.stay_point_id join venues v on v.id = p.venue_id
         where a.id = any($1) order by a.id, e.from_at, e.seq",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<BigInt, _>(each)
    .load(conn)
    .await?)
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// Whether an assignment of the visitor that was let go rests on a stay.
pub async fn rests_on(
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    point_id: i64,
    from_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let rests: Yes = sql_query(
        "select exists (
             select 1 from assignments a
             join assignment_events r on r.assignment_id = a.id and r.kind = 1
             join exposures e on e.run_id = a.run_id and e.visitor = a.visitor
             where a.visitor = $1 and e.stay_point_id = $2 and e.stay_from_at = $3
         ) as yes",
    )
    .bind::<SqlUuid, _>(visitor.to_uuid())
    .bind::<BigInt, _>(point_id)
    .bind::<Timestamptz, _>(from_at)
    .get_result(conn)
    .await?;
    Ok(rests.yes)
}
