//! One case: its dates, its runs, and what an investigator may do with it.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::case_trail::purpose_form;
use super::cases::{may, short};
use super::desk::{Desk, Sent};
use super::layout::token;
use super::view::{View, go};
use super::words::{self, Tone, badge};
use crate::http::cases::{self as shared, Withdrawal, permitted};
use crate::http::error::ApiError;
use crate::http::permissions::{Investigate, SeeCases};
use crate::http::runs::{NewRun, request};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::cases::CaseRow;
use crate::store::runs::{self, RunRow};

/// One case, without the person.
#[get("/cases/{id}")]
pub(super) async fn show(
    desk: Desk<SeeCases>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let case = permitted(&web, &desk.signed.actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let own = runs::of_case(&mut conn, case.id).await?;
    let packs = runs::packs(&mut conn).await?;
    drop(conn);
    let investigates = may::<Investigate, _>(&desk) && case.withdrawn_at.is_none();
    let body = html! {
        h1 { (desk.say("病例 ", "Case ")) (short(case.id)) }
        (facts(&desk.view, &case)?)
        h2 { (desk.say("计算", "Runs")) }
        @if own.is_empty() { p { (desk.say("还没有计算。", "Nothing was computed yet.")) } }
        ul.cards { @for run in &own { (card(&desk.view, run)?) } }
        @if investigates { (compute_form(&desk, case.id, &packs)) }
        @if may::<Investigate, _>(&desk) { (purpose_form(&desk, case.id)) }
        @if investigates {
            p { a.button.quiet href={ "/cases/" (case.id) "/edit" } { (desk.say("更正病例", "Correct the case")) } }
            (withdraw_form(&desk, case.id))
        }
        p { a href="/cases" { (desk.say("返回列表", "Back to the list")) } }
    };
    Ok(desk.page(desk.say("病例", "Case"), &body))
}

/// Asks for a run.
#[post("/cases/{id}/runs")]
pub(super) async fn compute(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, NewRun>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let work = async |conn: &mut _| request(&web, conn, actor, *id, sent.form).await;
    let run = transaction(&mut conn, work).await?;
    Ok(go(&format!("/runs/{}", run.id)))
}

/// Takes a case back.
#[post("/cases/{id}/withdrawal")]
pub(super) async fn withdraw(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Withdrawal>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let work = async |conn: &mut _| shared::withdraw(&web, conn, actor, *id, &sent.form.reason).await;
    transaction(&mut conn, work).await?;
    Ok(go(&format!("/cases/{id}")))
}

fn facts(view: &View, case: &CaseRow) -> Result<Markup, ApiError> {
    let time = |at: Option<DateTime<Utc>>| at.map_or_else(|| "—".to_owned(), |at| view.time(at));
    Ok(html! {
        @if let Some(at) = case.withdrawn_at {
            p { (badge(Tone::Over, view.say("已撤回", "Withdrawn"))) " " span.small { (view.time(at)) } }
            p.note { (case.withdrawal_reason.as_deref().unwrap_or_default()) }
        } @else {
            p { (badge(Tone::Careful, words::case_kind(view.lang, case.kind()?))) }
        }
        dl {
            dt { (view.say("发病", "First symptom")) } dd { (time(case.onset_at)) }
            dt { (view.say("首次阳性采样", "First positive sample")) } dd { (view.time(case.sampled_at)) }
            dt { (view.say("隔离", "Isolation")) } dd { (time(case.isolated_at)) }
            @if let Some(number) = &case.case_no { dt { (view.say("病例编号", "Its number")) } dd { (number) } }
            dt { (view.say("报告", "Reported")) } dd { (case.authority) " · " (case.division) br; span.small { (view.time(case.reported_at)) } }
        }
    })
}

fn card(view: &View, run: &RunRow) -> Result<Markup, ApiError> {
    Ok(html! {
        li {
            a href={ "/runs/" (run.id) } { strong { (view.say("计算 ", "Run ")) (short(run.id)) } }
            (words::run_state(view.lang, run.state()?))
            span.small { (run.pack_id) "@" (run.pack_version) " · " (view.time(run.requested_at)) " · " (run.purpose) }
        }
    })
}

fn compute_form(desk: &Desk<SeeCases>, case: Uuid, packs: &[(String, i32)]) -> Markup {
    html! {
        section.note {
            h2 { (desk.say("计算接触者", "Compute the contacts")) }
            p.small { (desk.say("只是预览，不会改变任何人的健康码。", "A preview: nobody’s colour changes by it.")) }
            form method="post" action={ "/cases/" (case) "/runs" } {
                (token(&desk.signed))
                label for="rule_pack" { (desk.say("规则包", "Rule pack")) }
                select #rule_pack name="rule_pack" required {
                    @for (id, version) in packs.iter().rev() { option { (id) "@" (version) } }
                }
                @if packs.is_empty() { p.wrong { (desk.say("尚未加载规则包。", "No rule pack is loaded.")) } }
                label for="purpose" { (desk.say("目的（会被记录）", "Purpose (it is written down)")) }
                input #purpose name="purpose" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button type="submit" { (desk.say("开始计算", "Compute")) }
            }
        }
    }
}

fn withdraw_form(desk: &Desk<SeeCases>, case: Uuid) -> Markup {
    html! {
        details {
            summary { (desk.say("撤回病例", "Withdraw the case")) }
            p { (desk.say("由此产生的全部判定会自动撤回，相关人员的颜色随即恢复。", "Everything that hangs on it is undone, and colours change back.")) }
            form method="post" action={ "/cases/" (case) "/withdrawal" } {
                (token(&desk.signed))
                label for="reason" { (desk.say("理由", "Reason")) }
                input #reason name="reason" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button.danger type="submit" { (desk.say("撤回", "Withdraw")) }
            }
        }
    }
}
