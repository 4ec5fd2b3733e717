//! The codes of a point for who answers for it: a new one, an end at a set time, or the end at once.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::{Desk, Sent};
use super::layout::token;
use super::view::go;
use super::words::{self, Tone};
use crate::http::codes::{End, GRACE_HOURS, Rotation, change_codes, told};
use crate::http::error::ApiError;
use crate::http::permissions::RegisterVenues;
use crate::http::venues::{Point, permitted_point, show_point};
use crate::http::web::Web;
use crate::http::write::transaction;

/// Which of the forms was sent.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Rotate,
    Expire,
    Revoke,
}

/// What a form sends.
#[derive(Debug, Deserialize)]
struct Filled {
    change: Change,
    /// Ticked by who revokes.
    sure: Option<String>,
    /// A local date and time; empty lifts the end.
    #[serde(default)]
    expires_at: String,
}

/// The codes of a point.
#[get("/manage/points/{id}/code")]
pub(super) async fn show(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    let (point, venue) = permitted_point(&web, &desk.signed.actor, *id).await?;
    let point = show_point(&web, point)?;
    let title = desk.say("场所码", "Place code");
    let body = html! {
        h1 { (title) }
        p.point { (venue.name) " · " (point.name) }
        dl {
            dt { (desk.say("版本", "Version")) }
            dd #generation { (point.generation) }
            dt { (desk.say("编码", "Code")) }
            dd { code { (point.typed) } }
            @if let Some(until) = point.previous_until.filter(|until| *until > web.now()) {
                dt { (desk.say("旧海报有效至", "Older posters answer until")) }
                dd { (desk.view.time(until)) }
            }
            @if let Some(expires) = point.expires_at {
                dt { (desk.say("全部失效于", "All codes end at")) }
                dd { (desk.view.time(expires)) }
            }
        }
        @if let Some(revoked) = point.revoked_at {
            p { (words::badge(Tone::Over, desk.say("已作废", "Revoked"))) " " (desk.view.time(revoked)) }
            p { (desk.say("作废不可撤销；请为此处增加新的点位。", "A revocation is for good; add a new point for this place.")) }
        } @else {
            (forms(&desk, &point))
        }
        p { a href={ "/manage/venues/" (venue.id) } { (desk.say("返回场所", "Back to the venue")) } }
    };
    Ok(desk.page(title, &body))
}

/// Changes them.
#[post("/manage/points/{id}/code")]
pub(super) async fn change(
    web: Data<Web>,
    id: Path<i64>,
    sent: Sent<RegisterVenues, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form } = sent;
    let actor = &desk.signed.actor;
    permitted_point(&web, actor, *id).await?;
    let rotation = match form.change {
        Change::Rotate => Rotation::default(),
        Change::Revoke if form.sure.is_none() => {
            return Err(ApiError::invalid("sure", "must be ticked, since a revocation is for good"));
        }
        Change::Revoke => Rotation { revoke: true, ..Rotation::default() },
        Change::Expire => {
            let end = desk.view.local_time("expires_at", &form.expires_at)?;
            Rotation { revoke: false, expires_at: end.map_or(End::None, End::At) }
        }
    };
    let change = rotation.change(web.now())?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| change_codes(&web, conn, actor, *id, change).await).await?;
    told(&web, *id).await;
    Ok(go(&format!("/manage/points/{id}/code")))
}

fn forms(desk: &Desk<RegisterVenues>, point: &Point) -> Markup {
    let action = format!("/manage/points/{}/code", point.id);
    let grace = GRACE_HOURS.to_string();
    html! {
        form method="post" action=(action) {
            (token(&desk.signed))
            h2 { (desk.say("更换", "Replace")) }
            p.small {
                (desk.say("海报被拍照外传、破损或遮盖时更换。现有海报还可使用 ", "When a poster was photographed and sent around, or torn. Posters that hang answer for another "))
                (grace) (desk.say(" 小时，新旧海报视为同一点位。", " hours; old and new are one point."))
            }
            button name="change" value="rotate" type="submit" { (desk.say("更换场所码", "Replace the code")) }
        }
        form method="post" action=(action) {
            (token(&desk.signed))
            h2 { (desk.say("到期", "Set an end")) }
            label for="expires_at" { (desk.say("何时全部失效（留空则取消）", "When all codes end (empty: never)")) }
            input #expires_at name="expires_at" type="datetime-local";
            button.quiet name="change" value="expire" type="submit" { (desk.say("保存", "Save")) }
        }
        details {
            summary { (desk.say("立即作废", "End all codes at once")) }
            form method="post" action=(action) {
                (token(&desk.signed))
                p { (desk.say("该点位的所有海报和屏幕立即失效，且不可恢复。", "All posters and screens of this point end at once, for good.")) }
                label { input type="checkbox" name="sure" value="yes" required; " " (desk.say("我确认", "I am sure")) }
                button.danger name="change" value="revoke" type="submit" { (desk.say("作废", "Revoke")) }
            }
        }
    }
}
