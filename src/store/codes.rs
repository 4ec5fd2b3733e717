//! The codes of many points at once, and when the codes of one end.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::register::division_pattern;
use super::schema::{points, venues};
use crate::domain::venue::{Division, PointId};

/// Which points are meant.
#[derive(Clone, Debug)]
pub enum Which {
    /// One.
    Point(PointId),
    /// All of a venue.
    Venue(Uuid),
    /// All of a division and what lies inside it.
    Division(Division),
    /// Every point there is.
    All,
}

/// Sets when the codes of a point end, or lifts the end; false when the point is unknown.
pub async fn set_end(
    conn: &mut AsyncPgConnection,
    id: i64,
    expires_at: Option<DateTime<Utc>>,
) -> Result<bool, StoreError> {
    let change = points::expires_at.eq(expires_at);
    Ok(diesel::update(points::table.find(id)).set(change).execute(conn).await? == 1)
}

/// How many points are meant whose codes were not revoked.
pub async fn count(conn: &mut AsyncPgConnection, which: &Which) -> Result<i64, StoreError> {
    Ok(chosen(which).count().get_result(conn).await?)
}

/// The next points that are meant, after `after` in the order of ids.
pub async fn page(
    conn: &mut AsyncPgConnection,
    which: &Which,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>, StoreError> {
    let page = chosen(which).filter(points::id.gt(after)).order(points::id).limit(limit);
    Ok(page.select(points::id).load(conn).await?)
}

/// Raises the generation of these points, but for those that have used all 255; older posters answer until
/// `previous_until`. Returns how many were raised.
pub async fn rotate(
    conn: &mut AsyncPgConnection,
    ids: &[i64],
    previous_until: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let turning = points::table.filter(points::id.eq_any(ids)).filter(points::generation.lt(255));
    let change = (points::generation.eq(points::generation + 1), points::previous_until.eq(previous_until));
    Ok(diesel::update(turning).set(change).execute(conn).await?)
}

type Chosen = points::BoxedQuery<'static, diesel::pg::Pg>;

fn chosen(which: &Which) -> Chosen {
    let open = points::table.filter(points::revoked_at.is_null()).into_boxed();
    match which {
        Which::Point(id) => open.filter(points::id.eq(id.to_i64())),
        Which::Venue(id) => open.filter(points::venue_id.eq(*id)),
        Which::Division(division) => {
            let inside = venues::table.filter(venues::division.like(division_pattern(division)));
            open.filter(points::venue_id.eq_any(inside.select(venues::id)))
        }
        Which::All => open,
    }
}
