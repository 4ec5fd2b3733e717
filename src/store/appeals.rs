//! Appeals with their evidence, and the queue of those that wait.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::register::division_pattern;
use super::schema::{appeal_evidence, appeals};
use super::{StoreError, sound};
use crate::domain::appeal::Verdict;
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;

/// An appeal as the table keeps it.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = appeals)]
pub struct AppealRow {
    /// Id.
    pub id: Uuid,
    /// Against which assignment.
    pub assignment_id: Uuid,
    /// Whose.
    pub visitor: Uuid,
    /// Whose decision it was.
    pub division: String,
    /// 1, or 2 after a refusal.
    pub instance: i16,
    /// Number of a reason.
    pub reason: i16,
    /// What the visitor says; empty once it is forgotten.
    pub text: String,
    /// When it came.
    pub submitted_at: DateTime<Utc>,
    /// When it is to be decided.
    pub due_at: DateTime<Utc>,
    /// When it was.
    pub decided_at: Option<DateTime<Utc>>,
    /// Number of a verdict.
    pub verdict: Option<i16>,
    /// By whom.
    pub decided_by: Option<Uuid>,
    /// Why.
    pub decision_reason: Option<String>,
    /// When the pipeline had done what a grant asks for.
    pub carried_out_at: Option<DateTime<Utc>>,
}

impl AppealRow {
    /// How it ended, if it did.
    pub fn verdict(&self) -> Result<Option<Verdict>, StoreError> {
        self.verdict.map(|number| sound(Verdict::from_number(number), "appeals")).transpose()
    }
}

/// Enters an appeal. The database refuses it where one is open, or where it is about nothing that was let go.
pub async fn insert(conn: &mut AsyncPgConnection, row: &AppealRow) -> Result<(), StoreError> {
    diesel::insert_into(appeals::table).values(row).execute(conn).await?;
    Ok(())
}

/// The appeals against an assignment, the first before the second.
pub async fn against(conn: &mut AsyncPgConnection, assignment: Uuid) -> Result<Vec<AppealRow>, StoreError> {
    let all = appeals::table.filter(appeals::assignment_id.eq(assignment)).order(appeals::instance);
    Ok(all.select(AppealRow::as_select()).load(conn).await?)
}

/// The appeals against some assignments, in the order in which they came.
pub async fn against_all(
    conn: &mut AsyncPgConnection,
    assignments: &[Uuid],
) -> Result<Vec<AppealRow>, StoreError> {
    let all = appeals::table.filter(appeals::assignment_id.eq_any(assignments));
    Ok(all
        .order((appeals::submitted_at, appeals::instance))
        .select(AppealRow::as_select())
        .load(conn)
        .await?)
}

/// One appeal.
pub async fn find(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<AppealRow>, StoreError> {
    Ok(appeals::table.find(id).select(AppealRow::as_select()).first(conn).await.optional()?)
}

/// One appeal of a visitor.
pub async fn of_visitor(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    visitor: Visitor,
) -> Result<Option<AppealRow>, StoreError> {
    let own = appeals::table.find(id).filter(appeals::visitor.eq(visitor.to_uuid()));
    Ok(own.select(AppealRow::as_select()).first(conn).await.optional()?)
}

/// The same, held until the transaction ends.
pub async fn hold(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    visitor: Visitor,
) -> Result<Option<AppealRow>, StoreError> {
    let own = appeals::table.find(id).filter(appeals::visitor.eq(visitor.to_uuid()));
    Ok(own.select(AppealRow::as_select()).for_update().first(conn).await.optional()?)
}

/// A piece of evidence, without its bytes.
#[derive(Debug, Clone, QueryableByName)]
pub struct FileRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Number of a kind of file.
    #[diesel(sql_type = SmallInt)]
    pub kind: i16,
    /// How many bytes.
    #[diesel(sql_type = Integer)]
    pub bytes: i32,
}

