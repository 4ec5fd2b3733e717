//! One run: where it stands, what it found in counts, and the button that proposes it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::cases::{may, short};
use super::desk::{Desk, Sent};
use super::layout::{Layout, token};
use super::view::{View, go};
use super::words;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::http::error::ApiError;
use crate::http::permissions::{Investigate, Release, SeeCases};
use crate::http::runs::{self as shared, Run, permitted};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::runs::RunState;

/// How often a page that waits asks again.
const RELOAD_SECS: u32 = 2;

/// No fields but the token.
#[derive(Debug, Deserialize)]
struct Nothing {}

/// One run: counts, no persons.
#[get("/runs/{id}")]
pub(super) async fn show(
    desk: Desk<SeeCases>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let row = permitted(&web, &desk.signed.actor, *id).await?;
    let run = shared::show(&row)?;
    let waits = matches!(run.state, RunState::Queued | RunState::Proposing);
    let body = html! {
        h1 { (desk.say("计算 ", "Run ")) (short(run.id)) }
        p { (words::run_state(desk.view.lang, run.state)) }
        @if waits { p.small { (desk.say("本页会自动刷新。", "This page reloads by itself.")) } }
        @if let Some(why) = &run.failure { p.wrong role="alert" { (why) } }
        @if let Some(found) = &run.summary { (counts(&desk.view, found)) }
        (facts(&desk.view, &run, &row.purpose))
        @if run.computed_at.is_some() { (contacts_form(&desk, run.id)) }
        (next(&desk, &run))
        p { a href={ "/cases/" (run.case) } { (desk.say("返回病例", "Back to the case")) } }
    };
    let layout = Layout { reload_secs: waits.then_some(RELOAD_SECS), ..Layout::default() };
    Ok(desk.lay(layout, StatusCode::OK, desk.say("计算", "Run"), &body))
}

/// Proposes a computed run.
#[post("/runs/{id}/proposal")]
pub(super) async fn propose(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Nothing>,
) -> Result<HttpResponse, ApiError> {
    let Nothing {} = sent.form;
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| shared::propose(&web, conn, actor, *id).await).await?;
    Ok(go(&format!("/runs/{id}")))
}

fn counts(view: &View, found: &Value) -> Markup {
    let number = |value: Option<&Value>| value.and_then(Value::as_i64).unwrap_or(0);
    let overview = [
        ("trail_stays", view.say("病例到过（次）", "Stays of the case")),
        ("places", view.say("涉及场所", "Venues")),
        ("exposures", view.say("相遇（次）", "Meetings")),
        ("exposed_visitors", view.say("相遇的人", "People met")),
        ("contacts", view.say("符合规则的人", "People who meet a rule")),
    ];
    let of = |group: &str, word: Value| {
        let word = word.as_str().unwrap_or_default().to_owned();
        number(found.get(group).and_then(|group| group.get(word)))
    };
    html! {
        h2 { (view.say("结果", "Result")) }
        ul.numbers {
            @for (key, label) in overview { li { span.number { (number(found.get(key))) } span.small { (label) } } }
        }
        table {
            thead { tr { th scope="col" { (view.say("类别", "Class")) } th.right scope="col" { (view.say("人数", "People")) } } }
            tbody {
                @for class in Class::ALL {
                    @let people = of("classes", serde_json::json!(class));
                    @if people > 0 { tr { td { (words::class(view.lang, *class)) } td.right { (people) } } }
                }
            }
        }
        table {
            thead { tr { th scope="col" { (view.say("拟赋颜色", "Proposed colour")) } th.right scope="col" { (view.say("人数", "People")) } } }
            tbody {
                @for colour in Colour::ALL.iter().rev() {
                    @let people = of("colours", serde_json::json!(colour));
                    @if people > 0 { tr { td { (words::colour(view.lang, *colour)) } td.right { (people) } } }
                }
            }
        }
    }
}

fn facts(view: &View, run: &Run, purpose: &str) -> Markup {
    html! {
        dl {
            @if let Some((from, until)) = run.infectious_from.zip(run.infectious_until) {
                dt { (view.say("传染期", "Infectious period")) } dd { (view.span(from, until)) }
            }
            dt { (view.say("规则包", "Rule pack")) } dd { (run.rule_pack) }
            dt { (view.say("目的", "Purpose")) } dd { (purpose) }
            dt { (view.say("申请时间", "Asked for")) } dd { (view.time(run.requested_at)) }
            @if let Some(at) = run.computed_at { dt { (view.say("算出时间", "Computed")) } dd { (view.time(at)) } }
            @if let Some(at) = run.proposed_at { dt { (view.say("提交时间", "Proposed")) } dd { (view.time(at)) } }
            @if let Some(at) = run.released_at { dt { (view.say("放行时间", "Released")) } dd { (view.time(at)) } }
            @if let Some(digest) = &run.digest {
                dt { (view.say("结果摘要（相同输入得到相同结果）", "Digest: the same input gives the same")) }
                dd.reference { (digest) }
            }
        }
    }
}

fn contacts_form(desk: &Desk<SeeCases>, run: Uuid) -> Markup {
    html! {
        section.note {
            h2 { (desk.say("查看接触者", "See the contacts")) }
            p.small { (desk.say("每次查看都会记录，当事人能看到您的角色、目的和时间。", "Every look is written down; those concerned see your role, purpose and time.")) }
            form method="get" action={ "/runs/" (run) "/contacts" } {
                label for="purpose" { (desk.say("目的", "Purpose")) }
                input #purpose name="purpose" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button.quiet type="submit" { (desk.say("查看", "Show")) }
            }
        }
    }
}

fn next(desk: &Desk<SeeCases>, run: &Run) -> Markup {
    html! {
        @match run.state {
            RunState::Computed if may::<Investigate, _>(desk) => {
                form method="post" action={ "/runs/" (run.id) "/proposal" } {
                    (token(&desk.signed))
                    button.big type="submit" { (desk.say("提交放行", "Propose")) }
                }
                p.small { (desk.say("提交后须由另外两位放行人员同意才会生效。", "It goes out only once two other officers have given their word.")) }
            }
            RunState::Proposed if may::<Release, _>(desk) => {
                p { a.button href="/release" { (desk.say("前往放行", "To the releases")) } }
            }
            _ => {}
        }
    }
}
