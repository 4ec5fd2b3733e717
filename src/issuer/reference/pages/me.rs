//! One's own code: the colour, every reason for it, what ends it, its history and how to object.

use chrono::{DateTime, Utc};
use maud::{Markup, PreEscaped, html};

use super::{class_of, layout, shape, slot, time};
use crate::domain::letter::Letter;
use crate::domain::scheme::Scheme;
use crate::domain::scheme::Shown;
use crate::issuer::reference::scheme::{shown, strongest};
use crate::issuer::reference::store::{Asked, Code, Ground, Past, Told};
use crate::issuer::reference::view::View;
use crate::issuer::reference::words;

/// What somebody sees of themselves.
pub(in crate::issuer::reference) struct Own<'a> {
    pub(in crate::issuer::reference) code: &'a Code,
    pub(in crate::issuer::reference) scheme: Scheme,
    /// Who asked to show the code, the latest first, with the names of the applications.
    pub(in crate::issuer::reference) asked: &'a [Asked],
    /// When they last said how they are.
    pub(in crate::issuer::reference) checked_in_at: Option<DateTime<Utc>>,
}

/// One's own colour, and why.
pub(in crate::issuer::reference) fn me(view: &View, own: &Own<'_>, now: DateTime<Utc>) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    let Own { code, scheme, asked, checked_in_at } = *own;
    let colour = strongest(scheme, code.open.iter().map(|one| &one.letter));
    let body = html! {
        (status(view, colour, now))
        @if !code.open.is_empty() {
            h2 { (t("原因", "Why")) }
            @for ground in &code.open { (reason(view, scheme, ground)) }
            (objection(view))
        }
        (check_in(view, checked_in_at))
        p { a href="/me/code" { (t("出示健康码", "Show my code to a scanner")) } }
        @if !code.past.is_empty() {
            h2 #past { (t("近期结束的记录", "What has ended")) }
            @for one in &code.past { (past(view, scheme, one)) }
        }
        @if !asked.is_empty() { (who_asked(view, asked)) }
        form.quiet method="post" action="/leave" {
            button type="submit" { (t("退出登录", "Sign out")) }
        }
    };
    layout(view, t("我的健康码", "My health code"), &body)
}

/// A code that a scanner can verify, for a minute and a half.
pub(in crate::issuer::reference) fn code(
    view: &View,
    colour: Shown,
    symbol: String,
    now: DateTime<Utc>,
) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    let body = html! {
        (status(view, colour, now))
        div.code role="img" aria-label=(t("二维码", "QR code")) { (PreEscaped(symbol)) }
        p.small {
            (t("此码 90 秒内有效，只能核验一次。请刷新本页获取新码。截图无效。",
               "It is good for 90 seconds and for one scan; load the page again for a new one. A picture of it is of \
                no use."))
        }
        p { a href="/me/code" { (t("刷新", "A new one")) } }
        p { a href="/me" { (t("返回", "Back")) } }
    };
    layout(view, t("出示健康码", "Show my code"), &body)
}

fn status(view: &View, colour: Shown, now: DateTime<Utc>) -> Markup {
    html! {
        section class={ "status " (class_of(colour)) } aria-labelledby="colour" {
            (shape(colour))
            h1 #colour { (view.language.colour(colour)) }
            p { (view.language.meaning(colour)) }
            p.small { (view.language.text("更新时间", "As of")) br; (time(view, now)) }
        }
    }
}

fn reason(view: &View, scheme: Scheme, ground: &Ground) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    let letter = &ground.letter;
    let colour = shown(scheme, letter);
    html! {
        article class={ "reason " (class_of(colour)) } {
            h3 {
                (shape(colour))
                span { (view.language.colour(colour)) (t("：", ": ")) (view.language.class(letter.class)) }
            }
            dl {
                dt { (t("时间和地点", "Where and when")) }
                @for meeting in &letter.exposures {
                    dd { (meeting.place) br; span.when { (slot(view, meeting)) } }
                }
                @if letter.exposures.is_empty() { dd { "—" } }
                (ending(view, letter))
                dt { (t("决定机构", "Decided by")) }
                dd { (letter.authority) (t("（区划代码 ", " (division ")) (letter.division) (t("）", ")")) }
                dt { (t("依据", "Legal basis")) }
                dd { (letter.legal_basis) }
                dt { (t("规则版本", "Rules and version")) }
                dd {
                    (letter.rule_pack)
                    @if let Some(rule) = &letter.rule { (t("，规则 ", ", rule ")) (rule) }
                }
                (history(view, scheme, letter, &ground.steps))
                (appeal(view, letter))
            }
        }
    }
}

