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
use super::held;
use super::layout::{Layout, token};
use super::run_counts::counts;
use super::view::{View, go};
use super::words::{self, Tone, badge};
use crate::http::error::ApiError;
use crate::http::escalations::{NewEscalation, escalate};
use crate::http::permissions::{Escalate, Investigate, Release, SeeCases, SeeRuns};
use crate::http::runs::{self as shared, Run, permitted};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::runs::{self, RunState};

/// How often a page that waits asks again.
const RELOAD_SECS: u32 = 2;

/// No fields but the token.
#[derive(Debug, Deserialize)]
struct Nothing {}

/// One run: counts, no persons.
#[get("/runs/{id}")]
pub(super) async fn show(
    desk: Desk<SeeRuns>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let row = permitted(&web, &desk.signed.actor, *id).await?;
    let run = shared::show_whole(&web, &row).await?;
    let packs = runs::packs(&mut *web.app.store.conn().await?).await?;
    let waits = matches!(run.state, RunState::Queued | RunState::Proposing);
    let body = html! {
        h1 { (desk.say("计算 ", "Run ")) (short(run.id)) }
        p { (words::run_state(desk.view.lang, run.state)) @if run.dry { " " (badge(Tone::Over, desk.say("试算", "Dry run"))) } }
        (notices(&desk.view, &run))
        @if waits { p.small { (desk.say("本页会自动刷新。", "This page reloads by itself.")) } }
        @if let Some(why) = &run.failure { p.wrong role="alert" { (why) } }
        @if let Some(found) = &run.summary { (counts(&desk.view, found)) }
        (facts(&desk.view, &run, &row.purpose))
        @if run.computed_at.is_some() && may::<SeeCases, _>(&desk) { (contacts_form(&desk, run.id)) }
        @if run.state == RunState::Proposed { (held::list(&desk.view, &run.held_by)) }
        (next(&desk, &run))
        @if run.computed_at.is_some() && may::<Investigate, _>(&desk) { (comparison_form(&desk, &run, &packs)) }
        @if may::<SeeCases, _>(&desk) { p { a href={ "/cases/" (run.case) } { (desk.say("返回病例", "Back to the case")) } } }
    };
    let layout = Layout { reload_secs: waits.then_some(RELOAD_SECS), ..Layout::default() };
    Ok(desk.lay(layout, StatusCode::OK, desk.say("计算", "Run"), &body))
}

/// Cancels a run that is not computed yet.
#[post("/runs/{id}/cancellation")]
pub(super) async fn cancel(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Nothing>,
) -> Result<HttpResponse, ApiError> {
    let Nothing {} = sent.form;
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| shared::cancel(&web, conn, actor, *id).await).await?;
    Ok(go(&format!("/runs/{id}")))
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

/// What the form for a whole place sends.
#[derive(Debug, Deserialize)]
struct Place {
    venue: Uuid,
    to: String,
    authority: String,
    reason: String,
}

/// Moves everybody who was exposed at one place to a stronger class.
#[post("/runs/{id}/escalations")]
pub(super) async fn escalate_place(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Escalate, Place>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let Place { venue, to, authority, reason } = sent.form;
    let form = NewEscalation { venue: Some(venue), point: None, to, authority, reason };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| escalate(&web, conn, actor, *id, &form).await).await?;
    Ok(go(&format!("/runs/{id}")))
}

