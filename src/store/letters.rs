//! Issuing systems, and the outbox of letters to them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
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
    /// Number of a [`crate::domain::scheme::Scheme`].
    pub scheme: i16,
    /// How many letters one envelope holds at the most.
    pub batch_max: i32,
    /// How many letters it takes in any minute; without it, as many as there are.
    pub pace_per_min: Option<i32>,
    /// Number of a [`crate::domain::letter::Delivery`].
    pub delivery: i16,
}

/// Adds an issuing system, or gives it new settings; whether it is in use stays as it is.
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
            issuers::scheme.eq(row.scheme),
            issuers::batch_max.eq(row.batch_max),
            issuers::pace_per_min.eq(row.pace_per_min),
            issuers::delivery.eq(row.delivery),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// An issuing system that is in use.
pub async fn issuer(conn: &mut AsyncPgConnection, id: &str) -> Result<Option<IssuerRow>, StoreError> {
    // Postgres takes no such character, and no name has one.
    if id.contains('\0') {
        return Ok(None);
    }
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

/// Marks letters as delivered, whoever has given them up meanwhile.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "update letters set state = 1, delivered_at = $2, last_error = null where id = any($1) and state <> 1",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
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

/// The places and times of the evidence that assignments rest on, for their letters: what the run of each found, and the
/// runs that extended it, but none that was undone.
pub async fn places(
    conn: &mut AsyncPgConnection,
    assignment_ids: &[Uuid],
) -> Result<Vec<PlaceRow>, StoreError> {
    Ok(sql_query(
        "select distinct a.id as assignment_id, v.name as venue_name, p.name as point_name, e.from_at, e.until_at
         from (select id, visitor, run_id from assignments where id = any($1)
               union select o.id, o.visitor, n.run_id from assignments o
               join assignment_events n on n.assignment_id = o.id and n.kind = 3
               where o.id = any($1)) a
         join runs r on r.id = a.run_id and r.state <> 6
         join exposures e on e.run_id = a.run_id and e.visitor = a.visitor and e.counted
         join points p on p.id = e.stay_point_id join venues v on v.id = p.venue_id
         order by a.id, e.from_at",
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