/// The evidence of an appeal.
pub async fn files(conn: &mut AsyncPgConnection, appeal: Uuid) -> Result<Vec<FileRow>, StoreError> {
    Ok(sql_query(
        "select id, kind, octet_length(body) as bytes from appeal_evidence where appeal_id = $1 order by added_at, id",
    )
    .bind::<SqlUuid, _>(appeal)
    .load(conn)
    .await?)
}

/// A piece of evidence as the table keeps it.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = appeal_evidence)]
pub struct NewFile {
    /// Id.
    pub id: Uuid,
    /// The appeal.
    pub appeal_id: Uuid,
    /// Number of a kind of file.
    pub kind: i16,
    /// The file.
    pub body: Vec<u8>,
    /// Its SHA-256.
    pub sha256: Vec<u8>,
    /// When it came.
    pub added_at: DateTime<Utc>,
}

/// The file of an appeal that has this SHA-256.
pub async fn same_file(
    conn: &mut AsyncPgConnection,
    appeal: Uuid,
    sha256: &[u8],
) -> Result<Option<Uuid>, StoreError> {
    let same = appeal_evidence::table
        .filter(appeal_evidence::appeal_id.eq(appeal))
        .filter(appeal_evidence::sha256.eq(sha256));
    Ok(same.select(appeal_evidence::id).first(conn).await.optional()?)
}

/// Keeps a file.
pub async fn attach(conn: &mut AsyncPgConnection, file: &NewFile) -> Result<(), StoreError> {
    diesel::insert_into(appeal_evidence::table).values(file).execute(conn).await?;
    Ok(())
}

/// One file of an appeal.
pub async fn file(
    conn: &mut AsyncPgConnection,
    appeal: Uuid,
    id: Uuid,
) -> Result<Option<NewFile>, StoreError> {
    let one = appeal_evidence::table.find(id).filter(appeal_evidence::appeal_id.eq(appeal));
    Ok(one.select(NewFile::as_select()).first(conn).await.optional()?)
}

/// An appeal as the queue shows it: without the person and the words.
#[derive(Debug, Clone, QueryableByName)]
pub struct QueuedRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Against which assignment.
    #[diesel(sql_type = SqlUuid)]
    pub assignment_id: Uuid,
    /// The run that it rests on.
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    /// The case behind it.
    #[diesel(sql_type = SqlUuid)]
    pub case_id: Uuid,
    /// Whose decision it was.
    #[diesel(sql_type = Text)]
    pub division: String,
    /// 1 or 2.
    #[diesel(sql_type = SmallInt)]
    pub instance: i16,
    /// Number of a reason.
    #[diesel(sql_type = SmallInt)]
    pub reason: i16,
    /// When it came.
    #[diesel(sql_type = Timestamptz)]
    pub submitted_at: DateTime<Utc>,
    /// When it is to be decided.
    #[diesel(sql_type = Timestamptz)]
    pub due_at: DateTime<Utc>,
    /// Number of the class of the assignment.
    #[diesel(sql_type = SmallInt)]
    pub class: i16,
    /// How many files it has.
    #[diesel(sql_type = BigInt)]
    pub files: i64,
    /// Whether the one who asks had a hand in what it is about.
    #[diesel(sql_type = Bool)]
    pub own_hand: bool,
}

