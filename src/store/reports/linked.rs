//! The cases that a run is linked with, and where they were.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{StoreError, TRAIL_VENUE, sound};
use crate::domain::case::CaseKind;
use crate::domain::numbered::Numbered;
use crate::domain::report::chain::AtPlace;
use crate::domain::report::line_list::{CaseFacts, Link};
use crate::domain::report::trajectory::Stop;
use crate::domain::rule_pack::Class;
use crate::domain::span::Span;
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;
use crate::store::register::division_pattern;

/// How many cases a line list has at the most.
pub const CASES_MAX: i64 = 1_000;

/// How many stays of cases a chain or a trajectory has at the most.
pub const STAYS_MAX: i64 = 5_000;

/// The number of a case `c` by its authority.
const CASE_NO: &str = "coalesce(c.case_no, c.id::text)";

/// What a stay `t` of a trail is called where its venue `v` is not known.
const TRAIL_PLACE: &str = "coalesce(v.name, t.address, '')";

#[derive(QueryableByName)]
struct CaseFactsRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    case_no: String,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    link: i16,
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    onset_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    sampled_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    isolated_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    authority: String,
    #[diesel(sql_type = Text)]
    division: String,
    #[diesel(sql_type = Timestamptz)]
    reported_at: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    withdrawn: bool,
    #[diesel(sql_type = Nullable<SmallInt>)]
    class: Option<i16>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_contact_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    setting: String,
}

/// The case of a run, then the cases of `within` that are its contacts, then those that were at a place of it within a
/// day of it; each by its id. Cases of other divisions are not told.
pub async fn cases(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    within: &Division,
) -> Result<Vec<CaseFacts>, StoreError> {
    let query = format!(
        "with run as (select * from runs where id = $1), own as (
             select {TRAIL_VENUE} as venue, t.from_at, t.until_at
             from run r join trail_stays t on t.case_id = r.case_id and t.removed_at is null
              and t.from_at < r.infectious_until and t.until_at > r.infectious_from
             left join points p on p.id = t.point_id
         ), near as (
             select distinct t.case_id
             from own o
             join points q on q.venue_id = o.venue
             join trail_stays t on t.point_id = q.id and t.removed_at is null
              and t.from_at < o.until_at + interval '1 day' and t.until_at > o.from_at - interval '1 day'
         ), linked as (
             select r.case_id, 0::smallint as link from run r
             union
             select c.id, 1::smallint from run r join contacts k on k.run_id = r.id join cases c on c.visitor = k.visitor
             where c.division like $2 and c.withdrawn_at is null
             union
             select c.id, 2::smallint from near n join cases c on c.id = n.case_id
             where c.division like $2 and c.withdrawn_at is null
         ), first as (select case_id, min(link) as link from linked group by case_id)
         select c.id, {CASE_NO} as case_no, c.visitor, f.link, c.kind, c.onset_at, c.sampled_at, c.isolated_at, c.authority,
                c.division, c.reported_at, c.withdrawn_at is not null as withdrawn, k.class, k.last_at as last_contact_at,
                coalesce(w.name, '') as setting
         from first f join cases c on c.id = f.case_id
         left join contacts k on k.run_id = $1 and k.visitor = c.visitor and f.link = 1
         left join lateral (
             select v.name from exposures e join points p on p.id = e.stay_point_id join venues v on v.id = p.venue_id
             where e.run_id = $1 and e.visitor = k.visitor and e.counted
             group by v.id order by sum(e.until_at - e.from_at) desc, v.id limit 1
         ) w on true
         order by f.link, c.id limit $3"
    );
    let rows: Vec<CaseFactsRow> = sql_query(query)
        .bind::<SqlUuid, _>(run_id)
        .bind::<Text, _>(division_pattern(within))
        .bind::<BigInt, _>(CASES_MAX)
        .load(conn)
        .await?;
    let read = |row: CaseFactsRow| {
        let link = match row.link {
            0 => Link::Index,
            1 => Link::Contact,
            _ => Link::SharedPlace,
        };
        let class = row.class.map(|class| sound(Class::from_number(class), "contacts")).transpose()?;
        Ok(CaseFacts {
            id: row.id,
            case_no: row.case_no,
            visitor: Visitor::from_uuid(row.visitor),
            link,
            kind: sound(CaseKind::from_number(row.kind), "cases")?,
            onset_at: row.onset_at,
            sampled_at: row.sampled_at,
            isolated_at: row.isolated_at,
            authority: row.authority,
            division: row.division,
            reported_at: row.reported_at,
            withdrawn: row.withdrawn,
            class,
            last_contact_at: row.last_contact_at,
            setting: row.setting,
        })
    };
    rows.into_iter().map(read).collect()
}

#[derive(QueryableByName)]
struct StayRow {
    #[diesel(sql_type = SqlUuid)]
    case_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    venue: Option<Uuid>,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    address: String,
    #[diesel(sql_type = Nullable<Double>)]
    lat_deg: Option<f64>,
    #[diesel(sql_type = Nullable<Double>)]
    lng_deg: Option<f64>,
    #[diesel(sql_type = Timestamptz)]
    from_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    until_at: DateTime<Utc>,
}

/// The stays of these cases in a span, in the order of time, [`STAYS_MAX`] at the most.
async fn stays(conn: &mut AsyncPgConnection, cases: &[Uuid], span: Span) -> Result<Vec<StayRow>, StoreError> {
    let query = format!(
        "select t.case_id, v.id as venue, {TRAIL_PLACE} as name, coalesce(v.address, '') as address, v.lat_deg, v.lng_deg,
                t.from_at, t.until_at
         from trail_stays t
         left join points p on p.id = t.point_id
         left join venues v on v.id = {TRAIL_VENUE}
         where t.case_id = any($1) and t.removed_at is null and t.from_at < $3 and t.until_at > $2
         order by t.from_at, t.id limit $4"
    );
    Ok(sql_query(query)
        .bind::<Array<SqlUuid>, _>(cases)
        .bind::<Timestamptz, _>(span.from())
        .bind::<Timestamptz, _>(span.until())
        .bind::<BigInt, _>(STAYS_MAX)
        .load(conn)
        .await?)
}

/// Where these cases were in a span, as far as the venue is known.
pub async fn at_places(
    conn: &mut AsyncPgConnection,
    cases: &[Uuid],
    span: Span,
) -> Result<Vec<AtPlace>, StoreError> {
    let known = |row: StayRow| {
        Some(AtPlace {
            case: row.case_id,
            venue: row.venue?,
            venue_name: row.name,
            from_at: row.from_at,
            until_at: row.until_at,
        })
    };
    Ok(stays(conn, cases, span).await?.into_iter().filter_map(known).collect())
}

/// The stays of a case in a span with their places.
pub async fn stops(conn: &mut AsyncPgConnection, case: Uuid, span: Span) -> Result<Vec<Stop>, StoreError> {
    let read = |row: StayRow| {
        Ok(Stop {
            venue: row.venue,
            name: row.name,
            address: row.address,
            lat_deg: row.lat_deg,
            lng_deg: row.lng_deg,
            span: sound(Span::new(row.from_at, row.until_at).ok(), "trail_stays")?,
        })
    };
    stays(conn, &[case], span).await?.into_iter().map(read).collect()
}
