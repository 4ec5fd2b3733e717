//! The poster of a point: one A4 page to print and hang at the door, in both languages.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use maud::{Markup, html};

use super::desk::Desk;
use super::layout::Layout;
use crate::posters::qr;
use crate::http::error::ApiError;
use crate::http::permissions::RegisterVenues;
use crate::http::venues::{Point, permitted_point, show_point};
use crate::http::web::Web;
use crate::store::register::VenueRow;

/// The page with the poster.
#[get("/manage/points/{id}/poster")]
pub(super) async fn show(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    let (point, venue) = permitted_point(&web, &desk.signed.actor, *id).await?;
    if point.revoked_at.is_some() {
        return Err(ApiError::Conflict("the codes of this point were revoked"));
    }
    let point = show_point(&web, point)?;
    let body = html! {
        div.unprinted {
            p { (desk.say("用 A4 纸打印，贴在门口齐胸高、光线好的地方。", "Print it on A4 and hang it at chest height where there is light.")) }
            p { a href={ "/manage/points/" (point.id) "/poster.svg" } download="place-code.svg" { (desk.say("只下载二维码（SVG）", "Only the QR code (SVG)")) } }
            p { a href={ "/manage/venues/" (venue.id) } { (desk.say("返回场所", "Back to the venue")) } }
        }
        (poster(&desk, &web, &venue, &point))
    };
    let title = format!("{} · {}", venue.name, point.name);
    Ok(desk.lay(Layout { wide: true, ..Layout::default() }, actix_web::http::StatusCode::OK, &title, &body))
}

/// The QR code alone.
#[get("/manage/points/{id}/poster.svg")]
pub(super) async fn picture(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    let (point, _) = permitted_point(&web, &desk.signed.actor, *id).await?;
    if point.revoked_at.is_some() {
        return Err(ApiError::Conflict("the codes of this point were revoked"));
    }
    let svg = qr::svg(&show_point(&web, point)?.url)?;
    Ok(HttpResponse::Ok().content_type("image/svg+xml").body(svg))
}

/// A poster says the same in both languages, whatever language the manager reads.
fn poster(desk: &Desk<RegisterVenues>, web: &Web, venue: &VenueRow, point: &Point) -> Markup {
    let host = host(web);
    let days = web.app.config.retention_days;
    let today = desk.view.day(web.now());
    html! {
        article.poster lang="zh-CN" {
            p.title { "场所码" span lang="en" { "Place code" } }
            h1 { (venue.name) }
            p.point { (point.name) }
            img src={ "/manage/points/" (point.id) "/poster.svg" } alt={ "QR " (point.typed) } width="512" height="512";
            p.typed { (point.typed) }
            div.columns {
                section {
                    h2 { "进门请扫码" }
                    ol { li { "用相机、微信或支付宝扫一扫" } li { "确认一次，即可进入" } li { "离开时可再扫一次" } }
                    h2 { "没有手机" }
                    p { "请工作人员登记；也可在 " strong { (host) } " 输入上面的编码。" }
                    h2 { "记录什么" }
                    p { "场所、时间和代号；不含姓名、证件号码、手机号。" (days) " 天后删除。" }
                }
                section lang="en" {
                    h2 { "Please scan when you come in" }
                    ol { li { "Point your camera at the code" } li { "Confirm once, and come in" } li { "Scan again on leaving, if you like" } }
                    h2 { "No phone?" }
                    p { "Ask the staff, or type the code above at " strong { (host) } "." }
                    h2 { "What is kept" }
                    p { "Place, time and a pseudonym; no name, number or phone. Deleted after " (days) " days." }
                }
            }
            p.foot { "请核对网址 Check the address: " strong { (host) } " · 第 " (point.generation) " 版 generation " (point.generation) " · " (today) }
        }
    }
}

/// Host and port as a person reads them.
fn host(web: &Web) -> String {
    let url = &web.app.config.public_url;
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
