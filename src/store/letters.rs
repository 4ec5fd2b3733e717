//! Issuing systems, and the outbox of letters to them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{
    Array, BigInt, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::schema::issuers;

/// An issuing system.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = issuers)]
pub struct IssuerRow {
    /// Id, the name of its secret.
    pub id: String,
    /// Name to show.
    pub name: String,
    /// Where letters go.
    pub url: String,
    /// Whose people it colours.
    pub division: String,
    /// Since when it is out of use.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was entered.
    pub created_at: DateTime<Utc>,
    /// What the system signs its own requests with, as `whpk_…`; without it, the secret that it shares with us.
    pub public_key: Option<String>,
}

/// Adds an issuing system, or gives it a new name, address or division.
pub async fn upsert_issuer(conn: &mut AsyncPgConnection, row: &IssuerRow) -> Result<(), StoreError> {
    diesel::insert_into(issuers::table)
        .values(row)
        .on_conflict(issuers::id)
        .do_update()
        .set((
            issuers::name.eq(&row.name),
            issuers::url.eq(&row.url),
            issuers::division.eq(&row.division),
            issuers::public_key.eq(&row.public_key),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// An issuing system that is in use.
pub async fn issuer(conn: &mut AsyncPgConnection, id: &str) -> Result<Option<IssuerRow>, StoreError> {
    let open = issuers::table.find(id).filter(issuers::disabled_at.is_null());
    Ok(open.select(IssuerRow::as_select()).first(conn).await.optional()?)
}

/// The issuing systems that are in use.
pub async fn issuers(conn: &mut AsyncPgConnection) -> Result<Vec<IssuerRow>, StoreError> {
    let open = issuers::table.filter(issuers::disabled_at.is_null()).order(issuers::id);
    Ok(open.select(IssuerRow::as_select()).load(conn).await?)
}

/// A letter to be sent; its sequence is drawn when it is put into the outbox.
#[derive(Debug, Clone)]
pub struct NewLetter {
    /// Id, the idempotency key.
    pub id: Uuid,
    /// About which assignment.
    pub assignment_id: Uuid,
    /// About whom.
    pub visitor: Uuid,
    /// The letter without its sequence.
    pub body: serde_json::Value,
}

/// Puts letters to one issuing system into the outbox, in the transaction of what they tell. Each gets
/// the next number of its visitor and the next position of the system; the lock keeps two transactions from
/// drawing the same one, and makes positions follow each other as transactions end.
pub async fn enqueue(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    letters: &[NewLetter],
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    sql_query("select id from issuers where id = $1 for update")
        .bind::<Text, _>(issuer_id)
        .execute(conn)
        .await?;
    Ok(sql_query(
        "insert into letters (id, issuer_id, assignment_id, visitor, sequence, body, state, due_at, created_at,
                              position)
         select n.id, $1, n.assignment_id, n.visitor,
                coalesce((select max(l.sequence) from letters l where l.issuer_id = $1 and l.visitor = n.visitor), 0)
                    + row_number() over (partition by n.visitor order by n.nth),
                n.body, 0, $6, $6,
                greatest((select max(l.position) from letters l where l.issuer_id = $1),
                         (select f.handed_out from feeds f where f.issuer_id = $1), 0) + n.nth
         from unnest($2, $3, $4, $5) with ordinality as n (id, assignment_id, visitor, body, nth)",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Array<SqlUuid>, _>(letters.iter().map(|l| l.id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(letters.iter().map(|l| l.assignment_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(letters.iter().map(|l| l.visitor).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(letters.iter().map(|l| l.body.clone()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?)
}

/// Takes letters that are due, in the order in which they were written, and keeps them for `lease`: a
/// dispatcher that dies gives them back by not doing anything. A visitor's later letter is not taken
/// while an earlier one waits.
pub async fn lease(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    lease_until: DateTime<Utc>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<LeasedLetter>, StoreError> {
    let mut leased: Vec<LeasedLetter> = sql_query(
        "update letters set due_at = $3, attempts = attempts + 1
         where id in (
             select l.id from letters l
             where l.issuer_id = $1 and l.state = 0 and l.due_at <= $2
               and not exists (select 1 from letters e where e.issuer_id = l.issuer_id and e.visitor = l.visitor
                               and e.sequence < l.sequence and e.state = 0)
             order by l.due_at, l.sequence limit $4 for update skip locked
         )
         returning id, assignment_id, sequence, attempts, body",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Timestamptz, _>(now)
    .bind::<Timestamptz, _>(lease_until)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    leased.sort_by_key(|letter| letter.sequence);
    Ok(leased)
}

/// A letter that a dispatcher holds.
#[derive(Debug, Clone, QueryableByName)]
pub struct LeasedLetter {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// About which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: Uuid,
    /// Its number among the visitor's letters.
    #[diesel(sql_type = BigInt)]
    pub sequence: i64,
    /// How often it was tried, this time included.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// The letter without its sequence.
    #[diesel(sql_type = Jsonb)]
    pub body: serde_json::Value,
}

/// Marks letters as delivered.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "update letters set state = 1, delivered_at = $2, last_error = null where id = any($1) and state = 0",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives letters back, to be tried at `due_at`.
pub async fn postpone(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    due_at: DateTime<Utc>,
    error: &str,
) -> Result<(), StoreError> {
    sql_query("update letters set due_at = $2, last_error = $3 where id = any($1) and state = 0")
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Timestamptz, _>(due_at)
        .bind::<Text, _>(error)
        .execute(conn)
        .await?;
    Ok(())
}

/// Buries letters: they are not tried again until an operator digs them up.
pub async fn bury(conn: &mut AsyncPgConnection, ids: &[Uuid], error: &str) -> Result<(), StoreError> {
    sql_query("update letters set state = 2, last_error = $2 where id = any($1) and state = 0")
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Text, _>(error)
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes all buried letters to one issuing system due again; returns how many.
pub async fn dig_up(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "update letters set state = 0, due_at = $2, attempts = 0 where issuer_id = $1 and state = 2",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?)
}

/// How the outbox of each issuing system stands.
pub async fn counts(conn: &mut AsyncPgConnection) -> Result<Vec<OutboxCount>, StoreError> {
    Ok(sql_query(
        "select issuer_id, state, count(*) as count, max(last_error) as last_error
         from letters group by issuer_id, state order by issuer_id, state",
    )
    .load(conn)
    .await?)
}

/// How many letters to one issuing system are in one state.
#[derive(Debug, Clone, QueryableByName)]
pub struct OutboxCount {
    /// To whom.
    #[diesel(sql_type = Text)]
    pub issuer_id: String,
    /// 0 waiting, 1 delivered, 2 buried.
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
    /// What went wrong with one of them.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
}

/// The places and times of the evidence that assignments rest on, for their letters.
pub async fn places(
    conn: &mut AsyncPgConnection,
    assignment_ids: &[Uuid],
) -> Result<Vec<PlaceRow>, StoreError> {
    Ok(sql_query(
        "select a.id as assignment_id, v.name as venue_name, p.name as point_name, e.from_at, e.until_at
         from assignments a
         join exposures e on e.run_id = a.run_id and e.visitor = a.visitor and e.counted
         join points p on p.id = e.stay_point_id join venues v on v.id = p.venue_id
         where a.id = any($1) order by a.id, e.from_at",
    )
    .bind::<Array<SqlUuid>, _>(assignment_ids)
    .load(conn)
    .await?)
}

/// Where and when one exposure of an assignment was.
#[derive(Debug, Clone, QueryableByName)]
pub struct PlaceRow {
    /// Which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: Uuid,
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
