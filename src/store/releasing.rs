//! What a proposed run is judged by, the runs that may go out, and the record of each release.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::runs::{self, RunRow};
use super::schema::{release_lifts, release_records};
use super::{StoreError, decisions, reviews};
use crate::domain::assignment::AssignmentState;
use crate::domain::numbered::Numbered;
use crate::domain::release::{ChiefBecause, Proposal, Word};
use crate::domain::review::Grade;
use crate::domain::rule_pack::{Colour, RulePack};

/// How many runs with words are looked at for one that may go out; the others wait for the next step.
const LOOKED_AT_MAX: i64 = 200;

/// Proposed runs that may have the words they need, the oldest proposal first. The domain says which have.
pub async fn with_words(conn: &mut AsyncPgConnection) -> Result<Vec<Uuid>, StoreError> {
    let rows: Vec<Id> = sql_query(
        "select r.id from runs r
         where r.state = 4
           and (select count(*) from releases l where l.run_id = r.id and word_counts(r.id, l.officer_id)) >= 2
         order by r.proposed_at, r.id limit $1",
    )
    .bind::<BigInt, _>(LOOKED_AT_MAX)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// A proposed run that is not to be undone, of a case that stands, held until the transaction ends; `None` when it is not or somebody holds it.
pub async fn take(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<RunRow>, StoreError> {
    let row: Option<Id> = sql_query(
        "select r.id from runs r
         where r.id = $1 and r.state = 4 and not exists (select 1 from undoings u where u.run_id = r.id)
           and not exists (select 1 from cases c where c.id = r.case_id and c.withdrawn_at is not null)
         for update of r skip locked",
    )
    .bind::<SqlUuid, _>(id)
    .get_result(conn)
    .await
    .optional()?;
    if row.is_some() { runs::find(conn, id).await } else { Ok(None) }
}

/// Has the releases of a division follow each other, so that none overlooks what another lets go in the same hour.
pub async fn one_by_one(conn: &mut AsyncPgConnection, division: &str) -> Result<(), StoreError> {
    let lock = sql_query("select pg_advisory_xact_lock(hashtextextended('release ' || $1, 0))");
    lock.bind::<Text, _>(division).execute(conn).await?;
    Ok(())
}

/// All that a proposed run is judged by.
pub async fn proposal(
    conn: &mut AsyncPgConnection,
    run: &RunRow,
    division: &str,
    now: DateTime<Utc>,
) -> Result<Proposal, StoreError> {
    let counts = counts(conn, run.id, AssignmentState::Proposed).await?;
    let (changed, coloured) = by_hand(conn, run.id).await?;
    let body = runs::pack_body(conn, &run.pack_id, run.pack_version).await?;
    let pack =
        RulePack::parse(&body.unwrap_or_default()).map_err(|_refused| StoreError::Corrupt("rule_packs"))?;
    let asks_chief = |count: &Count| {
        let mut rules = pack.classes.iter().filter(|rule| rule.release.as_ref().is_some_and(|who| who.chief));
        rules.any(|rule| Grade::from(rule).name() == count.grade.name())
    };
    let by_pack = counts.iter().any(asks_chief).then_some(ChiefBecause::Pack);
    let is_escalated = !reviews::escalations(conn, run.id).await?.is_empty();
    let asked = by_pack.into_iter().chain(is_escalated.then_some(ChiefBecause::Escalation)).collect();
    Ok(Proposal {
        people: counts.iter().map(|count| count.people).sum(),
        red: counts.iter().filter(|count| count.grade.colour == Colour::Red).map(|count| count.people).sum(),
        words: words(conn, run.id).await?,
        barred: barred(conn, run).await?,
        changed,
        coloured,
        asked,
        unequal: reviews::unequal_in(conn, run.id).await?,
        altered: reviews::altered_in(conn, run.id).await?,
        last_hour: last_hour(conn, division, now).await?,
        is_lifted: lift(conn, run.id).await?.is_some(),
        is_stopped: decisions::switch(conn, decisions::EMERGENCY_STOP).await?,
    })
}

/// How many assignments of a run share class, rule and colour.
#[derive(Debug, Clone)]
pub struct Count {
    /// Class, rule and colour.
    pub grade: Grade,
    /// How many.
    pub people: i64,
}

/// How many assignments of a run are in a state, by class, rule and colour.
pub async fn counts(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    state: AssignmentState,
) -> Result<Vec<Count>, StoreError> {
    let rows: Vec<CountRow> = sql_query(
        "select class, rule, colour, count(*) as people from assignments where run_id = $1 and state = $2
         group by 1, 2, 3 order by 1, 2, 3",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<SmallInt, _>(state.number())
    .load(conn)
    .await?;
    let read = |row: CountRow| {
        Ok(Count { grade: reviews::grade(row.class, row.rule, row.colour)?, people: row.people })
    };
    rows.into_iter().map(read).collect()
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = SmallInt)]
    class: i16,
    #[diesel(sql_type = Nullable<Text>)]
    rule: Option<String>,
    #[diesel(sql_type = SmallInt)]
    colour: i16,
    #[diesel(sql_type = BigInt)]
    people: i64,
}

/// How many contacts single reviews have changed, and how many have a colour, computed or reviewed.
async fn by_hand(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<(i64, i64), StoreError> {
    let row: ByHand = sql_query(
        "select count(*) filter (where c.excluded_at is not null
                                    or v.kind <> 5 and (c.class, c.rule, c.colour)
                                       is distinct from (c.computed_class, c.computed_rule, c.computed_colour)) as changed,
                count(*) as coloured
         from contacts c
         left join lateral (select kind from reviews v where v.run_id = c.run_id and v.visitor = c.visitor
                            order by seq desc limit 1) v on true
         where c.run_id = $1 and greatest(c.colour, c.computed_colour) > 0",
    )
    .bind::<SqlUuid, _>(run_id)
    .get_result(conn)
    .await?;
    Ok((row.changed, row.coloured))
}

#[derive(QueryableByName)]
struct ByHand {
    #[diesel(sql_type = BigInt)]
    changed: i64,
    #[diesel(sql_type = BigInt)]
    coloured: i64,
}

/// The words for a run, and whether those who gave them are officers still.
async fn words(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Vec<Word>, StoreError> {
    let rows: Vec<WordRow> = sql_query(
        "select l.officer_id, l.chief, s.roles && '{4,5}'::smallint[] as is_officer
         from releases l join staff s on s.id = l.officer_id where l.run_id = $1 order by l.at",
    )
    .bind::<SqlUuid, _>(run_id)
    .load(conn)
    .await?;
    let read =
        |row: WordRow| Word { officer: row.officer_id, is_officer: row.is_officer, is_chief: row.chief };
    Ok(rows.into_iter().map(read).collect())
}

#[derive(QueryableByName)]
struct WordRow {
    #[diesel(sql_type = SqlUuid)]
    officer_id: Uuid,
    #[diesel(sql_type = Bool)]
    chief: bool,
    #[diesel(sql_type = Bool)]
    is_officer: bool,
}

/// Who has had a hand in a run, so that their word does not count: proposed it, reviewed contacts or escalated a place.
pub async fn barred(conn: &mut AsyncPgConnection, run: &RunRow) -> Result<Vec<Uuid>, StoreError> {
    let rows: Vec<Id> = sql_query(
        "select author as id from reviews where run_id = $1 union select author from escalations where run_id = $1",
    )
    .bind::<SqlUuid, _>(run.id)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).chain(run.proposed_by).collect())
}

