//! An applicant makes an account, to enter venues with it.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::SentByAnybody;
use super::layout::page;
use super::ticket::Ticket;
use super::trouble::detail;
use super::venue_form::field;
use super::view::{View, go};
use crate::http::applicants::{NewApplicant, join};
use crate::http::error::ApiError;
use crate::http::limits::client_of;
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::password::CHARACTERS_MIN;

const TICKET: Ticket = Ticket("apply");

/// What the form sends.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Filled {
    login: String,
    password: String,
    display_name: String,
    division: String,
}

/// The empty form.
#[get("/apply")]
pub(super) async fn show(view: View, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    form(&view, &web, &Filled::default(), None)
}

/// Makes the account, and asks to sign in with it.
#[post("/apply")]
pub(super) async fn take(
    request: HttpRequest,
    view: View,
    web: Data<Web>,
    sent: SentByAnybody<Filled>,
) -> Result<HttpResponse, ApiError> {
    TICKET.check(&request, &web, &sent.form_token)?;
    let (filled, from) = (sent.form, client_of(&web, &request).address);
    let Filled { login, password, display_name, division } = filled.clone();
    let new = NewApplicant { login, password, display_name, division: division.trim().to_owned() };
    let mut conn = web.app.store.conn().await?;
    match transaction(&mut conn, async |conn| join(&web, conn, &from, new).await).await {
        Ok(_) => {
            let mut response = go("/login?next=/manage/venues/new");
            response.add_cookie(&TICKET.end(&view)).map_err(|error| ApiError::Internal(error.into()))?;
            Ok(response)
        }
        Err(error @ (ApiError::Invalid { .. } | ApiError::TooMany(_) | ApiError::Conflict(_))) => {
            form(&view, &web, &filled, Some(&error))
        }
        Err(error) => Err(error),
    }
}

fn form(view: &View, web: &Web, filled: &Filled, wrong: Option<&ApiError>) -> Result<HttpResponse, ApiError> {
    let title = view.say("申请场所码", "Apply for place codes");
    let status = wrong.map_or(StatusCode::OK, ResponseError::status_code);
    TICKET.send(view, web, |token| page(view, status, title, &body(view, token, title, filled, wrong)))
}

fn body(view: &View, token: &str, title: &str, filled: &Filled, wrong: Option<&ApiError>) -> Markup {
    let t = |zh, en| view.say(zh, en);
    html! {
        h1 { (title) }
        p { (t("先建立账号，再登记场所；由辖区核查员审核，每一步都可在账号中查看。",
               "Make an account, then enter your venues. The district's inspector reviews them, and you see every step.")) }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (account_detail(view, wrong)) } }
        form method="post" action="/apply" {
            input type="hidden" name="form_token" value=(token);
            (account_fields(view, &filled.login, &filled.display_name))
            (field("division", t("场所所在区划代码（6 位，例如 410105）", "Division of the venues (GB/T 2260, such as 410105)"), &filled.division, 6, true))
            button type="submit" { (t("建立账号", "Make the account")) }
        }
        p { a href="/login" { (t("已有账号？登录", "You have an account? Sign in")) } }
    }
}

/// The fields of a new account.
pub(super) fn account_fields(view: &View, login: &str, display_name: &str) -> Markup {
    let (zh, en) = (
        format!("密码（至少 {CHARACTERS_MIN} 个字符）"),
        format!("Password (at least {CHARACTERS_MIN} characters)"),
    );
    html! {
        (field("display_name", view.say("姓名", "Your name"), display_name, 100, true))
        label for="login" { (view.say("用户名（2–40 位小写字母、数字、. _ -）", "Name to sign in with (2 to 40 of a-z 0-9 . _ -)")) }
        input #login name="login" type="text" required maxlength="40" value=(login) autocomplete="username"
            autocapitalize="none" spellcheck="false";
        label for="password" { (view.say(&zh, &en)) }
        input #password name="password" type="password" required minlength=(CHARACTERS_MIN) maxlength="200"
            autocomplete="new-password";
    }
}

/// What is wrong with a new account: a name that is taken is the usual conflict.
pub(super) fn account_detail(view: &View, wrong: &ApiError) -> String {
    match wrong {
        ApiError::Conflict("this is there already") => view
            .say("该用户名已被使用，请换一个。", "This name to sign in with is taken; choose another.")
            .to_owned(),
        other => detail(view, other),
    }
}
