//! Cases: the list, and the form to report one.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::{Asked, Desk, Sent};
use super::layout::{Layout, token};
use super::trouble::detail;
use super::venue_form::field;
use super::view::{View, go};
use super::words::{self, Tone, badge};
use crate::domain::access::Permission;
use crate::domain::case::CaseKind;
use crate::domain::numbered::Numbered;
use crate::http::cases::{self as shared, CaseList, NewCase, PAGE};
use crate::http::error::ApiError;
use crate::http::permissions::{Investigate, SeeCases};
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::cases::CaseRow;

/// What the form sends; all as text, so that it can be shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Filled {
    visitor: String,
    kind: String,
    onset_at: String,
    sampled_at: String,
    isolated_at: String,
    authority: String,
    division: String,
    case_no: String,
}

/// The cases of the division, the newest first.
#[get("/cases")]
pub(super) async fn list(asked: Asked<SeeCases, CaseList>, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: list } = asked;
    let rows = shared::page(&web, &desk.signed.actor, &list).await?;
    let more = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0));
    let title = desk.say("病例", "Cases");
    let body = html! {
        h1 { (title) }
        @if may::<Investigate, _>(&desk) {
            p { a.button href="/cases/new" { (desk.say("报告病例", "Report a case")) } }
            p { a href="/backward" { (desk.say("溯源：多病例比对", "Backward: several cases together")) } }
        }
        @if rows.is_empty() { p { (desk.say("没有病例。", "No case.")) } }
        ul.cards { @for row in &rows { (card(&desk.view, row)?) } }
        @if let Some(last) = more {
            p { a.button.quiet href={ "/cases?before=" (last.id) } { (desk.say("下一页", "Next page")) } }
        }
    };
    Ok(desk.page(title, &body))
}

/// The empty form.
#[get("/cases/new")]
pub(super) async fn blank(desk: Desk<Investigate>) -> HttpResponse {
    let division = desk.signed.actor.division.to_string();
    form(&desk, &Filled { division, ..Filled::default() }, None)
}

/// Takes the form; what is not right is shown again with the reason.
#[post("/cases")]
pub(super) async fn report(
    web: Data<Web>,
    sent: Sent<Investigate, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let reported = async {
        let new = filled.read(&desk.view)?;
        let mut conn = web.app.store.conn().await?;
        transaction(&mut conn, async |conn| shared::report(&web, conn, &desk.signed.actor, new).await).await
    };
    match reported.await {
        Ok(row) => Ok(go(&format!("/cases/{}", row.id))),
        Err(error @ ApiError::Invalid { .. }) => {
            // The pseudonym is not shown again: only a run's contacts show any.
            let shown = Filled { visitor: String::new(), ..filled };
            Ok(form(&desk, &shown, Some(&error)))
        }
        Err(error) => Err(error),
    }
}

impl Filled {
    fn read(&self, view: &View) -> Result<NewCase, ApiError> {
        let known = CaseKind::ALL.iter().copied().find(|kind| kind_word(*kind) == self.kind);
        let sampled = view.local_time("sampled_at", &self.sampled_at)?;
        let missing = || ApiError::invalid("sampled_at", "must be a date and time: 2026-03-10T14:30");
        Ok(NewCase {
            visitor: self.visitor.trim().to_owned(),
            kind: known.ok_or_else(|| ApiError::invalid("kind", "must be one of the list"))?,
            onset_at: view.local_time("onset_at", &self.onset_at)?,
            sampled_at: sampled.ok_or_else(missing)?,
            isolated_at: view.local_time("isolated_at", &self.isolated_at)?,
            authority: self.authority.clone(),
            division: self.division.trim().to_owned(),
            case_no: Some(self.case_no.clone()).filter(|number| !number.trim().is_empty()),
        })
    }
}

fn form(desk: &Desk<Investigate>, filled: &Filled, wrong: Option<&ApiError>) -> HttpResponse {
    let title = desk.say("报告病例", "Report a case");
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let t = |zh, en| desk.say(zh, en);
    let body = html! {
        h1 { (title) }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (detail(&desk.view, wrong)) } }
        form method="post" action="/cases" {
            (token(&desk.signed))
            (field("visitor", t("来访者代号（健康码平台提供的 32 位代号）", "Pseudonym (32 digits, from the health-code platform)"), &filled.visitor, 32, true))
            label for="kind" { (t("类型", "Kind")) }
            select #kind name="kind" required {
                @for kind in CaseKind::ALL {
                    option value=(kind_word(*kind)) selected[kind_word(*kind) == filled.kind] { (words::case_kind(desk.view.lang, *kind)) }
                }
            }
            (time_field("onset_at", t("发病时间（无症状者不填）", "First symptom (none where there are no symptoms)"), &filled.onset_at, false))
            (time_field("sampled_at", t("首次阳性采样时间", "First positive sample"), &filled.sampled_at, true))
            (time_field("isolated_at", t("隔离时间（尚未隔离则不填）", "Isolation (none while it has not happened)"), &filled.isolated_at, false))
            (field("authority", t("报告机构", "Authority that reports it"), &filled.authority, 200, true))
            (field("division", t("区划代码", "Division code"), &filled.division, 6, true))
            (field("case_no", t("病例编号（可不填）", "The authority’s number of the case (optional)"), &filled.case_no, 100, false))
            button type="submit" { (t("报告", "Report")) }
        }
        p.small { (t("报告病例不会改变任何人的健康码。", "Reporting a case changes nobody’s colour.")) }
    };
    desk.lay(Layout::default(), status, title, &body)
}

fn card(view: &View, row: &CaseRow) -> Result<Markup, ApiError> {
    let state = if row.withdrawn_at.is_some() {
        badge(Tone::Over, view.say("已撤回", "Withdrawn"))
    } else {
        badge(Tone::Careful, words::case_kind(view.lang, row.kind()?))
    };
    Ok(html! {
        li {
            a href={ "/cases/" (row.id) } { strong { (view.say("病例 ", "Case ")) (short(row.id)) } }
            (state)
            span.small { (view.say("采样：", "sampled: ")) (view.time(row.sampled_at)) " · " (row.authority) " · " (row.division) }
        }
    })
}

/// Whether the roles of whoever looks have another permission too.
pub(super) fn may<P: Permission, Q>(desk: &Desk<Q>) -> bool {
    desk.signed.actor.roles.iter().any(|role| P::ROLES.contains(role))
}

/// The end of an id, enough to tell rows of a list apart.
pub(super) fn short(id: uuid::Uuid) -> String {
    let text = id.simple().to_string();
    text.chars().skip(24).collect()
}

/// A field for local date and time.
pub(super) fn time_field(name: &str, label: &str, value: &str, required: bool) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) type="datetime-local" value=(value) required[required];
    }
}

/// The value that stands for a kind of case in a form.
pub(super) fn kind_word(kind: CaseKind) -> &'static str {
    match kind {
        CaseKind::Confirmed => "confirmed",
        CaseKind::Suspected => "suspected",
        CaseKind::Asymptomatic => "asymptomatic",
    }
}
