//! The pages: plain HTML that works without scripts, in two languages.

pub(super) mod me;

use chrono::{DateTime, FixedOffset, Utc};
use maud::{DOCTYPE, Markup, html};
use url::Url;

use super::identity::{InvalidIdentity, KINDS};
use super::view::View;
use crate::domain::letter::LetterExposure;
use crate::domain::scheme::Shown;

/// The first page: who are you? `to` is where somebody wants to go back to.
pub(super) fn entry(view: &View, wrong: Option<InvalidIdentity>, to: Option<&str>) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    let body = html! {
        h1 { (t("请先确认身份", "Please say who you are")) }
        @if to.is_some() {
            p { (t("确认身份后将继续扫码登记。", "After that you can go on with your scan.")) }
        }
        p.note {
            strong { (t("演示平台。", "A demonstration. ")) }
            (t("这里以填写证件代替真实的实名核验。证件号码不会保存，只用来计算一个无法反推的代号。",
               "Typing a number stands in for a real identity check. The number is not kept: it is only \
                turned into a pseudonym that cannot be turned back."))
        }
        @if let Some(wrong) = wrong {
            p.wrong #wrong role="alert" { (what_is_wrong(view, wrong)) }
        }
        form method="post" action="/" {
            @if let Some(to) = to { input type="hidden" name="return" value=(to); }
            label for="kind" { (t("证件类型", "Document")) }
            select #kind name="kind" {
                @for kind in KINDS {
                    option value=(kind as u8) { (view.language.document(kind)) }
                }
            }
            label for="number" { (t("证件号码", "Number")) }
            input #number name="number" type="text" required maxlength="64" autocomplete="off"
                autocapitalize="characters" spellcheck="false"
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "wrong")];
            button type="submit" { (t("继续", "Continue")) }
        }
    };
    layout(view, t("健康码", "Health code"), &body)
}

fn what_is_wrong(view: &View, wrong: InvalidIdentity) -> &'static str {
    match wrong {
        InvalidIdentity::Kind => view.language.text("请选择证件类型。", "Please choose a document."),
        InvalidIdentity::Number => view.language.text(
            "证件号码应为 4 至 32 位字母、数字或连字符。",
            "The number must have 4 to 32 letters, digits or hyphens.",
        ),
        InvalidIdentity::CheckDigit => view.language.text(
            "身份证号码有误：应为 18 位，且校验码正确。请核对后重新填写。",
            "The card number has a slip: it must have 18 characters and a check digit that fits.",
        ),
    }
}

/// Asks whether the service may know who this is. Its only form goes to the service.
pub(super) fn confirm(view: &View, service: &Url, assertion: &str, return_to: &str) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    let host = service.host_str().unwrap_or_default();
    let action = service.join("identity").map_or_else(|_| service.to_string(), |url| url.to_string());
    let body = html! {
        h1 { (t("向场所码服务确认身份", "Confirm who you are to the place-code service")) }
        p { (t("接收方：", "To: ")) strong { (host) } }
        p {
            (t("场所码服务只会得到一个代号，不会得到您的姓名、证件号码和手机号。",
               "The service receives a pseudonym only: not your name, your number or your phone."))
        }
        p.small { (t("请在 5 分钟内确认。", "Please confirm within five minutes.")) }
        form method="post" action=(action) {
            input type="hidden" name="assertion" value=(assertion);
            input type="hidden" name="return_to" value=(return_to);
            button type="submit" { (t("确认并继续", "Confirm and go on")) }
        }
        p { a href="/me" { (t("不是本人？查看并切换", "Not you? See who is signed in")) } }
    };
    layout(view, t("确认身份", "Confirm who you are"), &body)
}

/// Says that something did not work, and what to do.
pub(super) fn trouble(view: &View, chinese: &str, english: &str) -> Markup {
    let title = view.language.text("没有成功", "That did not work");
    let body = html! {
        h1 { (title) }
        p { (view.language.text(chinese, english)) }
        p { a href="/" { (view.language.text("返回首页", "To the first page")) } }
    };
    layout(view, title, &body)
}

fn layout(view: &View, title: &str, body: &Markup) -> Markup {
    let (tag, name) = view.language.other();
    html! {
        (DOCTYPE)
        html lang=(view.language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light";
                title { (title) }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header {
                    a.name href="/" { (view.language.text("健康码", "Health code")) }
                    a href=(view.in_language(tag)) lang=(tag) hreflang=(tag) { (name) }
                }
                main { (body) }
            }
        }
    }
}

fn class_of(colour: Shown) -> &'static str {
    match colour {
        Shown::Green => "green",
        Shown::Yellow => "yellow",
        Shown::Orange => "orange",
        Shown::Red => "red",
    }
}

/// A shape for each colour, so that nobody needs to tell colours apart: a disc with a tick, a triangle with an
/// exclamation mark, a square on its corner with one, an octagon with a bar.
fn shape(colour: Shown) -> Markup {
    html! {
        svg.shape viewBox="0 0 48 48" aria-hidden="true" {
            @match colour {
                Shown::Green => {
                    circle.fill cx="24" cy="24" r="22" {}
                    path.line d="M13 25l8 8 15-17" {}
                }
                Shown::Yellow => {
                    path.fill d="M24 3L46 43H2z" {}
                    path.line d="M24 17v13M24 36v1" {}
                }
                Shown::Orange => {
                    path.fill d="M24 1L47 24L24 47L1 24z" {}
                    path.line d="M24 13v14M24 34v1" {}
                }
                Shown::Red => {
                    path.fill d="M15 2h18l13 13v18L33 46H15L2 33V15z" {}
                    path.line d="M13 24h22" {}
                }
            }
        }
    }
}

/// China has one time, eight hours ahead of UTC.
fn local(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    const AHEAD_SECS: i32 = 8 * 3600;
    FixedOffset::east_opt(AHEAD_SECS).map_or_else(|| at.fixed_offset(), |zone| at.with_timezone(&zone))
}

fn time(view: &View, at: DateTime<Utc>) -> String {
    local(at).format(view.language.text("%Y年%-m月%-d日 %H:%M", "%-d %b %Y, %H:%M")).to_string()
}

/// A slot: the second day stands there only when it is another one.
fn slot(view: &View, meeting: &LetterExposure) -> String {
    let (from, until) = (local(meeting.from), local(meeting.until));
    if from.date_naive() == until.date_naive() {
        format!("{}–{}", time(view, meeting.from), until.format("%H:%M"))
    } else {
        format!("{} – {}", time(view, meeting.from), time(view, meeting.until))
    }
}
