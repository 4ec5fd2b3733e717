//! The register page by page, as an export writes it. Nothing about visitors is asked.

use std::collections::HashMap;

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::register::{OrganisationRow, PointRow, VenueRow, division_pattern, venue_state};
use super::schema::{organisations, points, stops, venues};
use super::stops::StopRow;
use super::{StoreError, sound};
use crate::domain::numbered::Numbered;
use crate::domain::register_file::{PointRecord, Record, StopRecord};
use crate::domain::venue::{Division, Granularity, OrganisationKind, VenueState};

/// How many venues one page holds. An outline has some 80 kB at the most.
pub const PAGE: i64 = 200;

/// Which venues.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this division and all inside it.
    pub division: Option<Division>,
    /// Of this imported set.
    pub set: Option<String>,
    /// In this state.
    pub state: Option<VenueState>,
    /// Of these only.
    pub only: Option<Vec<Uuid>>,
}

type Boxed<'a> = venues::BoxedQuery<'a, diesel::pg::Pg>;

impl Filter {
    fn venues(&self) -> Boxed<'_> {
        let mut found = venues::table.into_boxed();
        if let Some(division) = &self.division {
            found = found.filter(venues::division.like(division_pattern(division)));
        }
        if let Some(set) = &self.set {
            // The name of a set has no letter that means something to `like`.
            found = found.filter(venues::source_ref.like(format!("{set}:%")));
        }
        if let Some(state) = self.state {
            found = found.filter(venues::state.eq(state.number()));
        }
        if let Some(only) = &self.only {
            found = found.filter(venues::id.eq_any(only));
        }
        found
    }

    /// The id as a file has it: within the set when one was asked for, else with it.
    fn id(&self, venue: &VenueRow) -> String {
        match (&venue.source_ref, &self.set) {
            (Some(source), Some(set)) => {
                let within = source.strip_prefix(set.as_str()).and_then(|rest| rest.strip_prefix(':'));
                within.unwrap_or(source).to_owned()
            }
            (Some(source), None) => source.clone(),
            (None, _) => venue.id.to_string(),
        }
    }
}

/// How many venues there are.
pub async fn count(conn: &mut AsyncPgConnection, filter: &Filter) -> Result<i64, StoreError> {
    Ok(filter.venues().select(count_star()).get_result(conn).await?)
}

/// A page of venues in the order of ids, which is that in which they were entered, and the id after which the next
/// page begins; `None` when this was the last.
pub async fn page(
    conn: &mut AsyncPgConnection,
    filter: &Filter,
    after: Option<Uuid>,
) -> Result<(Vec<Record>, Option<Uuid>), StoreError> {
    let found = filter.venues().filter(venues::id.gt(after.unwrap_or(Uuid::nil())));
    let rows: Vec<VenueRow> =
        found.order(venues::id).limit(PAGE).select(VenueRow::as_select()).load(conn).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
    let next = rows.last().filter(|_| full).map(|row| row.id);
    let mut beside = Beside::load(conn, &rows).await?;
    let records = rows.into_iter().map(|row| beside.record(filter, row)).collect::<Result<_, _>>()?;
    Ok((records, next))
}

/// What stands beside the venues of a page.
struct Beside {
    organisations: HashMap<Uuid, OrganisationRow>,
    points: HashMap<Uuid, Vec<PointRow>>,
    stops: HashMap<Uuid, Vec<StopRow>>,
}

impl Beside {
    async fn load(conn: &mut AsyncPgConnection, rows: &[VenueRow]) -> Result<Self, StoreError> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let owners: Vec<Uuid> = rows.iter().map(|row| row.organisation_id).collect();
        let owners: Vec<OrganisationRow> = organisations::table
            .filter(organisations::id.eq_any(owners))
            .select(OrganisationRow::as_select())
            .load(conn)
            .await?;
        let own: Vec<PointRow> = points::table
            .filter(points::venue_id.eq_any(&ids))
            .filter(points::revoked_at.is_null())
            .order((points::name, points::id))
            .select(PointRow::as_select())
            .load(conn)
            .await?;
        let along: Vec<StopRow> = stops::table
            .filter(stops::venue_id.eq_any(&ids))
            .order(stops::number)
            .select(StopRow::as_select())
            .load(conn)
            .await?;
        let mut beside = Self {
            organisations: owners.into_iter().map(|row| (row.id, row)).collect(),
            points: HashMap::new(),
            stops: HashMap::new(),
        };
        for point in own {
            beside.points.entry(point.venue_id).or_default().push(point);
        }
        for stop in along {
            beside.stops.entry(stop.venue_id).or_default().push(stop);
        }
        Ok(beside)
    }

    fn record(&mut self, filter: &Filter, row: VenueRow) -> Result<Record, StoreError> {
        let owner = sound(self.organisations.get(&row.organisation_id).cloned(), "organisations")?;
        let points = self.points.remove(&row.id).unwrap_or_default();
        let stops = self.stops.remove(&row.id).unwrap_or_default();
        Ok(Record {
            id: filter.id(&row),
            state: venue_state(row.state)?,
            name: row.name,
            short_name: row.short_name,
            category: row.category,
            division: row.division,
            street: row.street,
            address: row.address,
            lat_deg: row.lat_deg,
            lng_deg: row.lng_deg,
            outline: row.outline,
            capacity: row.capacity,
            organisation: owner.legal_name,
            organisation_kind: sound(OrganisationKind::from_number(owner.kind), "organisations")?,
            credit_code: owner.credit_code,
            superior: row.superior,
            contact_name: row.contact_name,
            contact_phone: row.contact_phone,
            points: points.into_iter().map(point).collect::<Result<_, _>>()?,
            stops: stops.into_iter().map(stop).collect(),
        })
    }
}

fn point(row: PointRow) -> Result<PointRecord, StoreError> {
    Ok(PointRecord {
        name: row.name,
        granularity: sound(Granularity::from_number(row.granularity), "points")?,
        is_mobile: row.is_mobile,
        expires_at: row.expires_at,
        position: row.lat_deg.zip(row.lng_deg),
    })
}

fn stop(row: StopRow) -> StopRecord {
    StopRecord { number: row.number, name: row.name, lat_deg: row.lat_deg, lng_deg: row.lng_deg }
}
