//! The officers' page: proposed runs that wait for two words.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::cases::{may, short};
use super::desk::{Desk, Sent};
use super::held;
use super::layout::token;
use super::view::{View, go};
use super::words::{self, Tone, badge};
use crate::domain::numbered::Numbered;
use crate::domain::release::{Held, WORDS_NEEDED};
use crate::domain::rule_pack::{Class, Colour};
use crate::http::error::ApiError;
use crate::http::permissions::{LiftHour, Release};
use crate::http::releases::{self, Lift, ReleaseRecord, Word};
use crate::http::runs::permitted;
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::assignments::{self, Count};
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::releasing;
use crate::store::runs::{self, RunRow, RunState};

/// How many proposed runs are shown; more than these wait their turn.
const RUNS_MAX: i64 = 50;

/// A proposed run with all that an officer decides by.
struct Proposal {
    run: RunRow,
    counts: Vec<Count>,
    record: ReleaseRecord,
    /// Whether the officer has given a word already.
    is_mine: bool,
    /// Whether the officer had a hand in the run.
    is_own: bool,
}

/// The proposed runs of the division.
#[get("/release")]
pub(super) async fn list(desk: Desk<Release>, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let actor = &desk.signed.actor;
    let waiting = runs::in_state(&mut conn, &actor.division, RunState::Proposed, RUNS_MAX).await?;
    let mut proposals = Vec::with_capacity(waiting.len());
    for run in waiting {
        let counts = assignments::counts_of_run(&mut conn, run.id).await?;
        let words = decisions::releases(&mut conn, run.id).await?;
        let is_mine = words.iter().any(|word| word.officer_id == actor.id);
        let is_own = releasing::barred(&mut conn, &run).await?.contains(&actor.id);
        let record = releases::record(&web, &mut conn, &run).await?;
        proposals.push(Proposal { run, counts, record, is_mine, is_own });
    }
    let stopped = decisions::switch(&mut conn, EMERGENCY_STOP).await?;
    drop(conn);
    let title = desk.say("放行", "Release");
    let body = html! {
        h1 { (title) }
        @if stopped { p { (badge(Tone::Stopped, desk.say("已紧急停止：不放行、不发件", "Stopped: nothing is released, no letter goes out"))) } }
        p.small { (desk.say("需要两位放行人员同意，提交人和核定过接触者的人不能放行。人数超过上限 ", "It takes two officers who neither proposed nor reviewed. Runs of more than ")) (web.app.config.release_cap) (desk.say(" 的，须有首席放行人员同意。", " people need a chief officer.")) }
        (super::overdue::block(&web, &desk.view, &actor.division).await?)
        @if proposals.is_empty() { p { (desk.say("没有待放行的提案。", "Nothing waits for release.")) } }
        @for proposal in &proposals { (show(&desk, proposal)?) }
    };
    Ok(desk.page(title, &body))
}

/// What a form with an officer's word sends; a number that is left empty is none.
#[derive(Debug, Deserialize)]
struct WordForm {
    legal_basis: String,
    #[serde(default)]
    people: String,
}

/// Gives an officer's word.
#[post("/runs/{id}/release")]
pub(super) async fn give_word(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Release, WordForm>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let people = match sent.form.people.trim() {
        "" => None,
        text => Some(text.parse().map_err(|error| ApiError::invalid("people", error))?),
    };
    let form = Word { legal_basis: sent.form.legal_basis, people };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| releases::release(&web, conn, actor, *id, &form).await).await?;
    Ok(go("/release"))
}

/// Lets a run go beyond what its division releases within an hour.
#[post("/runs/{id}/lifts")]
pub(super) async fn lift(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<LiftHour, Lift>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| releases::lift(&web, conn, actor, *id, &sent.form).await).await?;
    Ok(go("/release"))
}

fn show(desk: &Desk<Release>, proposal: &Proposal) -> Result<Markup, ApiError> {
    let Proposal { run, counts, record, is_mine, is_own } = proposal;
    let people: i64 = counts.iter().map(|count| count.count).sum();
    let hour_is_full = record.held_by.iter().any(|held| matches!(held, Held::Hour { .. }));
    Ok(html! {
        article.proposal {
            h2 { a href={ "/runs/" (run.id) } { (desk.say("计算 ", "Run ")) (short(run.id)) } }
            p { (words::run_state(desk.view.lang, run.state()?)) }
            p.small {
                (run.pack_id) "@" (run.pack_version) " · " (record.authority)
                @if let Some(by) = &record.proposed {
                    " · " (desk.say("提交人：", "proposed by ")) (by.who) " · " (desk.view.time(by.at))
                }
            }
            (table(&desk.view, counts, people)?)
            (held::by_hand(&desk.view, record))
            (held::list(&desk.view, &record.held_by))
            h3 { (desk.say("已同意 ", "Words given: ")) (record.words.len()) " / " (WORDS_NEEDED) }
            ul.cards {
                @for word in &record.words {
                    li {
                        strong { (word.by.who) }
                        span.small { (words::role(desk.view.lang, word.role)) }
                        span.small { (word.legal_basis) " · " (desk.view.time(word.by.at)) }
                    }
                }
            }
            @if *is_own {
                p.small { (desk.say("您提交或核定过此提案，须由他人放行。", "You proposed or reviewed this; others release it.")) }
            } @else if *is_mine {
                p.small { (desk.say("您已同意，等待另一位放行人员。", "You have given your word; another officer’s is awaited.")) }
            } @else {
                (word_form(desk, run.id, record))
            }
            @if hour_is_full && !is_own && may::<LiftHour, _>(desk) { (lift_form(desk, run.id)) }
        }
    })
}

fn word_form(desk: &Desk<Release>, run: Uuid, record: &ReleaseRecord) -> Markup {
    let (id, count) = (format!("basis-{run}"), format!("people-{run}"));
    html! {
        form method="post" action={ "/runs/" (run) "/release" } {
            (token(&desk.signed))
            label for=(id) { (desk.say("法律依据（当事人会看到）", "Legal basis (those concerned read it)")) }
            input id=(id) name="legal_basis" type="text" required minlength="3" maxlength="500" autocomplete="off";
            @if record.confirm_people {
                p { (badge(Tone::Careful, desk.say("人数较多", "Many people"))) }
                label for=(count) { (desk.say("请填写将被赋色的人数以确认", "Confirm by giving how many people this colours")) }
                input id=(count) name="people" type="text" inputmode="numeric" required autocomplete="off";
            }
            button type="submit" { (desk.say("同意放行", "I agree to its release")) }
        }
    }
}

fn lift_form(desk: &Desk<Release>, run: Uuid) -> Markup {
    let id = format!("lift-{run}");
    html! {
        details {
            summary { (desk.say("为此提案解除每小时上限", "Lift the hour’s bound for this run")) }
            form method="post" action={ "/runs/" (run) "/lifts" } {
                (token(&desk.signed))
                label for=(id) { (desk.say("理由（会记录在案）", "Reason (it is written down)")) }
                input id=(id) name="reason" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button.quiet type="submit" { (desk.say("解除", "Lift it")) }
            }
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
