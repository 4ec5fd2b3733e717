//! Trails of cases: what the scans say, and the investigator's word beside it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::cases::CaseRow;
use super::schema::{staff, trail_changes, trail_stays};
use super::stays::earliest_beginning;
use super::{StoreError, sound, stay_packs};
use crate::domain::exposure::TrailStay;
use crate::domain::numbered::Numbered;
use crate::domain::position::{cell_from_i64, cell_to_i64};
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::venue::{Granularity, PointId};

/// The category of a place of which no venue is known.
const UNKNOWN_CATEGORY: &str = "other";

/// How many scans of a case are looked at for its trail.
const SCANS_MAX: i64 = 100_000;

/// Brings the scanned part of a trail in line with the stays of the case in a span: new stays are added, changed ends
/// are taken over, stays that are gone are marked as removed. Contradicted stays are nobody's trail. What an
/// investigator confirmed, edited or removed keeps that word; beside it, it is kept what the scans say now. A stay that
/// only stands in the place of one that an investigator removed, since a late scan gave that another beginning, stays
/// out too.
///
/// The case is held, so that no correction comes between the trail and the evidence of the same transaction.
pub async fn pull_trail(
    conn: &mut AsyncPgConnection,
    case: &CaseRow,
    span: Span,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let held = sql_query("select 1 from cases where id = $1 for share");
    held.bind::<SqlUuid, _>(case.id).execute(conn).await?;
    // A trail has a few stays a day; the bound keeps a visitor who scanned without end from filling the memory.
    let mut seen =
        stay_packs::of_visitor(conn, case.visitor(), span, earliest_beginning(span), SCANS_MAX).await?;
    seen.retain(|stay| stay.presence > Presence::Contradicted);
    sql_query(
        "with seen as (
             select * from unnest($2, $3, $4, $6, $7) as s (point_id, from_at, until_at, id, cell)
         ), gone as (
             select t.id, t.point_id, t.removed_by, t.scanned_from_at, t.scanned_until_at,
                    t.removed_at is null and t.edited_at is null and t.confirmed_at is null as to_go
             from trail_stays t
             where t.case_id = $1 and t.source = 0
               and not exists (select 1 from seen s where s.id = t.stay_id and s.point_id = t.point_id and s.from_at = t.scanned_from_at)
         ), marked as (
             update trail_stays t set removed_at = $5 from gone g where t.id = g.id and g.to_go
         )
         insert into trail_stays (id, case_id, point_id, from_at, until_at, source, reason, stay_id, added_at, cell,
                                  scanned_from_at, scanned_until_at)
         select gen_random_uuid(), $1, point_id, from_at, until_at, 0, 'scan', id, $5, cell, from_at, until_at from seen s
         where not exists (
             select 1 from gone g where g.removed_by is not null and g.point_id = s.point_id
               and g.scanned_from_at < s.until_at and g.scanned_until_at > s.from_at)
         on conflict (case_id, stay_id, point_id, scanned_from_at) where stay_id is not null
         do update set scanned_until_at = excluded.scanned_until_at,
                       until_at = case when trail_stays.edited_at is null then excluded.until_at else trail_stays.until_at end,
                       removed_at = case when trail_stays.removed_by is null then null else trail_stays.removed_at end",
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

/// A stay that an investigator adds to a trail: at a point, at a venue, or in a cell with its address.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = trail_stays)]
pub struct AddedStay {
    /// Id.
    pub id: Uuid,
    /// Of which case.
    pub case_id: Uuid,
    /// The point, where it is known.
    pub point_id: Option<i64>,
    /// The venue, where the point is not known.
    pub venue_id: Option<Uuid>,
    /// The cell, where neither is known.
    pub cell: Option<i64>,
    /// The address beside the cell.
    pub address: Option<String>,
    /// Row in a vehicle.
    pub row_no: Option<i16>,
    /// Seat in that row.
    pub seat: Option<String>,
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
pub async fn add(conn: &mut AsyncPgConnection, row: &AddedStay) -> Result<(), StoreError> {
    diesel::insert_into(trail_stays::table).values(row).execute(conn).await?;
    Ok(())
}

/// How many stays of a trail investigators have added, removed ones too.
pub async fn count_added(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<i64, StoreError> {
    let added = trail_stays::table.filter(trail_stays::case_id.eq(case_id)).filter(trail_stays::source.gt(0));
    Ok(added.count().get_result(conn).await?)
}

const ROWS: &str = "select t.id, t.point_id, t.from_at, t.until_at, t.source, t.reason, t.address,
        coalesce(t.cell, p.cell, v.cell) as cell, p.granularity, v.category,
        coalesce(t.row_no, p.row_no) as row_no, coalesce(t.seat, p.seat) as seat, coalesce(p.name, '') as point_name,
        v.id as venue_id, coalesce(v.name, t.address, '') as venue_name,
        coalesce(p.is_mobile or p.granularity = 5,
                 exists (select 1 from points m where m.venue_id = t.venue_id and m.is_mobile)) as in_vehicle,
        t.scanned_from_at, t.scanned_until_at, t.confirmed_at, t.edited_at, t.removed_at
    from trail_stays t left join points p on p.id = t.point_id left join venues v on v.id = coalesce(p.venue_id, t.venue_id)";

/// The trail of a case, in order, without what was removed.
pub async fn trail(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<Vec<TrailRow>, StoreError> {
    let query = format!("{ROWS} where t.case_id = $1 and t.removed_at is null order by t.from_at, t.id");
    Ok(sql_query(query).bind::<SqlUuid, _>(case_id).load(conn).await?)
}

/// The trail of a case, in order, with what was removed.
pub async fn whole_trail(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<Vec<TrailRow>, StoreError> {
    let query = format!("{ROWS} where t.case_id = $1 order by t.from_at, t.id");
    Ok(sql_query(query).bind::<SqlUuid, _>(case_id).load(conn).await?)
}

/// One stay of a trail, removed or not.
pub async fn stay(
    conn: &mut AsyncPgConnection,
    case_id: Uuid,
    id: Uuid,
) -> Result<Option<TrailRow>, StoreError> {
    let query = sql_query(format!("{ROWS} where t.case_id = $1 and t.id = $2"));
    Ok(query.bind::<SqlUuid, _>(case_id).bind::<SqlUuid, _>(id).get_result(conn).await.optional()?)
}

/// A stay of the trail with its place.
#[derive(Debug, Clone, QueryableByName)]
pub struct TrailRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Where; none where only the venue or the address is known.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub point_id: Option<i64>,
    /// Since when; the word that holds.
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
    /// The address, where no more is known.
    #[diesel(sql_type = Nullable<Text>)]
    pub address: Option<String>,
    /// Cell of the stay; that of its point or venue, where an investigator added it.
    #[diesel(sql_type = BigInt)]
    pub cell: i64,
    /// Number of the point's granularity.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub granularity: Option<i16>,
    /// Category of the venue.
    #[diesel(sql_type = Nullable<Text>)]
    pub category: Option<String>,
    /// Row in the vehicle.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub row_no: Option<i16>,
    /// Seat in that row.
    #[diesel(sql_type = Nullable<Text>)]
    pub seat: Option<String>,
    /// Name of the point; empty where it is not known.
    #[diesel(sql_type = Text)]
    pub point_name: String,
    /// The venue.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub venue_id: Option<Uuid>,
    /// Name of the venue, or the address where none is known.
    #[diesel(sql_type = Text)]
    pub venue_name: String,
    /// Whether the place is a vehicle.
    #[diesel(sql_type = Bool)]
    pub in_vehicle: bool,
    /// Since when by the scans.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub scanned_from_at: Option<DateTime<Utc>>,
    /// Until when by the scans.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub scanned_until_at: Option<DateTime<Utc>>,
    /// When an investigator last said that it is so.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When an investigator last changed it.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub edited_at: Option<DateTime<Utc>>,
    /// Since when it does not count.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub removed_at: Option<DateTime<Utc>>,
}

impl TrailRow {
    /// The stay as the domain knows it. Where the point is not known, people are as far apart as they can be there.
    pub fn read(&self) -> Result<TrailStay, StoreError> {
        let point = self.point_id.map(|id| sound(PointId::from_i64(id), "trail_stays")).transpose()?;
        let granularity = match self.granularity {
            Some(number) => sound(Granularity::from_number(number), "points")?,
            None if self.in_vehicle => Granularity::Vehicle,
            None if self.venue_id.is_some() => Granularity::Hall,
            None => Granularity::OpenAir,
        };
        Ok(TrailStay {
            id: self.id,
            point,
            venue: self.venue_id,
            cell: sound(cell_from_i64(self.cell), "trail_stays")?,
            granularity,
            category: self.category.as_deref().unwrap_or(UNKNOWN_CATEGORY).into(),
            row: self.row_no.and_then(|row| u16::try_from(row).ok()),
            span: sound(Span::new(self.from_at, self.until_at).ok(), "trail_stays")?,
        })
    }
}

/// What an investigator says of a stay.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = trail_stays, treat_none_as_null = true)]
pub struct Word {
    /// Since when.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// Row in a vehicle.
    pub row_no: Option<i16>,
    /// Seat in that row.
    pub seat: Option<String>,
    /// When it was said.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The same, where it is not what the stay said before.
    pub edited_at: Option<DateTime<Utc>>,
    /// Since when the stay does not count.
    pub removed_at: Option<DateTime<Utc>>,
    /// Who took it out.
    pub removed_by: Option<Uuid>,
}

/// Gives a stay the investigator's word.
pub async fn set_word(conn: &mut AsyncPgConnection, id: Uuid, word: &Word) -> Result<(), StoreError> {
    diesel::update(trail_stays::table.find(id)).set(word).execute(conn).await?;
    Ok(())
}

/// One act of an investigator on a trail.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = trail_changes)]
pub struct NewTrailChange {
    /// Of which case.
    pub case_id: Uuid,
    /// Counts the acts on the trail.
    pub seq: i32,
    /// On which stay.
    pub trail_stay_id: Uuid,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// Who.
    pub changed_by: Uuid,
    /// 0 added, 1 confirmed, 2 edited, 3 removed, 4 put back.
    pub act: i16,
    /// 1 interview, 2 camera, 3 payment, 4 ticket.
    pub source: i16,
    /// Why.
    pub reason: String,
    /// What the stay said before; none where it was not there.
    pub was: Option<serde_json::Value>,
    /// What it says since.
    pub became: serde_json::Value,
}

/// Keeps an act. The caller holds the case, so that each has its own number.
pub async fn insert_change(conn: &mut AsyncPgConnection, row: &NewTrailChange) -> Result<(), StoreError> {
    diesel::insert_into(trail_changes::table).values(row).execute(conn).await?;
    Ok(())
}

/// The number of the next act on a trail.
pub async fn next_change(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<i32, StoreError> {
    let own = trail_changes::table.filter(trail_changes::case_id.eq(case_id));
    let last: Option<i32> = own.select(diesel::dsl::max(trail_changes::seq)).first(conn).await?;
    Ok(last.unwrap_or(0) + 1)
}

/// An act as it is read.
#[derive(Debug, Clone, Queryable)]
pub struct TrailChangeRow {
    /// Counts the acts on the trail.
    pub seq: i32,
    /// On which stay.
    pub trail_stay_id: Uuid,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// The login of who did it.
    pub by: String,
    /// 0 added, 1 confirmed, 2 edited, 3 removed, 4 put back.
    pub act: i16,
    /// 1 interview, 2 camera, 3 payment, 4 ticket.
    pub source: i16,
    /// Why.
    pub reason: String,
    /// What the stay said before.
    pub was: Option<serde_json::Value>,
    /// What it says since.
    pub became: serde_json::Value,
}

/// A page of the acts on a trail, the newest first, older than `before`.
pub async fn changes(
    conn: &mut AsyncPgConnection,
    case_id: Uuid,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<TrailChangeRow>, StoreError> {
    use trail_changes as c;
    let columns = (
        c::seq,
        c::trail_stay_id,
        c::changed_at,
        staff::login,
        c::act,
        c::source,
        c::reason,
        c::was,
        c::became,
    );
    let page = c::table
        .inner_join(staff::table.on(staff::id.eq(c::changed_by)))
        .filter(c::case_id.eq(case_id))
        .filter(c::seq.lt(before.unwrap_or(i32::MAX)))
        .order(c::seq.desc())
        .limit(limit);
    Ok(page.select(columns).load(conn).await?)
}
