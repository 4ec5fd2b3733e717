//! One contact of a run with all its exposures, as the rules of its pack look at them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::findings::ContactRow;
use super::schema::contacts;
use super::{StoreError, sound};
use crate::domain::exposure::{Exposure, Relation, With};
use crate::domain::numbered::Numbered;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::venue::{Granularity, PointId};
use crate::domain::visitor::Visitor;

/// The most exposures of one contact that are read.
const EXPOSURES_MAX: i64 = 2000;

/// One contact of a run.
pub async fn contact(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    visitor: Visitor,
) -> Result<Option<ContactRow>, StoreError> {
    let one = contacts::table.find((run_id, visitor.to_uuid())).select(ContactRow::as_select());
    Ok(one.first(conn).await.optional()?)
}

/// All exposures that a run kept of one contact, in the order in which they were found.
pub async fn exposures(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    visitor: Visitor,
) -> Result<Vec<Exposure>, StoreError> {
    let rows: Vec<ExposureRow> = sql_query(
        "select e.trail_stay_id, e.via_visitor, e.via_point_id, e.via_from_at, e.stay_point_id, e.stay_from_at,
                e.relation, e.granularity, e.rows_apart, e.ended_by, e.presence, e.from_at, e.until_at,
                v.category, t.until_at as left_at
         from exposures e
         left join trail_stays t on t.id = e.trail_stay_id
         left join points p on p.id = coalesce(t.point_id, e.via_point_id)
         left join venues v on v.id = coalesce(p.venue_id, t.venue_id)
         where e.run_id = $1 and e.visitor = $2 order by e.seq limit $3",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<SqlUuid, _>(visitor.to_uuid())
    .bind::<BigInt, _>(EXPOSURES_MAX)
    .load(conn)
    .await?;
    rows.into_iter().map(|row| row.read(visitor)).collect()
}

#[derive(QueryableByName)]
struct ExposureRow {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    trail_stay_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    via_visitor: Option<Uuid>,
    #[diesel(sql_type = Nullable<BigInt>)]
    via_point_id: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    via_from_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = BigInt)]
    stay_point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    stay_from_at: DateTime<Utc>,
    #[diesel(sql_type = SmallInt)]
    relation: i16,
    #[diesel(sql_type = SmallInt)]
    granularity: i16,
    #[diesel(sql_type = Nullable<SmallInt>)]
    rows_apart: Option<i16>,
    #[diesel(sql_type = SmallInt)]
    ended_by: i16,
    #[diesel(sql_type = SmallInt)]
    presence: i16,
    #[diesel(sql_type = Timestamptz)]
    from_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    until_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    category: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    left_at: Option<DateTime<Utc>>,
}

impl ExposureRow {
    fn read(self, visitor: Visitor) -> Result<Exposure, StoreError> {
        let with = match (self.trail_stay_id, self.via_visitor, self.via_point_id, self.via_from_at) {
            (Some(stay), ..) => With::Case(stay),
            (None, Some(contact), Some(point), Some(from)) => {
                let point = sound(PointId::from_i64(point), "exposures")?;
                With::Contact(Visitor::from_uuid(contact), point, from)
            }
            _ => return Err(StoreError::Corrupt("exposures")),
        };
        Ok(Exposure {
            with,
            stay_point: sound(PointId::from_i64(self.stay_point_id), "exposures")?,
            stay_from: self.stay_from_at,
            visitor,
            relation: sound(Relation::from_number(self.relation), "exposures")?,
            granularity: sound(Granularity::from_number(self.granularity), "exposures")?,
            category: self.category.as_deref().unwrap_or("other").into(),
            rows_apart: self.rows_apart.and_then(|rows| u16::try_from(rows).ok()),
            ended_by: sound(EndedBy::from_number(self.ended_by), "exposures")?,
            span: sound(Span::new(self.from_at, self.until_at).ok(), "exposures")?,
            left_at: self.left_at,
            presence: sound(Presence::from_number(self.presence), "exposures")?,
        })
    }
}
