//! One venue for who answers for it: its state, its points, and counts that name nobody.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use uuid::Uuid;

use super::counts::{here_now, today};
use super::desk::{Desk, Sent};
use super::manage::may_register;
use super::point_form::{FilledPoint, new_point};
use super::venue_life::{fields, timeline};
use super::view::go;
use super::words;
use crate::domain::access::Role;
use crate::domain::venue::VenueState;
use crate::http::error::ApiError;
use crate::http::permissions::{RegisterVenues, SeeVenues};
use crate::http::venue_counts::counts;
use crate::http::venues::{self, Point, add, may_see, permitted, show_point};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::{register, venue_life, venue_staff};

/// One venue.
#[get("/manage/venues/{id}")]
pub(super) async fn show(
    desk: Desk<SeeVenues>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let row = may_see(&web, &desk.signed.actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let rows = register::points_of_venue(&mut conn, row.id).await?;
    let steps = venue_life::steps(&mut conn, row.id).await?;
    let venue = venues::detail(&web, &mut conn, row.clone()).await?;
    let own = venue_staff::role_at(&mut conn, desk.signed.actor.id, row.id).await?;
    drop(conn);
    let counts = counts(&web, &row).await?;
    let points = rows.into_iter().map(|point| show_point(&web, point)).collect::<Result<Vec<_>, _>>()?;
    let actor = &desk.signed.actor;
    let manages = may_register(actor) && (actor.is(Role::Inspector) || own == Some(Role::VenueManager));
    let body = html! {
        h1 { (venue.name) }
        p { (words::venue_state(desk.view.lang, venue.state)) }
        @if !venue.state_reason.is_empty() {
            p.note { (desk.say("审核意见：", "The inspector says: ")) (venue.state_reason) }
        }
        p.small { (venue.address) " · " (venue.division) " · " (category(&desk, &web, &venue.category)) }
        @if manages { (ways(&desk, venue.id, points.len())) }
        (here_now(&desk, &counts))
        h2 { (desk.say("点位", "Points")) }
        @if venue.state != VenueState::Approved {
            p.small { (desk.say("通过审核后，场所码才会生效。", "The codes answer once the venue is approved.")) }
        }
        ul.cards { @for point in &points { (card(&desk, point, manages)) } }
        @if manages { (new_point(&desk, venue.id)) }
        (today(&desk, &counts))
        (fields(&desk.view, category(&desk, &web, &venue.category), &venue))
        (timeline(&desk.view, steps)?)
        p { a href="/manage" { (desk.say("返回列表", "Back to the list")) } }
    };
    Ok(desk.page(&venue.name, &body))
}

/// Adds a point.
#[post("/manage/venues/{id}/points")]
pub(super) async fn add_point(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<RegisterVenues, FilledPoint>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let venue = permitted(&web, actor, *id).await?;
    let new = sent.form.read()?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| add(&web, conn, actor, &venue, new).await).await?;
    web.tell_venue(*id).await;
    Ok(go(&format!("/manage/venues/{id}")))
}

fn category<'a>(desk: &'a Desk<SeeVenues>, web: &'a Web, word: &'a str) -> &'a str {
    web.app.catalogue.get(word).map_or(word, |category| desk.say(&category.zh, &category.en))
}

/// Ways on for who answers for the venue.
fn ways(desk: &Desk<SeeVenues>, venue: Uuid, points: usize) -> Markup {
    html! {
        p.row {
            a.button.quiet href={ "/manage/venues/" (venue) "/edit" } { (desk.say("修改信息", "Change")) }
            a.button.quiet href={ "/manage/venues/" (venue) "/staff" } { (desk.say("工作人员", "Staff")) }
            @if points > 1 {
                a.button.quiet href={ "/manage/venues/" (venue) "/posters.pdf" } { (desk.say("全部海报（PDF）", "All posters (PDF)")) }
            }
        }
    }
}

fn card(desk: &Desk<SeeVenues>, point: &Point, manages: bool) -> Markup {
    html! {
        li {
            strong { (point.name) }
            span.small {
                (words::granularity(desk.view.lang, point.granularity))
                " · " (desk.say("第 ", "generation ")) (point.generation) (desk.say(" 版", ""))
            }
            @if point.revoked_at.is_some() {
                (words::badge(words::Tone::Over, desk.say("已作废", "Revoked")))
            } @else if manages {
                span.row {
                    a.button.quiet href={ "/manage/points/" (point.id) "/poster" } { (desk.say("海报", "Poster")) }
                    a.button.quiet href={ "/manage/points/" (point.id) "/screens" } { (desk.say("屏幕", "Screens")) }
                    a.button.quiet href={ "/manage/points/" (point.id) "/code" } { (desk.say("更换或作废", "Replace or end")) }
                }
            }
        }
    }
}
