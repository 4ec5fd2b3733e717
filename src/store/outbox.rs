//! What dispatchers take out of the outbox, and what becomes of it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;

/// The issuing systems that are to be called and have letters due, but for those whose circuit is open.
pub async fn due(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    #[derive(QueryableByName)]
    struct Issuer {
        #[diesel(sql_type = Text)]
        id: String,
    }
    let rows: Vec<Issuer> = sql_query(
        "select i.id from issuers i left join circuits c on c.issuer_id = i.id
         where i.disabled_at is null and i.delivery = 0 and (c.opened_at is null or c.probe_at <= $1)
           and exists (select 1 from letters l where l.issuer_id = i.id and l.state = 0 and l.due_at <= $1)
         order by i.id",
    )
    .bind::<Timestamptz, _>(now)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Takes letters that are due, in the order in which they were written, and keeps them until `lease_until`: a
/// dispatcher that dies gives them back by not doing anything. A visitor's later letter is not taken
/// while an earlier one waits.
pub async fn lease(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    lease_until: DateTime<Utc>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<LeasedLetter>, StoreError> {
    // The first that waits is asked for each candidate, in their order, so the cost is that of what is taken.
    let mut leased: Vec<LeasedLetter> = sql_query(
        "update letters set due_at = $3, attempts = attempts + 1
         where id in (
             select l.id from letters l
             where l.issuer_id = $1 and l.state = 0 and l.due_at <= $2
               and l.sequence = (select min(e.sequence) from letters e
                                 where e.issuer_id = $1 and e.visitor = l.visitor and e.state = 0)
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
    leased.sort_by_key(|letter| (letter.sequence, letter.id));
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

/// When a letter is to be tried again.
#[derive(Debug, Clone, Copy)]
pub struct Again {
    /// Which letter.
    pub id: Uuid,
    /// When.
    pub due_at: DateTime<Utc>,
}

/// Puts letters off that were taken until `held_until`; what another dispatcher has taken since is left to it.
pub async fn put_off(
    conn: &mut AsyncPgConnection,
    letters: &[Again],
    held_until: DateTime<Utc>,
    error: &str,
) -> Result<(), StoreError> {
    sql_query(
        "update letters l set due_at = n.due_at, last_error = $4
         from unnest($1, $2) as n (id, due_at) where l.id = n.id and l.state = 0 and l.due_at = $3",
    )
    .bind::<Array<SqlUuid>, _>(letters.iter().map(|letter| letter.id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(letters.iter().map(|letter| letter.due_at).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(held_until)
    .bind::<Text, _>(error)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives back letters that were taken until `held_until` and not sent, or sent as a probe: they are due at once, and
/// it was no attempt.
pub async fn give_back(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    held_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql_query(
        "update letters set due_at = $3, attempts = greatest(attempts - 1, 0)
         where id = any($1) and state = 0 and due_at = $2",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(held_until)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Buries letters that were taken until `held_until`: they are not tried again until an operator digs them up.
pub async fn bury(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    held_until: DateTime<Utc>,
    error: &str,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "update letters set state = 2, due_at = $3, last_error = $4 where id = any($1) and state = 0 and due_at = $2",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(held_until)
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(error)
    .execute(conn)
    .await?)
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

/// Makes one buried letter due again; tells to whom it goes, or `None` when there is no such buried letter.
pub async fn dig_up_one(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    #[derive(QueryableByName)]
    struct To {
        #[diesel(sql_type = Text)]
        issuer_id: String,
    }
    let to: Option<To> = sql_query(
        "update letters set state = 0, due_at = $2, attempts = 0 where id = $1 and state = 2 returning issuer_id",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .await
    .optional()?;
    Ok(to.map(|to| to.issuer_id))
}

/// A page of the buried letters to one issuing system, or to all, after the letter `after`. They name no visitor.
pub async fn buried(
    conn: &mut AsyncPgConnection,
    issuer_id: Option<&str>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<BuriedLetter>, StoreError> {
    Ok(sql_query(
        "select id, issuer_id, assignment_id, sequence, body ->> 'kind' as kind, attempts, last_error, created_at,
                due_at as buried_at
         from letters where state = 2 and ($1 is null or issuer_id = $1) and id > $2 order by id limit $3",
    )
    .bind::<Nullable<Text>, _>(issuer_id)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// A letter that is tried no more.
#[derive(Debug, Clone, QueryableByName)]
pub struct BuriedLetter {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// To whom.
    #[diesel(sql_type = Text)]
    pub issuer_id: String,
    /// About which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: Uuid,
    /// Its number among the letters about one visitor.
    #[diesel(sql_type = BigInt)]
    pub sequence: i64,
    /// What it says; unknown where it cannot be read.
    #[diesel(sql_type = Nullable<Text>)]
    pub kind: Option<String>,
    /// How often it was tried.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// What went wrong the last time.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
    /// When it was written.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// When it was given up.
    #[diesel(sql_type = Timestamptz)]
    pub buried_at: DateTime<Utc>,
}
