//! Hand-overs as officers see them, without persons; and what other systems tell of people under their control.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::agreements::word;
use super::auth::Staff;
use super::error::ApiError;
use super::permissions::{Administer, HoldLetters};
use super::runs::Nothing;
use super::signed::Signed;
use super::web::{Web, next_page};
use super::write::{Reply, Write, transaction};
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;
use crate::store::access::division;
use crate::store::controls::{self, ControlRow};
use crate::store::hand_overs::{self, HandOverRow};
use crate::store::{agreements, audit};

/// How many hand-overs one page holds.
const PAGE: i64 = 100;

/// The only type of a word about a control.
const CONTROL: &str = "placecode.control.v1";

/// How long a control may be told for; who is under it longer is told of again.
const CONTROL_MAX: TimeDelta = TimeDelta::days(61);

/// Mounts what this file answers.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(list_hand_overs).service(send_again).service(tell_control);
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct HandOverList {
    /// The last id of the page before.
    pub after: Option<Uuid>,
}

/// A hand-over; of the person it says nothing.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandOverEntry {
    /// Id.
    pub id: Uuid,
    /// Under which agreement.
    pub agreement: String,
    /// To whom.
    pub division: String,
    /// The proposal in whose place it went.
    pub assignment: Uuid,
    /// `waiting`, `delivered`, `buried` or `never_sent`.
    pub state: &'static str,
    /// How often it was tried since it was last due anew.
    pub attempts: i32,
    /// What went wrong.
    pub last_error: Option<String>,
    /// When it was handed over.
    pub created_at: DateTime<Utc>,
    /// When it arrived, or its withdrawal.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// What the other side says that it decided.
    #[schema(value_type = Object)]
    pub receipt: Option<serde_json::Value>,
}

/// Hand-overs in order of time, with what the other sides decided.
#[utoipa::path(params(HandOverList), responses((status = 200, body = [HandOverEntry]), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[get("/hand-overs")]
pub(crate) async fn list_hand_overs(
    web: Data<Web>,
    _staff: Staff<HoldLetters>,
    query: Query<HandOverList>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let rows = hand_overs::page(&mut conn, query.after, PAGE + 1).await?;
    let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    let shown: Vec<_> =
        rows.into_iter().take(usize::try_from(PAGE).unwrap_or(usize::MAX)).map(entry).collect();
    let mut response = HttpResponse::Ok();
    if let Some(last) = shown.last().filter(|_| more) {
        response.append_header(next_page("/v1/hand-overs", &[("after", Some(last.id.to_string()))]));
    }
    Ok(response.json(shown))
}

fn entry(row: HandOverRow) -> HandOverEntry {
    HandOverEntry {
        id: row.id,
        agreement: row.agreement_id,
        division: row.division,
        assignment: row.assignment_id,
        state: match row.state {
            0 => "waiting",
            1 => "delivered",
            2 => "buried",
            _ => "never_sent",
        },
        attempts: row.attempts,
        last_error: row.last_error,
        created_at: row.created_at,
        delivered_at: row.delivered_at,
        withdrawn_at: row.withdrawn_at,
        receipt: row.receipt,
    }
}

/// How many hand-overs are due again.
#[derive(Debug, Serialize, ToSchema)]
pub struct DueAgain {
    /// How many.
    pub count: usize,
}

/// Sends the buried hand-overs under one agreement again.
#[utoipa::path(request_body = Nothing, responses((status = 202, body = DueAgain), (status = "default", body = super::error::Problem)), tag = "letters", security(("staff" = [])))]
#[post("/agreements/{id}/again")]
pub(crate) async fn send_again(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        let now = web.now();
        let id = word("id", &id).map_err(|_why| ApiError::NotFound("agreement"))?;
        agreements::newest(conn, &id).await?.ok_or(ApiError::NotFound("agreement"))?;
        let count = hand_overs::dig_up(conn, &id, now).await?;
        let act = audit::Act {
            actor: &actor.name,
            action: "hand_overs.sent_again",
            subject: format!("agreement {id}"),
            detail: serde_json::json!({ "count": count }),
        };
        audit::append(conn, act, now).await?;
        Ok(Reply::accepted(DueAgain { count }))
    };
    write.once(&web, &actor.name, work).await
}

