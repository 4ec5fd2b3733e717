//! The outbox's pages: how letters stand, which systems answer, what was given up, and the switch that stops all.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::cases::short;
use super::desk::{Asked, Desk, Sent};
use super::layout::token;
use super::reconciliation;
use super::view::{View, go};
use super::words::{Tone, badge};
use crate::domain::access::Role;
use crate::http::error::ApiError;
use crate::http::letters::{self, CircuitState, DeadLetter, DeadPage, Outbox, Stop};
use crate::http::permissions::{Administer, HoldLetters};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::reconciliations;

/// Mounts what is here.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(see_outbox).service(stop).service(see_dead).service(send_one).service(send_all);
}

/// How the outbox stands.
#[get("/letters")]
async fn see_outbox(desk: Desk<HoldLetters>, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let outbox = letters::outbox(&web, &mut conn).await?;
    let title = desk.say("发件箱", "Outbox");
    let compared = reconciliation::newest(&desk.view, &reconciliations::newest(&mut conn).await?);
    let body = html! {
        h1 { (title) }
        (switch(&desk, outbox.stopped))
        @for circuit in &outbox.circuits { (silent(&desk.view, circuit)) }
        (letter_counts(&desk.view, &outbox))
        @if outbox.letters.iter().any(|row| row.state == "buried") {
            p { a.button.quiet href="/letters/dead" { (desk.say("查看已搁置的信件", "See the buried letters")) } }
        }
        (compared)
    };
    Ok(desk.page(title, &body))
}

/// Stops all letters, or lets them go again.
#[post("/letters/stop")]
async fn stop(web: Data<Web>, sent: Sent<HoldLetters, Stop>) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let mut conn = web.app.store.conn().await?;
    let work = async |conn: &mut _| letters::set_stopped(&web, conn, actor, sent.form.stopped).await;
    transaction(&mut conn, work).await?;
    Ok(go("/letters"))
}

/// The letters that were given up.
#[get("/letters/dead")]
async fn see_dead(asked: Asked<HoldLetters, DeadPage>, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query } = asked;
    let mut conn = web.app.store.conn().await?;
    let (dead, next) = letters::dead(&mut conn, &query).await?;
    drop(conn);
    let may_send = desk.signed.actor.is(Role::Administrator);
    let title = desk.say("已搁置的信件", "Buried letters");
    let body = html! {
        h1 { (title) }
        p.small { (desk.say(
            "多次失败或被平台拒收的信件。重新发送不会改变任何较新的结果：平台按序号判断。",
            "Letters that failed many times or were refused. To send one again changes nothing that is newer: the system goes by the number.")) }
        @if dead.is_empty() { p { (desk.say("没有已搁置的信件。", "No letter is buried.")) } }
        @else {
            (table(&desk, &dead, may_send))
            @if let Some(after) = next {
                p { a.button.quiet href={ "/letters/dead?after=" (after) } { (desk.say("下一页", "Next page")) } }
            }
        }
    };
    Ok(desk.wide(title, &body))
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
struct Act {}

/// Sends one of them again.
#[post("/letters/dead/{id}/again")]
async fn send_one(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Administer, Act>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn: &mut _| letters::dig_up_one(&web, conn, actor, *id).await).await?;
    Ok(go("/letters/dead"))
}

/// To which system all are sent again.
#[derive(Debug, Deserialize)]
struct To {
    issuer: String,
}

/// Sends all letters to one issuing system again.
#[post("/letters/again")]
async fn send_all(web: Data<Web>, sent: Sent<Administer, To>) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let mut conn = web.app.store.conn().await?;
    let work = async |conn: &mut _| letters::dig_up_all(&web, conn, actor, &sent.form.issuer).await;
    transaction(&mut conn, work).await?;
    Ok(go("/letters"))
}

