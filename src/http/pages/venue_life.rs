//! What is known about a venue, and what has happened to it: for its manager and for who reviews it.

use maud::{Markup, html};

use super::view::{Lang, View};
use super::words;
use crate::http::error::ApiError;
use crate::http::venue_life::show_step;
use crate::http::venues::Venue;
use crate::store::venue_life::StepRow;

/// The steps of a venue, the latest first.
pub(super) fn timeline(view: &View, rows: Vec<StepRow>) -> Result<Markup, ApiError> {
    let steps = rows.into_iter().map(show_step).collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        section.note {
            h2 { (view.say("办理进度", "What has happened")) }
            @if steps.is_empty() {
                p { (view.say("导入的场所，没有办理记录。", "It was imported; nothing was recorded.")) }
            }
            ol {
                @for step in &steps {
                    li value=(step.seq) {
                        strong { (word(view.lang, &step.action)) }
                        " " (words::venue_state(view.lang, step.state))
                        @if !step.reason.is_empty() { p { (step.reason) } }
                        p.small { (view.time(step.at)) " · " (step.actor) }
                    }
                }
            }
        }
    })
}

/// Every field of a venue that is filled in.
pub(super) fn fields(view: &View, category: &str, venue: &Venue) -> Markup {
    let t = |zh, en| view.say(zh, en);
    let position = words::position(venue.lat_deg, venue.lng_deg);
    let capacity = venue.capacity.map(|count| count.to_string()).unwrap_or_default();
    let stops = venue.stops.iter().map(|stop| format!("{} {}", stop.number, stop.name)).collect::<Vec<_>>();
    let outline = if venue.outline.is_some() { t("已登记", "registered") } else { "" };
    let rows = [
        (t("简称", "Short name"), venue.short_name.as_str()),
        (t("类别", "Category"), category),
        (t("区划代码", "Division"), &venue.division),
        (t("街道或乡镇", "Street or town"), &venue.street),
        (t("地址", "Address"), &venue.address),
        (t("位置（纬度, 经度）", "Position (north, east)"), &position),
        (t("轮廓", "Outline"), outline),
        (t("站点", "Stops"), &stops.join(" · ")),
        (t("主管部门", "Supervising authority"), &venue.superior),
        (t("联系人", "Contact"), &venue.contact_name),
        (t("联系电话", "Phone"), &venue.contact_phone),
        (t("可容纳人数", "Capacity"), &capacity),
    ];
    html! {
        dl {
            @if let Some(organisation) = &venue.organisation {
                dt { (t("负责单位", "Who answers for it")) }
                dd {
                    a href={ "/manage/organisations/" (organisation.id) } { (organisation.name) }
                    span.small {
                        " " (words::organisation_kind(view.lang, organisation.kind))
                        @if let Some(code) = &organisation.credit_code { " · " (code) }
                    }
                }
            }
            @for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
                dt { (label) } dd { (value) }
            }
        }
    }
}

/// The word for a step. One that this release does not know is shown as it stands.
fn word(lang: Lang, action: &str) -> &str {
    match action {
        "submitted" => lang.say("提交申请", "Submitted"),
        "corrected" => lang.say("改正后重新提交", "Corrected and submitted again"),
        "approved" => lang.say("审核通过", "Approved"),
        "rejected" => lang.say("退回", "Rejected"),
        "suspended" => lang.say("暂停", "Suspended"),
        "reopened" => lang.say("恢复", "Reopened"),
        "closed" => lang.say("关闭", "Closed"),
        "changed" => lang.say("修改信息", "Changed"),
        "transferred" => lang.say("变更负责单位", "Transferred"),
        other => other,
    }
}
