//! Why a visitor has a colour: the own assignments, and one of them.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use maud::{Markup, html};
use uuid::Uuid;

use super::desk::fields;
use super::layout::page;
use super::scan::channels;
use super::view::View;
use super::words;
use crate::domain::own_place::Told;
use crate::http::appeals::OwnAppeal;
use crate::http::auth::Vouched;
use crate::http::error::ApiError;
use crate::http::own_assignments::{self as shared, OwnAssignment, OwnEvent, OwnList, PAGE};
use crate::http::own_words::Words;
use crate::http::web::Web;

/// The visitor's assignments, the newest first.
#[get("/me/assignments")]
pub(super) async fn list(
    view: View,
    web: Data<Web>,
    visitor: Result<Vouched, ApiError>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked: OwnList = fields("query", request.query_string())?;
    let title = view.say("我为什么被赋码", "Why my colour");
    let Ok(visitor) = visitor else { return identify(&view, &web, title, "/me/assignments").await };
    let found = shared::page(&web, &visitor, asked.before).await?;
    let full = found.len() == usize::try_from(PAGE).unwrap_or(0);
    let body = html! {
        h1 { (title) }
        @if found.is_empty() { p { (view.say("没有对您作出的赋码决定。", "Nothing was decided about you.")) } }
        ul.cards {
            @for one in &found {
                li {
                    span.row { (words::colour(view.lang, one.colour)) strong { (words::class(view.lang, one.class)) } }
                    span { (state(&view, one)) }
                    @for place in &one.places { span.small { (place.place) " · " (view.span(place.from, place.until)) } }
                    p { a href={ "/me/assignments/" (one.id) } { (view.say("详情与申诉", "More, and how to appeal")) } }
                }
            }
        }
        @if let Some(last) = found.last().filter(|_| full) {
            p { a.button.quiet href={ "/me/assignments?before=" (last.id) } { (view.say("更早的", "Earlier ones")) } }
        }
        p { a href="/me" { (view.say("我的记录", "My records")) } }
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

/// One assignment.
#[get("/me/assignments/{id}")]
pub(super) async fn show(
    view: View,
    web: Data<Web>,
    visitor: Result<Vouched, ApiError>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let title = view.say("我为什么被赋码", "Why my colour");
    let Ok(visitor) = visitor else {
        return identify(&view, &web, title, &format!("/me/assignments/{id}")).await;
    };
    let one = shared::one(&web, &visitor, *id).await?;
    let body = html! {
        h1 { (title) }
        (explained(&view, &one))
        p { a.button href={ "/me/appeals/" (one.id) } { (view.say("申诉", "Appeal")) } }
        p { a href="/me/assignments" { (view.say("全部赋码决定", "All decisions")) } }
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

/// The page that asks who somebody is, and leads back.
pub(super) async fn identify(
    view: &View,
    web: &Web,
    title: &str,
    path: &str,
) -> Result<HttpResponse, ApiError> {
    let body = html! { h1 { (title) } (channels(view, web, path).await?) };
    Ok(page(view, StatusCode::UNAUTHORIZED, title, &body))
}

fn say(view: &View, words: &Words) -> String {
    view.say(&words.zh, &words.en).to_owned()
}

fn state<'a>(view: &'a View, one: &OwnAssignment) -> &'a str {
    if one.state.is_open() { view.say("有效", "In force") } else { view.say("已结束", "Over") }
}

/// An assignment in plain words.
pub(super) fn explained(view: &View, one: &OwnAssignment) -> Markup {
    html! {
        p { (words::colour(view.lang, one.colour)) " " strong { (state(view, one)) } }
        p { (say(view, &one.class_words)) }
        h2 { (view.say("地点和时段", "Where and when")) }
        ul.cards {
            @for place in &one.places {
                li { strong { (place.place) } span { (view.span(place.from, place.until)) } }
            }
        }
        @if one.places.iter().any(|place| place.told == Told::PartOfDay) {
            p.small { (view.say("当时在场人数很少，为保护他人，只显示场所和大致时段。", "Few people were there, so only the venue and the part of the day are told, to protect them.")) }
        }
        h2 { (view.say("依据", "By which rule")) }
        p {
            (say(view, &one.rule_pack_words)) " (" (one.rule_pack) ")"
            @if let Some(rule) = &one.rule { " · " (rule) }
        }
        p { (view.say("规则要求共处：", "It asks for time together: ")) (say(view, &one.asks_words)) }
        ul.cards {
            @for number in &one.numbers {
                li {
                    span { (number.key) " = " (number.value) }
                    span.small {
                        @match &number.url {
                            Some(url) => a href=(url) rel="noreferrer" { (number.basis) },
                            None => (number.basis),
                        }
                    }
                }
            }
        }
        h2 { (view.say("由谁决定", "Who decided")) }
        p { (one.authority) " · " (view.say("辖区 ", "division ")) (one.division) }
        p { (view.say("法律依据：", "Legal basis: ")) (one.legal_basis) }
        p { (view.say("放行时间：", "Let go: ")) (view.time(one.released_at)) }
        h2 { (view.say("何时结束", "When it ends")) }
        p { (say(view, &one.end_words)) }
        p { (view.say("自动到期：", "By itself: ")) (view.time(one.expires_at)) }
        h2 { (view.say("经过", "What happened")) }
        ul.cards { @for event in &one.events { (happened(view, event)) } }
        @if !one.appeals.is_empty() {
            h2 { (view.say("您的申诉", "Your appeals")) }
            ul.cards { @for appeal in &one.appeals { (appealed(view, appeal)) } }
        }
    }
}

fn happened(view: &View, event: &OwnEvent) -> Markup {
    html! {
        li {
            span { (words::event(view.lang, event.kind)) }
            @if let Some(why) = event.because { span { (words::because(view.lang, why)) } }
            @if let Some(note) = &event.note { span { (note) } }
            span.small { (view.time(event.at)) }
        }
    }
}

/// How an appeal stands.
pub(super) fn appealed(view: &View, appeal: &OwnAppeal) -> Markup {
    html! {
        li {
            strong { (words::appeal_reason(view.lang, appeal.reason)) }
            @if !appeal.text.is_empty() { span { (appeal.text) } }
            @match appeal.verdict {
                Some(verdict) => {
                    (words::verdict(view.lang, verdict))
                    span { (view.say("理由：", "Because: ")) (appeal.decision_reason.as_deref().unwrap_or_default()) }
                },
                None => span {
                    (view.say("将于此前答复：", "An answer is due by ")) (view.time(appeal.due_at))
                    @if appeal.overdue { " " strong { (view.say("已超期，正优先处理。", "It is overdue and stands first in the queue.")) } }
                },
            }
            span.small {
                (view.time(appeal.submitted_at))
                @if appeal.instance == 2 { " · " (view.say("第二次，由另一人审理", "the second, before another officer")) }
                @if !appeal.files.is_empty() { " · " (appeal.files.len()) (view.say(" 个附件", " files")) }
            }
        }
    }
}
