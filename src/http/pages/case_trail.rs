//! The trail of a case, after the purpose of the look was written down, with the forms that complete it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, SubsecRound, Timelike, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::case_trail_form::{Filled, add_form, ground_fields, source_of, time_field};
use super::cases::short;
use super::desk::{Asked, Desk, Sent};
use super::layout::{Layout, token};
use super::point_form::row_no;
use super::trouble::detail;
use super::venue_form::field;
use super::view::go;
use super::words::{self, Tone, badge};
use crate::http::cases::{Purpose, permitted};
use crate::http::error::ApiError;
use crate::http::permissions::Investigate;
use crate::http::trail_edits::{TrailEdit, TrailGround, edit, put_back, remove};
use crate::http::trails::{Source, TrailLook, TrailStay, add_stay, trail};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::trails;

/// What the forms of one stay send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    /// `save`, `remove` or `return`.
    act: String,
    from: String,
    until: String,
    row: String,
    seat: String,
    source: String,
    reason: String,
    /// What the trail was opened for, to come back to it.
    purpose: String,
}

/// The trail with what was removed from it.
#[get("/cases/{id}/trail")]
pub(super) async fn show(
    asked: Asked<Investigate, Purpose>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    page(&asked.desk, &web, *id, &asked.query.purpose, &Filled::default(), None).await
}

