//! The outbox of hand-overs, with the guarantees that letters have.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::hand_overs;
use super::{StoreError, aliases, controls, sound};
use crate::domain::exposure::Relation;
use crate::domain::hand_over::facts::Meeting;
use crate::domain::numbered::Numbered;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::venue::Granularity;
use crate::domain::visitor::Visitor;

/// A hand-over as the table keeps it.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = hand_overs)]
pub struct HandOverRow {
    /// Id, the idempotency key.
    pub id: Uuid,
    /// The proposal in whose place it goes.
    pub assignment_id: Uuid,
    /// Under which agreement,
    pub agreement_id: String,
    /// in which version it was chosen.
    pub agreement_version: i32,
    /// To whom.
    pub division: String,
    /// The name of the key that the person is named under.
    pub alias_key: String,
    /// The person under that key.
    pub alias: Uuid,
    /// Where the exposure was.
    pub own_division: String,
    /// Who answers for it.
    pub authority: String,
    /// On what legal basis.
    pub legal_basis: String,
    /// Number of a case's kind.
    pub infectious_kind: i16,
    /// All facts; the agreement limits them when they are sent.
    pub facts: serde_json::Value,
    /// 0 waiting, 1 delivered, 2 buried, 3 taken back before it was ever sent.
    pub state: i16,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub due_at: DateTime<Utc>,
    /// What went wrong.
    pub last_error: Option<String>,
    /// When it was handed over.
    pub created_at: DateTime<Utc>,
    /// When it arrived.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// What the other side decided.
    pub receipt: Option<serde_json::Value>,
}

/// Puts hand-overs into the outbox, in the transaction that withdraws the proposals.
pub async fn enqueue(conn: &mut AsyncPgConnection, rows: &[HandOverRow]) -> Result<(), StoreError> {
    diesel::insert_into(hand_overs::table).values(rows).execute(conn).await?;
    Ok(())
}

