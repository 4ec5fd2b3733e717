//! What issuing systems should hold.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{StoreError, sound};
use crate::domain::assignment::AssignmentState;
use crate::domain::numbered::Numbered;
use crate::domain::reconcile::{Bucket, Held, Open, buckets, range_of};
use crate::domain::rule_pack::Colour;
use crate::domain::visitor::Visitor;

/// What an issuing system should hold of one assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// What it should hold once all letters have arrived.
    pub held: Held,
    /// Whether a letter about it is still on its way, so that it may rightly hold something else.
    pub waiting: bool,
}

/// What an issuing system was told of, in some buckets, and whose days are not over at `at`.
pub async fn holdings(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    (from, until): (u8, u8),
    at: DateTime<Utc>,
) -> Result<Vec<Holding>, StoreError> {
    let (first, last) = range_of(from, until);
    let rows: Vec<HoldingRow> = sql_query(
        "select a.id, a.visitor, a.state, a.colour_now, a.expires_at,
                coalesce(max(l.sequence) filter (where l.state = 1), 0) as sequence, bool_or(l.state = 0) as waiting
         from assignments a join letters l on l.assignment_id = a.id and l.issuer_id = $1
         where a.visitor between $2 and $3 and a.expires_at > $4 and a.state in (1, 2, 4, 5)
         group by a.id order by a.visitor, a.id",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<SqlUuid, _>(first)
    .bind::<SqlUuid, _>(last)
    .bind::<Timestamptz, _>(at)
    .load(conn)
    .await?;
    rows.into_iter().map(HoldingRow::read).collect()
}

#[derive(QueryableByName)]
struct HoldingRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    state: i16,
    #[diesel(sql_type = SmallInt)]
    colour_now: i16,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = Bool)]
    waiting: bool,
}

impl HoldingRow {
    fn read(self) -> Result<Holding, StoreError> {
        let state = sound(AssignmentState::from_number(self.state), "assignments")?;
        let colour = sound(Colour::from_number(self.colour_now), "assignments")?;
        let open = Open { sequence: self.sequence, colour, expires_at: self.expires_at };
        let held = Held {
            visitor: Visitor::from_uuid(self.visitor),
            assignment: self.id,
            open: state.is_open().then_some(open),
        };
        Ok(Holding { held, waiting: self.waiting })
    }
}

/// How many buckets are read at a time.
const STRIDE: u8 = 16;

/// The buckets of what an issuing system should hold, without what is on its way.
pub async fn our_buckets(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    at: DateTime<Utc>,
) -> Result<Vec<Bucket>, StoreError> {
    let mut all = Vec::new();
    for from in (0..=u8::MAX).step_by(STRIDE.into()) {
        let held = holdings(conn, issuer_id, (from, from + (STRIDE - 1)), at).await?;
        all.extend(buckets(held.iter().filter(|one| !one.waiting).map(|one| one.held).collect()));
    }
    Ok(all)
}

/// By division: open assignments that an issuing system has no letter about.
pub async fn untold(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    at: DateTime<Utc>,
) -> Result<Vec<(String, i64)>, StoreError> {
    let rows: Vec<DivisionCount> = sql_query(
        "select a.division, count(*) as count from assignments a
         where a.state in (1, 2) and a.expires_at > $2
           and not exists (select 1 from letters l where l.assignment_id = a.id and l.issuer_id = $1)
         group by a.division",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Timestamptz, _>(at)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.division, row.count)).collect())
}

#[derive(QueryableByName)]
struct DivisionCount {
    #[diesel(sql_type = Text)]
    division: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How an assignment stands now, with the words for a letter that says so.
#[derive(Debug, Clone, QueryableByName)]
pub struct Present {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Whose.
    #[diesel(sql_type = SqlUuid)]
    pub visitor: Uuid,
    /// Number of a state.
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// Whose decision.
    #[diesel(sql_type = Text)]
    pub division: String,
    /// Who answers for it.
    #[diesel(sql_type = Text)]
    pub authority: String,
    /// On what legal basis it holds, or why it has ended.
    #[diesel(sql_type = Text)]
    pub legal_basis: String,
    /// Whether a letter about it to the issuing system is on its way.
    #[diesel(sql_type = Bool)]
    pub waiting: bool,
}

/// How assignments stand, held so until the transaction ends. Locked first and read after, so that a letter that
/// another transaction has just written is seen.
pub async fn present(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Present>, StoreError> {
    sql_query("select id from assignments where id = any($1) order by id for share")
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(conn)
        .await?;
    let rows: Vec<Present> = sql_query(
        "select a.id, a.visitor, a.state, a.division, coalesce(l.body ->> 'authority', c.authority) as authority,
                coalesce(l.body ->> 'legal_basis', e.reason, '') as legal_basis,
                exists (select 1 from letters w where w.assignment_id = a.id and w.issuer_id = $2 and w.state = 0)
                    as waiting
         from assignments a
         join cases c on c.id = a.case_id
         left join lateral (
             select body from letters l
             where l.assignment_id = a.id
               and (l.body ->> 'kind' in ('assigned', 'extended', 'downgraded')) = (a.state in (1, 2))
             order by l.created_at desc, l.sequence desc limit 1) l on true
         left join lateral (
             select reason from assignment_events e where e.assignment_id = a.id order by e.seq desc limit 1) e on true
         where a.id = any($1)",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Text, _>(issuer_id)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
