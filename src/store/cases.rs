//! Cases: reported, corrected, taken back. Their trails stand in `trails`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

pub use super::trails::{TrailRow, pull_trail, trail};

use super::register::division_pattern;
use super::schema::{case_changes, cases, staff};
use super::{StoreError, sound};
use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;

/// How many cases one statement inserts: Postgres takes 65,535 values.
const BLOCK: usize = 2000;

/// A reported case.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = cases)]
pub struct CaseRow {
    /// Id.
    pub id: Uuid,
    /// Who.
    pub visitor: Uuid,
    /// Number of a [`CaseKind`].
    pub kind: i16,
    /// First symptom.
    pub onset_at: Option<DateTime<Utc>>,
    /// First positive sample.
    pub sampled_at: DateTime<Utc>,
    /// Isolation.
    pub isolated_at: Option<DateTime<Utc>>,
    /// Who reported it to us.
    pub authority: String,
    /// Whose case it is.
    pub division: String,
    /// Who entered it.
    pub reported_by: Uuid,
    /// When.
    pub reported_at: DateTime<Utc>,
    /// Who took it back.
    pub withdrawn_by: Option<Uuid>,
    /// When.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Why.
    pub withdrawal_reason: Option<String>,
    /// The number under which the authority knows it.
    pub case_no: Option<String>,
}

impl CaseRow {
    /// The kind of case.
    pub fn kind(&self) -> Result<CaseKind, StoreError> {
        sound(CaseKind::from_number(self.kind), "cases")
    }

    /// The dates of the case.
    pub fn dates(&self) -> CaseDates {
        CaseDates { onset_at: self.onset_at, sampled_at: self.sampled_at, isolated_at: self.isolated_at }
    }

    /// The person.
    pub fn visitor(&self) -> Visitor {
        Visitor::from_uuid(self.visitor)
    }
}

/// Adds a case.
pub async fn insert(conn: &mut AsyncPgConnection, row: &CaseRow) -> Result<(), StoreError> {
    diesel::insert_into(cases::table).values(row).execute(conn).await?;
    Ok(())
}

/// Adds many cases.
pub async fn insert_all(conn: &mut AsyncPgConnection, rows: &[CaseRow]) -> Result<(), StoreError> {
    for block in rows.chunks(BLOCK) {
        diesel::insert_into(cases::table).values(block).execute(conn).await?;
    }
    Ok(())
}

/// The cases of an authority that have one of these numbers.
pub async fn by_numbers(
    conn: &mut AsyncPgConnection,
    authority: &str,
    numbers: &[&str],
) -> Result<Vec<CaseRow>, StoreError> {
    let known = cases::table.filter(cases::authority.eq(authority)).filter(cases::case_no.eq_any(numbers));
    Ok(known.select(CaseRow::as_select()).load(conn).await?)
}

/// One case, held until the transaction ends: corrections of a case and its trail follow one another, and wait for a
/// run that is reading the trail.
pub async fn hold(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<CaseRow>, StoreError> {
    let held = cases::table.find(id).select(CaseRow::as_select()).for_no_key_update();
    Ok(held.first(conn).await.optional()?)
}

/// One case.
pub async fn find(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<CaseRow>, StoreError> {
    Ok(cases::table.find(id).select(CaseRow::as_select()).first(conn).await.optional()?)
}

/// Which cases are listed.
#[derive(Debug, Clone, Copy)]
pub struct CaseFilter {
    /// Of this division and all inside it.
    pub division: Division,
    /// Only those taken back, or only the others.
    pub withdrawn: Option<bool>,
    /// Only those reported at or after this.
    pub reported_since: Option<DateTime<Utc>>,
}

/// A page of cases, the newest first, older than `before`.
pub async fn page(
    conn: &mut AsyncPgConnection,
    filter: &CaseFilter,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<CaseRow>, StoreError> {
    let mut page = cases::table
        .filter(cases::division.like(division_pattern(&filter.division)))
        .filter(cases::id.lt(before.unwrap_or(Uuid::max())))
        .into_boxed();
    match filter.withdrawn {
        Some(true) => page = page.filter(cases::withdrawn_at.is_not_null()),
        Some(false) => page = page.filter(cases::withdrawn_at.is_null()),
        None => {}
    }
    if let Some(since) = filter.reported_since {
        page = page.filter(cases::reported_at.ge(since));
    }
    Ok(page.order(cases::id.desc()).limit(limit).select(CaseRow::as_select()).load(conn).await?)
}

/// Takes a case back; false when it was already.
pub async fn withdraw(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    by: Uuid,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let open = cases::table.filter(cases::id.eq(id)).filter(cases::withdrawn_at.is_null());
    let change =
        (cases::withdrawn_by.eq(by), cases::withdrawn_at.eq(now), cases::withdrawal_reason.eq(reason));
    Ok(diesel::update(open).set(change).execute(conn).await? == 1)
}

/// Gives a case its corrected kind, dates and authority.
pub async fn correct(conn: &mut AsyncPgConnection, row: &CaseRow) -> Result<(), StoreError> {
    let change = (
        cases::kind.eq(row.kind),
        cases::onset_at.eq(row.onset_at),
        cases::sampled_at.eq(row.sampled_at),
        cases::isolated_at.eq(row.isolated_at),
        cases::authority.eq(&row.authority),
    );
    diesel::update(cases::table.find(row.id)).set(change).execute(conn).await?;
    Ok(())
}

/// One correction of a case.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = case_changes)]
pub struct NewCaseChange {
    /// Of which case.
    pub case_id: Uuid,
    /// Counts the corrections of the case.
    pub seq: i32,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// Who.
    pub changed_by: Uuid,
    /// Why.
    pub reason: String,
    /// What the case said.
    pub was: serde_json::Value,
    /// What it says since.
    pub became: serde_json::Value,
}

/// Keeps a correction. The caller holds the case, so that each has its own number.
pub async fn insert_change(conn: &mut AsyncPgConnection, row: &NewCaseChange) -> Result<(), StoreError> {
    diesel::insert_into(case_changes::table).values(row).execute(conn).await?;
    Ok(())
}

/// The number of a case's next correction.
pub async fn next_change(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<i32, StoreError> {
    let own = case_changes::table.filter(case_changes::case_id.eq(case_id));
    let last: Option<i32> = own.select(diesel::dsl::max(case_changes::seq)).first(conn).await?;
    Ok(last.unwrap_or(0) + 1)
}

/// A correction as it is read.
#[derive(Debug, Clone, Queryable)]
pub struct CaseChangeRow {
    /// Counts the corrections of the case.
    pub seq: i32,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// The login of who made it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What the case said.
    pub was: serde_json::Value,
    /// What it says since.
    pub became: serde_json::Value,
}

/// A page of a case's corrections, the newest first, older than `before`.
pub async fn changes(
    conn: &mut AsyncPgConnection,
    case_id: Uuid,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<CaseChangeRow>, StoreError> {
    let columns = (
        case_changes::seq,
        case_changes::changed_at,
        staff::login,
        case_changes::reason,
        case_changes::was,
        case_changes::became,
    );
    let page = case_changes::table
        .inner_join(staff::table.on(staff::id.eq(case_changes::changed_by)))
        .filter(case_changes::case_id.eq(case_id))
        .filter(case_changes::seq.lt(before.unwrap_or(i32::MAX)))
        .order(case_changes::seq.desc())
        .limit(limit);
    Ok(page.select(columns).load(conn).await?)
}
