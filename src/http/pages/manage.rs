//! A manager's venues: the list, the form for a new one, and the form for a correction.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::desk::{Asked, Desk, Sent};
use super::venue_form::{Aim, Filled, form};
use super::view::{View, go};
use super::words;
use crate::domain::access::{Permission, Role};
use crate::domain::venue::VenueState;
use crate::http::auth::Actor;
use crate::http::error::ApiError;
use crate::http::permissions::{RegisterVenues, WorkAtVenues};
use crate::http::venue_changes::correct;
use crate::http::venue_life::enter;
use crate::http::venues::{self, PAGE, page, permitted};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::register::{self, VenueRow};

/// Which page of the list.
#[derive(Debug, Deserialize)]
struct ListPage {
    after: Option<Uuid>,
}

/// The venues that one works at, or that lie in the inspector's division.
#[get("/manage")]
pub(super) async fn list(
    asked: Asked<WorkAtVenues, ListPage>,
    web: Data<Web>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: list } = asked;
    let rows = page(&web, &desk.signed.actor, None, list.after).await?;
    let more = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0));
    let body = html! {
        h1 { (desk.say("场所", "Venues")) }
        @if may_register(&desk.signed.actor) {
            p { a.button href="/manage/venues/new" { (desk.say("登记新场所", "Register a venue")) } }
        }
        @if rows.is_empty() { p { (desk.say("还没有场所。", "No venue yet.")) } }
        ul.cards { @for row in &rows { (card(&desk.view, row)?) } }
        @if let Some(last) = more {
            p { a.button.quiet href={ "/manage?after=" (last.id) } { (desk.say("下一页", "Next page")) } }
        }
    };
    Ok(desk.page(desk.say("场所", "Venues"), &body))
}

/// The empty form.
#[get("/manage/venues/new")]
pub(super) async fn blank(desk: Desk<RegisterVenues>, web: Data<Web>) -> HttpResponse {
    let division = desk.signed.actor.division.to_string();
    form(&desk, &web, new_venue(&desk.view), &Filled::in_division(division), None)
}

/// Takes the form; what is not right is shown again with the reason.
#[post("/manage/venues")]
pub(super) async fn take(
    web: Data<Web>,
    sent: Sent<RegisterVenues, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let entered = async {
        let new = filled.read()?;
        let mut conn = web.app.store.conn().await?;
        transaction(&mut conn, async |conn| enter(&web, conn, &desk.signed.actor, new).await).await
    };
    match entered.await {
        Ok(venue) => Ok(go(&format!("/manage/venues/{}", venue.id))),
        Err(error @ ApiError::Invalid { .. }) => {
            Ok(form(&desk, &web, new_venue(&desk.view), &filled, Some(&error)))
        }
        Err(error) => Err(error),
    }
}

/// The form with what stands in the register.
#[get("/manage/venues/{id}/edit")]
pub(super) async fn edit(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let row = permitted(&web, &desk.signed.actor, *id).await?;
    let state = register::venue_state(row.state)?;
    let mut conn = web.app.store.conn().await?;
    let venue = venues::detail(&web, &mut conn, row).await?;
    let action = format!("/manage/venues/{id}/edit");
    Ok(form(&desk, &web, correction(&desk.view, state, &action), &Filled::of(&venue), None))
}

/// Takes a correction; what is not right is shown again with the reason.
#[post("/manage/venues/{id}/edit")]
pub(super) async fn take_correction(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<RegisterVenues, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let actor = &desk.signed.actor;
    let row = permitted(&web, actor, *id).await?;
    let corrected = async {
        let new = filled.read()?;
        let mut conn = web.app.store.conn().await?;
        transaction(&mut conn, async |conn| correct(&web, conn, actor, *id, new).await).await
    };
    match corrected.await {
        Ok(_) => {
            web.tell_venue(*id).await;
            Ok(go(&format!("/manage/venues/{id}")))
        }
        Err(error @ ApiError::Invalid { .. }) => {
            let (state, action) = (register::venue_state(row.state)?, format!("/manage/venues/{id}/edit"));
            Ok(form(&desk, &web, correction(&desk.view, state, &action), &filled, Some(&error)))
        }
        Err(error) => Err(error),
    }
}

/// Whether somebody may enter and change venues.
pub(super) fn may_register(actor: &Actor) -> bool {
    actor.roles.iter().any(|role: &Role| RegisterVenues::ROLES.contains(role))
}

fn new_venue(view: &View) -> Aim<'_> {
    Aim {
        title: view.say("登记新场所", "Register a venue"),
        remark: view.say(
            "提交后由核查员审核，通过后场所码生效。",
            "An inspector reviews it; the codes answer once it is approved.",
        ),
        action: "/manage/venues",
        with_points: true,
    }
}

fn correction<'a>(view: &'a View, state: VenueState, action: &'a str) -> Aim<'a> {
    let remark = if state.is_open_to_correction() {
        view.say("改正后会重新提交审核。", "Once corrected, it is submitted for review again.")
    } else {
        view.say(
            "审核通过后，负责人只能修改简称、主管部门、联系人、电话和可容纳人数；位置不能修改，搬迁请关闭后重新登记。",
            "Once approved, its manager may change short name, authority, contact, phone and capacity. The place \
             never changes: a venue that moves is closed and registered anew.",
        )
    };
    Aim { title: view.say("修改场所信息", "Change a venue"), remark, action, with_points: false }
}

/// A venue in a list.
pub(super) fn card(view: &View, row: &VenueRow) -> Result<Markup, ApiError> {
    let state = register::venue_state(row.state)?;
    Ok(html! {
        li {
            a href={ "/manage/venues/" (row.id) } { strong { (row.name) } }
            span { (row.address) }
            (words::venue_state(view.lang, state))
        }
    })
}
