//! The correction of a case: what it says, and what it says in truth.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use maud::html;
use serde::Deserialize;
use uuid::Uuid;

use super::cases::{kind_word, short, time_field};
use super::desk::{Desk, Sent};
use super::layout::{Layout, token};
use super::trouble::detail;
use super::venue_form::field;
use super::view::{View, go};
use super::words;
use crate::domain::case::CaseKind;
use crate::domain::numbered::Numbered;
use crate::http::case_corrections::{Correction, correct};
use crate::http::cases::permitted;
use crate::http::error::ApiError;
use crate::http::permissions::Investigate;
use crate::http::web::Web;
use crate::http::write::transaction;
use crate::store::cases::CaseRow;

/// What the form sends; all as text, so that it can be shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Filled {
    kind: String,
    onset_at: String,
    sampled_at: String,
    isolated_at: String,
    authority: String,
    reason: String,
}

impl Filled {
    fn of(view: &View, case: &CaseRow) -> Result<Self, ApiError> {
        let time = |at: Option<DateTime<Utc>>| at.map(|at| view.field_time(at)).unwrap_or_default();
        Ok(Self {
            kind: kind_word(case.kind()?).to_owned(),
            onset_at: time(case.onset_at),
            sampled_at: view.field_time(case.sampled_at),
            isolated_at: time(case.isolated_at),
            authority: case.authority.clone(),
            reason: String::new(),
        })
    }

    /// The correction. A field shows minutes, so one that was left as it stood keeps the seconds of the case.
    fn read(&self, view: &View, case: &CaseRow) -> Result<Correction, ApiError> {
        let shown = Self::of(view, case)?;
        let time = |field, text: &String, shown: &String, kept: Option<DateTime<Utc>>| {
            if text == shown { Ok(kept) } else { view.local_time(field, text) }
        };
        let kind = CaseKind::ALL.iter().copied().find(|kind| kind_word(*kind) == self.kind);
        let sampled_at = time("sampled_at", &self.sampled_at, &shown.sampled_at, Some(case.sampled_at))?;
        let missing = || ApiError::invalid("sampled_at", "must be a date and time: 2026-03-10T14:30");
        Ok(Correction {
            kind: kind.ok_or_else(|| ApiError::invalid("kind", "must be one of the list"))?,
            onset_at: time("onset_at", &self.onset_at, &shown.onset_at, case.onset_at)?,
            sampled_at: sampled_at.ok_or_else(missing)?,
            isolated_at: time("isolated_at", &self.isolated_at, &shown.isolated_at, case.isolated_at)?,
            authority: self.authority.clone(),
            reason: self.reason.clone(),
        })
    }
}

/// The form with what the case says.
#[get("/cases/{id}/edit")]
pub(super) async fn show(
    desk: Desk<Investigate>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let case = permitted(&web, &desk.signed.actor, *id).await?;
    Ok(form(&desk, *id, &Filled::of(&desk.view, &case)?, None))
}

/// Takes the form; what is not right is shown again with the reason.
#[post("/cases/{id}/edit")]
pub(super) async fn take(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let actor = &desk.signed.actor;
    let case = permitted(&web, actor, *id).await?;
    let corrected = async {
        let correction = filled.read(&desk.view, &case)?;
        let mut conn = web.app.store.conn().await?;
        transaction(&mut conn, async |conn| correct(&web, conn, actor, *id, correction).await).await
    };
    match corrected.await {
        Ok(_) => Ok(go(&format!("/cases/{id}"))),
        Err(error @ ApiError::Invalid { .. }) => Ok(form(&desk, *id, &filled, Some(&error))),
        Err(error) => Err(error),
    }
}

fn form(desk: &Desk<Investigate>, id: Uuid, filled: &Filled, wrong: Option<&ApiError>) -> HttpResponse {
    let title = desk.say("更正病例", "Correct the case");
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let t = |zh, en| desk.say(zh, en);
    let body = html! {
        h1 { (title) " " (short(id)) }
        p { (t("已有的计算和由此产生的判定会自动撤回，相关人员的颜色随即恢复；之后可重新计算。", "Runs that were made and all that hangs on them are undone, and colours change back; then compute anew.")) }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (detail(&desk.view, wrong)) } }
        form method="post" action={ "/cases/" (id) "/edit" } {
            (token(&desk.signed))
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
            (field("reason", t("更正理由（会写入撤回通知）", "Reason (it stands in the letters)"), &filled.reason, 500, true))
            button type="submit" { (t("更正", "Correct")) }
        }
        p { a href={ "/cases/" (id) } { (t("返回病例", "Back to the case")) } }
    };
    desk.lay(Layout::default(), status, title, &body)
}
