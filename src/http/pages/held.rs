//! What holds a proposed run, and what was done to it by hand, in words.

use maud::{Markup, html};

use super::view::View;
use super::words::{self, Tone, badge};
use crate::domain::release::{ChiefBecause, Held};
use crate::http::releases::ReleaseRecord;

/// All that a run still lacks; a note that nothing holds it when it lacks nothing.
pub(super) fn list(view: &View, held: &[Held]) -> Markup {
    html! {
        @if held.is_empty() {
            p { (badge(Tone::Good, view.say("条件齐备，即将放行", "Nothing holds it: it is going out"))) }
        } @else {
            ul.cards { @for one in held { li { (line(view, one)) } } }
        }
    }
}

fn line(view: &View, held: &Held) -> Markup {
    match held {
        Held::Stopped => badge(Tone::Stopped, view.say("紧急停止中", "The emergency stop is on")),
        Held::Unequal { people } => html! {
            (badge(Tone::Stopped, view.say("同等暴露未同等处理", "Equals were treated unequally")))
            span.small { (people) }
        },
        Held::Altered { people } => html! {
            (badge(Tone::Stopped, view.say("接触者数据被直接改动", "Contacts were changed without a review")))
            span.small { (people) }
        },
        Held::Words { given, needed } => html! {
            (badge(Tone::Waiting, view.say("同意人数不足", "Words are missing")))
            span.small { (given) " / " (needed) }
        },
        Held::ReleasingOfficer => {
            badge(Tone::Careful, view.say("红码须有放行人员同意", "Red needs a releasing officer"))
        }
        Held::Chief { because } => html! {
            (badge(Tone::Careful, view.say("须首席放行人员同意", "A chief officer is needed")))
            @for why in because { span.small { (reason(view, *why)) } }
        },
        Held::Hour { released, at_most } => html! {
            (badge(Tone::Stopped, view.say("本地区一小时内放行人数已达上限", "The division has released enough people this hour")))
            span.small { (released) " / " (at_most) }
        },
    }
}

/// Why a run takes a chief.
fn reason(view: &View, why: ChiefBecause) -> &str {
    match why {
        ChiefBecause::Size => view.say("超过人数上限", "over the cap"),
        ChiefBecause::Reviews => view.say("人工改动比例过高", "much of it was changed by hand"),
        ChiefBecause::Pack => view.say("规则包要求", "the rule pack asks for it"),
        ChiefBecause::Escalation => view.say("有场所整体升级", "a whole place was escalated"),
    }
}

/// Who reviewed how many contacts, and which places were escalated.
pub(super) fn by_hand(view: &View, record: &ReleaseRecord) -> Markup {
    html! {
        @if !record.reviews.is_empty() || !record.escalations.is_empty() {
            h3 { (view.say("人工核定", "Reviewed by hand")) }
            ul.cards {
                @for row in &record.reviews {
                    li { strong { (row.who) } span.small { (words::review(view.lang, row.kind)) " · " (row.count) } }
                }
                @for place in &record.escalations {
                    li {
                        strong { (place.authority) }
                        span.small { (place.to) " · " (place.reason) " · " (place.by.who) " · " (view.time(place.by.at)) }
                    }
                }
            }
        }
        @if let Some(lifted) = &record.lifted {
            p.small {
                (view.say("已解除每小时上限：", "The hour’s bound is lifted: ")) (lifted.by.who) " · " (lifted.reason)
            }
        }
    }
}
