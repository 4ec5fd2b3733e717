//! A block of the officers' desk: which facts that would end colours are overdue, in counts.

use maud::{Markup, html};

use super::cases::short;
use super::view::View;
use super::words::{self, Tone, badge};
use crate::domain::ending::FactKind;
use crate::domain::venue::Division;
use crate::http::assignments::{Overdue, overdue};
use crate::http::error::ApiError;
use crate::http::web::Web;

/// What is overdue in a division; nothing where nothing is.
pub(super) async fn block(web: &Web, view: &View, division: &Division) -> Result<Markup, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let (rows, next) = overdue(web, &mut conn, division, None).await?;
    Ok(html! {
        @if !rows.is_empty() {
            section.note {
                h2 { (view.say("逾期未收到的结果", "Facts that are overdue")) }
                p.small { (view.say("下列人员的赋码因未收到应有的结果而没有按规则解除。请向有关单位索取。", "These colours have not ended by their rules because a fact did not come. Ask those who have it.")) }
                (table(view, &rows))
                @if next.is_some() { p.small { (view.say("仅列出最近的病例。", "Only the newest cases are listed.")) } }
            }
        }
    })
}

fn table(view: &View, rows: &[Overdue]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { (view.say("病例", "Case")) }
                th scope="col" { (view.say("类别", "Class")) }
                th scope="col" { (view.say("所缺", "Missing")) }
                th.right scope="col" { (view.say("人数", "People")) }
                th.right scope="col" { (view.say("超过一天", "Over a day")) }
                th.right scope="col" { (view.say("最长（小时）", "Longest (hours)")) }
            } }
            tbody {
                @for row in rows {
                    tr {
                        td { a href={ "/cases/" (row.case_id) } { (short(row.case_id)) } }
                        td { (words::class(view.lang, row.class)) }
                        td {
                            (awaited(view, row.awaits))
                            @if row.expired { br; (badge(Tone::Over, view.say("到期时仍未收到", "Never came"))) }
                        }
                        td.right { (row.count) }
                        td.right { (row.over_a_day) }
                        td.right { (row.longest_hours) }
                    }
                }
            }
        }
    }
}

fn awaited<'a>(view: &View, kind: FactKind) -> &'a str {
    match kind {
        FactKind::NegativeTest => view.say("核酸阴性结果", "Negative test"),
        FactKind::PositiveTest => view.say("核酸阳性结果", "Positive test"),
        FactKind::HealthyCheckIn => view.say("每日健康打卡", "Daily check-in"),
        FactKind::SymptomaticCheckIn => view.say("症状申报", "Check-in with symptoms"),
        FactKind::Discharge => view.say("解除名单", "Discharge list"),
    }
}
