//! The officers' pages for appeals: the queue, one appeal after a look, and the decision.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::cases::{may, short};
use super::desk::{Asked, Desk, Sent};
use super::layout::token;
use super::view::go;
use super::words::{self, Tone, badge};
use crate::http::appeal_desk::{self as shared, Appeal, Decision, PAGE, QueueList, Queued};
use crate::http::cases::Purpose;
use crate::http::error::ApiError;
use crate::http::permissions::{DecideAppeals, SeeAppeals};
use crate::http::web::Web;
use crate::http::write::transaction;

/// What a decision sends.
#[derive(Debug, Deserialize)]
struct Word {
    decision: shared::Decided,
    #[serde(default)]
    reason: String,
}

/// The appeals that wait.
#[get("/appeals")]
pub(super) async fn list(
    asked: Asked<SeeAppeals, QueueList>,
    web: Data<Web>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query } = asked;
    let queue = shared::queue(&web, &desk.signed.actor, query.after).await?;
    let full = queue.appeals.len() == usize::try_from(PAGE).unwrap_or(0);
    let title = desk.say("申诉", "Appeals");
    let body = html! {
        h1 { (title) }
        p { (desk.say("待处理 ", "Waiting: ")) strong { (queue.open) } }
        @if queue.overdue > 0 {
            p { (badge(Tone::Stopped, &format!("{}{}", desk.say("已超期 ", "Overdue: "), queue.overdue))) }
        }
        p.small { (desk.say("如果病例或其轨迹本身有误，请更正病例或轨迹：由此产生的赋码会一并撤回。", "Where the case or its trail is wrong, correct that: all that hung on it is withdrawn at once.")) }
        @if queue.appeals.is_empty() { p { (desk.say("没有待处理的申诉。", "Nothing waits.")) } }
        ul.cards { @for one in &queue.appeals { (card(&desk, one)) } }
        @if let Some(last) = queue.appeals.last().filter(|_| full) {
            p { a.button.quiet href={ "/appeals?after=" (last.id) } { (desk.say("下一页", "Next page")) } }
        }
    };
    Ok(desk.page(title, &body))
}

/// One appeal, after the purpose of the look was written down.
#[get("/appeals/{id}")]
pub(super) async fn show(
    asked: Asked<SeeAppeals, Purpose>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query } = asked;
    let found = shared::appeal(&web, &desk.signed.actor, *id, &query.purpose).await?;
    let title = desk.say("申诉", "Appeal");
    let body = html! {
        h1 { (title) " " (short(found.id)) }
        p.note { (desk.say("本次查看已记录。目的：", "This look was written down. Purpose: ")) strong { (query.purpose) } }
        (told(&desk, &found, &query.purpose))
        @if found.verdict.is_none() && may::<DecideAppeals, _>(&desk) { (decision(&desk, &found)) }
        p { a href="/appeals" { (desk.say("返回", "Back")) } }
    };
    Ok(desk.page(title, &body))
}

/// A piece of evidence as a file.
#[get("/appeals/{id}/evidence/{file}")]
pub(super) async fn download(
    asked: Asked<SeeAppeals, Purpose>,
    web: Data<Web>,
    path: Path<(Uuid, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, file) = path.into_inner();
    shared::evidence(&web, &asked.desk.signed.actor, id, &file, &asked.query.purpose).await
}

/// Decides an appeal.
#[post("/appeals/{id}/decision")]
pub(super) async fn decide(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<DecideAppeals, Word>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let form = Decision { decision: sent.form.decision, reason: sent.form.reason };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| shared::decide(&web, conn, actor, *id, &form).await).await?;
    Ok(go("/appeals"))
}

fn card(desk: &Desk<SeeAppeals>, one: &Queued) -> Markup {
    let lang = desk.view.lang;
    html! {
        li {
            strong { (words::appeal_reason(lang, one.reason)) }
            span { (words::class(lang, one.exposed)) }
            span {
                (desk.say("期限 ", "due ")) (desk.view.time(one.due_at))
                @if one.overdue { " " (badge(Tone::Stopped, desk.say("已超期", "overdue"))) }
            }
            span.small {
                (desk.say("计算 ", "run ")) a href={ "/runs/" (one.run) } { (short(one.run)) }
                " · " (one.files) (desk.say(" 个附件", " files"))
                @if one.instance == 2 { " · " (desk.say("第二次申诉", "second appeal")) }
            }
            @if one.own_hand {
                span.small { (desk.say("您参与过该决定，须由他人审理。", "You had a hand in it; somebody else decides.")) }
            } @else {
                form method="get" action={ "/appeals/" (one.id) } {
                    label for={ "purpose-" (one.id) } { (desk.say("查看目的（会记录在案）", "Purpose of the look (it is written down)")) }
                    input id={ "purpose-" (one.id) } name="purpose" type="text" required minlength="3" maxlength="500" autocomplete="off";
                    button.quiet type="submit" { (desk.say("查看", "Open")) }
                }
            }
        }
    }
}

fn told(desk: &Desk<SeeAppeals>, one: &Appeal, purpose: &str) -> Markup {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("purpose", purpose).finish();
    html! {
        p { strong { (words::appeal_reason(desk.view.lang, one.reason)) } }
        @if !one.text.is_empty() { p { (one.text) } }
        @if let Some(before) = &one.refused_before {
            p.note { (desk.say("第一次申诉不成立，理由：", "The first appeal was refused: ")) (before) }
        }
        p { a href={ "/runs/" (one.run) "/contacts/" (one.visitor) "?" (query) } { (desk.say("判定证据", "The evidence of the run")) } }
        ul.cards {
            @for file in &one.files {
                li {
                    a href={ "/appeals/" (one.id) "/evidence/" (file.id) "?" (query) } download { (file.kind.media_type()) }
                    span.small { (file.bytes) " B" }
                }
            }
        }
        @if let Some(verdict) = one.verdict {
            (words::verdict(desk.view.lang, verdict))
            p { (one.decision_reason.as_deref().unwrap_or_default()) }
        }
    }
}

fn decision(desk: &Desk<SeeAppeals>, one: &Appeal) -> Markup {
    html! {
        @if one.own_hand {
            p { (desk.say("您参与过该决定，须由他人审理。", "You had a hand in it; somebody else decides.")) }
        } @else {
            form method="post" action={ "/appeals/" (one.id) "/decision" } {
                (token(&desk.signed))
                label for="reason" { (desk.say("理由（申诉人可见）", "Reason (the visitor reads it)")) }
                input #reason name="reason" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button type="submit" name="decision" value="granted" { (desk.say("申诉成立，撤回赋码", "Grant: withdraw the colour")) }
                button.quiet type="submit" name="decision" value="refused" { (desk.say("申诉不成立", "Refuse")) }
            }
        }
    }
}
