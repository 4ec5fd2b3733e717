//! Somebody opens an invitation to work at a venue: with a new account, or with the one signed in.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::apply::{account_detail, account_fields};
use super::desk::{Desk, SentByAnybody};
use super::layout::{page, token as form_token};
use super::ticket::Ticket;
use super::trouble::refuse;
use super::view::{View, go};
use super::words::{self, Tone};
use crate::domain::access::Role;
use crate::http::auth::check_form;
use crate::http::error::ApiError;
use crate::http::permissions::SignedIn;
use crate::http::venue_staff::{NewMember, opened, sign_up, take as take_invitation};
use crate::http::web::Web;
use crate::http::write::transaction;

const TICKET: Ticket = Ticket("join");

/// What the form sends; nothing from somebody who is signed in.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Filled {
    login: String,
    password: String,
    display_name: String,
}

/// What an invitation is for.
struct Invited<'a> {
    token: &'a str,
    venue: String,
    role: Role,
}

/// What the invitation is for, and how to take it.
#[get("/join/{token}")]
pub(super) async fn show(
    view: View,
    web: Data<Web>,
    desk: Option<Desk<SignedIn>>,
    token: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let (_, venue, role) = match opened(&mut conn, &token, web.now()).await {
        Err(ApiError::NotFound(_)) => return Ok(gone(&view)),
        found => found?,
    };
    drop(conn);
    let invited = Invited { token: &token, venue: venue.name, role };
    match desk {
        Some(desk) => Ok(desk.page(title(&desk.view), &by_button(&desk, &invited))),
        None => form(&view, &web, &invited, &Filled::default(), None),
    }
}

/// Takes the invitation.
#[post("/join/{token}")]
pub(super) async fn take(
    request: HttpRequest,
    view: View,
    web: Data<Web>,
    desk: Option<Desk<SignedIn>>,
    token: Path<String>,
    sent: SentByAnybody<Filled>,
) -> Result<HttpResponse, ApiError> {
    match &desk {
        Some(desk) => check_form(&web, &desk.session, &sent.form_token)?,
        None => TICKET.check(&request, &web, &sent.form_token)?,
    }
    let filled = sent.form;
    let mut conn = web.app.store.conn().await?;
    let (_, venue, role) = match opened(&mut conn, &token, web.now()).await {
        Err(ApiError::NotFound(_)) => return Ok(gone(&view)),
        found => found?,
    };
    let own = format!("/manage/venues/{}", venue.id);
    if let Some(desk) = desk {
        let actor = &desk.signed.actor;
        transaction(&mut conn, async |conn| take_invitation(&web, conn, actor, &token).await).await?;
        return Ok(go(&own));
    }
    let Filled { login, password, display_name } = filled.clone();
    let new = NewMember { login, password, display_name };
    match transaction(&mut conn, async |conn| sign_up(&web, conn, &token, new).await).await {
        Ok(()) => {
            let mut response = go(&format!("/login?next={own}"));
            response.add_cookie(&TICKET.end(&view)).map_err(|error| ApiError::Internal(error.into()))?;
            Ok(response)
        }
        Err(error @ (ApiError::Invalid { .. } | ApiError::Conflict(_))) => {
            let invited = Invited { token: &token, venue: venue.name, role };
            form(&view, &web, &invited, &filled, Some(&error))
        }
        Err(error) => Err(error),
    }
}

fn title(view: &View) -> &str {
    view.say("加入场所", "Work at a venue")
}

/// The page for a link that was never made, was used, was ended, or is too old; it does not tell which.
fn gone(view: &View) -> HttpResponse {
    let chinese = ("邀请无效", "该邀请链接已使用、已取消或已过期，请向场所负责人索取新的链接。");
    let english = (
        "This invitation is over",
        "The link was used, ended or is too old. Ask the venue's manager for a new one.",
    );
    refuse(view, StatusCode::NOT_FOUND, Tone::Over, chinese, english, None)
}

fn what_for(view: &View, invited: &Invited<'_>) -> Markup {
    html! {
        h1 { (title(view)) }
        p.note {
            (view.say("邀请您加入：", "You are invited to work at: ")) strong { (invited.venue) }
            " · " (words::role(view.lang, invited.role))
        }
    }
}

fn by_button(desk: &Desk<SignedIn>, invited: &Invited<'_>) -> Markup {
    html! {
        (what_for(&desk.view, invited))
        form method="post" action={ "/join/" (invited.token) } {
            (form_token(&desk.signed))
            button type="submit" { (desk.say("以当前账号加入", "Take it with this account")) }
        }
    }
}

fn form(
    view: &View,
    web: &Web,
    invited: &Invited<'_>,
    filled: &Filled,
    wrong: Option<&ApiError>,
) -> Result<HttpResponse, ApiError> {
    let status = wrong.map_or(StatusCode::OK, ResponseError::status_code);
    let body = |token: &str| {
        html! {
            (what_for(view, invited))
            @if let Some(wrong) = wrong { p.wrong role="alert" { (account_detail(view, wrong)) } }
            form method="post" action={ "/join/" (invited.token) } {
                input type="hidden" name="form_token" value=(token);
                (account_fields(view, &filled.login, &filled.display_name))
                button type="submit" { (view.say("建立账号并加入", "Make an account and join")) }
            }
            p { a href={ "/login?next=/join/" (invited.token) } { (view.say("已有账号？先登录", "You have an account? Sign in first")) } }
        }
    };
    TICKET.send(view, web, |token| page(view, status, title(view), &body(token)))
}