/// Somebody is under control elsewhere. One person in one request, by `visitor` or by `alias_key` and `alias`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewControl {
    /// Always `placecode.control.v1`.
    #[serde(rename = "type")]
    pub document: String,
    /// Its id with the system that tells it; the same when its end changes.
    pub id: Uuid,
    /// The person as we know them: 32 hexadecimal digits.
    #[serde(default)]
    pub visitor: Option<String>,
    /// The name of a key that both sides share.
    #[serde(default)]
    pub alias_key: Option<String>,
    /// The person under that key: 32 hexadecimal digits.
    #[serde(default)]
    pub alias: Option<String>,
    /// Where; it lies within what the system answers for.
    pub division: String,
    /// Until when; what lies in the past ends it.
    pub until: DateTime<Utc>,
}

/// What is known of a control.
#[derive(Debug, Serialize, ToSchema)]
pub struct Control {
    /// Its id.
    pub id: Uuid,
    /// Whether it keeps a second assignment away now.
    pub in_force: bool,
}

/// Takes the word of an issuing system that somebody is under control there. It colours nobody: all it can do is keep
/// a second assignment away while it is in force.
#[utoipa::path(request_body = NewControl, responses((status = 200, body = Control), (status = "default", body = super::error::Problem)), tag = "issuing systems", security(("issuer" = [])))]
#[post("/issuers/{issuer}/controls")]
pub(crate) async fn tell_control(
    web: Data<Web>,
    _issuer: Path<String>,
    signed: Signed<NewControl>,
) -> Result<HttpResponse, ApiError> {
    let Signed { issuer, body, .. } = signed;
    let now = web.now();
    let row = body.row(&issuer.id, &division(&issuer.division)?, now)?;
    let told = Control { id: row.id, in_force: row.until_at > now };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| {
        if !controls::keep(conn, &row).await? {
            return Err(ApiError::Conflict("this id stands for another control"));
        }
        let act = audit::Act {
            actor: &format!("issuer {}", issuer.id),
            action: "control.told",
            subject: format!("control {}", row.id),
            detail: serde_json::json!({ "division": row.division, "until": row.until_at }),
        };
        Ok(audit::append(conn, act, now).await?)
    })
    .await?;
    Ok(HttpResponse::Ok().json(told))
}

impl NewControl {
    fn row(self, issuer: &str, territory: &Division, now: DateTime<Utc>) -> Result<ControlRow, ApiError> {
        if self.document != CONTROL {
            return Err(ApiError::invalid("type", format!("must be `{CONTROL}`")));
        }
        let place: Division = self.division.parse().map_err(|error| ApiError::invalid("division", error))?;
        if !territory.covers(&place) {
            return Err(ApiError::invalid("division", "must lie within what the issuing system answers for"));
        }
        if self.until > now + CONTROL_MAX {
            return Err(ApiError::invalid("until", "must lie within 61 days; tell it again before it ends"));
        }
        let hex = |field: &'static str, text: &str| {
            let person = Visitor::from_hex(text).map(Visitor::to_uuid);
            person.ok_or_else(|| ApiError::invalid(field, "must be 32 hexadecimal digits in lower case"))
        };
        let (visitor, alias_key, alias) = match (self.visitor, self.alias_key, self.alias) {
            (Some(visitor), None, None) => (Some(hex("visitor", &visitor)?), None, None),
            (None, Some(key), Some(alias)) => {
                (None, Some(word("alias_key", &key)?), Some(hex("alias", &alias)?))
            }
            _ => {
                let reason = "exactly one of `visitor`, and `alias` with `alias_key`, is needed";
                return Err(ApiError::invalid("visitor", reason));
            }
        };
        Ok(ControlRow {
            issuer_id: issuer.to_owned(),
            id: self.id,
            visitor,
            alias_key,
            alias,
            division: place.to_string(),
            until_at: self.until,
            told_at: now,
        })
    }
}