/// Adds a stay; what is not right is shown again with the reason.
#[post("/cases/{id}/trail")]
pub(super) async fn add(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let actor = &desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let added = async {
        let new = filled.read(&desk.view)?;
        let mut conn = web.app.store.conn().await?;
        transaction(&mut conn, async |conn| add_stay(&web, conn, actor, *id, new).await).await
    };
    match added.await {
        Ok(_) => Ok(go(&address(*id, &filled.purpose))),
        Err(error @ ApiError::Invalid { .. }) => {
            page(&desk, &web, *id, &filled.purpose, &filled, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

/// Confirms, edits, removes or puts back a stay.
#[post("/cases/{id}/trail/{stay}")]
pub(super) async fn say(
    web: Data<Web>,
    path: Path<(Uuid, Uuid)>,
    sent: Sent<Investigate, Said>,
) -> Result<HttpResponse, ApiError> {
    let (Sent { desk, form: said }, (id, stay)) = (sent, *path);
    permitted(&web, &desk.signed.actor, id).await?;
    match act(&desk, &web, (id, stay), &said).await {
        Ok(()) => Ok(go(&address(id, &said.purpose))),
        Err(error @ ApiError::Invalid { .. }) => {
            page(&desk, &web, id, &said.purpose, &Filled::default(), Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

async fn act(desk: &Desk<Investigate>, web: &Web, of: (Uuid, Uuid), said: &Said) -> Result<(), ApiError> {
    let actor = &desk.signed.actor;
    let (source, reason) = (source_of(&said.source)?, said.reason.clone());
    let ground = TrailGround { source, reason: reason.clone() };
    let mut conn = web.app.store.conn().await?;
    match said.act.as_str() {
        "remove" => transaction(&mut conn, async |conn| remove(web, conn, actor, of, ground).await).await?,
        "return" => transaction(&mut conn, async |conn| put_back(web, conn, actor, of, ground).await).await?,
        _ => {
            let now = trails::stay(&mut conn, of.0, of.1).await?.ok_or(ApiError::NotFound("stay"))?;
            // A field shows minutes, so what it shows of a stay is no change of its seconds.
            let changed = |field, text: &str, at: DateTime<Utc>| {
                let told = desk.view.local_time(field, text)?;
                Ok::<_, ApiError>(told.filter(|told| *told != minute(at)))
            };
            let form = TrailEdit {
                from: changed("from", &said.from, now.from_at)?,
                until: changed("until", &said.until, now.until_at)?,
                row: row_no(&said.row)?,
                seat: Some(said.seat.clone()).filter(|seat| !seat.trim().is_empty()),
                source,
                reason,
            };
            transaction(&mut conn, async |conn| edit(web, conn, actor, of, form).await).await?
        }
    };
    Ok(())
}

/// The beginning of the minute.
fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(0).with_second(0).unwrap_or(at)
}

async fn page(
    desk: &Desk<Investigate>,
    web: &Web,
    id: Uuid,
    purpose: &str,
    filled: &Filled,
    wrong: Option<&ApiError>,
) -> Result<HttpResponse, ApiError> {
    let look = TrailLook { purpose: purpose.to_owned(), removed: true };
    let stays = trail(web, &desk.signed.actor, id, &look).await?;
    let is_open = permitted(web, &desk.signed.actor, id).await?.withdrawn_at.is_none();
    let title = desk.say("活动轨迹", "Trail");
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = html! {
        h1 { (title) " · " (desk.say("病例 ", "case ")) (short(id)) }
        p.note { (desk.say("本次查看已记录。目的：", "This look was written down. Purpose: ")) strong { (purpose) } }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (detail(&desk.view, wrong)) } }
        @if stays.is_empty() {
            p { (desk.say("还没有轨迹；首次计算时会按扫码记录生成。", "There is none yet; the first run takes it from the scans.")) }
        }
        ul.cards { @for stay in &stays { (card(desk, id, stay, purpose, is_open)) } }
        @if is_open { (add_form(desk, id, purpose, filled)) }
        p { a href={ "/cases/" (id) } { (desk.say("返回病例", "Back to the case")) } }
    };
    Ok(desk.lay(Layout::default(), status, title, &body))
}

fn card(desk: &Desk<Investigate>, case: Uuid, stay: &TrailStay, purpose: &str, is_open: bool) -> Markup {
    let view = &desk.view;
    let moved = (stay.scanned_from, stay.scanned_until);
    html! {
        li {
            strong { (stay.venue) }
            @if !stay.point.is_empty() { span.point { (stay.point) } }
            @if let Some(row) = stay.row {
                span.point { (view.say("第 ", "row ")) (row) (view.say(" 排 ", ", seat ")) (stay.seat.as_deref().unwrap_or("—")) }
            }
            span { (view.span(stay.from, stay.until)) }
            span.small { (words::source(view.lang, stay.source)) @if stay.source != Source::Scan { " · " (stay.reason) } }
            @if stay.removed_at.is_some() {
                (badge(Tone::Over, view.say("已移出，不参与计算", "Taken out, does not count")))
            } @else if stay.edited_at.is_some() {
                (badge(Tone::Good, view.say("已由流调人员更改", "Changed by an investigator")))
                @if let (Some(from), Some(until)) = moved {
                    span.small { (view.say("扫码记录为：", "by the scans: ")) (view.span(from, until)) }
                }
            } @else if stay.confirmed_at.is_some() {
                (badge(Tone::Good, view.say("已核实", "Confirmed")))
            }
            @if is_open { (forms(desk, case, stay, purpose)) }
        }
    }
}

/// What an investigator may say of a stay, folded away until it is wanted.
fn forms(desk: &Desk<Investigate>, case: Uuid, stay: &TrailStay, purpose: &str) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    let name = |field: &str| format!("{field}-{}", stay.id);
    let removed = stay.removed_at.is_some();
    html! {
        details {
            summary { @if removed { (t("恢复", "Put back")) } @else { (t("核实、更改或移出", "Confirm, change or take out")) } }
            form method="post" action={ "/cases/" (case) "/trail/" (stay.id) } {
                (token(&desk.signed))
                input type="hidden" name="purpose" value=(purpose);
                @if !removed {
                    (time_field(&name("from"), "from", t("开始", "From"), &desk.view.field_time(stay.from)))
                    (time_field(&name("until"), "until", t("结束", "Until"), &desk.view.field_time(stay.until)))
                    @if stay.row.is_some() {
                        label for=(name("row")) { (t("排", "Row")) }
                        input id=(name("row")) name="row" type="text" maxlength="3" autocomplete="off" value=[stay.row];
                        label for=(name("seat")) { (t("座位", "Seat")) }
                        input id=(name("seat")) name="seat" type="text" maxlength="8" autocomplete="off" value=[stay.seat.as_ref()];
                    }
                }
                (ground_fields(desk, &stay.id.to_string(), "", ""))
                @if removed {
                    button.quiet type="submit" name="act" value="return" { (t("恢复到轨迹", "Put it back")) }
                } @else {
                    button type="submit" name="act" value="save" { (t("核实（时间如上）", "It was so, at these times")) }
                    button.danger type="submit" name="act" value="remove" { (t("移出：本人不在场", "Take out: the person was not there")) }
                    p.small { (t("缩短或移出后，以此为依据的判定会自动撤回。", "What rests on it is undone when it is cut or taken out.")) }
                }
            }
        }
    }
}

/// The form on the page of the case that asks what the trail is opened for.
pub(super) fn purpose_form<P>(desk: &Desk<P>, case: Uuid) -> Markup {
    html! {
        section.note {
            h2 { (desk.say("活动轨迹", "Trail")) }
            form method="get" action={ "/cases/" (case) "/trail" } {
                (field("purpose", desk.say("查看目的（会被记录）", "What for (it is written down)"), "", 500, true))
                button.quiet type="submit" { (desk.say("查看和补充轨迹", "See and complete the trail")) }
            }
        }
    }
}

fn address(case: Uuid, purpose: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("purpose", purpose).finish();
    format!("/cases/{case}/trail?{query}")
}
