//! The poster of a point: one page to look at, and the files to print and hang at the door.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use maud::{Markup, html};
use uuid::Uuid;

use super::desk::{Asked, Desk};
use super::layout::Layout;
use crate::http::error::ApiError;
use crate::http::permissions::RegisterVenues;
use crate::http::posters::{MODULE_PX, Picture, PosterQuery, facts, of_point, of_venue, standing, symbol_of};
use crate::http::venues::permitted_point;
use crate::http::web::Web;
use crate::posters::{Language, PosterFacts, Size, fill};
use crate::store::register::VenueRow;

/// The page with the poster.
#[get("/manage/points/{id}/poster")]
pub(super) async fn show(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    let (point, venue) = permitted_point(&web, &desk.signed.actor, *id).await?;
    let facts = facts(&web, &venue, standing(point)?)?;
    let body = html! {
        div.unprinted { (files(&desk, &venue, *id)) }
        (poster(&web, &facts, *id))
    };
    let title = format!("{} · {}", facts.venue, facts.point);
    Ok(desk.lay(Layout { wide: true, ..Layout::default() }, actix_web::http::StatusCode::OK, &title, &body))
}

/// The poster or a sheet of stickers as PDF.
#[get("/manage/points/{id}/poster.pdf")]
pub(super) async fn file(
    asked: Asked<RegisterVenues, PosterQuery>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    of_point(&web, &asked.desk.signed.actor, *id, &asked.query).await
}

/// The posters of all points of a venue as one PDF.
#[get("/manage/venues/{id}/posters.pdf")]
pub(super) async fn files_of_venue(
    asked: Asked<RegisterVenues, PosterQuery>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    of_venue(&web, &asked.desk.signed.actor, *id, &asked.query).await
}

/// The symbol alone, as vectors.
#[get("/manage/points/{id}/poster.svg")]
pub(super) async fn picture(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    symbol_of(&web, &desk.signed.actor, *id, Picture::Svg).await
}

/// The symbol alone, as pixels.
#[get("/manage/points/{id}/poster.png")]
pub(super) async fn pixels(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    symbol_of(&web, &desk.signed.actor, *id, Picture::Png { module_px: MODULE_PX }).await
}

/// What can be had as a file, for this point and for all points of the venue.
fn files(desk: &Desk<RegisterVenues>, venue: &VenueRow, id: i64) -> Markup {
    let name = |size: Size| match size {
        Size::A4 => desk.say("A4 海报（贴在门口）", "A4 poster, for the door"),
        Size::A5 => desk.say("A5 海报（放在柜台、餐桌）", "A5 poster, for counters and tables"),
        Size::Stickers => desk.say("小贴纸 3×7（座位、摊位）", "Small stickers 3×7, for seats and stalls"),
        Size::LargeStickers => {
            desk.say("大贴纸 2×4（车厢、车辆）", "Large stickers 2×4, for carriages and vehicles")
        }
    };
    html! {
        p { (desk.say("按原尺寸（100%）打印，贴在齐胸高、光线好的地方。", "Print at 100 % and hang it at chest height where there is light.")) }
        ul {
            @for size in Size::ALL {
                li { p { a href={ "/manage/points/" (id) "/poster.pdf?size=" (size) } { (name(*size)) " (PDF)" } } }
            }
            li { p { a href={ "/manage/points/" (id) "/poster.svg" } download="place-code.svg" { (desk.say("只下载二维码（SVG）", "Only the QR code (SVG)")) } } }
            li { p { a href={ "/manage/points/" (id) "/poster.png" } download="place-code.png" { (desk.say("只下载二维码（PNG）", "Only the QR code (PNG)")) } } }
        }
        details {
            summary { (desk.say("本场所的所有点位", "All points of this venue")) }
            ul {
                @for size in Size::ALL {
                    li { p { a href={ "/manage/venues/" (venue.id) "/posters.pdf?size=" (size) } { (name(*size)) " (PDF)" } } }
                }
            }
        }
        p { a href={ "/manage/venues/" (venue.id) } { (desk.say("返回场所", "Back to the venue")) } }
    }
}

/// A poster says the same in both languages, whatever language the manager reads.
fn poster(web: &Web, facts: &PosterFacts, id: i64) -> Markup {
    let words = web.app.printer.words();
    let say = |text: &str| fill(text, facts);
    html! {
        article.poster lang="zh-CN" {
            p.title { (words.zh.title) span lang="en" { (words.en.title) } }
            h1 { (facts.venue) }
            p.point { (facts.point) }
            img src={ "/manage/points/" (id) "/poster.svg" } alt={ "QR " (facts.typed) } width="512" height="512";
            p.typed { (facts.typed) }
            div.columns {
                section { (column(&words.zh, facts)) }
                section lang="en" { (column(&words.en, facts)) }
            }
            p.foot { (say(&words.zh.check)) " " (say(&words.en.check)) " · " (say(&words.zh.version)) " · " (say(&words.en.version)) }
        }
    }
}

fn column(words: &Language, facts: &PosterFacts) -> Markup {
    html! {
        h2 { (words.scan_title) }
        ol { @for step in &words.steps { li { (fill(step, facts)) } } }
        h2 { (words.no_phone_title) }
        p { (fill(&words.no_phone, facts)) }
        h2 { (words.kept_title) }
        p { (fill(&words.kept, facts)) }
    }
}
