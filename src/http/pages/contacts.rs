//! The contacts of a run, after the purpose of the look was written down. Only here a page shows
//! pseudonyms.

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
use crate::http::cases::Purpose;
use crate::http::contacts::{self as shared, Contact, ContactList, Evidence, Exclusion, PAGE};
use crate::http::coverage::of_run;
use crate::http::error::ApiError;
use crate::http::permissions::{Investigate, SeeCases};
use crate::http::runs::permitted;
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::runs::RunState;

/// What leaving somebody out sends.
#[derive(Debug, Deserialize)]
struct Left {
    visitor: String,
    #[serde(default)]
    reason: String,
    /// What the list was opened for, to come back to it.
    #[serde(default)]
    purpose: String,
}

/// A page of the contacts.
#[get("/runs/{id}/contacts")]
pub(super) async fn list(
    asked: Asked<SeeCases, ContactList>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: list } = asked;
    let actor = &desk.signed.actor;
    let found = shared::contacts(&web, actor, *id, &list.purpose, list.offset).await?;
    let run = permitted(&web, actor, *id).await?;
    let whole =
        if run.infectious_from.is_some() { Some(of_run(&web, actor, *id, None).await?) } else { None };
    let open = run.state()? == RunState::Computed && may::<Investigate, _>(&desk);
    let full = found.len() == usize::try_from(PAGE).unwrap_or(0);
    let title = desk.say("接触者", "Contacts");
    let body = html! {
        h1 { (title) " · " (desk.say("计算 ", "run ")) (short(run.id)) }
        p.note { (desk.say("本次查看已记录。目的：", "This look was written down. Purpose: ")) strong { (list.purpose) } }
        @if let Some(whole) = &whole {
            p.note { (desk.view.lang.say(&whole.coverage.sentence.zh, &whole.coverage.sentence.en)) }
        }
        @if found.is_empty() { p { (desk.say("没有符合规则的人。", "Nobody meets a rule.")) } }
        ul.cards { @for contact in &found { (card(&desk, run.id, contact, &list.purpose, open)) } }
        @if full {
            p { a.button.quiet href={ "/runs/" (run.id) "/contacts?" (query(&list.purpose)) "&offset=" (list.offset + PAGE) } { (desk.say("下一页", "Next page")) } }
        }
        p { a href={ "/runs/" (run.id) } { (desk.say("返回计算", "Back to the run")) } }
    };
    Ok(desk.page(title, &body))
}

/// Why somebody is a contact.
#[get("/runs/{id}/contacts/{visitor}")]
pub(super) async fn evidence(
    asked: Asked<SeeCases, Purpose>,
    web: Data<Web>,
    path: Path<(Uuid, String)>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: purpose } = asked;
    let (id, visitor) = path.into_inner();
    let found = shared::evidence(&web, &desk.signed.actor, id, &visitor, &purpose.purpose).await?;
    let title = desk.say("证据", "Evidence");
    let body = html! {
        h1 { (title) }
        p.reference { (visitor) }
        ul.cards { @for one in &found { (meeting(&desk, one)) } }
        p { a href={ "/runs/" (id) "/contacts?" (query(&purpose.purpose)) } { (desk.say("返回名单", "Back to the list")) } }
    };
    Ok(desk.page(title, &body))
}

/// Leaves a contact out.
#[post("/runs/{id}/exclusions")]
pub(super) async fn exclude(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Left>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let run = permitted(&web, actor, *id).await?;
    let form = Exclusion { visitor: sent.form.visitor, reason: sent.form.reason };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| shared::exclude(&web, conn, actor, &run, &form).await).await?;
    Ok(go(&format!("/runs/{id}/contacts?{}", query(&sent.form.purpose))))
}

fn card(desk: &Desk<SeeCases>, run: Uuid, contact: &Contact, purpose: &str, open: bool) -> Markup {
    let lang = desk.view.lang;
    let id = format!("reason-{}", contact.visitor);
    html! {
        li {
            span.reference { (contact.visitor) }
            span.row { (words::colour(lang, contact.colour)) span { (words::class(lang, contact.class)) } }
            span.small {
                (desk.say("共处 ", "together ")) (words::duration(lang, contact.together_secs))
                " · " (contact.meetings) (desk.say(" 次相遇 · ", " meetings · "))
                (desk.view.span(contact.first_at, contact.last_at))
            }
            p { a href={ "/runs/" (run) "/contacts/" (contact.visitor) "?" (query(purpose)) } { (desk.say("查看证据", "Evidence")) } }
            @if let Some(reason) = &contact.exclusion_reason {
                (badge(Tone::Over, desk.say("已排除", "Left out"))) span.small { (reason) }
            } @else if open {
                details {
                    summary { (desk.say("排除此人", "Leave out")) }
                    form method="post" action={ "/runs/" (run) "/exclusions" } {
                        (token(&desk.signed))
                        input type="hidden" name="visitor" value=(contact.visitor);
                        input type="hidden" name="purpose" value=(purpose);
                        label for=(id) { (desk.say("理由（会记录在案）", "Reason (it is written down)")) }
                        input id=(id) name="reason" type="text" required minlength="3" maxlength="500" autocomplete="off";
                        button.quiet type="submit" { (desk.say("排除", "Leave out")) }
                    }
                }
            }
        }
    }
}

fn meeting(desk: &Desk<SeeCases>, one: &Evidence) -> Markup {
    let lang = desk.view.lang;
    html! {
        li {
            strong { (one.venue) } span.point { (one.point) }
            span { (desk.view.span(one.from, one.until)) " · " (words::duration(lang, (one.until - one.from).num_seconds())) }
            span.small { (words::relation(lang, one.relation)) " · " (words::presence(lang, one.presence)) }
            @if one.counted { (badge(Tone::Good, desk.say("计入判定", "Counted"))) }
            @else { (badge(Tone::Over, desk.say("未计入", "Not counted"))) }
        }
    }
}

fn query(purpose: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("purpose", purpose).finish()
}