fn switch(desk: &Desk<HoldLetters>, stopped: bool) -> Markup {
    html! {
        section.note {
            @if stopped {
                p { (badge(Tone::Stopped, desk.say("已紧急停止：没有信件发出", "Stopped: no letter goes out"))) }
            } @else {
                p { (badge(Tone::Good, desk.say("正常发送", "Letters go out"))) }
            }
            form method="post" action="/letters/stop" {
                (token(&desk.signed))
                input type="hidden" name="stopped" value=(!stopped);
                @if stopped { button type="submit" { (desk.say("恢复发送", "Let letters go again")) } }
                @else { button.danger type="submit" { (desk.say("紧急停止全部发送", "Stop all letters at once")) } }
            }
        }
    }
}

/// A word on an issuing system that does not answer.
fn silent(view: &View, circuit: &CircuitState) -> Markup {
    html! {
        @if let Some(since) = circuit.opened_at {
            section.note {
                p { (badge(Tone::Careful, view.say("平台无应答，只发试探信件", "Does not answer: only probes are sent"))) " " (circuit.issuer) }
                p.small {
                    (view.say("自 ", "since ")) (view.time(since))
                    @if let Some(at) = circuit.probe_at { " · " (view.say("下次试探 ", "next probe ")) (view.time(at)) }
                    @if let Some(error) = &circuit.last_error { br; (error) }
                }
            }
        }
    }
}

fn letter_counts(view: &View, outbox: &Outbox) -> Markup {
    let word = |state: &str| match state {
        "waiting" => badge(Tone::Waiting, view.say("待发", "Waiting")),
        "delivered" => badge(Tone::Good, view.say("已送达", "Delivered")),
        _ => badge(Tone::Stopped, view.say("多次失败，已搁置", "Buried after many failures")),
    };
    html! {
        @if outbox.letters.is_empty() { p { (view.say("没有信件。", "No letters.")) } }
        @else {
            table {
                thead { tr { th scope="col" { (view.say("发码平台", "To")) } th scope="col" { (view.say("状态", "State")) } th.right scope="col" { (view.say("数量", "Letters")) } } }
                tbody {
                    @for row in &outbox.letters {
                        tr {
                            td { (row.issuer) }
                            td { (word(row.state)) @if let Some(error) = &row.last_error { br; span.small { (error) } } }
                            td.right { (row.count) }
                        }
                    }
                }
            }
        }
    }
}

fn table(desk: &Desk<HoldLetters>, dead: &[DeadLetter], may_send: bool) -> Markup {
    let issuers: std::collections::BTreeSet<&str> =
        dead.iter().map(|letter| letter.issuer.as_str()).collect();
    html! {
        @if may_send {
            @for issuer in issuers {
                form method="post" action="/letters/again" {
                    (token(&desk.signed))
                    input type="hidden" name="issuer" value=(issuer);
                    button.quiet type="submit" { (desk.say("全部重新发送：", "Send all again to ")) (issuer) }
                }
            }
        }
        table.stacked {
            thead {
                tr {
                    th scope="col" { (desk.say("发码平台", "To")) }
                    th scope="col" { (desk.say("内容", "Kind")) }
                    th scope="col" { (desk.say("赋码编号", "Assignment")) }
                    th scope="col" { (desk.say("搁置时间", "Buried")) }
                    th scope="col" { (desk.say("原因", "Why")) }
                    @if may_send { th scope="col" {} }
                }
            }
            tbody {
                @for letter in dead {
                    tr {
                        td { (letter.issuer) }
                        td { (letter.kind.as_deref().unwrap_or("—")) }
                        td.reference { (short(letter.assignment)) }
                        td.time { (desk.view.time(letter.buried_at)) }
                        td { (letter.last_error.as_deref().unwrap_or("—")) br; span.small { (letter.attempts) (desk.say(" 次", " attempts")) } }
                        @if may_send {
                            td {
                                form method="post" action={ "/letters/dead/" (letter.id) "/again" } {
                                    (token(&desk.signed))
                                    button.quiet type="submit" { (desk.say("重新发送", "Send again")) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
