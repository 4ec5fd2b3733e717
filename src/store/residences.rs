//! Where visitors live, as their channel told it: a division, never an address.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{StoreError, access};
use crate::domain::assertion::{Alias, Residence};
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;

/// What a channel told of a visitor.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of whom.
    pub visitor: Visitor,
    /// Where that person lives, when it told that.
    pub residence: Option<Residence>,
    /// What other systems call that person.
    pub aliases: Vec<Alias>,
    /// Which channel.
    pub channel: String,
    /// When we heard it.
    pub heard_at: DateTime<Utc>,
}

/// Keeps what channels told; the later word holds. The same word is written anew once a day, so that it does not
/// end with retention while the channel goes on telling it.
pub async fn keep(conn: &mut AsyncPgConnection, told: &[Told]) -> Result<usize, StoreError> {
    // One statement cannot change a row twice, and two at once take their rows in one order.
    let mut latest: BTreeMap<Uuid, (Residence, &str)> = BTreeMap::new();
    for one in told {
        let Some(residence) = one.residence else { continue };
        let known = latest.entry(one.visitor.to_uuid()).or_insert((residence, &one.channel));
        if known.0.told_at < residence.told_at {
            *known = (residence, &one.channel);
        }
    }
    Ok(sql_query(
        "insert into residences as r (visitor, division, channel, told_at)
         select * from unnest($1, $2, $3, $4)
         on conflict (visitor) do update
         set division = excluded.division, channel = excluded.channel, told_at = excluded.told_at
         where r.told_at + interval '24 hours' <= excluded.told_at
            or (r.told_at < excluded.told_at and r.division <> excluded.division)",
    )
    .bind::<Array<SqlUuid>, _>(latest.keys().copied().collect::<Vec<_>>())
    .bind::<Array<Text>, _>(latest.values().map(|told| told.0.division.to_string()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(latest.values().map(|told| told.1).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(latest.values().map(|told| told.0.told_at).collect::<Vec<_>>())
    .execute(conn)
    .await?)
}

/// Where these visitors live, of whom a channel has told it. To be asked after a look was written down, as for
/// anything else about persons.
pub async fn of(
    conn: &mut AsyncPgConnection,
    visitors: &[Visitor],
) -> Result<HashMap<Visitor, Division>, StoreError> {
    let rows: Vec<Row> = sql_query("select visitor, division from residences where visitor = any($1)")
        .bind::<Array<SqlUuid>, _>(visitors.iter().map(|visitor| visitor.to_uuid()).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let read = |row: Row| Ok((Visitor::from_uuid(row.visitor), access::division(&row.division)?));
    rows.into_iter().map(read).collect()
}

/// Removes what was told before `before` and not since, so many at most; returns how many.
pub async fn expire(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "delete from residences where ctid = any(array(select ctid from residences where told_at < $1 limit $2))",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await?)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Text)]
    division: String,
}
