//! One venue for who answers for it: its state, its points, and counts that name nobody.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::counts::{here_now, today};
use super::desk::{Desk, Sent};
use super::layout::token;
use super::manage::{field, may_register};
use super::venue_life::{fields, timeline};
use super::view::go;
use super::words;
use crate::domain::numbered::Numbered;
use crate::domain::venue::{Granularity, VenueState};
use crate::http::error::ApiError;
use crate::http::permissions::{RegisterVenues, SeeVenues};
use crate::http::point_forms::NewPoint;
use crate::http::venue_counts::counts;
use crate::http::venues::{self, Point, add, may_see, permitted, show_point};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::{register, venue_life};

/// A new point.
#[derive(Debug, Deserialize)]
struct Filled {
    #[serde(default)]
    name: String,
    #[serde(default)]
    granularity: String,
}

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
    drop(conn);
    let counts = counts(&web, &row).await?;
    let points = rows.into_iter().map(|point| show_point(&web, point)).collect::<Result<Vec<_>, _>>()?;
    let manages = may_register(&desk.signed.actor);
    let body = html! {
        h1 { (venue.name) }
        p { (words::venue_state(desk.view.lang, venue.state)) }
        @if !venue.state_reason.is_empty() {
            p.note { (desk.say("审核意见：", "The inspector says: ")) (venue.state_reason) }
        }
        p.small { (venue.address) " · " (venue.division) " · " (category(&desk, &web, &venue.category)) }
        @if manages { (ways(&desk, venue.id)) }
        (here_now(&desk, &counts))
        h2 { (desk.say("点位", "Points")) }
        @if venue.state != VenueState::Approved {
            p.small { (desk.say("通过审核后，场所码才会生效。", "The codes answer once the venue is approved.")) }
        }
        ul.cards { @for point in &points { (card(&desk, point)) } }
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
    sent: Sent<RegisterVenues, Filled>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let venue = permitted(&web, actor, *id).await?;
    let word = |one: &Granularity| words::granularity_word(*one) == sent.form.granularity;
    let granularity = Granularity::ALL.iter().copied().find(word);
    let new = NewPoint { name: sent.form.name.clone(), granularity, ..NewPoint::default() };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| add(&web, conn, actor, &venue, new).await).await?;
    Ok(go(&format!("/manage/venues/{id}")))
}

fn category<'a>(desk: &'a Desk<SeeVenues>, web: &'a Web, word: &'a str) -> &'a str {
    web.app.catalogue.get(word).map_or(word, |category| desk.say(&category.zh, &category.en))
}

/// Ways on for who answers for the venue.
fn ways(desk: &Desk<SeeVenues>, venue: Uuid) -> Markup {
    html! {
        p.row {
            a.button.quiet href={ "/manage/venues/" (venue) "/edit" } { (desk.say("修改信息", "Change")) }
            a.button.quiet href={ "/manage/venues/" (venue) "/staff" } { (desk.say("工作人员", "Staff")) }
        }
    }
}

fn card(desk: &Desk<SeeVenues>, point: &Point) -> Markup {
    html! {
        li {
            strong { (point.name) }
            span.small {
                (words::granularity(desk.view.lang, point.granularity))
                " · " (desk.say("第 ", "generation ")) (point.generation) (desk.say(" 版", ""))
            }
            @if point.revoked_at.is_some() {
                (words::badge(words::Tone::Over, desk.say("已作废", "Revoked")))
            } @else {
                span.row { a.button.quiet href={ "/manage/points/" (point.id) "/poster" } { (desk.say("海报", "Poster")) } }
                span.row { a.button.quiet href={ "/manage/points/" (point.id) "/screens" } { (desk.say("屏幕", "Screens")) } }
            }
        }
    }
}

fn new_point(desk: &Desk<SeeVenues>, venue: Uuid) -> Markup {
    html! {
        details {
            summary { (desk.say("增加点位", "Add a point")) }
            form method="post" action={ "/manage/venues/" (venue) "/points" } {
                (token(&desk.signed))
                (field("name", desk.say("名称，例如：东门、二楼包间", "Name, such as: east door"), "", 100, true))
                label for="granularity" { (desk.say("人与人有多近", "How close together people are")) }
                select #granularity name="granularity" {
                    option value="" { (desk.say("按场所类别", "As usual for the category")) }
                    @for one in Granularity::ALL {
                        option value=(words::granularity_word(*one)) { (words::granularity(desk.view.lang, *one)) }
                    }
                }
                button type="submit" { (desk.say("增加", "Add")) }
            }
        }
    }
}