/// How many people a division has let go within the last hour.
async fn last_hour(
    conn: &mut AsyncPgConnection,
    division: &str,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let own = release_records::table
        .filter(release_records::division.eq(division))
        .filter(release_records::at.gt(now - TimeDelta::hours(1)));
    let sum: Option<i64> = own.select(diesel::dsl::sum(release_records::people)).first(conn).await?;
    Ok(sum.unwrap_or(0))
}

/// A chief's leave for a run to go beyond the hour's bound.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = release_lifts)]
pub struct LiftRow {
    /// Which run.
    pub run_id: Uuid,
    /// Who.
    pub author: Uuid,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Adds a chief's leave; false when there is one.
pub async fn insert_lift(conn: &mut AsyncPgConnection, row: &LiftRow) -> Result<bool, StoreError> {
    let insert = diesel::insert_into(release_lifts::table).values(row).on_conflict_do_nothing();
    Ok(insert.execute(conn).await? == 1)
}

/// The chief's leave for a run.
pub async fn lift(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Option<LiftRow>, StoreError> {
    Ok(release_lifts::table.find(run_id).select(LiftRow::as_select()).first(conn).await.optional()?)
}

/// What a release was.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = release_records)]
pub struct RecordRow {
    /// Of which run.
    pub run_id: Uuid,
    /// Of which division.
    pub division: String,
    /// Who answers for it.
    pub authority: String,
    /// On what legal basis, each once.
    pub legal_basis: String,
    /// How many people it let go.
    pub people: i32,
    /// How many by class and colour.
    pub counts: serde_json::Value,
    /// Why it took a chief, and who lifted the hour's bound.
    pub held: serde_json::Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// Keeps what a release was.
pub async fn insert_record(conn: &mut AsyncPgConnection, row: &RecordRow) -> Result<(), StoreError> {
    diesel::insert_into(release_records::table).values(row).execute(conn).await?;
    Ok(())
}

/// What the release of a run was; `None` before it is released.
pub async fn record(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Option<RecordRow>, StoreError> {
    Ok(release_records::table.find(run_id).select(RecordRow::as_select()).first(conn).await.optional()?)
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}
