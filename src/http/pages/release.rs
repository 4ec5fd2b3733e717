//! The officers' pages: proposed runs that wait for two words, and the outbox with its stop.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use uuid::Uuid;

use super::cases::short;
use super::desk::{Desk, Sent};
use super::layout::token;
use super::reconciliation;
use super::view::{View, go};
use super::words::{self, Tone, badge};
use crate::domain::access::Role;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::http::error::ApiError;
use crate::http::letters::{self, Outbox, Stop};
use crate::http::permissions::{HoldLetters, Release};
use crate::http::runs::{self as shared, Word, permitted};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::access::{self, StaffRow};
use crate::store::assignments::{self, Count};
use crate::store::decisions::{self, ReleaseRow};
use crate::store::reconciliations;
use crate::store::runs::{self, RunRow, RunState};

/// How many proposed runs are shown; more than these wait their turn.
const RUNS_MAX: i64 = 50;

/// A proposed run with all that an officer decides by.
struct Proposal {
    run: RunRow,
    counts: Vec<Count>,
    words: Vec<ReleaseRow>,
    staff: Vec<StaffRow>,
}

/// The proposed runs of the division.
#[get("/release")]
pub(super) async fn list(desk: Desk<Release>, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let division = &desk.signed.actor.division;
    let waiting = runs::in_state(&mut conn, division, RunState::Proposed, RUNS_MAX).await?;
    let mut proposals = Vec::with_capacity(waiting.len());
    for run in waiting {
        let counts = assignments::counts_of_run(&mut conn, run.id).await?;
        let words = decisions::releases(&mut conn, run.id).await?;
        let people: Vec<Uuid> = words.iter().map(|word| word.officer_id).chain(run.proposed_by).collect();
        let staff = access::staff_by_ids(&mut conn, &people).await?;
        proposals.push(Proposal { run, counts, words, staff });
    }
    let stopped = letters::outbox(&mut conn).await?.stopped;
    drop(conn);
    let title = desk.say("放行", "Release");
    let body = html! {
        h1 { (title) }
        @if stopped { p { (badge(Tone::Stopped, desk.say("发件已紧急停止", "All letters are stopped"))) } }
        p.small { (desk.say("需要两位放行人员同意，提交人不能放行自己的提案。人数超过上限 ", "It takes two officers, neither of them the proposer. Runs of more than ")) (web.app.config.release_cap) (desk.say(" 的，须有首席放行人员同意。", " people need a chief officer.")) }
        @if proposals.is_empty() { p { (desk.say("没有待放行的提案。", "Nothing waits for release.")) } }
        @for proposal in &proposals { (show(&desk, &web, proposal)?) }
    };
    Ok(desk.page(title, &body))
}

/// Gives an officer's word.
#[post("/runs/{id}/release")]
pub(super) async fn give_word(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Release, Word>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let work = async |conn: &mut _| shared::release(&web, conn, actor, *id, &sent.form.legal_basis).await;
    transaction(&mut conn, work).await?;
    Ok(go("/release"))
}

/// How the outbox stands.
#[get("/letters")]
pub(super) async fn see_outbox(desk: Desk<HoldLetters>, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let outbox = letters::outbox(&mut conn).await?;
    let title = desk.say("发件箱", "Outbox");
    let compared = reconciliation::newest(&desk.view, &reconciliations::newest(&mut conn).await?);
    let body = html! {
        h1 { (title) } (switch(&desk, outbox.stopped)) (letter_counts(&desk.view, &outbox)) (compared)
    };
    Ok(desk.page(title, &body))
}

/// Stops all letters, or lets them go again.
#[post("/letters/stop")]
pub(super) async fn stop(web: Data<Web>, sent: Sent<HoldLetters, Stop>) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let mut conn = web.app.store.conn().await?;
    let work = async |conn: &mut _| letters::set_stopped(&web, conn, actor, sent.form.stopped).await;
    transaction(&mut conn, work).await?;
    Ok(go("/letters"))
}

fn show(desk: &Desk<Release>, web: &Web, proposal: &Proposal) -> Result<Markup, ApiError> {
    let Proposal { run, counts, words, .. } = proposal;
    let people: i64 = counts.iter().map(|count| count.count).sum();
    let large = people > i64::from(web.app.config.release_cap);
    let mine = words.iter().any(|word| word.officer_id == desk.signed.actor.id);
    let own = run.proposed_by == Some(desk.signed.actor.id);
    Ok(html! {
        article.proposal {
            h2 { a href={ "/runs/" (run.id) } { (desk.say("计算 ", "Run ")) (short(run.id)) } }
            p { (words::run_state(desk.view.lang, run.state()?)) }
            p.small {
                (run.pack_id) "@" (run.pack_version) " · "
                (desk.say("提交人：", "proposed by ")) (proposal.name(run.proposed_by))
                @if let Some(at) = run.proposed_at { " · " (desk.view.time(at)) }
            }
            (table(&desk.view, counts, people)?)
            @if large && !words.iter().any(|word| word.chief) {
                p { (badge(Tone::Careful, desk.say("超过上限，须首席放行人员同意", "Over the cap: a chief officer is needed"))) }
            }
            h3 { (desk.say("已同意 ", "Words given: ")) (words.len()) " / 2" }
            ul.cards {
                @for word in words {
                    li {
                        strong { (proposal.name(Some(word.officer_id))) }
                        @if word.chief { span.small { (words::role(desk.view.lang, Role::ChiefOfficer)) } }
                        span.small { (word.legal_basis) " · " (desk.view.time(word.at)) }
                    }
                }
            }
            @if own {
                p.small { (desk.say("这是您提交的，须由他人放行。", "You proposed this; others release it.")) }
            } @else if mine {
                p.small { (desk.say("您已同意，等待另一位放行人员。", "You have given your word; another officer’s is awaited.")) }
            } @else {
                (word_form(desk, run.id))
            }
        }
    })
}

fn word_form(desk: &Desk<Release>, run: Uuid) -> Markup {
    let id = format!("basis-{run}");
    html! {
        form method="post" action={ "/runs/" (run) "/release" } {
            (token(&desk.signed))
            label for=(id) { (desk.say("法律依据（当事人会看到）", "Legal basis (those concerned read it)")) }
            input id=(id) name="legal_basis" type="text" required minlength="3" maxlength="500" autocomplete="off";
            button type="submit" { (desk.say("同意放行", "I agree to its release")) }
        }
    }
}

fn table(view: &View, counts: &[Count], people: i64) -> Result<Markup, ApiError> {
    let broken =
        || ApiError::Internal(anyhow::anyhow!("a row of `assignments` holds a value that cannot be"));
    let rows: Vec<(Class, Colour, i64)> = counts
        .iter()
        .map(|count| {
            Some((Class::from_number(count.class)?, Colour::from_number(count.colour)?, count.count))
        })
        .collect::<Option<_>>()
        .ok_or_else(broken)?;
    Ok(html! {
        table {
            thead { tr { th scope="col" { (view.say("类别", "Class")) } th scope="col" { (view.say("颜色", "Colour")) } th.right scope="col" { (view.say("人数", "People")) } } }
            tbody {
                @for (class, colour, count) in rows {
                    tr { td { (words::class(view.lang, class)) } td { (words::colour(view.lang, colour)) } td.right { (count) } }
                }
                tr.total { td { (view.say("合计", "Total")) } td {} td.right { (people) } }
            }
        }
    })
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

impl Proposal {
    fn name(&self, id: Option<Uuid>) -> &str {
        let known = self.staff.iter().find(|row| Some(row.id) == id);
        known.map_or("—", |row| row.display_name.as_str())
    }
}
