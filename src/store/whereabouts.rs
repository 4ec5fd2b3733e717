//! Where visitors were: the stays of some, with what is known of their points.

use std::collections::{BTreeSet, HashMap};

use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::stay_packs::{AtPoint, instant};
use super::stays::earliest_beginning;
use super::{StoreError, scans, sound, stay_packs};
use crate::domain::exposure::Candidate;
use crate::domain::inquiry::{Place, Places};
use crate::domain::numbered::Numbered;
use crate::domain::scan::{Direction, Scan};
use crate::domain::span::Span;
use crate::domain::stay::Stay;
use crate::domain::venue::{Granularity, PointId};
use crate::domain::visitor::Visitor;

/// The stays of visitors that overlap a span each, and the places where they were.
pub async fn of_visitors(
    conn: &mut AsyncPgConnection,
    wanted: &[(Visitor, Span)],
) -> Result<(Vec<Candidate>, Places), StoreError> {
    let mut spans: HashMap<Visitor, Vec<Span>> = HashMap::new();
    for (visitor, span) in wanted {
        spans.entry(*visitor).or_default().push(*span);
    }
    let widened = |(visitor, spans): (&Visitor, &Vec<Span>)| {
        let from = spans.iter().map(|span| earliest_beginning(*span)).min()?;
        let until = spans.iter().map(Span::until).max()?;
        Some((*visitor, Span::new(from, until).ok()?))
    };
    let widened: Vec<(Visitor, Span)> = spans.iter().filter_map(widened).collect();
    let mut stays = Vec::new();
    let mut without = Vec::new();
    for known in scans::within(conn, &widened).await? {
        match known.stay {
            Some(stay) => stays.push(stay),
            None if matches!(known.scan.direction, Direction::Entry | Direction::Passing) => {
                without.push(known.scan);
            }
            None => {}
        }
    }
    packed(conn, &without, &mut stays).await?;
    stays.retain(|stay| {
        let own = spans.get(&stay.visitor).map_or(&[][..], Vec::as_slice);
        own.iter().any(|span| span.overlap(&stay.span).is_some())
    });
    let points: BTreeSet<i64> = stays.iter().map(|stay| stay.point.to_i64()).collect();
    let known = points_of(conn, points.into_iter().collect()).await?;
    let places = known.iter().map(|(point, known)| (*point, known.place.clone())).collect();
    let candidate = |stay: Stay| {
        let known = known.get(&stay.point)?;
        Some(Candidate { venue: known.venue, row: known.row, stay })
    };
    Ok((stays.into_iter().filter_map(candidate).collect(), places))
}

/// Adds the stays of closed days that these scans opened.
async fn packed(
    conn: &mut AsyncPgConnection,
    scans: &[Scan],
    stays: &mut Vec<Stay>,
) -> Result<(), StoreError> {
    let search = |scan: &Scan| AtPoint { point: scan.point.to_i64(), window: instant(scan.occurred_at) };
    let searches: Vec<AtPoint> = scans.iter().map(search).collect();
    stay_packs::at_points(conn, &searches, |found| {
        let opened = |scan: &&Scan| {
            scan.visitor == found.stay.visitor
                && scan.occurred_at == found.stay.span.from()
                && found.stay.id.is_nil()
        };
        if let Some(scan) = scans.get(found.search).filter(opened) {
            stays.push(Stay { id: scan.id, ..found.stay });
        }
    })
    .await
}

/// What is known of a point.
struct Known {
    venue: Uuid,
    row: Option<u16>,
    place: Place,
}

async fn points_of(
    conn: &mut AsyncPgConnection,
    points: Vec<i64>,
) -> Result<HashMap<PointId, Known>, StoreError> {
    let rows: Vec<PointRow> = sql_query(
        "select p.id, p.venue_id, p.row_no, p.granularity, v.category from points p join venues v on v.id = p.venue_id
         where p.id = any($1)",
    )
    .bind::<Array<BigInt>, _>(points)
    .load(conn)
    .await?;
    rows.into_iter().map(PointRow::read).collect()
}

#[derive(QueryableByName)]
struct PointRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SqlUuid)]
    venue_id: Uuid,
    #[diesel(sql_type = Nullable<SmallInt>)]
    row_no: Option<i16>,
    #[diesel(sql_type = SmallInt)]
    granularity: i16,
    #[diesel(sql_type = Text)]
    category: String,
}

impl PointRow {
    fn read(self) -> Result<(PointId, Known), StoreError> {
        let granularity = sound(Granularity::from_number(self.granularity), "points")?;
        let place = Place { granularity, category: self.category.as_str().into() };
        let row = self.row_no.and_then(|row| u16::try_from(row).ok());
        Ok((sound(PointId::from_i64(self.id), "points")?, Known { venue: self.venue_id, row, place }))
    }
}
