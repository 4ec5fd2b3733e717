//! The tables of hand-overs and of what other systems call the people here.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::OptionalExtension;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Bool, Bytea, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::aliases::Aliases;
use super::deciding::{Holding, Outcome, judge, taken_back};
use super::settings::Own;
use crate::domain::hand_over::{HandOver, Receipt};
use crate::domain::letter::Letter;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Colour;
use crate::domain::visitor::Visitor;
use crate::issuer::reference::store::{Store, StoreError};

/// How long the record of a hand-over is kept, and the alias of somebody who is not seen.
const KEPT: TimeDelta = TimeDelta::days(180);

/// How long a measure is kept after its last day.
const KEPT_AFTER: TimeDelta = TimeDelta::days(30);

impl Store {
    /// Decides about a hand-over, once; or takes back exactly what was decided.
    pub(super) async fn receive(
        &self,
        own: &Own,
        document: &HandOver,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Receipt, StoreError> {
        let mut connection = self.connection().await?;
        Ok(connection.transaction(async |c| received(c, own, document, body, now).await).await?)
    }

    /// Keeps that a hand-over was passed on, and nothing of the person.
    pub(super) async fn note_passed_on(
        &self,
        document: &HandOver,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        note(&mut connection, document, body, true, now).await?;
        if document.withdrawn {
            end(&mut connection, document.id, now).await?;
        }
        Ok(())
    }

    /// Keeps what others call people who were seen.
    pub(super) async fn keep_aliases(
        &self,
        people: &[(Visitor, Aliases)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let all = people.iter().flat_map(|(visitor, aliases)| {
            let one = |(key, alias): (&String, &String)| {
                Some((key.clone(), Visitor::from_hex(alias)?.to_uuid(), visitor.to_uuid()))
            };
            aliases.iter().filter_map(one).collect::<Vec<_>>()
        });
        let mut rows: Vec<(String, Uuid, Uuid)> = all.collect();
        rows.sort();
        rows.dedup_by(|next, last| (&next.0, next.1) == (&last.0, last.1));
        let mut connection = self.connection().await?;
        sql_query(
            "insert into border_aliases (alias_key, alias, visitor, seen_at)
             select a.alias_key, a.alias, a.visitor, $4 from unnest($1, $2, $3) as a (alias_key, alias, visitor)
             on conflict (alias_key, alias) do update set visitor = excluded.visitor, seen_at = excluded.seen_at",
        )
        .bind::<Array<Text>, _>(rows.iter().map(|row| &row.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.1).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .bind::<Timestamptz, _>(now)
        .execute(&mut connection)
        .await?;
        Ok(())
    }

    /// What others call somebody who was seen before.
    pub(super) async fn aliases(&self, visitor: Visitor) -> Result<Aliases, StoreError> {
        let mut connection = self.connection().await?;
        let rows: Vec<AliasRow> =
            sql_query("select alias_key, alias from border_aliases where visitor = $1 order by seen_at")
                .bind::<SqlUuid, _>(visitor.to_uuid())
                .load(&mut connection)
                .await?;
        Ok(rows.into_iter().map(|row| (row.alias_key, Visitor::from_uuid(row.alias).to_hex())).collect())
    }

    /// Until when somebody is under a measure that this system decided upon a hand-over, by a name that others know.
    pub(super) async fn measure_of(
        &self,
        alias_key: &str,
        alias: Visitor,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut connection = self.connection().await?;
        let held = holding(&mut connection, alias_key, alias, now).await?;
        Ok(held.map(|held| held.until))
    }
}

async fn received(
    c: &mut AsyncPgConnection,
    own: &Own,
    document: &HandOver,
    body: &[u8],
    now: DateTime<Utc>,
) -> QueryResult<Receipt> {
    // Two hand-overs of one person wait for each other, or both would find that there is no measure yet.
    sql_query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind::<Text, _>(format!("{} {}", document.alias_key, document.alias))
        .execute(c)
        .await?;
    note(c, document, body, false, now).await?;
    let known: Known =
        sql_query("select withdrawn_at, receipt from border_hand_overs where id = $1 for update")
            .bind::<SqlUuid, _>(document.id)
            .get_result(c)
            .await?;
    if document.withdrawn || known.withdrawn_at.is_some() {
        end(c, document.id, now).await?;
        return Ok(taken_back(own, document.id));
    }
    if let Some(receipt) = known.receipt.and_then(|receipt| serde_json::from_value(receipt).ok()) {
        return Ok(receipt);
    }
    let alias = document.person().unwrap_or_else(|| Visitor::from_uuid(Uuid::nil()));
    let held = holding(c, &document.alias_key, alias, now).await?;
    let Outcome { receipt, measure } = judge(own, document, held.as_ref(), now);
    if let Some(letter) = measure {
        keep_measure(c, document, alias, &letter).await?;
    }
    sql_query("update border_hand_overs set receipt = $2 where id = $1")
        .bind::<SqlUuid, _>(document.id)
        .bind::<Jsonb, _>(serde_json::to_value(&receipt).unwrap_or_default())
        .execute(c)
        .await?;
    Ok(receipt)
}

async fn note(
    c: &mut AsyncPgConnection,
    document: &HandOver,
    body: &[u8],
    relayed: bool,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql_query(
        "insert into border_hand_overs (id, agreement, from_division, to_division, authority, digest, received_at, relayed)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing",
    )
    .bind::<SqlUuid, _>(document.id)
    .bind::<Text, _>(&document.agreement)
    .bind::<Text, _>(&document.sender.division)
    .bind::<Text, _>(&document.to)
    .bind::<Text, _>(&document.sender.authority)
    .bind::<Bytea, _>(Sha256::digest(body).to_vec())
    .bind::<Timestamptz, _>(now)
    .bind::<Bool, _>(relayed)
    .execute(c)
    .await?;
    Ok(())
}

/// Ends what hangs on one hand-over, and nothing else. Where the visitor was is nobody's business any more.
async fn end(c: &mut AsyncPgConnection, hand_over: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    for sql in [
        "update border_hand_overs set withdrawn_at = $2 where id = $1 and withdrawn_at is null",
        "update border_measures set ended_at = $2, letter = jsonb_set(letter, '{exposures}', '[]')
         where hand_over = $1 and ended_at is null",
    ] {
        sql_query(sql).bind::<SqlUuid, _>(hand_over).bind::<Timestamptz, _>(now).execute(c).await?;
    }
    Ok(())
}

async fn keep_measure(
    c: &mut AsyncPgConnection,
    document: &HandOver,
    alias: Visitor,
    letter: &Letter,
) -> QueryResult<()> {
    sql_query(
        "insert into border_measures (hand_over, alias_key, alias, colour, expires_at, letter)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind::<SqlUuid, _>(document.id)
    .bind::<Text, _>(&document.alias_key)
    .bind::<SqlUuid, _>(alias.to_uuid())
    .bind::<SmallInt, _>(letter.colour.number())
    .bind::<Timestamptz, _>(letter.expires_at)
    .bind::<Jsonb, _>(serde_json::to_value(letter).unwrap_or_default())
    .execute(c)
    .await?;
    Ok(())
}

/// The strongest measure under which somebody is here, whether by a letter of the own service or by a hand-over.
async fn holding(
    c: &mut AsyncPgConnection,
    alias_key: &str,
    alias: Visitor,
    now: DateTime<Utc>,
) -> QueryResult<Option<Holding>> {
    let row: Option<HoldingRow> = sql_query(
        "select colour, expires_at from (
             select m.colour, m.expires_at from border_measures m
             where m.alias_key = $1 and m.alias = $2 and m.ended_at is null
             union all
             select m.colour, m.expires_at from border_aliases w
             join border_aliases o on o.visitor = w.visitor
             join border_measures m on m.alias_key = o.alias_key and m.alias = o.alias and m.ended_at is null
             where w.alias_key = $1 and w.alias = $2
             union all
             select a.colour, a.expires_at from border_aliases w
             join assignments a on a.visitor = w.visitor and a.ending = 0
             where w.alias_key = $1 and w.alias = $2
         ) as held where expires_at > $3 and colour > 0
         order by colour desc, expires_at desc limit 1",
    )
    .bind::<Text, _>(alias_key)
    .bind::<SqlUuid, _>(alias.to_uuid())
    .bind::<Timestamptz, _>(now)
    .get_result(c)
    .await
    .optional()?;
    let colour = |number| Colour::from_number(number).unwrap_or(Colour::Green);
    Ok(row.map(|row| Holding { colour: colour(row.colour), until: row.expires_at }))
}

/// The measures that this system decided upon hand-overs about a visitor, in the form of letters.
pub(in crate::issuer::reference) async fn measures_of(
    c: &mut AsyncPgConnection,
    visitor: Visitor,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Letter>> {
    let mut open = Vec::new();
    let rows: Vec<LetterRow> = sql_query(
        "select m.letter from border_aliases w
         join border_measures m on m.alias_key = w.alias_key and m.alias = w.alias
         where w.visitor = $1 and m.ended_at is null and m.expires_at > $2",
    )
    .bind::<SqlUuid, _>(visitor.to_uuid())
    .bind::<Timestamptz, _>(now)
    .load(c)
    .await?;
    for row in rows {
        let letter: Letter = serde_json::from_value(row.letter)
            .map_err(|error| diesel::result::Error::DeserializationError(error.into()))?;
        open.push(Letter { visitor: visitor.to_hex(), ..letter });
    }
    Ok(open)
}

/// Deletes what ended long ago.
pub(in crate::issuer::reference) async fn forget(
    c: &mut AsyncPgConnection,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let gone = [
        ("delete from border_measures where expires_at < $1", now - KEPT_AFTER),
        (
            "delete from border_hand_overs h where h.received_at < $1
             and not exists (select from border_measures m where m.hand_over = h.id)",
            now - KEPT,
        ),
        ("delete from border_aliases where seen_at < $1", now - KEPT),
    ];
    for (sql, before) in gone {
        sql_query(sql).bind::<Timestamptz, _>(before).execute(c).await?;
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    withdrawn_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    receipt: Option<serde_json::Value>,
}

#[derive(QueryableByName)]
struct AliasRow {
    #[diesel(sql_type = Text)]
    alias_key: String,
    #[diesel(sql_type = SqlUuid)]
    alias: Uuid,
}

#[derive(QueryableByName)]
struct HoldingRow {
    #[diesel(sql_type = SmallInt)]
    colour: i16,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct LetterRow {
    #[diesel(sql_type = Jsonb)]
    letter: serde_json::Value,
}
