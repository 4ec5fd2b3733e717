//! What a run kept, page by page, as reports tell it. Every page begins after the last row of the one before, so that no
//! more than a page is held and no connection while somebody reads slowly.

mod linked;
mod places;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

pub use self::linked::{CASES_MAX, STAYS_MAX, at_places, cases, stops};
pub use self::places::{AfterPlace, divisions, places};
use super::{StoreError, sound};
use crate::domain::numbered::Numbered;
use crate::domain::report::contact::{Met, Person};
use crate::domain::report::place::MeetingFacts;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::venue::Granularity;
use crate::domain::visitor::Visitor;

/// How many contacts, meetings or places one page holds.
pub const PAGE: i64 = 2_000;

/// Where a contact `c` lives, as far as a channel has told.
const RESIDENCE: &str = "(select r.division from residences r where r.visitor = c.visitor)";

/// The venue of a stay `t` of a trail, with its point `p`.
const TRAIL_VENUE: &str = "coalesce(p.venue_id, t.venue_id)";

/// The last contact of a page: its class and pseudonym.
pub type After = (i16, Visitor);

#[derive(QueryableByName)]
struct PersonRow {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    class: i16,
    #[diesel(sql_type = Nullable<Text>)]
    rule: Option<String>,
    #[diesel(sql_type = SmallInt)]
    colour: i16,
    #[diesel(sql_type = SmallInt)]
    depth: i16,
    #[diesel(sql_type = BigInt)]
    together_secs: i64,
    #[diesel(sql_type = Integer)]
    meetings: i32,
    #[diesel(sql_type = Timestamptz)]
    first_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    last_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    exclusion_reason: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    residence: Option<String>,
}

impl PersonRow {
    fn read(self, met: Vec<Met>) -> Result<Person, StoreError> {
        Ok(Person {
            visitor: Visitor::from_uuid(self.visitor),
            class: sound(Class::from_number(self.class), "contacts")?,
            rule: self.rule,
            colour: sound(Colour::from_number(self.colour), "contacts")?,
            depth: sound(u8::try_from(self.depth).ok(), "contacts")?,
            together_secs: self.together_secs,
            meetings: self.meetings,
            first_at: self.first_at,
            last_at: self.last_at,
            exclusion_reason: self.exclusion_reason,
            residence: self.residence,
            met,
        })
    }
}

/// A page of a run's contacts with where and how they were exposed, in the order of class and pseudonym, which the
/// primary key gives without sorting.
pub async fn people(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    after: Option<After>,
) -> Result<Vec<Person>, StoreError> {
    let (mut class, mut last) = after.map_or((0, None), |(class, visitor)| (class, Some(visitor.to_uuid())));
    let mut rows: Vec<PersonRow> = Vec::new();
    let full = usize::try_from(PAGE).unwrap_or(usize::MAX);
    while rows.len() < full && Class::from_number(class).is_some() {
        let query = format!(
            "select c.visitor, c.class, c.rule, c.colour, c.depth, c.together_secs, c.meetings, c.first_at, c.last_at,
                    c.exclusion_reason, {RESIDENCE} as residence
             from contacts c
             where c.run_id = $1 and c.class = $2 and ($3 is null or c.visitor > $3) order by c.visitor limit $4"
        );
        let room = PAGE - i64::try_from(rows.len()).unwrap_or(PAGE);
        let found: Vec<PersonRow> = sql_query(query)
            .bind::<SqlUuid, _>(run_id)
            .bind::<SmallInt, _>(class)
            .bind::<Nullable<SqlUuid>, _>(last)
            .bind::<BigInt, _>(room)
            .load(conn)
            .await?;
        rows.extend(found);
        (class, last) = (class + 1, None);
    }
    let visitors: Vec<Uuid> = rows.iter().map(|row| row.visitor).collect();
    let mut met = met_by_visitor(conn, run_id, &visitors).await?;
    rows.into_iter()
        .map(|row| {
            let own = met.remove(&row.visitor).unwrap_or_default();
            row.read(own)
        })
        .collect()
}

#[derive(QueryableByName)]
struct MetRow {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    venue: Option<Uuid>,
    #[diesel(sql_type = Text)]
    venue_name: String,
    #[diesel(sql_type = Text)]
    category: String,
    #[diesel(sql_type = Text)]
    division: String,
    #[diesel(sql_type = SmallInt)]
    relation: i16,
    #[diesel(sql_type = SmallInt)]
    granularity: i16,
    #[diesel(sql_type = SmallInt)]
    presence: i16,
    #[diesel(sql_type = BigInt)]
    secs: i64,
    #[diesel(sql_type = Timestamptz)]
    first_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    last_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    via: Option<Uuid>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    source: Option<i16>,
}

