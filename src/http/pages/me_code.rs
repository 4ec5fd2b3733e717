//! What a visitor shows at a door: a code on the phone for some minutes, or a card on paper for half a year.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use super::desk::SentByVisitor;
use super::layout::{Layout, lay, page};
use super::scan::channels;
use super::view::{View, go};
use crate::domain::token::form_token;
use crate::http::auth::Vouched;
use crate::http::error::ApiError;
use crate::http::visitor_cards::{end_own_cards, new_card, shown_code};
use crate::http::web::Web;
use crate::posters::qr;

/// How many seconds before its end a code is made anew: whoever is being scanned is not cut off.
const BEFORE_END_SECS: i64 = 20;

/// Nothing but the token.
#[derive(Debug, Deserialize)]
struct Pressed {}

/// A code that staff scan from the phone.
#[get("/me/code")]
pub(super) async fn code(
    view: View,
    web: Data<Web>,
    visitor: Result<Vouched, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let title = view.say("我的出示码", "My code");
    let Ok(visitor) = visitor else { return unknown(&view, &web, title, "/me/code").await };
    let now = web.now();
    let shown = shown_code(&web, &visitor.token);
    let left_secs = (shown.expires_at - now).num_seconds();
    let reload_secs = u32::try_from((left_secs - BEFORE_END_SECS).max(5)).ok();
    let body = html! {
        h1 { (title) }
        p { (view.say("请工作人员扫描，即可登记进入或离开。", "Staff scan it to check you in or out.")) }
        div.symbol role="img" aria-label="QR" { (symbol(&shown.text)?) }
        p.when { (view.say("有效至 ", "Valid until ")) (view.clock(shown.expires_at)) (view.say("，到期前自动更新。", "; renewed before it ends.")) }
        p.small { (view.say("请勿转发或截图：谁拿着它，谁就能以您的名义登记，直到失效。", "Do not pass it on: until it ends, whoever holds it is checked in as you.")) }
        p { a href="/me/card" { (view.say("没有手机的家人？制作随身卡", "Somebody without a phone? Make a card")) } }
        p { a href="/me" { (view.say("我的记录", "My records")) } }
    };
    Ok(lay(&view, Layout { reload_secs, ..Layout::default() }, StatusCode::OK, title, &body))
}

/// What a card is, and the buttons to make one and to end all.
#[get("/me/card")]
pub(super) async fn card(
    view: View,
    web: Data<Web>,
    visitor: Result<Vouched, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let title = view.say("随身卡", "Card");
    let Ok(visitor) = visitor else { return unknown(&view, &web, title, "/me/card").await };
    let body = html! {
        h1 { (title) }
        (purpose(&view))
        (button(&web, &visitor, "/me/card", "", view.say("制作一张卡", "Make a card")))
        (end_button(&view, &web, &visitor))
        p { a href="/me" { (view.say("我的记录", "My records")) } }
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

/// Makes a card and shows it, once: it is not kept.
#[post("/me/card")]
pub(super) async fn make_card(
    web: Data<Web>,
    sent: SentByVisitor<Pressed>,
) -> Result<HttpResponse, ApiError> {
    let SentByVisitor { view, visitor, .. } = sent;
    let made = new_card(&web, &visitor.token).await?;
    let title = view.say("随身卡", "Card");
    let body = html! {
        h1.unprinted { (title) }
        p.unprinted { (view.say("请现在打印或抄写；离开本页后不能再次显示。", "Print it or write it down now; it is not shown again.")) }
        article.card {
            p { strong { "场所码随身卡 " span lang="en" { "Place code card" } } }
            div.symbol role="img" aria-label="QR" { (symbol(&made.card)?) }
            p.typed { (made.card) }
            p { "有效至 " span lang="en" { "Valid until " } (view.date(made.expires_at)) }
            p.small { "没有手机时，请门口工作人员扫描或输入本卡。卡上不含姓名。拾到请交还或销毁。" }
            p.small lang="en" { "Without a phone: have the staff scan or type it. It names nobody. If found, hand it back or destroy it." }
        }
        div.unprinted {
            (purpose(&view))
            (end_button(&view, &web, &visitor))
            p { a href="/me/card" { (view.say("返回", "Go back")) } }
        }
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

/// Ends all cards.
#[post("/me/card/end")]
pub(super) async fn end(web: Data<Web>, sent: SentByVisitor<Pressed>) -> Result<HttpResponse, ApiError> {
    end_own_cards(&web, &sent.visitor.token).await?;
    Ok(go("/me/card"))
}

async fn unknown(view: &View, web: &Web, title: &str, path: &str) -> Result<HttpResponse, ApiError> {
    let body = html! { h1 { (title) } (channels(view, web, path).await?) };
    Ok(page(view, StatusCode::UNAUTHORIZED, title, &body))
}

fn purpose(view: &View) -> Markup {
    html! {
        p { (view.say("给不用手机的老人和孩子：门口工作人员扫描或输入卡上的 16 位编码，即以您的身份代号登记。",
                      "For an elder or a child without a phone: staff at the door scan it or type its 16 symbols, and it counts as you.")) }
        p.small { (view.say("卡上没有姓名和证件号码。遗失时，在本页停用全部随身卡，立即生效。",
                            "It carries no name and no number. When it is lost, end all cards on this page; that holds at once.")) }
    }
}

fn end_button(view: &View, web: &Web, visitor: &Vouched) -> Markup {
    button(web, visitor, "/me/card/end", "danger", view.say("停用全部随身卡", "End all cards"))
}

fn button(web: &Web, visitor: &Vouched, action: &str, class: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            input type="hidden" name="form_token" value=(form_token(web.app.keys.token(), &visitor.text));
            button class=(class) type="submit" { (label) }
        }
    }
}

/// A text as a symbol, without the document's own head.
pub(super) fn symbol(text: &str) -> Result<Markup, ApiError> {
    let svg = qr::svg(text)?;
    let at = svg.find("<svg").unwrap_or_default();
    Ok(html! { (PreEscaped(svg.get(at..).unwrap_or(&svg))) })
}
