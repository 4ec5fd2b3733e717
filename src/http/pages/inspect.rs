//! The inspector's page: venues that wait for a decision, and those that have one.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::desk::{Asked, Desk, Sent};
use super::layout::token;
use super::view::go;
use super::words;
use crate::domain::venue::VenueState;
use crate::http::error::ApiError;
use crate::http::permissions::ReviewVenues;
use crate::http::venues::{self, PAGE, Review, page, permitted};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::register::{self, VenueRow};

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
    let more = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0));
    let title = desk.say("场所审核", "Review of venues");
    let body = html! {
        h1 { (title) }
        (tabs(&desk, state))
        @if rows.is_empty() { p { (desk.say("没有场所。", "No venue here.")) } }
        ul.cards { @for row in &rows { (card(&desk, &web, row)?) } }
        @if let Some(last) = more {
            p { a.button.quiet href={ "/inspect?state=" (word(state)) "&after=" (last.id) } { (desk.say("下一页", "Next page")) } }
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
    transaction(&mut conn, async |conn| venues::decide(&web, conn, actor, *id, sent.form).await).await?;
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

fn card(desk: &Desk<ReviewVenues>, web: &Web, row: &VenueRow) -> Result<Markup, ApiError> {
    let state = register::venue_state(row.state)?;
    let decisions = [
        (VenueState::Approved, desk.say("通过", "Approve"), ""),
        (VenueState::Suspended, desk.say("暂停", "Suspend"), "quiet"),
        (VenueState::Rejected, desk.say("退回", "Reject"), "quiet"),
        (VenueState::Closed, desk.say("关闭", "Close"), "danger"),
    ];
    let category = web.app.catalogue.get(&row.category);
    let category = category.map_or(row.category.as_str(), |known| desk.say(&known.zh, &known.en));
    let reason = format!("reason-{}", row.id);
    Ok(html! {
        li {
            a href={ "/manage/venues/" (row.id) } { strong { (row.name) } }
            span { (row.address) }
            span.small { (category) " · " (row.division) " · " (row.lat_deg) ", " (row.lng_deg) }
            (words::venue_state(desk.view.lang, state))
            @if !row.state_reason.is_empty() { span.small { (row.state_reason) } }
            @if state != VenueState::Closed {
                form method="post" action={ "/inspect/" (row.id) } {
                    (token(&desk.signed))
                    label for=(reason) { (desk.say("理由（会告知申请人）", "Reason (the applicant reads it)")) }
                    input id=(reason) name="reason" type="text" required maxlength="500" autocomplete="off";
                    div.row {
                        @for (next, label, class) in decisions {
                            @if state.may_become(next) {
                                button class=(class) name="state" value=(word(next)) type="submit" { (label) }
                            }
                        }
                    }
                }
            }
        }
    })
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
