//! Signing in and out of staff, and the desk from which every role finds its pages.

use actix_web::cookie::{SameSite, time};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::{Desk, Sent, SentByAnybody};
use super::layout::{page, places};
use super::ticket::Ticket;
use super::trouble::detail;
use super::view::{View, go, own_path};
use crate::http::auth::STAFF_COOKIE;
use crate::http::error::ApiError;
use crate::http::permissions::SignedIn;
use crate::http::sessions::{self, SignIn};
use crate::http::web::Web;

/// Ties the form to the browser that was shown it, while there is no session yet.
const TICKET: Ticket = Ticket("sign_in");

/// Where somebody wanted to go.
#[derive(Debug, Deserialize)]
struct Wanted {
    next: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
struct Filled {
    #[serde(default)]
    login: String,
    #[serde(default)]
    password: String,
    next: Option<String>,
}

/// No fields but the token.
#[derive(Debug, Deserialize)]
struct Nothing {}

/// Asks for name and password.
#[get("/login")]
pub(super) async fn show(
    view: View,
    web: Data<Web>,
    wanted: Query<Wanted>,
) -> Result<HttpResponse, ApiError> {
    let next = allowed(wanted.next.as_deref())?;
    form(&view, &web, StatusCode::OK, next, "", None)
}

/// Opens a session and goes on to where somebody wanted to go.
#[post("/login")]
pub(super) async fn take(
    request: HttpRequest,
    view: View,
    web: Data<Web>,
    sent: SentByAnybody<Filled>,
) -> Result<HttpResponse, ApiError> {
    TICKET.check(&request, &web, &sent.form_token)?;
    let next = allowed(sent.form.next.as_deref())?;
    let given = SignIn { login: sent.form.login.clone(), password: sent.form.password.clone() };
    let session = match sessions::open(&web, &given).await {
        Err(error @ (ApiError::Unauthenticated(_) | ApiError::TooMany(_))) => {
            let wrong = detail(&view, &error);
            return form(&view, &web, error.status_code(), next, &given.login, Some(&wrong));
        }
        opened => opened?,
    };
    let life = time::Duration::seconds((session.expires_at - web.now()).num_seconds());
    let mut response = go(next);
    let cookies = [view.cookie(STAFF_COOKIE, session.token, SameSite::Strict, life), TICKET.end(&view)];
    for cookie in &cookies {
        response.add_cookie(cookie).map_err(|error| ApiError::Internal(error.into()))?;
    }
    Ok(response)
}

/// Ends the session.
#[post("/logout")]
pub(super) async fn leave(web: Data<Web>, sent: Sent<SignedIn, Nothing>) -> Result<HttpResponse, ApiError> {
    let Nothing {} = sent.form;
    sessions::close(&web, &sent.desk.session).await?;
    let mut response = go("/login");
    let ended = sent.desk.view.no_cookie(STAFF_COOKIE, SameSite::Strict);
    response.add_cookie(&ended).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(response)
}

/// Goes on to the page of the role, or shows the pages when there are several.
#[get("/desk")]
pub(super) async fn desk(desk: Desk<SignedIn>) -> HttpResponse {
    let open = places(&desk.view, &desk.signed.actor.roles);
    if let [(only, _)] = open.as_slice() {
        return go(only);
    }
    let body = html! {
        h1 { (desk.say("工作台", "Your desk")) }
        ul.tiles { @for (path, label) in &open { li { a.button.big href=(path) { (label) } } } }
        @if open.is_empty() {
            p { (desk.say("您的角色没有页面，请使用接口。", "Your role has no pages; it uses the API.")) }
        }
    };
    desk.page(desk.say("工作台", "Your desk"), &body)
}

/// Where to go after signing in: own paths only, the desk when nothing was said.
fn allowed(next: Option<&str>) -> Result<&str, ApiError> {
    let next = next.filter(|next| !next.is_empty()).unwrap_or("/desk");
    own_path(next).ok_or_else(|| ApiError::invalid("next", "must be a path of this service"))
}

fn form(
    view: &View,
    web: &Web,
    status: StatusCode,
    next: &str,
    login: &str,
    wrong: Option<&str>,
) -> Result<HttpResponse, ApiError> {
    let title = view.say("工作人员登录", "Staff: sign in");
    TICKET.send(view, web, |token| page(view, status, title, &fields(view, token, next, login, wrong)))
}

fn fields(view: &View, token: &str, next: &str, login: &str, wrong: Option<&str>) -> Markup {
    html! {
        h1 { (view.say("工作人员登录", "Staff: sign in")) }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
        form method="post" action="/login" {
            input type="hidden" name="form_token" value=(token);
            input type="hidden" name="next" value=(next);
            label for="login" { (view.say("用户名", "Name")) }
            input #login name="login" type="text" required maxlength="40" value=(login) autocomplete="username"
                autocapitalize="none" spellcheck="false";
            label for="password" { (view.say("密码", "Password")) }
            input #password name="password" type="password" required maxlength="200" autocomplete="current-password";
            button type="submit" { (view.say("登录", "Sign in")) }
        }
        p.small { (view.say("市民无需登录，直接扫码即可。", "Visitors need no account; just scan.")) }
        p { a href="/apply" { (view.say("为场所申请账号", "Apply for a venue: make an account")) } }
    }
}
