//! The screens of a point for who answers for it: add one, hand over its link, end it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;
use uuid::Uuid;

use super::desk::{Desk, Sent};
use super::layout::{Layout, token};
use super::venue_form::field;
use super::view::go;
use super::words;
use crate::http::error::ApiError;
use crate::http::permissions::RegisterVenues;
use crate::http::screens::{self, AddedScreen, Screen, ScreenState};
use crate::http::venues::permitted_point;
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::posters::qr;

/// A new screen.
#[derive(Debug, Deserialize)]
struct Filled {
    #[serde(default)]
    name: String,
}

/// No fields but the token.
#[derive(Debug, Deserialize)]
struct Nothing {}

/// The screens of a point.
#[get("/manage/points/{id}/screens")]
pub(super) async fn list(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    let (point, venue) = permitted_point(&web, &desk.signed.actor, *id).await?;
    let all = screens::list(&web, point.id).await?;
    let title = desk.say("屏幕", "Screens");
    let body = html! {
        h1 { (title) }
        p.point { (venue.name) " · " (point.name) }
        p { (desk.say("屏幕上的场所码每半分钟更换一次，能证明来访者当时在场。",
                      "The code on a screen changes every half minute and proves that the visitor was there.")) }
        @if all.is_empty() { p { (desk.say("还没有屏幕。", "No screen yet.")) } }
        ul.cards { @for screen in &all { (card(&desk, screen)) } }
        h2 { (desk.say("添加屏幕", "Add a screen")) }
        form method="post" action={ "/manage/points/" (point.id) "/screens" } {
            (token(&desk.signed))
            (field("name", desk.say("名称，例如：东门平板", "Name, such as: tablet at the east door"), "", 100, true))
            button type="submit" { (desk.say("添加", "Add")) }
        }
        p { a href={ "/manage/venues/" (venue.id) } { (desk.say("返回场所", "Back to the venue")) } }
    };
    Ok(desk.page(title, &body))
}

/// Adds a screen and shows its link, this once.
#[post("/manage/points/{id}/screens")]
pub(super) async fn add(
    web: Data<Web>,
    id: Path<i64>,
    sent: Sent<RegisterVenues, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form } = sent;
    let actor = &desk.signed.actor;
    permitted_point(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let added = transaction(&mut conn, async |conn| screens::add(&web, conn, actor, *id, &form.name).await);
    let body = link(&desk, *id, &added.await?)?;
    Ok(desk.lay(Layout::default(), StatusCode::CREATED, desk.say("屏幕", "Screens"), &body))
}

/// Ends a screen.
#[post("/manage/screens/{id}/end")]
pub(super) async fn end(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<RegisterVenues, Nothing>,
) -> Result<HttpResponse, ApiError> {
    let Nothing {} = sent.form;
    let point = screens::end(&web, &sent.desk.signed.actor, *id).await?;
    Ok(go(&format!("/manage/points/{point}/screens")))
}

fn link(desk: &Desk<RegisterVenues>, point: i64, added: &AddedScreen) -> Result<Markup, ApiError> {
    let svg = qr::svg(&added.link)?;
    let svg = svg.find("<svg").and_then(|at| svg.get(at..)).unwrap_or(&svg);
    Ok(html! {
        h1 { (added.screen.name) }
        p { (desk.say("请在要显示场所码的设备上打开此链接，或用该设备扫描下图。链接只显示这一次，只能使用一次，有效至 ",
                      "Open this link on the device that is to show the code, or scan it there. It is shown this once, works once, until "))
            (desk.view.time(added.link_until)) }
        p.typed { a href=(added.link) rel="noreferrer" { (added.link) } }
        div.picture role="img" aria-label=(desk.say("启用链接", "The link")) { (PreEscaped(svg)) }
        p { a.button.quiet href={ "/manage/points/" (point) "/screens" } { (desk.say("返回", "Go back")) } }
    })
}

fn card(desk: &Desk<RegisterVenues>, screen: &Screen) -> Markup {
    let (tone, state) = match screen.state {
        ScreenState::Waiting => (words::Tone::Waiting, desk.say("等待启用", "Waits for its link")),
        ScreenState::Lapsed => (words::Tone::Over, desk.say("链接已过期", "Link not used in time")),
        ScreenState::Enrolled => (words::Tone::Good, desk.say("使用中", "In use")),
        ScreenState::Ended => (words::Tone::Over, desk.say("已停用", "Ended")),
    };
    html! {
        li {
            strong { (screen.name) }
            (words::badge(tone, state))
            span.small { (desk.view.time(screen.created_at)) }
            @if screen.state != ScreenState::Ended {
                form.inline method="post" action={ "/manage/screens/" (screen.id) "/end" } {
                    (token(&desk.signed))
                    button.danger type="submit" { (desk.say("停用", "End it")) }
                }
            }
        }
    }
}
