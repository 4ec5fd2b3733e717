//! An inspector in front of a poster: whose it is, whether it hangs where it should, and whether it is used.

use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::ReviewVenues;
use super::scans::place;
use super::venue_forms::text;
use super::venues::{PAGE, permitted_point};
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use crate::domain::area::Area;
use crate::domain::inspection::{Agreement, Finding, Registered};
use crate::domain::local_day::day_start;
use crate::domain::numbered::Numbered;
use crate::domain::position::Position;
use crate::domain::usage::Usage;
use crate::domain::venue::VenueState;
use crate::store::inspections::{self, InspectionRow};
use crate::store::register::{self, PointRow, VenueRow};
use crate::store::{audit, usage};

/// How many earlier visits are shown.
const VISITS: i64 = 10;

/// A poster that an inspector stands in front of.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenPoster {
    /// The text of the QR code, its last part, or what was typed from the poster.
    pub code: String,
    /// Where the inspector stands, degrees north.
    pub lat_deg: Option<f64>,
    /// Where the inspector stands, degrees east.
    pub lng_deg: Option<f64>,
}

/// What the register says about a poster.
#[derive(Debug, Serialize, ToSchema)]
pub struct PosterCheck {
    /// The venue's id.
    pub venue_id: Uuid,
    /// Its name.
    pub venue: String,
    /// Its registered address.
    pub address: String,
    /// Where it stands in its life.
    pub state: VenueState,
    /// The point's id.
    pub point_id: i64,
    /// The point's name.
    pub point: String,
    /// Why the code does not answer; absent when it does.
    pub not_in_force: Option<String>,
    /// Degrees north of the registered place.
    pub lat_deg: f64,
    /// Degrees east of the registered place.
    pub lng_deg: f64,
    /// How far the inspector is from there; zero inside a venue's outline.
    pub distance_m: Option<i32>,
    /// Whether that agrees.
    pub agreement: Agreement,
    /// How much the poster is used; absent until its first judgement.
    pub usage: Option<UsageView>,
    /// Scans of today until this hour.
    pub today: i64,
    /// The same hours of this weekday, one to four weeks ago.
    pub same_weekday: Vec<i64>,
    /// Earlier visits, the newest first.
    pub visits: Vec<Visit>,
}

/// How much a point is used.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsageView {
    /// The judgement.
    pub usage: Usage,
    /// Scans of the last seven whole days.
    pub week_scans: i32,
    /// What the four weeks before let expect.
    pub week_expected: f64,
    /// Those of the week whose phone was elsewhere.
    pub week_contradicted: i32,
    /// The last hour with a scan.
    pub last_scan_at: Option<DateTime<Utc>>,
}

/// An inspector's visit.
#[derive(Debug, Serialize, ToSchema)]
pub struct Visit {
    /// Id.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// What was found.
    pub finding: Finding,
    /// How far from the registered place.
    pub distance_m: Option<i32>,
    /// What else there is to say.
    pub note: String,
}

/// Says what the register knows of a poster. Nothing is kept of where the inspector stands.
#[utoipa::path(request_body = SeenPoster, responses((status = 200, body = PosterCheck), (status = "default", body = super::error::Problem)), tag = "inspection", security(("staff" = [])))]
#[post("/inspections/check")]
pub(crate) async fn check_poster(
    web: Data<Web>,
    staff: Staff<ReviewVenues>,
    write: Write<SeenPoster>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(check(&web, &staff.0, &write.into_body()?).await?))
}

/// What an inspector found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVisit {
    /// The text of the QR code, its last part, or what was typed from the poster.
    pub code: String,
    /// Where the inspector stands, degrees north.
    pub lat_deg: Option<f64>,
    /// Where the inspector stands, degrees east.
    pub lng_deg: Option<f64>,
    /// What was found.
    pub finding: Finding,
    /// What else there is to say.
    #[serde(default)]
    pub note: String,
}

