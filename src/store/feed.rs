//! Letters by position, for issuing systems that come and take them, and how far each has come.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;

/// The issuing systems that take their letters themselves; nobody sends them any.
pub async fn pulling(conn: &mut AsyncPgConnection) -> Result<BTreeSet<String>, StoreError> {
    let rows: Vec<IssuerId> =
        sql_query("select id from issuers where delivery = 1 and disabled_at is null").load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct IssuerId {
    #[diesel(sql_type = Text)]
    id: String,
}

/// How far an issuing system has come with its letters.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Cursor {
    /// The greatest position that it was ever given.
    #[diesel(sql_type = BigInt)]
    pub handed_out: i64,
    /// Up to here it has said that it has them.
    #[diesel(sql_type = BigInt)]
    pub taken: i64,
}

/// How far it has come, held until the transaction ends, so that two requests of one system follow each other.
pub async fn hold(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    now: DateTime<Utc>,
) -> Result<Cursor, StoreError> {
    Ok(sql_query(
        "insert into feeds (issuer_id, asked_at) values ($1, $2)
         on conflict (issuer_id) do update set asked_at = $2 returning handed_out, taken",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .await?)
}

/// Notes how far it has come: neither number ever becomes smaller.
pub async fn note(conn: &mut AsyncPgConnection, issuer_id: &str, cursor: Cursor) -> Result<(), StoreError> {
    sql_query(
        "update feeds set handed_out = greatest(handed_out, $2), taken = greatest(taken, $3) where issuer_id = $1",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<BigInt, _>(cursor.handed_out)
    .bind::<BigInt, _>(cursor.taken)
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the letters of `from < position <= until` as delivered, whatever they waited for. Returns them.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    from: i64,
    until: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Taken>, StoreError> {
    Ok(sql_query(
        "update letters set state = 1, delivered_at = $4, last_error = null
         where issuer_id = $1 and position > $2 and position <= $3 and state <> 1
         returning assignment_id, coalesce(body ->> 'kind' = 'assigned', false) as assigns",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<BigInt, _>(from)
    .bind::<BigInt, _>(until)
    .bind::<Timestamptz, _>(now)
    .load(conn)
    .await?)
}

/// A letter that has arrived.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Taken {
    /// About which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: Uuid,
    /// Whether it says that the assignment begins.
    #[diesel(sql_type = Bool)]
    pub assigns: bool,
}

/// The letters after a position, in their order.
pub async fn page(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<PlacedLetter>, StoreError> {
    Ok(sql_query(
        "select position, sequence, body from letters where issuer_id = $1 and position > $2
         order by position limit $3",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// A letter and its place.
#[derive(Debug, Clone, QueryableByName)]
pub struct PlacedLetter {
    /// Its place among the letters to its issuing system.
    #[diesel(sql_type = BigInt)]
    pub position: i64,
    /// Its number among the visitor's letters.
    #[diesel(sql_type = BigInt)]
    pub sequence: i64,
    /// The letter without its sequence.
    #[diesel(sql_type = Jsonb)]
    pub body: serde_json::Value,
}

/// Where the filling of a new issuing system stands.
#[derive(Debug, Clone, QueryableByName)]
pub struct ReplayRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Which system is filled.
    #[diesel(sql_type = Text)]
    pub issuer_id: String,
    /// Who asked for it.
    #[diesel(sql_type = Text)]
    pub asked_by: String,
    /// When the last assignment that was looked at was proposed.
    #[diesel(sql_type = diesel::sql_types::Nullable<Timestamptz>)]
    pub proposed_at: Option<DateTime<Utc>>,
    /// That assignment.
    #[diesel(sql_type = diesel::sql_types::Nullable<SqlUuid>)]
    pub after_id: Option<Uuid>,
    /// How many letters were written so far.
    #[diesel(sql_type = BigInt)]
    pub letters: i64,
}

/// Asks for an issuing system to be filled; false when that is under way.
pub async fn ask_replay(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    issuer_id: &str,
    asked_by: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let asked = sql_query(
        "insert into replays (id, issuer_id, asked_by, asked_at) values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(issuer_id)
    .bind::<Text, _>(asked_by)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(asked == 1)
}

/// A filling that is under way, held until the transaction ends.
pub async fn next_replay(conn: &mut AsyncPgConnection) -> Result<Option<ReplayRow>, StoreError> {
    Ok(sql_query(
        "select id, issuer_id, asked_by, proposed_at, after_id, letters from replays
         where done_at is null order by asked_at limit 1 for update skip locked",
    )
    .get_result(conn)
    .await
    .optional()?)
}

/// Notes how far a filling has come, and that it is done where `done_at` says when.
pub async fn note_replay(
    conn: &mut AsyncPgConnection,
    row: &ReplayRow,
    done_at: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    sql_query("update replays set proposed_at = $2, after_id = $3, letters = $4, done_at = $5 where id = $1")
        .bind::<SqlUuid, _>(row.id)
        .bind::<diesel::sql_types::Nullable<Timestamptz>, _>(row.proposed_at)
        .bind::<diesel::sql_types::Nullable<SqlUuid>, _>(row.after_id)
        .bind::<BigInt, _>(row.letters)
        .bind::<diesel::sql_types::Nullable<Timestamptz>, _>(done_at)
        .execute(conn)
        .await?;
    Ok(())
}

/// The next assignments whose days are not over and of which somebody was told, in the order in which they were
/// proposed. Held, so that none is withdrawn before its letter stands in the outbox.
pub async fn to_replay(
    conn: &mut AsyncPgConnection,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Candidate>, StoreError> {
    let (proposed_at, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    Ok(sql_query(
        "select a.id, a.division, a.proposed_at from assignments a
         where (a.proposed_at, a.id) > ($1, $2) and a.state in (1, 2, 4, 5) and a.expires_at > $3
         order by a.proposed_at, a.id limit $4 for share of a",
    )
    .bind::<Timestamptz, _>(proposed_at)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// An assignment that a new issuing system may have to be told of.
#[derive(Debug, Clone, QueryableByName)]
pub struct Candidate {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Whose decision.
    #[diesel(sql_type = Text)]
    pub division: String,
    /// When it was proposed.
    #[diesel(sql_type = Timestamptz)]
    pub proposed_at: DateTime<Utc>,
}

/// Of these assignments, those that an issuing system has no letter about, and that are open or that anybody was told
/// of before they ended.
pub async fn untold(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, StoreError> {
    let rows: Vec<AssignmentId> = sql_query(
        "select a.id from assignments a
         where a.id = any($2)
           and not exists (select 1 from letters l where l.assignment_id = a.id and l.issuer_id = $1)
           and (a.state in (1, 2) or exists (select 1 from assignment_events e where e.assignment_id = a.id and e.kind = 1))
         order by a.proposed_at, a.id",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct AssignmentId {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}
