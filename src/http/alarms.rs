//! Alarms about codes that may go round as a photo: what was counted, and what an inspector does about it.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::codes::{CodeChange, change_codes, told};
use super::error::ApiError;
use super::permissions::ReviewVenues;
use super::venue_forms::text;
use super::venues::{PAGE, permitted_point};
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use crate::domain::burst::{AlarmState, Sign};
use crate::store::alarms::{self, AlarmRow};
use crate::store::audit;

/// An alarm: a photo of this point's code may be going round.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Alarm {
    /// Id.
    pub id: Uuid,
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
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// What speaks for a photo.
    pub sign: Sign,
    /// Scans of the hour in which it was raised and the one before, the highest while it was open.
    pub counted: Counted,
    /// What the same hours of the days before let expect; absent where the point has too little past.
    pub usual: Option<Expected>,
    /// What is proposed.
    pub proposal: Act,
    /// What became of it.
    pub state: AlarmState,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// By whom.
    pub closed_by: Option<String>,
    /// Why.
    pub reason: String,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Counted {
    /// All scans.
    pub scans: i32,
    /// Those whose phone was elsewhere.
    pub contradicted: i32,
    /// Visitors' own scans without any proof.
    pub unproven: i32,
}

/// What is usual.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Expected {
    /// All scans.
    pub scans: f64,
    /// Those whose phone was elsewhere.
    pub contradicted: f64,
    /// Visitors' own scans without any proof.
    pub unproven: f64,
}

/// What an inspector can do about an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Print a new code; the old one and each photo of it answer no more from now on.
    Rotate,
    /// Leave the code: it is known why there were so many.
    Dismiss,
}

/// Which alarms.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AlarmList {
    /// Alarms in this state; open ones when absent.
    pub state: Option<AlarmState>,
    /// The id of the last alarm of the page before.
    pub before: Option<Uuid>,
}

/// A page of the alarms of the division, the newest first; `Link` names the next page.
#[utoipa::path(params(AlarmList), responses((status = 200, body = [Alarm]), (status = "default", body = super::error::Problem)), tag = "inspection", security(("staff" = [])))]
#[get("/alarms")]
pub(crate) async fn list_alarms(
    web: Data<Web>,
    staff: Staff<ReviewVenues>,
    list: Query<AlarmList>,
) -> Result<HttpResponse, ApiError> {
    let alarms = page(&web, &staff.0, &list).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = alarms.last().filter(|_| alarms.len() == usize::try_from(PAGE).unwrap_or(0)) {
        let state = serde_json::json!(list.state.unwrap_or(AlarmState::Open)).as_str().map(str::to_owned);
        let query = [("state", state), ("before", Some(last.id.to_string()))];
        response.insert_header(next_page("/v1/alarms", &query));
    }
    Ok(response.json(alarms))
}

/// What is done about an alarm.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What.
    pub act: Act,
    /// Why; needed to dismiss, 500 characters at most.
    #[serde(default)]
    pub reason: String,
}

/// Closes an alarm: replaces the code at once, or dismisses the alarm for a reason.
#[utoipa::path(request_body = Decision, responses((status = 200, body = Alarm), (status = "default", body = super::error::Problem)), tag = "inspection", security(("staff" = [])))]
#[post("/alarms/{id}")]
pub(crate) async fn close_alarm(
    web: Data<Web>,
    staff: Staff<ReviewVenues>,
    id: Path<Uuid>,
    write: Write<Decision>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let point = permitted(&web, &actor, *id).await?.point_id;
    let work =
        async |conn: &mut AsyncPgConnection, form| Ok(Reply::ok(close(&web, conn, &actor, *id, form).await?));
    let answer = write.once(&web, &actor.name, work).await?;
    told(&web, point).await;
    Ok(answer)
}

/// A page of the alarms of the caller's division.
pub async fn page(web: &Web, actor: &Actor, list: &AlarmList) -> Result<Vec<Alarm>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let state = list.state.unwrap_or(AlarmState::Open);
    let rows = alarms::page(&mut conn, &actor.division, state, list.before, PAGE).await?;
    rows.into_iter().map(show).collect()
}

/// The alarm, when its venue lies in the caller's division.
pub async fn permitted(web: &Web, actor: &Actor, id: Uuid) -> Result<AlarmRow, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let row = alarms::find(&mut conn, id).await?.ok_or(ApiError::NotFound("alarm"))?;
    drop(conn);
    permitted_point(web, actor, row.point_id).await?;
    Ok(row)
}

/// Closes an alarm that the caller may close, and writes it down. Once the transaction is over, [`told`] tells the
/// replicas of the point.
pub async fn close(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    form: Decision,
) -> Result<Alarm, ApiError> {
    let reason = text("reason", &form.reason, usize::from(form.act == Act::Dismiss), 500)?;
    let state = match form.act {
        Act::Rotate => AlarmState::Rotated,
        Act::Dismiss => AlarmState::Dismissed,
    };
    if !alarms::close(conn, id, state, &actor.name, &reason, web.now()).await? {
        return Err(ApiError::Conflict("this alarm was closed already"));
    }
    let row = alarms::find(conn, id).await?.ok_or(ApiError::NotFound("alarm"))?;
    if form.act == Act::Rotate {
        change_codes(web, conn, actor, row.point_id, CodeChange::Replace).await?;
    }
    let detail = serde_json::json!({ "point": row.point_id, "state": state, "reason": reason });
    let act =
        audit::Act { actor: &actor.name, action: "alarm.closed", subject: format!("alarm {id}"), detail };
    audit::append(conn, act, web.now()).await?;
    show(row)
}

fn show(row: AlarmRow) -> Result<Alarm, ApiError> {
    let usual = row.usual_scans.zip(row.usual_contradicted).zip(row.usual_unproven);
    Ok(Alarm {
        id: row.id,
        sign: row.sign()?,
        state: row.state()?,
        point_id: row.point_id,
        point: row.point_name,
        venue_id: row.venue_id,
        venue: row.venue_name,
        address: row.address,
        raised_at: row.raised_at,
        counted: Counted { scans: row.scans, contradicted: row.contradicted, unproven: row.unproven },
        usual: usual.map(|((scans, contradicted), unproven)| Expected { scans, contradicted, unproven }),
        proposal: Act::Rotate,
        closed_at: row.closed_at,
        closed_by: row.closed_by,
        reason: row.reason,
    })
}
