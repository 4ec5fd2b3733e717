//! Which venues and points posters are printed for, page by page.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;
use super::register::{PointRow, division_pattern};
use super::schema::{points, venues};
use crate::domain::numbered::Numbered;
use crate::domain::venue::{Division, VenueState};

/// Which venues; closed ones are never among them.
#[derive(Clone, Debug)]
pub enum Selection {
    /// One.
    Venue(Uuid),
    /// Those of an import.
    Set(String),
    /// Those of a division and of all inside it.
    Division(Division),
    /// All.
    All,
}

/// A venue as its posters name it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = venues)]
pub struct PrintedVenue {
    /// Id.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// GB/T 2260 code.
    pub division: String,
}

/// How many venues are selected, and how many points of theirs are not revoked.
pub async fn count(conn: &mut AsyncPgConnection, of: &Selection) -> Result<(i64, i64), StoreError> {
    let number = selected(of).count().get_result(conn).await?;
    let standing = points::table.filter(points::revoked_at.is_null());
    let own = standing.filter(points::venue_id.eq_any(selected(of).select(venues::id)));
    Ok((number, own.count().get_result(conn).await?))
}

/// A page of the selected venues in the order of ids.
pub async fn venues(
    conn: &mut AsyncPgConnection,
    of: &Selection,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<PrintedVenue>, StoreError> {
    let page = selected(of).filter(venues::id.gt(after.unwrap_or(Uuid::nil())));
    let page = page.order(venues::id).limit(i64::try_from(limit).unwrap_or(i64::MAX));
    Ok(page.select(PrintedVenue::as_select()).load(conn).await?)
}

/// A page of the points of a venue that are not revoked, by name; it begins behind the point `after`.
pub async fn points(
    conn: &mut AsyncPgConnection,
    venue_id: Uuid,
    after: Option<(&str, i64)>,
    limit: usize,
) -> Result<Vec<PointRow>, StoreError> {
    let mut own =
        points::table.filter(points::venue_id.eq(venue_id)).filter(points::revoked_at.is_null()).into_boxed();
    if let Some((name, id)) = after {
        let same = points::name.eq(name.to_owned()).and(points::id.gt(id));
        own = own.filter(points::name.gt(name.to_owned()).or(same));
    }
    let page = own.order((points::name, points::id)).limit(i64::try_from(limit).unwrap_or(i64::MAX));
    Ok(page.select(PointRow::as_select()).load(conn).await?)
}

fn selected(of: &Selection) -> venues::BoxedQuery<'static, diesel::pg::Pg> {
    let open = venues::table.filter(venues::state.ne(VenueState::Closed.number())).into_boxed();
    match of {
        Selection::Venue(id) => open.filter(venues::id.eq(*id)),
        // The name of a set holds no character that `like` would read as a pattern.
        Selection::Set(name) => open.filter(venues::source_ref.like(format!("{name}:%"))),
        Selection::Division(division) => open.filter(venues::division.like(division_pattern(division))),
        Selection::All => open,
    }
}
