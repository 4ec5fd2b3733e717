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
use crate::domain::review::Grade;
use crate::http::cases::Purpose;
use crate::http::contacts::{self as shared, Contact, ContactList, Evidence, PAGE};
use crate::http::coverage::of_run;
use crate::http::error::ApiError;
use crate::http::permissions::{Investigate, SeeCases};
use crate::http::reviews::{self, Exclusion, Inclusion, NewReview};
use crate::http::runs::permitted;
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::runs::{RunRow, RunState};

/// What a review sends.
#[derive(Debug, Deserialize)]
struct Left {
    visitor: String,
    #[serde(default)]
    reason: String,
    /// What becomes of the contact, where it is moved.
    #[serde(default)]
    to: String,
    /// What the list was opened for, to come back to it.
    #[serde(default)]
    purpose: String,
}

/// Which reviews a list offers: none, or all, with what a contact may become.
struct Offer {
    is_open: bool,
    classes: Vec<Grade>,
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
    let is_open = run.state()? == RunState::Computed && !run.dry && may::<Investigate, _>(&desk);
    let classes = if is_open { classes(&web, &run).await? } else { Vec::new() };
    let offer = Offer { is_open, classes };
    let full = found.len() == usize::try_from(PAGE).unwrap_or(0);
    let title = desk.say("接触者", "Contacts");
    let body = html! {
        h1 { (title) " · " (desk.say("计算 ", "run ")) (short(run.id)) }
        p.note { (desk.say("本次查看已记录。目的：", "This look was written down. Purpose: ")) strong { (list.purpose) } }
        @if let Some(whole) = &whole {
            p.note { (desk.view.lang.say(&whole.coverage.sentence.zh, &whole.coverage.sentence.en)) }
        }
        @if found.is_empty() { p { (desk.say("没有符合规则的人。", "Nobody meets a rule.")) } }
        ul.cards { @for contact in &found { (card(&desk, run.id, contact, &list.purpose, &offer)) } }
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
    transaction(&mut conn, async |conn| reviews::exclude(&web, conn, actor, &run, &form).await).await?;
    Ok(go(&format!("/runs/{id}/contacts?{}", query(&sent.form.purpose))))
}

/// Takes a contact back that was left out.
#[post("/runs/{id}/inclusions")]
pub(super) async fn include(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Left>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let run = permitted(&web, actor, *id).await?;
    let form = Inclusion { visitor: sent.form.visitor, reason: sent.form.reason };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| reviews::include(&web, conn, actor, &run, &form).await).await?;
    Ok(go(&format!("/runs/{id}/contacts?{}", query(&sent.form.purpose))))
}

/// Moves a contact to another class of the pack, or says why it stays.
#[post("/runs/{id}/reviews")]
pub(super) async fn review(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Left>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let run = permitted(&web, actor, *id).await?;
    let form = NewReview { visitor: sent.form.visitor, to: sent.form.to, reason: sent.form.reason };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| reviews::review(&web, conn, actor, &run, &form).await).await?;
    Ok(go(&format!("/runs/{id}/contacts?{}", query(&sent.form.purpose))))
}

/// What a contact of a run may become.
async fn classes(web: &Web, run: &RunRow) -> Result<Vec<Grade>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    Ok(reviews::pack_of(&mut conn, run).await?.classes.iter().map(Grade::from).collect())
}

fn card(desk: &Desk<SeeCases>, run: Uuid, contact: &Contact, purpose: &str, offer: &Offer) -> Markup {
    let lang = desk.view.lang;
    let computed = &contact.computed;
    let is_moved = (contact.class, &contact.rule) != (computed.class, &computed.rule);
    html! {
        li {
            span.reference { (contact.visitor) }
            span.row { (words::colour(lang, contact.colour)) span { (words::class(lang, contact.class)) } }
            @if is_moved {
                span.small { (desk.say("计算结果：", "computed: ")) (words::class(lang, computed.class)) }
                span.row { (words::colour(lang, computed.colour)) }
            }
            span.small {
                (desk.say("共处 ", "together ")) (words::duration(lang, contact.together_secs))
                " · " (contact.meetings) (desk.say(" 次相遇 · ", " meetings · "))
                (desk.view.span(contact.first_at, contact.last_at))
            }
            p { a href={ "/runs/" (run) "/contacts/" (contact.visitor) "?" (query(purpose)) } { (desk.say("查看证据", "Evidence")) } }
            @if let Some(reason) = &contact.exclusion_reason {
                (badge(Tone::Over, desk.say("已排除", "Left out"))) span.small { (reason) }
                @if offer.is_open { (review_form(desk, run, contact, purpose, &BACK, &[])) }
            } @else if offer.is_open {
                (review_form(desk, run, contact, purpose, &OUT, &[]))
                (review_form(desk, run, contact, purpose, &MOVE, &offer.classes))
            }
        }
    }
}

/// One of the forms below a contact.
struct Form {
    /// The last part of its path.
    path: &'static str,
    /// What it does, in Chinese and in English.
    summary: (&'static str, &'static str),
    /// Its button.
    button: (&'static str, &'static str),
}

const OUT: Form =
    Form { path: "exclusions", summary: ("排除此人", "Leave out"), button: ("排除", "Leave out") };
const BACK: Form =
    Form {
        path: "inclusions", summary: ("撤销排除", "Take back in"), button: ("撤销排除", "Take back in")
    };
const MOVE: Form = Form {
    path: "reviews",
    summary: ("调整或维持类别", "Move to another class, or keep"),
    button: ("记录", "Write it down"),
};

fn review_form(
    desk: &Desk<SeeCases>,
    run: Uuid,
    contact: &Contact,
    purpose: &str,
    form: &Form,
    classes: &[Grade],
) -> Markup {
    let (id, to) = (format!("{}-reason-{}", form.path, contact.visitor), format!("to-{}", contact.visitor));
    let is_now = |grade: &Grade| (grade.class, &grade.rule) == (contact.class, &contact.rule);
    html! {
        details {
            summary { (desk.say(form.summary.0, form.summary.1)) }
            form method="post" action={ "/runs/" (run) "/" (form.path) } {
                (token(&desk.signed))
                input type="hidden" name="visitor" value=(contact.visitor);
                input type="hidden" name="purpose" value=(purpose);
                @if !classes.is_empty() {
                    label for=(to) { (desk.say("类别", "Class")) }
                    select id=(to) name="to" required {
                        @for grade in classes {
                            option value=(grade.name()) selected[is_now(grade)] {
                                (words::class(desk.view.lang, grade.class))
                                @if let Some(rule) = &grade.rule { " · " (rule) }
                            }
                        }
                    }
                }
                label for=(id) { (desk.say("理由（会记录在案）", "Reason (it is written down)")) }
                input id=(id) name="reason" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button.quiet type="submit" { (desk.say(form.button.0, form.button.1)) }
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
