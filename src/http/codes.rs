//! The codes of a point: a new generation, the end at once, the end at a set time.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::RegisterVenues;
use super::venues::{Point, permitted_point, show_point};
use super::web::Web;
use super::write::{Reply, Write};
use crate::domain::venue::PointId;
use crate::store::{audit, codes, register};

/// How long a replaced poster still answers, in hours.
pub const GRACE_HOURS: i64 = 72;

/// How far ahead the end of a code may be set, in days: the longest of fairs and works.
pub const EXPIRY_DAYS_MAX: i64 = 400;

/// What becomes of a point's codes. Of nothing but defaults it is a new generation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Ends all codes of the point at once instead of printing a new one.
    #[serde(default)]
    pub revoke: bool,
    /// Sets when all codes of the point end, up to 400 days ahead, instead of printing a new one; `null`
    /// lifts that end.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub expires_at: End,
}

/// What is said about the end of codes: left out, `null`, or a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// There is to be none.
    None,
    /// It is to be then.
    At(DateTime<Utc>),
}

/// One change of a point's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeChange {
    /// A new generation; posters that hang answer until the grace time ends.
    Rotate,
    /// A new generation at once: what hangs, and each photo of it, answers no more.
    Replace,
    /// The end of all codes, at once and for ever.
    Revoke,
    /// When all codes end; `None` lifts the end.
    Expire(Option<DateTime<Utc>>),
}

impl Rotation {
    /// What is asked for, once it is found possible at `now`.
    pub fn change(&self, now: DateTime<Utc>) -> Result<CodeChange, ApiError> {
        match (self.revoke, self.expires_at) {
            (false, End::Unsaid) => Ok(CodeChange::Rotate),
            (true, End::Unsaid) => Ok(CodeChange::Revoke),
            (true, End::None | End::At(_)) => {
                Err(ApiError::invalid("expires_at", "cannot stand beside `revoke`"))
            }
            (false, End::None) => Ok(CodeChange::Expire(None)),
            (false, End::At(at)) if at <= now => {
                Err(ApiError::invalid("expires_at", "must lie in the future; `revoke` ends codes at once"))
            }
            (false, End::At(at)) if at > now + TimeDelta::days(EXPIRY_DAYS_MAX) => {
                Err(ApiError::invalid("expires_at", format!("must lie within {EXPIRY_DAYS_MAX} days")))
            }
            (false, End::At(at)) => Ok(CodeChange::Expire(Some(at))),
        }
    }
}

/// Prints a new code for a point; posters that hang answer for three more days. Or revokes all of them, or
/// sets when they end. When the answer has come, no replica that Redis reaches goes by what was before for longer
/// than a second.
#[utoipa::path(request_body = Rotation, responses((status = 200, body = Point), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[post("/points/{id}/code")]
pub(crate) async fn rotate_code(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<i64>,
    write: Write<Rotation>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted_point(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: Rotation| {
        let change = form.change(web.now())?;
        Ok(Reply::ok(change_codes(&web, conn, &actor, *id, change).await?))
    };
    let answer = write.once(&web, &actor.name, work).await?;
    told(&web, *id).await;
    Ok(answer)
}

/// Changes the codes of a point that the caller may change, and writes it down. Once the transaction is over,
/// [`told`] tells the replicas.
pub async fn change_codes(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: i64,
    change: CodeChange,
) -> Result<Point, ApiError> {
    let now = web.now();
    let row = register::point(conn, id).await?.ok_or(ApiError::NotFound("point"))?;
    if row.revoked_at.is_some() {
        // A second revocation finds what it wants; the first one's time stands.
        return match change {
            CodeChange::Revoke => show_point(web, row),
            CodeChange::Rotate | CodeChange::Replace | CodeChange::Expire(_) => {
                Err(ApiError::Conflict("the codes of this point were revoked; add a new point"))
            }
        };
    }
    let (action, detail) = match change {
        CodeChange::Rotate | CodeChange::Replace => {
            let grace_hours = if change == CodeChange::Replace { 0 } else { GRACE_HOURS };
            let until = now + TimeDelta::hours(grace_hours);
            let turned = register::rotate_code(conn, id, until).await?;
            let turned = turned
                .ok_or(ApiError::Conflict("the point has used all its generations; add a new point"))?;
            ("code.rotated", serde_json::json!({ "generation": turned, "grace_hours": grace_hours }))
        }
        CodeChange::Revoke => {
            register::revoke_code(conn, id, now).await?;
            ("code.revoked", serde_json::json!({}))
        }
        CodeChange::Expire(at) => {
            codes::set_end(conn, id, at).await?;
            ("code.end_set", serde_json::json!({ "expires_at": at }))
        }
    };
    let act = audit::Act { actor: &actor.name, action, subject: format!("point {id}"), detail };
    audit::append(conn, act, now).await?;
    let row = register::point(conn, id).await?.ok_or(ApiError::NotFound("point"))?;
    show_point(web, row)
}

/// Tells this replica and all others what has become of a point.
pub async fn told(web: &Web, id: i64) {
    if let Some(id) = PointId::from_i64(id) {
        web.tell(&[id]).await;
    }
}

/// Tells `null` from what is not there at all.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<End, D::Error> {
    Ok(Option::deserialize(deserializer)?.map_or(End::None, End::At))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str) -> Result<CodeChange, String> {
        let now: DateTime<Utc> = "2026-03-16T04:00:00Z".parse().unwrap();
        let form: Rotation = serde_json::from_str(text).map_err(|error| error.to_string())?;
        form.change(now).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_told_from_what_is_lifted() {
        let at: DateTime<Utc> = "2026-03-20T10:00:00Z".parse().unwrap();
        assert_eq!(change("{}"), Ok(CodeChange::Rotate));
        assert_eq!(change(r#"{"revoke":true}"#), Ok(CodeChange::Revoke));
        assert_eq!(change(r#"{"expires_at":null}"#), Ok(CodeChange::Expire(None)));
        assert_eq!(change(r#"{"expires_at":"2026-03-20T18:00:00+08:00"}"#), Ok(CodeChange::Expire(Some(at))));
    }

    #[test]
    fn an_end_lies_ahead_and_not_too_far() {
        let refused = |text: &str, about: &str| change(text).unwrap_err().contains(about);
        assert!(refused(r#"{"expires_at":"2026-03-16T04:00:00Z"}"#, "future"));
        assert!(refused(r#"{"expires_at":"2027-04-20T04:00:01Z"}"#, "400 days"));
        assert!(change(r#"{"expires_at":"2027-04-20T04:00:00Z"}"#).is_ok());
        assert!(refused(r#"{"revoke":true,"expires_at":null}"#, "revoke"));
        assert!(refused(r#"{"expires_at":"soon"}"#, "invalid"));
    }
}
