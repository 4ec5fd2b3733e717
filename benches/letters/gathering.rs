//! Who was where: gatherings in rooms of one building, one after the other, with a case in each.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use placecode::domain::catalogue::Catalogue;
use placecode::domain::exposure::grid_cell;
use placecode::domain::position::{POINT_RESOLUTION, Position, cell_to_i64};
use placecode::domain::scan::{Direction, Method, Presence, Scan};
use placecode::domain::venue::{Granularity, PointId};
use placecode::domain::visitor::Visitor;
use placecode::pipeline::settle_stays::{Changes, Rules, store};
use placecode::store::partitions;
use placecode::store::register::{self, OrganisationRow, PointRow, VenueRow};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

/// How many gatherings there are.
pub const GATHERINGS: u64 = 8;
/// How many of four visitors are at each of them.
const OF_FOUR: u32 = 3;
/// How many scans are stored in one transaction.
const BATCH: usize = 5_000;

/// The case of a gathering.
pub fn case(gathering: u64) -> Visitor {
    Visitor::from_uuid(Uuid::from_u128(0xCA5E << 64 | u128::from(gathering)))
}

fn visitor(number: u32) -> Visitor {
    Visitor::from_uuid(Uuid::from_u128(0x4000_0000_0000_0001 << 64 | u128::from(number)))
}

fn point(gathering: u64) -> PointId {
    PointId::new(gathering + 1).expect("a number of a point")
}

/// Enters the building: every other room is a hall, where the colour is another.
pub async fn enter_register(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    let organisation = OrganisationRow {
        id: Uuid::from_u128(1),
        legal_name: "郑州某某会展有限公司".into(),
        credit_code: None,
        created_at: now,
        kind: 0,
    };
    register::insert_organisation(conn, &organisation).await?;
    let cell = Position::new(34.75, 113.63)?.cell(POINT_RESOLUTION);
    let venue = VenueRow {
        id: Uuid::from_u128(2),
        organisation_id: organisation.id,
        source_ref: None,
        name: "会展中心".into(),
        category: "other".into(),
        division: "410105".into(),
        address: "郑州市金水区花园路1号".into(),
        lat_deg: 34.75,
        lng_deg: 113.63,
        cell: cell_to_i64(cell),
        contact_name: String::new(),
        contact_phone: String::new(),
        capacity: None,
        state: 1,
        state_reason: String::new(),
        created_at: now,
        short_name: String::new(),
        street: String::new(),
        superior: String::new(),
        outline: None,
        cells: Vec::new(),
    };
    register::insert_venues(conn, std::slice::from_ref(&venue)).await?;
    let room = |gathering: u64| PointRow {
        id: point(gathering).to_i64(),
        venue_id: venue.id,
        name: format!("{}号厅", gathering + 1),
        granularity: if gathering.is_multiple_of(2) { Granularity::Room } else { Granularity::Hall } as i16,
        cell: cell_to_i64(cell),
        grid_cell: grid_cell(cell).map_or(0, cell_to_i64),
        generation: 1,
        previous_until: None,
        revoked_at: None,
        created_at: now,
        lat_deg: None,
        lng_deg: None,
        is_mobile: false,
        expires_at: None,
        row_no: None,
        seat: None,
    };
    register::insert_points(conn, &(0..GATHERINGS).map(room).collect::<Vec<_>>()).await?;
    Ok(())
}

/// Stores the scans of all, from which the service makes their stays.
pub async fn gather(
    conn: &mut AsyncPgConnection,
    visitors: u32,
    seed: u64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (catalogue, offset) = (Catalogue::shipped()?, FixedOffset::east_opt(8 * 3600).expect("an offset"));
    for batch in scans(visitors, seed, now).chunks(BATCH) {
        conn.transaction::<_, anyhow::Error, _>(async |conn| {
            partitions::ensure(conn, (now - TimeDelta::days(2)).date_naive(), now.date_naive()).await?;
            store(conn, Rules { catalogue: &catalogue, offset }, batch, Changes::Traced).await?;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

fn scans(visitors: u32, seed: u64, now: DateTime<Utc>) -> Vec<Scan> {
    let mut rng = StdRng::seed_from_u64(seed);
    let cell = Position::new(34.75, 113.63).expect("a position").cell(POINT_RESOLUTION);
    let mut scans = Vec::new();
    for gathering in 0..GATHERINGS {
        let begins = now - TimeDelta::minutes(100 * i64::try_from(GATHERINGS - gathering).unwrap_or(0) + 60);
        let mut be_there = |visitor: Visitor, late_secs: i64| {
            let stay = [(Direction::Entry, 0), (Direction::Exit, 75 * 60)];
            scans.extend(stay.map(|(direction, secs)| {
                let at = begins + TimeDelta::seconds(secs + late_secs);
                Scan {
                    id: Uuid::new_v4(),
                    visitor,
                    point: point(gathering),
                    cell,
                    occurred_at: at,
                    received_at: at,
                    direction,
                    method: Method::Own,
                    presence: Presence::Plausible,
                    party: None,
                    corrects: None,
                }
            }));
        };
        be_there(case(gathering), 0);
        for number in 0..visitors {
            if rng.random_range(0..4) < OF_FOUR {
                be_there(visitor(number), rng.random_range(0..600));
            }
        }
    }
    scans.sort_by_key(|scan| scan.occurred_at);
    scans
}