/// What somebody should know before going by the counts.
fn notices(view: &View, run: &Run) -> Markup {
    let number = |value: &serde_json::Value, key: &str| value.get(key).and_then(Value::as_i64).unwrap_or(0);
    html! {
        @if let Some(waiting) = run.waiting.as_ref().filter(|waiting| waiting.entries > 0) {
            p.note {
                (view.say("等待入库的扫码记录：", "Scans that are still to be stored: "))
                (waiting.scans) @if waiting.at_least { "+" }
            }
        }
        @if let Some(at) = &run.progress {
            p.note {
                (view.say("正在计算：", "Being computed: ")) (at.searched) " / " (at.searches)
                " · " (view.say("人数 ", "people ")) (at.people) " · " (view.time(at.noted_at))
            }
        }
        @if let Some(missing) = &run.incomplete {
            p.wrong role="alert" {
                (view.say("结果不完整，计算时尚未入库的扫码记录：", "Incomplete; scans that were not stored when it was computed: "))
                (number(missing, "scans")) @if missing.get("at_least") == Some(&Value::Bool(true)) { "+" }
            }
        }
        @if let Some(at) = run.stale_at {
            p.wrong role="alert" {
                (view.say("计算之后又有扫码记录到达：", "Scans have come since that it did not see: ")) (view.time(at))
                @if let Some(next) = run.followed_by {
                    " " a href={ "/runs/" (next) } { (view.say("后续计算", "The run that follows it up")) }
                }
            }
        }
        @if let Some((base, difference)) = run.base_run.zip(run.difference.as_ref()) {
            p.note {
                (view.say("与之前的计算相比：新增 ", "Against the run before: new ")) (number(difference, "added"))
                (view.say("，不再符合 ", ", no longer met ")) (number(difference, "removed"))
                (view.say("，类别改变 ", ", in another class ")) (number(difference, "changed"))
                " " a href={ "/runs/" (base) "/difference/" (run.id) } { (view.say("查看差异", "The difference")) }
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

fn contacts_form(desk: &Desk<SeeRuns>, run: Uuid) -> Markup {
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

fn next(desk: &Desk<SeeRuns>, run: &Run) -> Markup {
    html! {
        @match run.state {
            RunState::Queued if may::<Investigate, _>(desk) => {
                form method="post" action={ "/runs/" (run.id) "/cancellation" } {
                    (token(&desk.signed))
                    button.quiet type="submit" { (desk.say("取消计算", "Cancel")) }
                }
            }
            RunState::Computed if run.dry => {
                p.small { (desk.say("试算永远不会提交放行。", "A dry run is never proposed.")) }
            }
            RunState::Computed if may::<Investigate, _>(desk) => {
                form method="post" action={ "/runs/" (run.id) "/proposal" } {
                    (token(&desk.signed))
                    button.big type="submit" { (desk.say("提交放行", "Propose")) }
                }
                p.small { (desk.say("提交后须由另外两位放行人员同意才会生效。", "It goes out only once two other officers have given their word.")) }
            }
            RunState::Computed if may::<Escalate, _>(desk) => { (escalation_form(desk, run)) }
            RunState::Proposed if may::<Release, _>(desk) => {
                p { a.button href="/release" { (desk.say("前往放行", "To the releases")) } }
            }
            _ => {}
        }
    }
}

/// For a whole place, never for people: where contacts met the case, and what becomes of them.
fn escalation_form(desk: &Desk<SeeRuns>, run: &Run) -> Markup {
    let places = run.summary.as_ref().and_then(|found| found.get("by_place")).and_then(Value::as_array);
    let named =
        |place: &Value, key: &str| place.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    html! {
        section.note {
            h2 { (desk.say("场所整体升级管控", "Escalate a whole place")) }
            p.small { (desk.say("该场所全部有计入暴露的人一并调整，须首席放行人员同意后生效。", "Everybody with a counted exposure there is moved; it takes a chief officer’s word to go out.")) }
            form method="post" action={ "/runs/" (run.id) "/escalations" } {
                (token(&desk.signed))
                label for="venue" { (desk.say("场所", "Venue")) }
                select #venue name="venue" required {
                    @for place in places.into_iter().flatten().filter(|place| place.get("venue").is_some_and(Value::is_string)) {
                        option value=(named(place, "venue")) { (named(place, "name")) }
                    }
                }
                label for="to" { (desk.say("类别（规则包中的名称）", "Class, as the rule pack names it")) }
                input #to name="to" type="text" required autocomplete="off";
                label for="authority" { (desk.say("批准机关", "Authority that consents")) }
                input #authority name="authority" type="text" required maxlength="200" autocomplete="off";
                label for="why_place" { (desk.say("理由（会记录在案）", "Reason (it is written down)")) }
                input #why_place name="reason" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button type="submit" { (desk.say("整体升级", "Escalate")) }
            }
        }
    }
}

fn comparison_form(desk: &Desk<SeeRuns>, run: &Run, packs: &[(String, i32)]) -> Markup {
    let others =
        packs.iter().map(|(id, version)| format!("{id}@{version}")).filter(|name| *name != run.rule_pack);
    let others: Vec<String> = others.collect();
    html! {
        @if !others.is_empty() {
            section.note {
                h2 { (desk.say("与另一规则包比较", "Compare with another rule pack")) }
                form method="post" action={ "/runs/" (run.id) "/comparison" } {
                    (token(&desk.signed))
                    label for="other_pack" { (desk.say("规则包", "Rule pack")) }
                    select #other_pack name="rule_pack" required { @for name in others.iter().rev() { option { (name) } } }
                    label for="why" { (desk.say("目的（会被记录）", "Purpose (it is written down)")) }
                    input #why name="purpose" type="text" required minlength="3" maxlength="500" autocomplete="off";
                    button.quiet type="submit" { (desk.say("试算并比较", "Compute and compare")) }
                }
            }
        }
    }
}
