//! The inspector's page: venues that wait for a decision, and those that have one.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use diesel_async::AsyncPgConnection;
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::alarms::section;
use super::desk::{Asked, Desk, Sent};
use super::layout::token;
use super::venue_life::fields;
use super::view::go;
use super::words;
use crate::domain::likeness::Likeness;
use crate::domain::venue::VenueState;
use crate::http::alarms::{self, AlarmList};
use crate::http::duplicates::{self, Duplicate};
use crate::http::error::ApiError;
use crate::http::permissions::ReviewVenues;
use crate::http::point_forms::position_of;
use crate::http::venue_life::{self, Review};
use crate::http::venues::{PAGE, Venue, detail, page, permitted};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::register::VenueRow;
use crate::store::{access, divisions};

/// Which venues.
#[derive(Debug, Deserialize)]
struct ListPage {
    state: Option<VenueState>,
    after: Option<Uuid>,
}

/// Venues of the division in one state; those that wait, when none is named.
#[get("/inspect")]
pub(super) async fn list(
    asked: Asked<ReviewVenues, ListPage>,
    web: Data<Web>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: list } = asked;
    let state = list.state.unwrap_or(VenueState::Submitted);
    let rows = page(&web, &desk.signed.actor, Some(state), list.after).await?;
    let more = rows.last().map(|last| last.id).filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0));
    let mut shown = Vec::with_capacity(rows.len());
    let mut conn = web.app.store.conn().await?;
    for row in rows {
        shown.push(look_up(&web, &mut conn, row).await?);
    }
    drop(conn);
    let alarms = alarms::page(&web, &desk.signed.actor, &AlarmList::default()).await?;
    let title = desk.say("场所审核", "Review of venues");
    let body = html! {
        h1 { (title) }
        (section(&desk, &alarms))
        (tabs(&desk, state))
        @if shown.is_empty() { p { (desk.say("没有场所。", "No venue here.")) } }
        ul.cards { @for one in &shown { (card(&desk, &web, one)) } }
        @if let Some(last) = more {
            p { a.button.quiet href={ "/inspect?state=" (word(state)) "&after=" (last) } { (desk.say("下一页", "Next page")) } }
        }
    };
    Ok(desk.page(title, &body))
}

/// Moves a venue to another state.
#[post("/inspect/{id}")]
pub(super) async fn decide(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<ReviewVenues, Review>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| venue_life::decide(&web, conn, actor, *id, sent.form).await).await?;
    web.tell_venue(*id).await;
    Ok(go("/inspect"))
}

fn tabs(desk: &Desk<ReviewVenues>, shown: VenueState) -> Markup {
    let all = [
        (VenueState::Submitted, desk.say("待审核", "Submitted")),
        (VenueState::Approved, desk.say("已通过", "Approved")),
        (VenueState::Suspended, desk.say("已暂停", "Suspended")),
        (VenueState::Closed, desk.say("已关闭", "Closed")),
        (VenueState::Rejected, desk.say("已退回", "Rejected")),
    ];
    html! {
        nav.tabs aria-label=(desk.say("状态", "State")) {
            @for (state, label) in all {
                a href={ "/inspect?state=" (word(state)) } aria-current=[(state == shown).then_some("page")] { (label) }
            }
        }
    }
}

/// A venue with what its reviewer needs to know.
struct Shown {
    venue: Venue,
    duplicates: Vec<Duplicate>,
    /// How far it lies outside the bounds of its division, in metres, and the name of that division.
    outside: Option<(f64, String)>,
}

async fn look_up(web: &Web, conn: &mut AsyncPgConnection, row: VenueRow) -> Result<Shown, ApiError> {
    let duplicates = duplicates::of(conn, &row).await?;
    let position = position_of(&row)?;
    let known = divisions::bounds_of(conn, &access::division(&row.division)?).await?;
    let outside = known.filter(|known| !known.bounds.contains(&position));
    let outside = outside.map(|known| (known.bounds.distance_m(&position), known.name));
    Ok(Shown { venue: detail(web, conn, row).await?, duplicates, outside })
}

fn card(desk: &Desk<ReviewVenues>, web: &Web, shown: &Shown) -> Markup {
    let venue = &shown.venue;
    let category = web.app.catalogue.get(&venue.category);
    let category = category.map_or(venue.category.as_str(), |known| desk.say(&known.zh, &known.en));
    html! {
        li {
            a href={ "/manage/venues/" (venue.id) } { strong { (venue.name) } }
            (words::venue_state(desk.view.lang, venue.state))
            @if !venue.state_reason.is_empty() { span.small { (venue.state_reason) } }
            (fields(&desk.view, category, venue))
            @if let Some((distance_m, name)) = &shown.outside {
                p.wrong {
                    (desk.say("位置在辖区范围之外：", "Outside the bounds of ")) (name)
                    (desk.say("，相距 ", ", by ")) (format!("{:.1} km", distance_m / 1000.0))
                }
            }
            @if !shown.duplicates.is_empty() { (likely(desk, &shown.duplicates)) }
            @if venue.state != VenueState::Closed { (decisions(desk, venue)) }
        }
    }
}

fn likely(desk: &Desk<ReviewVenues>, duplicates: &[Duplicate]) -> Markup {
    html! {
        p.wrong { (desk.say("可能重复登记：", "It may be here already:")) }
        @for one in duplicates {
            p {
                a href={ "/manage/venues/" (one.id) } { (one.name) }
                " " (words::venue_state(desk.view.lang, one.state))
                span.small { " " (one.address) " · " (why(desk, one.why)) }
            }
        }
    }
}

fn why(desk: &Desk<ReviewVenues>, why: Likeness) -> String {
    match why {
        Likeness::SameLicenceAndAddress => {
            desk.say("信用代码和地址相同", "same credit code and address").to_owned()
        }
        Likeness::NearAndAlike { likeness } => {
            let near = desk.say("位置相邻，名称相似度 ", "next to each other, names alike by ");
            format!("{near}{:.0} %", likeness * 100.0)
        }
    }
}

fn decisions(desk: &Desk<ReviewVenues>, venue: &Venue) -> Markup {
    let decisions = [
        (VenueState::Approved, desk.say("通过", "Approve"), ""),
        (VenueState::Suspended, desk.say("暂停", "Suspend"), "quiet"),
        (VenueState::Rejected, desk.say("退回", "Reject"), "quiet"),
        (VenueState::Closed, desk.say("关闭", "Close"), "danger"),
    ];
    let reason = format!("reason-{}", venue.id);
    html! {
        form method="post" action={ "/inspect/" (venue.id) } {
            (token(&desk.signed))
            label for=(reason) { (desk.say("理由（会告知申请人）", "Reason (the applicant reads it)")) }
            input id=(reason) name="reason" type="text" required maxlength="500" autocomplete="off";
            div.row {
                @for (next, label, class) in decisions {
                    @if venue.state.may_become(next) {
                        button class=(class) name="state" value=(word(next)) type="submit" { (label) }
                    }
                }
            }
        }
    }
}

fn word(state: VenueState) -> &'static str {
    match state {
        VenueState::Submitted => "submitted",
        VenueState::Approved => "approved",
        VenueState::Suspended => "suspended",
        VenueState::Closed => "closed",
        VenueState::Rejected => "rejected",
    }
}