/// A page of the open appeals of a division, those due first before the others. `after` is the last one of the page before.
pub async fn queue(
    conn: &mut AsyncPgConnection,
    division: &Division,
    member: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<QueuedRow>, StoreError> {
    Ok(sql_query(
        "select q.id, q.assignment_id, a.run_id, a.case_id, q.division, q.instance, q.reason, q.submitted_at, q.due_at, a.class,
                (select count(*) from appeal_evidence e where e.appeal_id = q.id) as files,
                had_a_hand_in(q.assignment_id, $2) or exists (
                    select 1 from appeals f where f.assignment_id = q.assignment_id and f.decided_by = $2) as own_hand
         from (
             select * from appeals
             where decided_at is null and division like $1
               and ($3 is null or (due_at, id) > (select b.due_at, b.id from appeals b where b.id = $3))
             order by due_at, id limit $4
         ) q
         join assignments a on a.id = q.assignment_id
         order by q.due_at, q.id",
    )
    .bind::<Text, _>(division_pattern(division))
    .bind::<SqlUuid, _>(member)
    .bind::<Nullable<SqlUuid>, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// How the queue of a division stands.
#[derive(Debug, Clone, QueryableByName)]
pub struct QueueCounts {
    /// How many wait.
    #[diesel(sql_type = BigInt)]
    pub open: i64,
    /// How many of them are overdue.
    #[diesel(sql_type = BigInt)]
    pub overdue: i64,
    /// When the first is due.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub first_due_at: Option<DateTime<Utc>>,
}

/// How the queue of a division stands.
pub async fn counts(
    conn: &mut AsyncPgConnection,
    division: &Division,
    now: DateTime<Utc>,
) -> Result<QueueCounts, StoreError> {
    Ok(sql_query(
        "select count(*) as open, count(*) filter (where due_at < $2) as overdue, min(due_at) as first_due_at
         from appeals where decided_at is null and division like $1",
    )
    .bind::<Text, _>(division_pattern(division))
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .await?)
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// Whether somebody had a hand in what an appeal is about, or refused the one before.
pub async fn had_a_hand(
    conn: &mut AsyncPgConnection,
    assignment: Uuid,
    member: Uuid,
) -> Result<bool, StoreError> {
    let had: Yes = sql_query(
        "select had_a_hand_in($1, $2)
             or exists (select 1 from appeals where assignment_id = $1 and decided_by = $2) as yes",
    )
    .bind::<SqlUuid, _>(assignment)
    .bind::<SqlUuid, _>(member)
    .get_result(conn)
    .await?;
    Ok(had.yes)
}

/// Decides an appeal; false when it was decided before.
pub async fn decide(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    verdict: Verdict,
    by: Uuid,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let open = appeals::table.find(id).filter(appeals::decided_at.is_null());
    let decided = (
        appeals::decided_at.eq(now),
        appeals::verdict.eq(verdict.number()),
        appeals::decided_by.eq(by),
        appeals::decision_reason.eq(reason),
    );
    Ok(diesel::update(open).set(decided).execute(conn).await? == 1)
}

/// Some granted appeals that are not carried out, held until the transaction ends.
pub async fn granted(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<AppealRow>, StoreError> {
    let waiting = appeals::table
        .filter(appeals::verdict.eq(Verdict::Granted.number()))
        .filter(appeals::carried_out_at.is_null())
        .order(appeals::decided_at)
        .limit(limit)
        .select(AppealRow::as_select())
        .for_update()
        .skip_locked();
    Ok(waiting.load(conn).await?)
}

/// Notes that granted appeals were carried out.
pub async fn carried_out(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let these = appeals::table.filter(appeals::id.eq_any(ids));
    diesel::update(these).set(appeals::carried_out_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// Closes open appeals whose assignments were taken back for another reason; returns how many.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    reason: &str,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    Ok(sql_query(
        "update appeals set decided_at = $1, verdict = 2, decision_reason = $2
         where id in (
             select o.id from appeals o join assignments a on a.id = o.assignment_id
             where o.decided_at is null and a.state = 4 limit $3 for update of o skip locked)",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(reason)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await?)
}

/// Forgets evidence and words of appeals that were decided before `before`; returns how many rows went or changed.
pub async fn forget(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, StoreError> {
    let gone = sql_query(
        "delete from appeal_evidence where id in (
             select e.id from appeal_evidence e join appeals a on a.id = e.appeal_id where a.decided_at < $1 limit $2)",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await?;
    let emptied = sql_query(
        "update appeals set text = '' where id in (
             select id from appeals where decided_at < $1 and text <> '' limit $2)",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .await?;
    Ok(gone + emptied)
}