/// Every way in which it ends, and when somebody looks again.
fn ending(view: &View, letter: &Letter) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    html! {
        dt { (t("解除条件", "What ends it")) }
        @for way in words::ends(view.language, &letter.end) { dd { (way) } }
        dd {
            (time(view, letter.expires_at)) br;
            span.when { (t("到期后自动恢复，无需申请。", "It ends by itself then at the latest; you need not apply.")) }
        }
        @if let Some(at) = letter.review_at {
            dt { (t("复核时间", "Looked at again")) }
            dd {
                (time(view, at)) br;
                span.when {
                    (t("如届时仍未解除，机构将主动复核。", "If it still holds then, somebody looks at it unasked."))
                }
            }
        }
    }
}

fn appeal(view: &View, letter: &Letter) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    // Whatever a letter says, only an address of the web becomes a link.
    let is_link = ["https://", "http://"].iter().any(|scheme| letter.appeal_url.starts_with(scheme));
    html! {
        dt { (t("申诉", "Appeal")) }
        @if is_link {
            dd { a href=(letter.appeal_url) rel="noreferrer" { (t("对此判定提出申诉", "Appeal against this decision")) } }
        }
        dt { (t("编号", "Reference")) }
        dd.reference { (letter.assignment) }
    }
}

fn history(view: &View, scheme: Scheme, letter: &Letter, steps: &[Told]) -> Markup {
    let befores = std::iter::once(None).chain(steps.iter().map(Some));
    html! {
        @if !steps.is_empty() {
            dt { (view.language.text("变更记录", "History")) }
            dd {
                ol.steps {
                    @for (before, told) in befores.zip(steps) {
                        li {
                            (words::step(view.language, scheme, letter, before, told)) br;
                            span.when { (time(view, told.at)) }
                        }
                    }
                }
            }
        }
    }
}

/// What has ended: how and why, but no longer where.
fn past(view: &View, scheme: Scheme, past: &Past) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    let letter = &past.letter;
    html! {
        article.reason.past {
            h3 { span { (view.language.class(letter.class)) } }
            dl {
                dt { (t("结束", "Ended")) }
                dd {
                    (words::ended(view.language, past.ending)) br;
                    span.when { (time(view, past.ended_at)) }
                }
                dt { (t("决定机构", "Decided by")) }
                dd { (letter.authority) }
                (history(view, scheme, letter, &past.steps))
                (appeal(view, letter))
            }
        }
    }
}

fn objection(view: &View) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    html! {
        section.note aria-labelledby="object" {
            h2 #object { (t("如有异议", "If you do not agree")) }
            p {
                (t("如果您当时不在该场所，或认为判定有误，可以通过上面的链接申诉，也可以向决定机构提出，或拨打 12345。\
                    请说明上面的编号，无需提供其他人的信息。",
                   "If you were not at the place at that time, or think that the decision is wrong, appeal by the link \
                    above, or tell the authority named above, or call 12345. Give the reference above; you need not \
                    name anybody else."))
            }
            p {
                (t("一经核实有误，相关判定会被撤回，颜色随即恢复。",
                   "What turns out to be wrong is withdrawn, and your colour changes back at once."))
            }
        }
    }
}

fn check_in(view: &View, last: Option<DateTime<Utc>>) -> Markup {
    let t = |zh, en| view.language.text(zh, en);
    html! {
        section.note aria-labelledby="check-in" {
            h2 #check-in { (t("每日健康打卡", "Daily check-in")) }
            p { (t("打卡只会解除或减轻防控措施，不会使任何人变码。", "A check-in ends or eases a measure; it turns nobody’s code darker.")) }
            @if let Some(at) = last { p.small { (t("上次打卡：", "Last time: ")) (time(view, at)) } }
            form method="post" action="/me/check-in" {
                label for="health" { (t("您现在感觉如何？", "How are you?")) }
                select #health name="health" required {
                    option value="" { "—" }
                    option value="well" { (t("没有发热等症状", "No fever or other symptoms")) }
                    option value="symptoms" { (t("有发热、咳嗽等症状", "Fever, cough or other symptoms")) }
                }
                button type="submit" { (t("打卡", "Check in")) }
            }
        }
    }
}

/// Who asked to show the code: a person learns of every question.
fn who_asked(view: &View, asked: &[Asked]) -> Markup {
    html! {
        h2 { (view.language.text("谁申请调用过您的健康码", "Who asked to show your code")) }
        dl {
            @for one in asked {
                dt { (one.application) }
                dd { (one.purpose) br; span.when { (time(view, one.called_at)) } }
            }
        }
    }
}