/// Keeps what an inspector found.
#[utoipa::path(request_body = NewVisit, responses((status = 201, body = Visit), (status = "default", body = super::error::Problem)), tag = "inspection", security(("staff" = [])))]
#[post("/inspections")]
pub(crate) async fn record_visit(
    web: Data<Web>,
    staff: Staff<ReviewVenues>,
    write: Write<NewVisit>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work =
        async |conn: &mut AsyncPgConnection, form| Ok(Reply::created(keep(&web, conn, &actor, form).await?));
    write.once(&web, &actor.name, work).await
}

/// Which points of the division.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct OddList {
    /// Points judged so; dead ones when absent.
    pub usage: Option<Usage>,
    /// The id of the last point of the page before.
    pub after: Option<i64>,
}

/// A point that calls for a look.
#[derive(Debug, Serialize, ToSchema)]
pub struct OddPoint {
    /// Which point.
    pub point_id: i64,
    /// Its name.
    pub point: String,
    /// Its venue.
    pub venue_id: Uuid,
    /// The venue's name.
    pub venue: String,
    /// The venue's address.
    pub address: String,
    /// How much it is used.
    pub usage: UsageView,
}

/// A page of the points of the division that were judged so, in the order of ids; `Link` names the next page.
#[utoipa::path(params(OddList), responses((status = 200, body = [OddPoint]), (status = "default", body = super::error::Problem)), tag = "inspection", security(("staff" = [])))]
#[get("/inspections/points")]
pub(crate) async fn odd_points(
    web: Data<Web>,
    staff: Staff<ReviewVenues>,
    list: Query<OddList>,
) -> Result<HttpResponse, ApiError> {
    let points = odd(&web, &staff.0, &list).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = points.last().filter(|_| points.len() == usize::try_from(PAGE).unwrap_or(0)) {
        let usage = serde_json::json!(list.usage.unwrap_or(Usage::Dead)).as_str().map(str::to_owned);
        let query = [("usage", usage), ("after", Some(last.point_id.to_string()))];
        response.insert_header(next_page("/v1/inspections/points", &query));
    }
    Ok(response.json(points))
}

/// A page of the points that were judged so.
pub async fn odd(web: &Web, actor: &Actor, list: &OddList) -> Result<Vec<OddPoint>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let rows =
        usage::odd_points(&mut conn, &actor.division, list.usage.unwrap_or(Usage::Dead), list.after, PAGE)
            .await?;
    let show = |row: usage::OddPoint| {
        Ok(OddPoint {
            point_id: row.judged.point_id,
            usage: usage_view(&row.judged)?,
            point: row.point_name,
            venue_id: row.venue_id,
            venue: row.venue_name,
            address: row.address,
        })
    };
    rows.into_iter().map(show).collect()
}

/// What the register says about a poster.
pub async fn check(web: &Web, actor: &Actor, seen: &SeenPoster) -> Result<PosterCheck, ApiError> {
    let now = web.now();
    let (code, facts) = place(web, &seen.code, now).await?;
    let (point, venue) = permitted_point(web, actor, facts.id.to_i64()).await?;
    let registered = registered(&point, &venue)?;
    let standing = standing(seen.lat_deg, seen.lng_deg)?;
    let mut conn = web.app.store.conn().await?;
    let judged = usage::of_point(&mut conn, point.id).await?;
    let spans = same_weekdays(now, web.app.config.local_offset);
    let mut scans = usage::scans_within(&mut conn, point.id, &spans).await?.into_iter();
    let visits = inspections::of_point(&mut conn, point.id, VISITS).await?;
    Ok(PosterCheck {
        venue_id: venue.id,
        state: register::venue_state(venue.state)?,
        venue: venue.name,
        address: venue.address,
        point_id: point.id,
        point: point.name,
        not_in_force: code.check(&facts, now, now).err().map(|why| why.to_string()),
        lat_deg: registered.position.lat_deg(),
        lng_deg: registered.position.lng_deg(),
        distance_m: standing.and_then(|standing| registered.distance_m(&standing)),
        agreement: registered.agreement(standing.as_ref()),
        usage: judged.as_ref().map(usage_view).transpose()?,
        today: scans.next().unwrap_or(0),
        same_weekday: scans.collect(),
        visits: visits.into_iter().map(visit).collect::<Result<_, _>>()?,
    })
}

