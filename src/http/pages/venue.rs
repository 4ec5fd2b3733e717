//! One venue for who answers for it: its state, its points, and counts that name nobody.

use std::collections::{HashMap, HashSet};

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::TimeDelta;
use maud::{Markup, html};
use uuid::Uuid;

use super::desk::{Desk, Sent};
use super::manage::may_register;
use super::point_form::{FilledPoint, new_point};
use super::venue_life::{fields, timeline};
use super::view::go;
use super::words;
use crate::domain::access::Role;
use crate::domain::position::cell_from_i64;
use crate::domain::venue::VenueState;
use crate::http::error::ApiError;
use crate::http::permissions::{RegisterVenues, SeeVenues};
use crate::http::venues::{self, Point, add, may_see, permitted, show_point};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::register::{self, PointRow, VenueRow};
use crate::store::{venue_life, venue_staff};

/// One venue.
#[get("/manage/venues/{id}")]
pub(super) async fn show(
    desk: Desk<SeeVenues>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let row = may_see(&web, &desk.signed.actor, *id).await?;
    let now = web.now();
    let mut conn = web.app.store.conn().await?;
    let rows = register::points_of_venue(&mut conn, row.id).await?;
    let today = register::visitors_by_point(&mut conn, row.id, desk.view.day_start(now), now).await?;
    let steps = venue_life::steps(&mut conn, row.id).await?;
    let venue = venues::detail(&web, &mut conn, row.clone()).await?;
    let own = venue_staff::role_at(&mut conn, desk.signed.actor.id, row.id).await?;
    drop(conn);
    let today: HashMap<i64, i64> = today.into_iter().map(|count| (count.point_id, count.visitors)).collect();
    let here = here_now(&web, &row, &rows).await;
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
        @if manages { (ways(&desk, venue.id)) }
        (occupancy(&desk, here, venue.capacity))
        h2 { (desk.say("点位", "Points")) }
        @if venue.state != VenueState::Approved {
            p.small { (desk.say("通过审核后，场所码才会生效。", "The codes answer once the venue is approved.")) }
        }
        ul.cards { @for point in &points { (card(&desk, point, today.get(&point.id).copied().unwrap_or(0))) } }
        @if manages { (new_point(&desk, venue.id)) }
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
    Ok(go(&format!("/manage/venues/{id}")))
}

/// How many visitors are at the venue's points now; `None` while nobody can tell.
async fn here_now(web: &Web, venue: &VenueRow, points: &[PointRow]) -> Option<i64> {
    let longest = web.app.catalogue.get(&venue.category).map_or(1440, |category| category.longest_mins);
    let own: HashSet<i64> = points.iter().map(|point| point.id).collect();
    let cells: HashSet<i64> = points.iter().map(|point| point.cell).collect();
    let mut here = HashSet::new();
    for cell in cells.into_iter().filter_map(cell_from_i64) {
        let windows = web.app.intake.open_windows(cell, TimeDelta::minutes(longest.into()), web.now()).await;
        let windows = windows.ok()?.into_iter().filter(|window| own.contains(&window.point.to_i64()));
        here.extend(windows.map(|window| window.visitor));
    }
    i64::try_from(here.len()).ok()
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

fn occupancy(desk: &Desk<SeeVenues>, here: Option<i64>, capacity: Option<i32>) -> Markup {
    let full = here.zip(capacity).is_some_and(|(here, capacity)| here >= capacity.into());
    html! {
        section.note {
            h2 { (desk.say("此刻在场", "Here now")) }
            p.number {
                (here.map_or_else(|| "—".to_owned(), words::count))
                @if let Some(capacity) = capacity { span.small { " / " (capacity) (desk.say(" 人", " people")) } }
            }
            @if full {
                p { (words::badge(words::Tone::Stopped, desk.say("已满", "Full"))) }
            }
            p.small { (desk.say("少于 5 人时不显示确数，以免推断出个人。", "Counts below five are hidden, since they could tell who was there.")) }
        }
    }
}

fn card(desk: &Desk<SeeVenues>, point: &Point, today: i64) -> Markup {
    html! {
        li {
            strong { (point.name) }
            span.small {
                (words::granularity(desk.view.lang, point.granularity))
                " · " (desk.say("今日来访 ", "visitors today: ")) (words::count(today))
                " · " (desk.say("第 ", "generation ")) (point.generation) (desk.say(" 版", ""))
            }
            @if point.revoked_at.is_some() {
                (words::badge(words::Tone::Over, desk.say("已作废", "Revoked")))
            } @else {
                span.row { a.button.quiet href={ "/manage/points/" (point.id) "/poster" } { (desk.say("海报", "Poster")) } }
            }
        }
    }
}
