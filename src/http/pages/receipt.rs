//! A receipt that somebody shows: whether it is genuine, where from, and how long it still holds.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::SentByAnybody;
use super::layout::page;
use super::minute;
use super::view::{Lang, View};
use super::words::{Tone, class_of, shape};
use crate::domain::point::PointFacts;
use crate::http::door::{GenuineReceipt, read_receipt};
use crate::http::error::ApiError;
use crate::http::web::Web;

/// The longest text that is read from a field at the door: a channel's assertion is the longest of what
/// people show.
pub(super) const SHOWN_MAX: u32 = 2048;

/// What a scanner or a person enters.
#[derive(Debug, Deserialize)]
struct Entered {
    #[serde(default)]
    receipt: String,
}

/// The field for a receipt. Anybody may ask, as they may by the API: a receipt names nobody.
#[get("/receipt")]
pub(super) async fn ask(view: View) -> HttpResponse {
    answered(&view, &html! {})
}

/// Says what the receipt is worth, and is ready for the next one. It changes nothing, so it needs no token.
#[post("/receipt")]
pub(super) async fn check(
    view: View,
    web: Data<Web>,
    sent: SentByAnybody<Entered>,
) -> Result<HttpResponse, ApiError> {
    let text: String = sent.form.receipt.split_whitespace().collect();
    let read = read_receipt(&web, &text).await?;
    Ok(answered(&view, &verdict(&view, &web, read.as_ref(), None)))
}

fn answered(view: &View, verdict: &Markup) -> HttpResponse {
    let title = view.say("核验凭证", "Check a receipt");
    let body = html! {
        h1 { (title) }
        (verdict)
        form method="post" action="/receipt" {
            label for="receipt" { (view.say("扫描或粘贴访客出示的凭证", "Scan or paste the receipt that a visitor shows")) }
            input #receipt name="receipt" type="text" required maxlength=(SHOWN_MAX) autofocus autocomplete="off"
                autocapitalize="none" spellcheck="false";
            button type="submit" { (view.say("核验", "Check")) }
        }
        p.small { (view.say("绿色页面的截图不能证明什么；有效的凭证才能证明这里刚刚登记过。",
                            "A picture of a green page proves nothing; a valid receipt proves a scan of this minute.")) }
    };
    page(view, StatusCode::OK, title, &body)
}

/// What a receipt is worth, in words and a shape. Whoever stands at a point is told of receipts from elsewhere.
pub(super) fn verdict(
    view: &View,
    web: &Web,
    read: Option<&GenuineReceipt>,
    here: Option<&PointFacts>,
) -> Markup {
    let Some(receipt) = read else {
        let why = view.say(
            "不是本服务发放的凭证，或没有扫完整。请再扫一次；仍然无效的，请访客重新扫码登记。",
            "It is none of ours, or was not read whole. Scan it once more; if it stays so, have the visitor check in again.",
        );
        return status(Tone::Stopped, view.say("凭证无效", "Not valid"), &html! { p { (why) } });
    };
    let (facts, now) = (&receipt.facts, web.now());
    let (tone, title, remark) = match (receipt.left_secs(now), here) {
        (None, _) => (Tone::Over, view.say("凭证已过期", "Not valid any more"), Some(ended(view))),
        (Some(_), Some(here)) if here.venue != facts.venue => {
            (Tone::Stopped, view.say("是别处的凭证", "Valid, but for another venue"), Some(elsewhere(view)))
        }
        (Some(_), Some(here)) if here.id != facts.id => (
            Tone::Careful,
            view.say("有效，但属于另一点位", "Valid, but for another point"),
            Some(other_point(view)),
        ),
        (Some(_), _) => (Tone::Good, view.say("凭证有效", "Valid"), None),
    };
    let body = html! {
        @if let Some(remark) = remark { p { (remark) } }
        p.venue { (facts.venue_name) }
        p.point { (facts.name) }
        p.when { (view.time(receipt.taken_at)) }
        (minute::large(view, web, facts.id, receipt.taken_at))
        @if let Some(left) = receipt.left_secs(now) { p.small { (seconds_left(view, left)) } }
    };
    status(tone, title, &body)
}

/// An answer in large words beside a shape; announced, so that whoever does not look hears it.
pub(super) fn status(tone: Tone, title: &str, body: &Markup) -> Markup {
    html! {
        section class={ "status answer " (class_of(tone)) } role="status" {
            (shape(tone))
            h2.verdict { (title) }
            (body)
        }
    }
}

fn ended(view: &View) -> &str {
    view.say(
        "请访客重新扫码登记，再出示新的凭证。",
        "Have the visitor check in again and show the new receipt.",
    )
}

fn elsewhere(view: &View) -> &str {
    view.say("请访客扫描本场所的码。", "Have the visitor scan the code of this venue.")
}

fn other_point(view: &View) -> &str {
    view.say(
        "在本场所的另一点位登记。如需按点位登记，请访客再扫此处的码。",
        "Checked in at another point of this venue. Where each point counts, have the visitor scan the code here.",
    )
}

fn seconds_left(view: &View, secs: i64) -> String {
    match view.lang {
        Lang::Chinese => format!("还有 {secs} 秒有效"),
        Lang::English => format!("valid for another {secs} s"),
    }
}