/// The meetings of visitors with the case of a run. Meetings with contacts are not among them.
pub async fn meetings(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    visitors: &[Visitor],
) -> Result<Vec<(Visitor, Meeting)>, StoreError> {
    let rows: Vec<MeetingRow> = sql_query(
        "select e.visitor, e.relation, e.granularity, e.from_at, e.until_at, e.presence, e.ended_by, e.rows_apart,
                t.until_at as left_at, c.category, v.name || ' · ' || p.name as place
         from exposures e
         join trail_stays t on t.id = e.trail_stay_id
         left join points k on k.id = t.point_id
         left join venues c on c.id = coalesce(t.venue_id, k.venue_id)
         join points p on p.id = e.stay_point_id
         join venues v on v.id = p.venue_id
         where e.run_id = $1 and e.visitor = any($2) order by e.visitor, e.from_at",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Array<SqlUuid>, _>(visitors.iter().map(|visitor| visitor.to_uuid()).collect::<Vec<_>>())
    .load(conn)
    .await?;
    rows.into_iter().map(MeetingRow::read).collect()
}

/// Living hand-overs of a case: to whom whose facts were given.
pub async fn living_of_case(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<Vec<Living>, StoreError> {
    Ok(sql_query(
        "select h.id, a.visitor, h.agreement_id, h.facts
         from hand_overs h join assignments a on a.id = h.assignment_id
         where a.case_id = $1 and h.withdrawn_at is null order by h.id",
    )
    .bind::<SqlUuid, _>(case_id)
    .load(conn)
    .await?)
}

/// A hand-over that was not taken back.
#[derive(Debug, Clone, QueryableByName)]
pub struct Living {
    /// Which.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// About whom.
    #[diesel(sql_type = SqlUuid)]
    pub visitor: Uuid,
    /// Under which agreement.
    #[diesel(sql_type = Text)]
    pub agreement_id: String,
    /// What was told.
    #[diesel(sql_type = Jsonb)]
    pub facts: serde_json::Value,
}

/// Takes back what hangs on a case. What was never tried never leaves; of the rest the other side is told. Returns how
/// many there were.
pub async fn take_back_of_case(
    conn: &mut AsyncPgConnection,
    case_id: Uuid,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    take_back(conn, "a.case_id = $1", case_id, now).await
}

/// The same for one run.
pub async fn take_back_of_run(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    take_back(conn, "a.run_id = $1", run_id, now).await
}

/// The same for what runs before this one handed over of its case, and that this one does not find any more.
pub async fn take_back_fallen(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let fallen = "a.run_id <> $1 and a.case_id = (select case_id from runs where id = $1)
        and not exists (select 1 from contacts c where c.run_id = $1 and c.visitor = a.visitor and c.colour > 0
                          and c.excluded_at is null)";
    take_back(conn, fallen, run_id, now).await
}

async fn take_back(
    conn: &mut AsyncPgConnection,
    which: &str,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let query = sql_query(format!(
        "update hand_overs h
         set withdrawn_at = $2, due_at = $2, last_error = null, attempts = 0,
             state = case when h.attempts = 0 and h.delivered_at is null then 3 else 0 end
         from assignments a
         where a.id = h.assignment_id and h.withdrawn_at is null and {which}"
    ));
    Ok(query.bind::<SqlUuid, _>(id).bind::<Timestamptz, _>(now).execute(conn).await?)
}

/// Takes hand-overs that are due and keeps them until `lease_until`.
pub async fn lease(
    conn: &mut AsyncPgConnection,
    lease_until: DateTime<Utc>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<HandOverRow>, StoreError> {
    Ok(sql_query(
        "update hand_overs set due_at = $2, attempts = attempts + 1
         where id in (select h.id from hand_overs h where h.state = 0 and h.due_at <= $1
                      order by h.due_at, h.id limit $3 for update skip locked)
         returning *",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Timestamptz, _>(lease_until)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// Marks one as delivered. What was taken back while it was under way stays due, as a withdrawal.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    sent: &HandOverRow,
    receipt: &serde_json::Value,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "update hand_overs set state = 1, delivered_at = $3, last_error = null, receipt = $4
         where id = $1 and state = 0 and (withdrawn_at is not null) = $2",
    )
    .bind::<SqlUuid, _>(sent.id)
    .bind::<Bool, _>(sent.withdrawn_at.is_some())
    .bind::<Timestamptz, _>(now)
    .bind::<Jsonb, _>(receipt)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives one back, to be tried at `due_at`; buries it where there is none. `left` says whether it may have arrived.
pub async fn put_off(
    conn: &mut AsyncPgConnection,
    sent: &HandOverRow,
    due_at: Option<DateTime<Utc>>,
    left: bool,
    error: &str,
) -> Result<(), StoreError> {
    sql_query(
        "update hand_overs set state = case when $3 is null then 2 else 0 end, due_at = coalesce($3, due_at), last_error = $4,
                attempts = case when $5 then attempts else attempts - 1 end
         where id = $1 and state = 0 and (withdrawn_at is not null) = $2",
    )
    .bind::<SqlUuid, _>(sent.id)
    .bind::<Bool, _>(sent.withdrawn_at.is_some())
    .bind::<Nullable<Timestamptz>, _>(due_at)
    .bind::<Text, _>(error)
    .bind::<Bool, _>(left)
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes all buried ones under an agreement due again; returns how many.
pub async fn dig_up(
    conn: &mut AsyncPgConnection,
    agreement_id: &str,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    Ok(sql_query("update hand_overs set state = 0, due_at = $2, attempts = least(attempts, 1) where agreement_id = $1 and state = 2")
        .bind::<Text, _>(agreement_id)
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?)
}

/// A page of hand-overs, in order of their ids, which is that of time.
pub async fn page(
    conn: &mut AsyncPgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<HandOverRow>, StoreError> {
    let page = hand_overs::table.filter(hand_overs::id.gt(after.unwrap_or(Uuid::nil())));
    Ok(page.order(hand_overs::id).limit(limit).select(HandOverRow::as_select()).load(conn).await?)
}

/// Forgets the facts of what arrived or was taken back before `before`, so many at most; returns how many.
async fn expire(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "update hand_overs set facts = '[]' where id = any(array(
             select id from hand_overs where state in (1, 3) and created_at < $1 and facts <> '[]' limit $2))",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await?)
}

/// The same, with what others call people who were not heard of since `before`, and controls that are over.
pub async fn expire_all(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    let aliases = aliases::expire(conn, before, limit).await?;
    let controls = controls::expire(conn, now, limit).await?;
    Ok(aliases + controls + expire(conn, before, limit).await?)
}

#[derive(QueryableByName)]
struct MeetingRow {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    relation: i16,
    #[diesel(sql_type = SmallInt)]
    granularity: i16,
    #[diesel(sql_type = Timestamptz)]
    from_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    until_at: DateTime<Utc>,
    #[diesel(sql_type = SmallInt)]
    presence: i16,
    #[diesel(sql_type = SmallInt)]
    ended_by: i16,
    #[diesel(sql_type = Nullable<SmallInt>)]
    rows_apart: Option<i16>,
    #[diesel(sql_type = Timestamptz)]
    left_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    category: Option<String>,
    #[diesel(sql_type = Text)]
    place: String,
}

impl MeetingRow {
    fn read(self) -> Result<(Visitor, Meeting), StoreError> {
        let relation = sound(Relation::from_number(self.relation), "exposures")?;
        let meeting = Meeting {
            relation,
            left_at: (relation == Relation::AfterCase).then_some(self.left_at),
            span: sound(Span::new(self.from_at, self.until_at).ok(), "exposures")?,
            category: self.category,
            granularity: sound(Granularity::from_number(self.granularity), "exposures")?,
            presence: sound(Presence::from_number(self.presence), "exposures")?,
            ended_by: sound(EndedBy::from_number(self.ended_by), "exposures")?,
            rows_apart: self.rows_apart.and_then(|rows| u16::try_from(rows).ok()),
            place: self.place,
        };
        Ok((Visitor::from_uuid(self.visitor), meeting))
    }
}
