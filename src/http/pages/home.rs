//! The first page: what this is, and a field for a code that cannot be scanned.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::page;
use super::view::{View, go};
use crate::domain::rotating_code::ScannedCode;
use crate::http::error::ApiError;
use crate::http::web::Web;

/// What somebody typed from a poster.
#[derive(Debug, Deserialize)]
struct Typed {
    #[serde(default)]
    code: String,
}

/// The first page.
#[get("/")]
pub(super) async fn show(view: View, web: Data<Web>) -> HttpResponse {
    page(&view, StatusCode::OK, view.say("首页", "Start"), &start(&view, &web, None))
}

/// Goes on to the page of a code that was typed.
#[get("/go")]
pub(super) async fn go_to_code(view: View, web: Data<Web>, typed: Query<Typed>) -> HttpResponse {
    let symbols: String = typed.code.rsplit('/').next().unwrap_or_default().split_whitespace().collect();
    if ScannedCode::parse(&symbols, &web.app.keys, web.now()).is_ok() {
        return go(&format!("/{}", symbols.to_uppercase()));
    }
    let body = start(&view, &web, Some(&typed.code));
    page(&view, StatusCode::UNPROCESSABLE_ENTITY, view.say("首页", "Start"), &body)
}

/// The style sheet of all pages.
#[get("/style.css")]
pub(super) async fn style() -> Result<HttpResponse, ApiError> {
    let mut response = HttpResponse::Ok();
    response.content_type("text/css; charset=utf-8").insert_header(("Cache-Control", "public, max-age=3600"));
    Ok(response.body(include_str!("style.css")))
}

fn start(view: &View, web: &Web, wrong: Option<&str>) -> Markup {
    let t = |zh, en| view.say(zh, en);
    html! {
        h1 { (t("到店扫码，出门安心", "Scan at the door")) }
        p {
            (t("用手机相机、微信或支付宝扫描门口的场所码，确认一次即可。如发现病例，只有当时在同一处的人会收到提醒，并能看到原因。",
               "Scan the code at the door with your camera and confirm once. If a case is found, only those who \
                were in the same place at the same time hear of it, and they see why."))
        }
        form method="get" action="/go" {
            label for="code" { (t("扫不出来？输入海报或屏幕上的编码", "It does not scan? Type the code from the poster or screen")) }
            @if wrong.is_some() {
                p.wrong #wrong role="alert" {
                    (t("编码有误，请核对后重新输入：共 21 个字母和数字，连字符可省略。",
                       "This code does not check. It has 21 letters and digits; hyphens may be left out."))
                }
            }
            input #code.code name="code" type="text" required maxlength="80" value=[wrong] autocomplete="off"
                autocapitalize="characters" spellcheck="false" placeholder="XXXXX-XXXXX-XXXXX-XXXXXX"
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "wrong")];
            button type="submit" { (t("打开", "Open")) }
        }
        section.note {
            h2 { (t("记录什么", "What is kept")) }
            ul {
                li { (t("场所、时间，和一个无法反推出您身份的代号。", "The place, the time, and a pseudonym that cannot be turned back into you.")) }
                li { (t("不记录姓名、证件号码、手机号和行踪轨迹。", "No name, no number, no phone, no position of your phone.")) }
                li { (kept_for(view, web)) }
            }
        }
        p { a href="/me" { (t("查看我的记录，以及谁看过", "See your own records, and who looked at them")) } }
        p.small { a href="/apply" { (t("申请场所码（商户、单位）", "Venues: apply for place codes")) } }
        p.small { a href="/login" { (t("工作人员登录", "Staff: sign in")) } }
    }
}

/// How long records are kept, in a sentence.
pub(super) fn kept_for(view: &View, web: &Web) -> String {
    let days = web.app.config.retention_days;
    match view.lang {
        super::view::Lang::Chinese => format!("{days} 天后自动删除。"),
        super::view::Lang::English => format!("Deleted after {days} days."),
    }
}
