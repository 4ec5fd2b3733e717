//! Cases and their trails.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::register::division_pattern;
use super::schema::{cases, trail_stays};
use super::stays::earliest_beginning;
use super::{StoreError, sound, stay_packs};
use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::exposure::TrailStay;
use crate::domain::numbered::Numbered;
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::venue::{Division, Granularity, PointId};
use crate::domain::visitor::Visitor;

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

/// One case.
pub async fn find(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<CaseRow>, StoreError> {
    Ok(cases::table.find(id).select(CaseRow::as_select()).first(conn).await.optional()?)
}

/// A page of cases of a division and all inside it, the newest first, older than `before`.
pub async fn page(
    conn: &mut AsyncPgConnection,
    division: &Division,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<CaseRow>, StoreError> {
    let page = cases::table
        .filter(cases::division.like(division_pattern(division)))
        .filter(cases::id.lt(before.unwrap_or(Uuid::max())))
        .order(cases::id.desc())
        .limit(limit);
    Ok(page.select(CaseRow::as_select()).load(conn).await?)
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

/// How many scans of a case are looked at for its trail.
const SCANS_MAX: i64 = 100_000;

/// Brings the scanned part of a trail in line with the stays of the case in a span: new stays are
/// added, changed ends are taken over, stays that are gone are marked as removed. Contradicted stays
/// are nobody's trail.
pub async fn pull_trail(
    conn: &mut AsyncPgConnection,
    case: &CaseRow,
    span: Span,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    // A trail has a few stays a day; the bound keeps a visitor who scanned without end from filling the memory.
    let mut seen =
        stay_packs::of_visitor(conn, case.visitor(), span, earliest_beginning(span), SCANS_MAX).await?;
    seen.retain(|stay| stay.presence > Presence::Contradicted);
    sql_query(
        "with seen as (
             select * from unnest($2, $3, $4, $6, $7) as s (point_id, from_at, until_at, id, cell)
         ), gone as (
             update trail_stays t set removed_at = $5
             where t.case_id = $1 and t.source = 0 and t.removed_at is null
               and not exists (select 1 from seen s where s.id = t.stay_id and s.point_id = t.point_id and s.from_at = t.from_at)
         )
         insert into trail_stays (id, case_id, point_id, from_at, until_at, source, reason, stay_id, added_at, cell)
         select gen_random_uuid(), $1, point_id, from_at, until_at, 0, 'scan', id, $5, cell from seen
         on conflict (case_id, stay_id, point_id, from_at) where stay_id is not null
         do update set until_at = excluded.until_at, removed_at = null",
    )
    .bind::<SqlUuid, _>(case.id)
    .bind::<Array<BigInt>, _>(seen.iter().map(|s| s.point.to_i64()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(seen.iter().map(|s| s.span.from()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(seen.iter().map(|s| s.span.until()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .bind::<Array<SqlUuid>, _>(seen.iter().map(|s| s.id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(seen.iter().map(|s| cell_to_i64(s.cell)).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// A stay that an investigator adds to a trail.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = trail_stays)]
pub struct AddedStay {
    /// Id.
    pub id: Uuid,
    /// Of which case.
    pub case_id: Uuid,
    /// Where.
    pub point_id: i64,
    /// Since when.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// 1 interview, 2 camera, 3 payment, 4 ticket.
    pub source: i16,
    /// What it rests on.
    pub reason: String,
    /// Who added it.
    pub added_by: Option<Uuid>,
    /// When.
    pub added_at: DateTime<Utc>,
}

/// Adds a stay to a trail.
pub async fn add_to_trail(conn: &mut AsyncPgConnection, row: &AddedStay) -> Result<(), StoreError> {
    diesel::insert_into(trail_stays::table).values(row).execute(conn).await?;
    Ok(())
}

/// The trail of a case, in order, without what was removed.
pub async fn trail(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<Vec<TrailRow>, StoreError> {
    Ok(sql_query(
        "select t.id, t.point_id, t.from_at, t.until_at, t.source, t.reason, coalesce(t.cell, p.cell) as cell, p.granularity, v.category,
                coalesce(t.row_no, p.row_no) as row_no, coalesce(t.seat, p.seat) as seat, p.name as point_name,
                v.id as venue_id, v.name as venue_name
         from trail_stays t join points p on p.id = t.point_id join venues v on v.id = p.venue_id
         where t.case_id = $1 and t.removed_at is null order by t.from_at, t.id",
    )
    .bind::<SqlUuid, _>(case_id)
    .load(conn)
    .await?)
}

/// A stay of the trail with its place.
#[derive(Debug, Clone, QueryableByName)]
pub struct TrailRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Where.
    #[diesel(sql_type = BigInt)]
    pub point_id: i64,
    /// Since when.
    #[diesel(sql_type = Timestamptz)]
    pub from_at: DateTime<Utc>,
    /// Until when.
    #[diesel(sql_type = Timestamptz)]
    pub until_at: DateTime<Utc>,
    /// 0 scan, 1 interview, 2 camera, 3 payment, 4 ticket.
    #[diesel(sql_type = SmallInt)]
    pub source: i16,
    /// What it rests on.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// Cell of the stay; the point's, where an investigator added it.
    #[diesel(sql_type = BigInt)]
    pub cell: i64,
    /// Number of the point's granularity.
    #[diesel(sql_type = SmallInt)]
    pub granularity: i16,
    /// Category of the venue.
    #[diesel(sql_type = Text)]
    pub category: String,
    /// Row in the vehicle.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub row_no: Option<i16>,
    /// Seat in that row.
    #[diesel(sql_type = Nullable<Text>)]
    pub seat: Option<String>,
    /// Name of the point.
    #[diesel(sql_type = Text)]
    pub point_name: String,
    /// The venue.
    #[diesel(sql_type = SqlUuid)]
    pub venue_id: Uuid,
    /// Name of the venue.
    #[diesel(sql_type = Text)]
    pub venue_name: String,
}

impl TrailRow {
    /// The stay as the domain knows it.
    pub fn read(&self) -> Result<TrailStay, StoreError> {
        Ok(TrailStay {
            id: self.id,
            point: Some(sound(PointId::from_i64(self.point_id), "trail_stays")?),
            venue: Some(self.venue_id),
            cell: sound(cell_from_i64(self.cell), "points")?,
            granularity: sound(Granularity::from_number(self.granularity), "points")?,
            category: self.category.as_str().into(),
            row: self.row_no.and_then(|row| u16::try_from(row).ok()),
            span: sound(Span::new(self.from_at, self.until_at).ok(), "trail_stays")?,
        })
    }
}
