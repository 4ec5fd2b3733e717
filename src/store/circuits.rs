//! Issuing systems as operators see them: whether they are in use and answer, and how their outboxes stand.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;
use super::letters::IssuerRow;
use super::schema::{circuits, issuers};
use crate::domain::circuit::Circuit;
use crate::domain::pace::Sent;

/// How an issuing system has answered of late, and how much was sent to it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = circuits)]
pub struct CircuitRow {
    /// Which issuing system.
    pub issuer_id: String,
    /// Envelopes that failed in a row.
    pub failures: i32,
    /// Since when nothing is sent but probes.
    pub opened_at: Option<DateTime<Utc>>,
    /// When one envelope may try.
    pub probe_at: Option<DateTime<Utc>>,
    /// What went wrong the last time.
    pub last_error: Option<String>,
    /// Letters sent in the last minute, by second.
    pub sent_at: Vec<DateTime<Utc>>,
    /// How many in each of those seconds.
    pub sent_count: Vec<i32>,
}

impl CircuitRow {
    /// The circuit.
    pub fn circuit(&self) -> Circuit {
        Circuit { failures: self.failures, opened_at: self.opened_at, probe_at: self.probe_at }
    }

    /// What was sent in the last minute.
    pub fn recent(&self) -> Vec<Sent> {
        self.sent_at.iter().zip(&self.sent_count).map(|(at, count)| Sent { at: *at, count: *count }).collect()
    }
}

/// How an issuing system stands, held until the transaction ends, so that one dispatcher after the other decides.
pub async fn hold(conn: &mut AsyncPgConnection, issuer_id: &str) -> Result<CircuitRow, StoreError> {
    let own = circuits::table.find(issuer_id).select(CircuitRow::as_select());
    if let Some(row) = own.for_update().first(conn).await.optional()? {
        return Ok(row);
    }
    sql_query("insert into circuits (issuer_id) values ($1) on conflict do nothing")
        .bind::<Text, _>(issuer_id)
        .execute(conn)
        .await?;
    Ok(own.for_update().first(conn).await?)
}

/// Keeps what became of a circuit; an error that is not given leaves the last one.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    circuit: &Circuit,
    error: Option<&str>,
) -> Result<(), StoreError> {
    sql_query(
        "update circuits set failures = $2, opened_at = $3, probe_at = $4, last_error = coalesce($5, last_error)
         where issuer_id = $1",
    )
    .bind::<Text, _>(issuer_id)
    .bind::<Integer, _>(circuit.failures)
    .bind::<Nullable<Timestamptz>, _>(circuit.opened_at)
    .bind::<Nullable<Timestamptz>, _>(circuit.probe_at)
    .bind::<Nullable<Text>, _>(error)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps what was sent in the last minute.
pub async fn keep_sent(
    conn: &mut AsyncPgConnection,
    issuer_id: &str,
    recent: &[Sent],
) -> Result<(), StoreError> {
    sql_query("update circuits set sent_at = $2, sent_count = $3 where issuer_id = $1")
        .bind::<Text, _>(issuer_id)
        .bind::<Array<Timestamptz>, _>(recent.iter().map(|sent| sent.at).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(recent.iter().map(|sent| sent.count).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

/// The circuits that have had something to do.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<CircuitRow>, StoreError> {
    Ok(circuits::table.order(circuits::issuer_id).select(CircuitRow::as_select()).load(conn).await?)
}

/// A page of the issuing systems, disabled ones among them, after the id `after`.
pub async fn issuers_page(
    conn: &mut AsyncPgConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<IssuerRow>, StoreError> {
    let rest = issuers::table.filter(issuers::id.gt(after)).order(issuers::id).limit(limit);
    Ok(rest.select(IssuerRow::as_select()).load(conn).await?)
}

/// Takes an issuing system out of use, or into use again; false when there is none of that id.
pub async fn set_disabled(
    conn: &mut AsyncPgConnection,
    id: &str,
    disabled_at: Option<DateTime<Utc>>,
) -> Result<bool, StoreError> {
    let own = diesel::update(issuers::table.find(id));
    Ok(own.set(issuers::disabled_at.eq(disabled_at)).execute(conn).await? == 1)
}

/// How much waits for some issuing systems, and since when.
pub async fn standing(conn: &mut AsyncPgConnection, ids: &[&str]) -> Result<Vec<Standing>, StoreError> {
    Ok(sql_query(
        "select i.id as issuer_id,
                (select count(*) from letters l where l.issuer_id = i.id and l.state = 0) as waiting,
                (select min(l.created_at) from letters l where l.issuer_id = i.id and l.state = 0) as waiting_since,
                (select count(*) from letters l where l.issuer_id = i.id and l.state = 1) as delivered,
                (select count(*) from letters l where l.issuer_id = i.id and l.state = 2) as buried
         from unnest($1) as i (id)",
    )
    .bind::<Array<Text>, _>(ids)
    .load(conn)
    .await?)
}

/// How the outbox of one issuing system stands.
#[derive(Debug, Clone, QueryableByName)]
pub struct Standing {
    /// Which issuing system.
    #[diesel(sql_type = Text)]
    pub issuer_id: String,
    /// Letters that wait.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// When the oldest of them was written.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub waiting_since: Option<DateTime<Utc>>,
    /// Letters that arrived.
    #[diesel(sql_type = BigInt)]
    pub delivered: i64,
    /// Letters that are tried no more.
    #[diesel(sql_type = BigInt)]
    pub buried: i64,
}
