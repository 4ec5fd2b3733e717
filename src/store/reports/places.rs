//! The places of a run, and its contacts by division.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{PAGE, RESIDENCE, StoreError, TRAIL_VENUE, sound};
use crate::domain::report::place::{ByClass, DivisionFacts, PlaceFacts};

#[derive(QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = SqlUuid)]
    venue: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    category: String,
    #[diesel(sql_type = Text)]
    division: String,
    #[diesel(sql_type = Text)]
    address: String,
    #[diesel(sql_type = Double)]
    lat_deg: f64,
    #[diesel(sql_type = Double)]
    lng_deg: f64,
    #[diesel(sql_type = Text)]
    contact_phone: String,
    #[diesel(sql_type = Array<Timestamptz>)]
    slot_from: Vec<DateTime<Utc>>,
    #[diesel(sql_type = Array<Timestamptz>)]
    slot_until: Vec<DateTime<Utc>>,
    #[diesel(sql_type = BigInt)]
    met: i64,
    #[diesel(sql_type = Array<BigInt>)]
    contacts: Vec<i64>,
    #[diesel(sql_type = BigInt)]
    excluded: i64,
    #[diesel(sql_type = BigInt)]
    meeting_secs: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    first_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_at: Option<DateTime<Utc>>,
}

impl PlaceRow {
    fn read(self) -> Result<PlaceFacts, StoreError> {
        Ok(PlaceFacts {
            venue: self.venue,
            name: self.name,
            category: self.category,
            division: self.division,
            address: self.address,
            lat_deg: self.lat_deg,
            lng_deg: self.lng_deg,
            contact_phone: self.contact_phone,
            slots: self.slot_from.into_iter().zip(self.slot_until).collect(),
            met: self.met,
            contacts: by_class(self.contacts)?,
            excluded: self.excluded,
            meeting_secs: self.meeting_secs,
            first_at: self.first_at,
            last_at: self.last_at,
        })
    }
}

/// Which places come before which: where most contacts are, then where most were met, then by id. None of it changes
/// when somebody is left out.
pub type AfterPlace = (i64, i64, Uuid);

/// A page of a run's places: those of the case within its infectious period, and those where others met it.
pub async fn places(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    after: Option<AfterPlace>,
) -> Result<Vec<PlaceFacts>, StoreError> {
    let query = format!(
        "with run as (select * from runs where id = $1), stayed as (
             select {TRAIL_VENUE} as venue, t.from_at, t.until_at
             from run r join trail_stays t on t.case_id = r.case_id and t.removed_at is null
              and t.from_at < r.infectious_until and t.until_at > r.infectious_from
             left join points p on p.id = t.point_id
         ), slots as (
             select venue, array_agg(from_at order by from_at, until_at) as slot_from,
                    array_agg(until_at order by from_at, until_at) as slot_until
             from stayed where venue is not null group by venue
         ), per as (
             select p.venue_id as venue, e.visitor, bool_or(e.counted) as counted,
                    coalesce(sum(floor(extract(epoch from e.until_at - e.from_at))) filter (where e.counted), 0) as secs,
                    min(e.from_at) filter (where e.counted) as first_at,
                    max(e.until_at) filter (where e.counted) as last_at
             from exposures e join points p on p.id = e.stay_point_id
             where e.run_id = $1 group by p.venue_id, e.visitor
         ), people as (
             select m.venue, count(*) as met, sum(m.secs)::bigint as meeting_secs, min(m.first_at) as first_at,
                    max(m.last_at) as last_at,
                    array[count(*) filter (where m.counted and c.class = 0), count(*) filter (where m.counted and c.class = 1),
                          count(*) filter (where m.counted and c.class = 2), count(*) filter (where m.counted and c.class = 3),
                          count(*) filter (where m.counted and c.class = 4), count(*) filter (where m.counted and c.class = 5)
                    ] as contacts,
                    count(*) filter (where m.counted and c.visitor is not null) as all_contacts,
                    count(*) filter (where m.counted and c.excluded_at is not null) as excluded
             from per m left join contacts c on c.run_id = $1 and c.visitor = m.visitor
             group by m.venue
         ), listed as (
             select v.id as venue, v.name, v.category, v.division, v.address, v.lat_deg, v.lng_deg, v.contact_phone,
                    coalesce(s.slot_from, '{{}}') as slot_from, coalesce(s.slot_until, '{{}}') as slot_until,
                    coalesce(n.met, 0) as met, coalesce(n.contacts, '{{0,0,0,0,0,0}}') as contacts,
                    coalesce(n.all_contacts, 0) as all_contacts, coalesce(n.excluded, 0) as excluded,
                    coalesce(n.meeting_secs, 0) as meeting_secs, n.first_at, n.last_at
             from slots s full join people n on n.venue = s.venue
             join venues v on v.id = coalesce(s.venue, n.venue)
         )
         select * from listed
         where $4 is null or (-all_contacts, -met, venue) > (-$2, -$3, $4)
         order by -all_contacts, -met, venue limit $5"
    );
    let (contacts, met, venue) =
        after.map_or((0, 0, None), |(contacts, met, venue)| (contacts, met, Some(venue)));
    let rows: Vec<PlaceRow> = sql_query(query)
        .bind::<SqlUuid, _>(run_id)
        .bind::<BigInt, _>(contacts)
        .bind::<BigInt, _>(met)
        .bind::<Nullable<SqlUuid>, _>(venue)
        .bind::<BigInt, _>(PAGE)
        .load(conn)
        .await?;
    rows.into_iter().map(PlaceRow::read).collect()
}

fn by_class(counts: Vec<i64>) -> Result<ByClass, StoreError> {
    sound(counts.try_into().ok(), "contacts")
}

#[derive(QueryableByName)]
struct DivisionCountRow {
    #[diesel(sql_type = Bool)]
    at_venue: bool,
    #[diesel(sql_type = Text)]
    division: String,
    #[diesel(sql_type = Array<BigInt>)]
    contacts: Vec<i64>,
    #[diesel(sql_type = BigInt)]
    excluded: i64,
}

/// The contacts of a run by division of the venues where they were exposed, and by that where they live. Who was
/// exposed in two divisions counts in both. China has some 3,200.
pub async fn divisions(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Vec<DivisionFacts>, StoreError> {
    let query = format!(
        "with placed as (
             select distinct true as at_venue, coalesce(v.division, 'unknown') as division, c.visitor, c.class, c.excluded_at
             from contacts c
             join exposures e on e.run_id = c.run_id and e.visitor = c.visitor and e.counted
             left join points p on p.id = e.stay_point_id
             left join venues v on v.id = p.venue_id
             where c.run_id = $1
             union all
             select false, coalesce({RESIDENCE}, 'unknown'), c.visitor, c.class, c.excluded_at
             from contacts c where c.run_id = $1
         )
         select at_venue, division,
                array[count(*) filter (where class = 0), count(*) filter (where class = 1), count(*) filter (where class = 2),
                      count(*) filter (where class = 3), count(*) filter (where class = 4), count(*) filter (where class = 5)
                ] as contacts, count(excluded_at) as excluded
         from placed group by at_venue, division order by at_venue desc, division"
    );
    let rows: Vec<DivisionCountRow> = sql_query(query).bind::<SqlUuid, _>(run_id).load(conn).await?;
    let read = |row: DivisionCountRow| {
        Ok(DivisionFacts {
            basis: if row.at_venue { "venue" } else { "residence" },
            division: row.division,
            contacts: by_class(row.contacts)?,
            excluded: row.excluded,
        })
    };
    rows.into_iter().map(read).collect()
}