/// Keeps what an inspector found.
pub async fn keep(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    form: NewVisit,
) -> Result<Visit, ApiError> {
    let note = text("note", &form.note, usize::from(form.finding == Finding::Other), 500)?;
    let (_, facts) = place(web, &form.code, web.now()).await?;
    let (point, venue) = permitted_point(web, actor, facts.id.to_i64()).await?;
    let standing = standing(form.lat_deg, form.lng_deg)?;
    let registered = registered(&point, &venue)?;
    let row = InspectionRow {
        id: Uuid::now_v7(),
        point_id: point.id,
        inspector: actor.name.clone(),
        at: web.now(),
        distance_m: standing.and_then(|standing| registered.distance_m(&standing)),
        finding: form.finding.number(),
        note,
    };
    inspections::insert(conn, &row).await?;
    let act = audit::Act {
        actor: &actor.name,
        action: "poster.inspected",
        subject: format!("point {}", point.id),
        detail: serde_json::json!({ "finding": form.finding, "distance_m": row.distance_m }),
    };
    audit::append(conn, act, row.at).await?;
    visit(row)
}

fn registered(point: &PointRow, venue: &VenueRow) -> Result<Registered, ApiError> {
    let broken = |error: &dyn std::fmt::Display| ApiError::Internal(anyhow::anyhow!("the register: {error}"));
    let (lat_deg, lng_deg) = point.lat_deg.zip(point.lng_deg).unwrap_or((venue.lat_deg, venue.lng_deg));
    let outline = venue.outline.as_ref().map(Area::from_json).transpose();
    Ok(Registered {
        position: Position::new(lat_deg, lng_deg).map_err(|error| broken(&error))?,
        outline: outline.map_err(|error| broken(&error))?,
        is_mobile: point.is_mobile,
    })
}

fn standing(lat_deg: Option<f64>, lng_deg: Option<f64>) -> Result<Option<Position>, ApiError> {
    match (lat_deg, lng_deg) {
        (None, None) => Ok(None),
        (Some(lat), Some(lng)) => {
            Position::new(lat, lng).map(Some).map_err(|error| ApiError::invalid("position", error))
        }
        _ => Err(ApiError::invalid("position", "needs both lat_deg and lng_deg, or neither")),
    }
}

fn usage_view(row: &usage::UsageRow) -> Result<UsageView, ApiError> {
    let broken =
        || ApiError::Internal(anyhow::anyhow!("a row of `point_usage` holds a value that cannot be"));
    Ok(UsageView {
        usage: Usage::from_number(row.usage).ok_or_else(broken)?,
        week_scans: row.week_scans,
        week_expected: row.week_expected,
        week_contradicted: row.week_contradicted,
        last_scan_at: row.last_scan_at,
    })
}

fn visit(row: InspectionRow) -> Result<Visit, ApiError> {
    let broken =
        || ApiError::Internal(anyhow::anyhow!("a row of `inspections` holds a value that cannot be"));
    Ok(Visit {
        id: row.id,
        at: row.at,
        finding: Finding::from_number(row.finding).ok_or_else(broken)?,
        distance_m: row.distance_m,
        note: row.note,
    })
}

/// Today from midnight until now, and the same hours one to four weeks ago.
fn same_weekdays(now: DateTime<Utc>, offset: FixedOffset) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let midnight = day_start(now, offset);
    (0..=4).map(|weeks| (midnight - TimeDelta::weeks(weeks), now - TimeDelta::weeks(weeks))).collect()
}
