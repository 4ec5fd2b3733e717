//! The newest comparison with each issuing system, on the officers' page of the outbox.

use maud::{Markup, html};

use super::view::View;
use super::words::{Tone, badge};
use crate::store::reconciliations::ReconciliationRow;

/// A table of them; nothing where there is none.
pub(super) fn newest(view: &View, rows: &[ReconciliationRow]) -> Markup {
    html! {
        @if !rows.is_empty() {
            h2 { (view.say("对账", "Reconciliation")) }
            table {
                thead { tr {
                    th scope="col" { (view.say("发码平台", "With")) }
                    th scope="col" { (view.say("结果", "Result")) }
                    th.right scope="col" { (view.say("应有", "Should hold")) }
                    th.right scope="col" { (view.say("实有", "Holds")) }
                    th.right scope="col" { (view.say("差异", "Drift")) }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            td { (row.issuer_id) }
                            td { (result(view, row)) br; span.small { (view.time(row.ended_at.unwrap_or(row.asked_at))) } }
                            td.right { (row.ours) }
                            td.right { (row.theirs) }
                            td.right { (row.drift) }
                        }
                    }
                }
            }
        }
    }
}

fn result(view: &View, row: &ReconciliationRow) -> Markup {
    html! {
        @match row.state {
            0 | 1 => (badge(Tone::Waiting, view.say("进行中", "Under way"))),
            3 => {
                (badge(Tone::Stopped, view.say("失败", "Failed")))
                @if let Some(error) = &row.error { br; span.small { (error) } }
            }
            _ if row.returned > 0 => (badge(Tone::Stopped, view.say("修复后再次出现", "Came back after it was mended"))),
            _ if row.reported > 0 => (badge(Tone::Stopped, view.say("平台有来历不明的记录", "Holds what it was not told"))),
            _ if row.drift > 0 => (badge(Tone::Careful, view.say("已补发信件", "Mended by letters"))),
            _ => (badge(Tone::Good, view.say("一致", "Alike"))),
        }
        @if row.untold > 0 {
            br; span.small { (view.say("从未告知：", "Never told of: ")) (row.untold) }
        }
    }
}
