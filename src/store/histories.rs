//! Assignments together with all their events, page by page.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Integer, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{StoreError, sound};
use crate::domain::assignment::{AssignmentState, EventKind};
use crate::domain::life::{Event, Standing};
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::visitor::Visitor;

/// An assignment as its row says, and what happened to it.
#[derive(Debug, Clone)]
pub struct Life {
    /// Id.
    pub id: Uuid,
    /// Whose.
    pub visitor: Visitor,
    /// How the visitor was exposed.
    pub class: Class,
    /// The colour that was decided.
    pub decided: Colour,
    /// Rule pack and version.
    pub rule_pack: String,
    /// Whose decision.
    pub division: String,
    /// What the row says.
    pub row: Standing,
    /// The events, the first first.
    pub events: Vec<Event>,
}

/// Which assignments are read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of these runs only; of all when empty.
    pub runs: Vec<Uuid>,
    /// Only those that were let go and whose days are not over then.
    pub lasting_at: Option<DateTime<Utc>>,
}

/// The next assignments after one, in the order of their ids.
pub async fn page(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Life>, StoreError> {
    let rows: Vec<LifeRow> = sql_query(
        "select a.id, a.visitor, a.class, a.colour, a.colour_now, a.pack_id, a.pack_version, a.division, a.state,
                a.last_exposure_at, a.expires_at
         from assignments a
         where a.id > $1 and (cardinality($2) = 0 or a.run_id = any($2)) and (not $5 or a.expires_at > $3)
           and (not $5 or a.state in (1, 2, 4, 5) and exists (
               select 1 from assignment_events e where e.assignment_id = a.id and e.kind = 1))
         order by a.id limit $4",
    )
    .bind::<SqlUuid, _>(after)
    .bind::<Array<SqlUuid>, _>(&wanted.runs)
    .bind::<Timestamptz, _>(wanted.lasting_at.unwrap_or(DateTime::UNIX_EPOCH))
    .bind::<BigInt, _>(limit)
    .bind::<Bool, _>(wanted.lasting_at.is_some())
    .load(conn)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut events = events(conn, &ids).await?;
    rows.into_iter().map(|row| row.read(&mut events)).collect()
}

async fn events(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Vec<Event>>, StoreError> {
    let rows: Vec<EventRow> = sql_query(
        "select assignment_id, seq, kind, colour, last_exposure_at, expires_at, at from assignment_events
         where assignment_id = any($1) order by assignment_id, seq",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    let mut by_assignment: BTreeMap<Uuid, Vec<Event>> = BTreeMap::new();
    for row in rows {
        let event = Event {
            seq: row.seq,
            kind: sound(EventKind::from_number(row.kind), "assignment_events")?,
            colour: sound(Colour::from_number(row.colour), "assignment_events")?,
            last_exposure_at: row.last_exposure_at,
            expires_at: row.expires_at,
            at: row.at,
        };
        by_assignment.entry(row.assignment_id).or_default().push(event);
    }
    Ok(by_assignment)
}

#[derive(QueryableByName)]
struct EventRow {
    #[diesel(sql_type = SqlUuid)]
    assignment_id: Uuid,
    #[diesel(sql_type = Integer)]
    seq: i32,
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = SmallInt)]
    colour: i16,
    #[diesel(sql_type = Timestamptz)]
    last_exposure_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct LifeRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    class: i16,
    #[diesel(sql_type = SmallInt)]
    colour: i16,
    #[diesel(sql_type = SmallInt)]
    colour_now: i16,
    #[diesel(sql_type = Text)]
    pack_id: String,
    #[diesel(sql_type = Integer)]
    pack_version: i32,
    #[diesel(sql_type = Text)]
    division: String,
    #[diesel(sql_type = SmallInt)]
    state: i16,
    #[diesel(sql_type = Timestamptz)]
    last_exposure_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
}

impl LifeRow {
    fn read(self, events: &mut BTreeMap<Uuid, Vec<Event>>) -> Result<Life, StoreError> {
        let colour = |number| sound(Colour::from_number(number), "assignments");
        Ok(Life {
            id: self.id,
            visitor: Visitor::from_uuid(self.visitor),
            class: sound(Class::from_number(self.class), "assignments")?,
            decided: colour(self.colour)?,
            rule_pack: format!("{}@{}", self.pack_id, self.pack_version),
            division: self.division,
            row: Standing {
                state: sound(AssignmentState::from_number(self.state), "assignments")?,
                colour: colour(self.colour_now)?,
                last_exposure_at: self.last_exposure_at,
                expires_at: self.expires_at,
            },
            events: events.remove(&self.id).unwrap_or_default(),
        })
    }
}

/// The runs and cases of the assignments that were let go and whose days are not over, by the division that decided.
pub async fn lasting_runs(
    conn: &mut AsyncPgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<LastingRun>, StoreError> {
    Ok(sql_query(
        "select a.run_id, a.case_id, a.division, count(*) as count from assignments a
         where a.expires_at > $1 and a.state in (1, 2, 4, 5)
         group by a.run_id, a.case_id, a.division order by a.run_id",
    )
    .bind::<Timestamptz, _>(now)
    .load(conn)
    .await?)
}

/// A run with assignments that last.
#[derive(Debug, Clone, QueryableByName)]
pub struct LastingRun {
    /// The run.
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    /// Its case.
    #[diesel(sql_type = SqlUuid)]
    pub case_id: Uuid,
    /// Whose decision.
    #[diesel(sql_type = Text)]
    pub division: String,
    /// How many assignments.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}