/// The meetings that counted, those that are alike as one, the longest first.
async fn met_by_visitor(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    visitors: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Met>>, StoreError> {
    let rows: Vec<MetRow> = sql_query(
        "select e.visitor, v.id as venue, coalesce(v.name, '') as venue_name, coalesce(v.category, '') as category,
                coalesce(v.division, '') as division, e.relation, e.granularity, e.presence,
                sum(floor(extract(epoch from e.until_at - e.from_at)))::bigint as secs,
                min(e.from_at) as first_at, max(e.until_at) as last_at, e.via_visitor as via, t.source
         from exposures e
         left join points p on p.id = e.stay_point_id
         left join venues v on v.id = p.venue_id
         left join trail_stays t on t.id = e.trail_stay_id
         where e.run_id = $1 and e.visitor = any($2) and e.counted
         group by e.visitor, v.id, e.relation, e.granularity, e.presence, e.via_visitor, t.source
         order by e.visitor, secs desc, first_at, venue, e.relation, e.granularity, e.presence, via, t.source",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Array<SqlUuid>, _>(visitors)
    .load(conn)
    .await?;
    let mut found: HashMap<Uuid, Vec<Met>> = HashMap::new();
    for row in rows {
        let met = Met {
            venue: row.venue,
            venue_name: row.venue_name,
            category: row.category,
            division: row.division,
            relation: sound(Numbered::from_number(row.relation), "exposures")?,
            granularity: sound(Granularity::from_number(row.granularity), "exposures")?,
            presence: sound(Numbered::from_number(row.presence), "exposures")?,
            secs: row.secs,
            first_at: row.first_at,
            last_at: row.last_at,
            via: row.via.map(Visitor::from_uuid),
            source: row.source,
        };
        found.entry(row.visitor).or_default().push(met);
    }
    Ok(found)
}

#[derive(QueryableByName)]
struct MeetingRow {
    #[diesel(sql_type = Integer)]
    seq: i32,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    via: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    venue: Option<Uuid>,
    #[diesel(sql_type = Text)]
    venue_name: String,
    #[diesel(sql_type = Text)]
    division: String,
    #[diesel(sql_type = Text)]
    point_name: String,
    #[diesel(sql_type = SmallInt)]
    relation: i16,
    #[diesel(sql_type = SmallInt)]
    granularity: i16,
    #[diesel(sql_type = Nullable<SmallInt>)]
    rows_apart: Option<i16>,
    #[diesel(sql_type = Timestamptz)]
    from_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    until_at: DateTime<Utc>,
    #[diesel(sql_type = SmallInt)]
    ended_by: i16,
    #[diesel(sql_type = SmallInt)]
    presence: i16,
    #[diesel(sql_type = Bool)]
    counted: bool,
    #[diesel(sql_type = Nullable<SmallInt>)]
    source: Option<i16>,
}

/// A page of a run's meetings after that number.
pub async fn meetings(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    after: i32,
) -> Result<Vec<MeetingFacts>, StoreError> {
    let rows: Vec<MeetingRow> = sql_query(
        "select e.seq, e.visitor, e.via_visitor as via, v.id as venue, coalesce(v.name, '') as venue_name,
                coalesce(v.division, '') as division, coalesce(p.name, '') as point_name, e.relation, e.granularity,
                e.rows_apart, e.from_at, e.until_at, e.ended_by, e.presence, e.counted, t.source
         from exposures e
         left join points p on p.id = e.stay_point_id
         left join venues v on v.id = p.venue_id
         left join trail_stays t on t.id = e.trail_stay_id
         where e.run_id = $1 and e.seq > $2 order by e.seq limit $3",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Integer, _>(after)
    .bind::<BigInt, _>(PAGE)
    .load(conn)
    .await?;
    let read = |row: MeetingRow| {
        Ok(MeetingFacts {
            seq: row.seq,
            visitor: Visitor::from_uuid(row.visitor),
            via: row.via.map(Visitor::from_uuid),
            venue: row.venue,
            venue_name: row.venue_name,
            division: row.division,
            point_name: row.point_name,
            relation: sound(Numbered::from_number(row.relation), "exposures")?,
            granularity: sound(Granularity::from_number(row.granularity), "exposures")?,
            rows_apart: row.rows_apart,
            from_at: row.from_at,
            until_at: row.until_at,
            ended_by: sound(Numbered::from_number(row.ended_by), "exposures")?,
            presence: sound(Numbered::from_number(row.presence), "exposures")?,
            counted: row.counted,
            source: row.source,
        })
    };
    rows.into_iter().map(read).collect()
}

/// The names of all divisions that are loaded, by code.
pub async fn division_names(conn: &mut AsyncPgConnection) -> Result<HashMap<String, String>, StoreError> {
    let rows: Vec<(String, String)> = super::schema::divisions::table
        .select((super::schema::divisions::code, super::schema::divisions::name))
        .load(conn)
        .await?;
    Ok(rows.into_iter().collect())
}
