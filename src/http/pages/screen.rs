//! What a screen at the door shows: the code of this half minute, in both languages, renewed without scripts.

use actix_web::cookie::{SameSite, time};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use maud::{Markup, PreEscaped, html};

use super::layout::{Layout, lay, page};
use super::minute;
use super::view::{View, go};
use super::words::{Tone, class_of, shape};
use crate::domain::place_code::SignedCode;
use crate::domain::point::PointFacts;
use crate::domain::rotating_code::{RotatingCode, STEP_SECS, Step};
use crate::http::error::ApiError;
use crate::http::screens::{enrol as spend, known, offered};
use crate::http::web::Web;
use crate::posters::qr;

/// The cookie that holds a screen's token.
const SCREEN_COOKIE: &str = "screen";

/// How long a browser keeps the token; browsers keep none for longer, and each picture renews it.
const COOKIE_LIFE: time::Duration = time::Duration::days(400);

/// After how many seconds a screen asks again when something is wrong.
const AGAIN_SECS: u32 = 5;

/// Asks whether this device is to be the screen. Opening the link spends nothing, since programs open
/// links as well, to show what is behind them.
#[get("/screen/enrol/{token}")]
pub(super) async fn offer(view: View, web: Data<Web>, link: Path<String>) -> Result<HttpResponse, ApiError> {
    let Some(row) = offered(&web, &link).await? else { return Ok(spent(&view)) };
    let title = view.say("启用屏幕", "Set up a screen");
    let body = html! {
        h1 { (title) }
        p { strong { (row.name) } }
        p { (view.say("请在要显示场所码的设备上打开本页并按下按钮。链接只能使用一次，且很快失效。",
                      "Open this page on the device that is to show the code, and press the button. The link works once, and not for long.")) }
        form method="post" action={ "/screen/enrol/" (link) } {
            button.big type="submit" { (view.say("用本设备显示", "Show it on this device")) }
        }
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

/// Spends the link: this device is the screen from now on.
#[post("/screen/enrol/{token}")]
pub(super) async fn enrol(view: View, web: Data<Web>, link: Path<String>) -> Result<HttpResponse, ApiError> {
    let Some(token) = spend(&web, &link).await? else { return Ok(spent(&view)) };
    let mut response = go("/screen");
    keep(&view, &mut response, token)?;
    Ok(response)
}

/// The code of this half minute.
#[get("/screen")]
pub(super) async fn show(request: HttpRequest, view: View, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let Some(cookie) = request.cookie(SCREEN_COOKIE) else { return Ok(nobody(&view)) };
    let found = match known(&web, cookie.value()).await {
        Ok(None) => return Ok(nobody(&view)),
        Ok(Some(screen)) if screen.is_ended => return Ok(ended(&view)),
        Ok(Some(screen)) => web.point(screen.point).await,
        Err(error) => Err(error),
    };
    let facts = match found {
        Ok(facts) => facts,
        Err(ApiError::Busy) => return Ok(waiting(&view)),
        Err(error) => return Err(error),
    };
    let now = web.now();
    let mut response = match facts.check_open(now) {
        Ok(()) => picture(&view, &web, &facts, now)?,
        Err(_closed) => closed(&view, &facts),
    };
    keep(&view, &mut response, cookie.value().to_owned())?;
    Ok(response)
}

fn keep(view: &View, response: &mut HttpResponse, token: String) -> Result<(), ApiError> {
    let cookie = view.cookie(SCREEN_COOKIE, token, SameSite::Strict, COOKIE_LIFE);
    response.add_cookie(&cookie).map_err(|error| ApiError::Internal(error.into()))
}

fn picture(view: &View, web: &Web, facts: &PointFacts, now: DateTime<Utc>) -> Result<HttpResponse, ApiError> {
    let step = Step::of(now);
    let code = RotatingCode { point: facts.id, step }.sign(&web.app.keys);
    let code = code.ok_or(ApiError::NotFound("code"))?;
    let left_secs = left_secs(step, now);
    let word = minute::both(web, facts.id, now);
    let body = face(facts, &code, &qr::svg(&code.url(&web.app.config.public_url))?, left_secs, &word);
    let layout = Layout { reload_secs: Some(left_secs), ..Layout::default() };
    Ok(lay(view, layout, StatusCode::OK, &facts.venue_name, &body))
}

/// How long the step goes on, in whole seconds and rounded up, so that the next picture is of the next step.
fn left_secs(step: Step, now: DateTime<Utc>) -> u32 {
    let millis = (step.ends() - now).num_milliseconds();
    u32::try_from((millis + 999) / 1000).unwrap_or(1).clamp(1, STEP_SECS)
}

/// A screen says the same in both languages, whatever language its browser prefers.
fn face(facts: &PointFacts, code: &SignedCode, svg: &str, left_secs: u32, word: &Markup) -> Markup {
    // The document's own head stays away inside a page.
    let svg = svg.find("<svg").and_then(|at| svg.get(at..)).unwrap_or(svg);
    html! {
        article.screen lang="zh-CN" {
            h1 { (facts.venue_name) }
            p.point { (facts.name) }
            div.picture role="img" aria-label={ "QR " (code.typed()) } { (PreEscaped(svg)) }
            p.typed { (code.typed()) }
            p { "进门请扫码，请勿转发照片 " span lang="en" { "Please scan when you come in; pictures of this code do not work" } }
            // For staff who have no device of their own. Small: what visitors are to read is the code.
            p.small { "本分钟暗语 · Word of the minute" (word) }
            p.small { "本码还有 " (left_secs) " 秒更换 " span lang="en" { "This code changes in " (left_secs) " s" } }
        }
    }
}

fn notice(
    view: &View,
    status: StatusCode,
    tone: Tone,
    reload: Option<u32>,
    words: [&str; 4],
) -> HttpResponse {
    let [title_chinese, title_english, chinese, english] = words;
    let body = html! {
        section class={ "status " (class_of(tone)) } {
            (shape(tone))
            h1 { (title_chinese) " " span lang="en" { (title_english) } }
            p { (chinese) " " span lang="en" { (english) } }
        }
    };
    let layout = Layout { reload_secs: reload, ..Layout::default() };
    lay(view, layout, status, view.say(title_chinese, title_english), &body)
}

fn spent(view: &View) -> HttpResponse {
    let words = [
        "链接已失效",
        "This link works no more",
        "链接只能使用一次，十分钟内有效。请场所负责人重新添加屏幕。",
        "It works once and for ten minutes. Please ask whoever manages the venue to add the screen again.",
    ];
    notice(view, StatusCode::GONE, Tone::Stopped, None, words)
}

fn nobody(view: &View) -> HttpResponse {
    let words = [
        "本设备尚未启用",
        "This device is no screen",
        "请场所负责人在点位页面添加屏幕，并在本设备打开链接。",
        "Please ask whoever manages the venue to add a screen, and open the link on this device.",
    ];
    notice(view, StatusCode::UNAUTHORIZED, Tone::Stopped, None, words)
}

fn ended(view: &View) -> HttpResponse {
    let words = [
        "本屏幕已停用",
        "This screen was ended",
        "请使用门口的海报，或联系场所负责人。",
        "Please use the poster at the door, or ask whoever manages the venue.",
    ];
    notice(view, StatusCode::GONE, Tone::Over, None, words)
}

fn closed(view: &View, facts: &PointFacts) -> HttpResponse {
    let words = [
        "暂不接受扫码",
        "No scans at present",
        facts.venue_name.as_str(),
        "This point takes no scans at present.",
    ];
    notice(view, StatusCode::OK, Tone::Stopped, Some(STEP_SECS), words)
}

fn waiting(view: &View) -> HttpResponse {
    let words = [
        "正在重新连接",
        "Connecting again",
        "请稍候，或使用门口的海报。",
        "One moment, or use the poster at the door.",
    ];
    notice(view, StatusCode::SERVICE_UNAVAILABLE, Tone::Waiting, Some(AGAIN_SECS), words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_picture_is_asked_for_when_the_step_is_over() {
        let begun: DateTime<Utc> = "2026-03-16T04:00:00Z".parse().unwrap();
        let left = |millis| {
            let now = begun + chrono::TimeDelta::milliseconds(millis);
            left_secs(Step::of(now), now)
        };
        assert_eq!([left(0), left(1), left(1000), left(29_001), left(29_999)], [30, 30, 29, 1, 1]);
    }
}
