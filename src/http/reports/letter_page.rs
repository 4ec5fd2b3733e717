//! Hand-over letters as a page to print, one sheet for each division.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::Sealed;
use crate::domain::report::contact::Frame;
use crate::domain::report::letter::{ANSWER_HOURS, Sender, moment_zh};

/// The file stands alone: no script, nothing from elsewhere.
const STYLE: &str = "@page { size: A4; margin: 25mm 22mm }
body { font: 12pt/1.7 \"Noto Serif CJK SC\", \"SimSun\", serif; max-width: 46em; margin: auto }
article { break-after: page } article:last-child { break-after: auto }
h1 { font-size: 18pt; text-align: center } h2 { font-size: 12pt } .number { text-align: right }
table { border-collapse: collapse; width: 100% } th, td { border: 1px solid; padding: .2em .5em; text-align: left }
.seal { font-family: monospace; overflow-wrap: anywhere } footer { text-align: right; margin-top: 3em }";

/// All letters, one after the other.
pub(super) fn page(letters: &[Sealed], sender: &Sender, frame: &Frame<'_>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="zh-CN" {
            head {
                meta charset="utf-8";
                title { "协查函" }
                style { (PreEscaped(STYLE)) }
            }
            body { @for own in letters { (letter(own, sender, frame)) } }
        }
    }
}

fn letter(own: &Sealed, sender: &Sender, frame: &Frame<'_>) -> Markup {
    let letter = &own.letter;
    let day = sender.made_at.with_timezone(&frame.offset).format("%Y年%-m月%-d日").to_string();
    html! {
        article {
            h1 { "关于协助排查管控涉疫风险人员的函" }
            p.number { "编号：" (letter.number) }
            p { (own.receiver) "：" }
            p {
                "我方报告病例（编号 " (frame.case_no) "）的接触者中有 " (letter.people())
                " 人需由贵地排查管控，现将有关情况函告如下。"
            }
            h2 { "一、人员" }
            ul { @for (class, count) in letter.by_class() { li { (class) "：" (count) " 人" } } }
            h2 { "二、暴露地点与时段" }
            table {
                tr { th { "地点" } th { "区划" } th { "起" } th { "止" } th { "人数" } }
                @for place in letter.places() {
                    tr {
                        td { (place.name) }
                        td { (place.division) }
                        td { (moment_zh(place.first_at, frame.offset)) }
                        td { (moment_zh(place.last_at, frame.offset)) }
                        td { (place.people) }
                    }
                }
            }
            @if letter.places_left_out > 0 { p { "其余地点 " (letter.places_left_out) " 人次，见名单。" } }
            h2 { "三、请求措施" }
            ul { @for (_, measure) in &letter.measures { li { (measure) } } }
            h2 { "四、时限" }
            p { "请于收到本函 " (ANSWER_HOURS) " 小时内反馈排查结果。" }
            h2 { "五、名单" }
            p { "人员以 32 位匿名编号列出，由健康码平台还原身份；名单为随函附表 letters.csv。" }
            p.seal { "附表 SHA-256：" (letter.digest()) }
            p.seal { "校验印：" (own.seal) }
            p { "依据规则：" (frame.pack.name()) }
            footer {
                p { (sender.authority) }
                @if !sender.contact.is_empty() { p { "联系人：" (sender.contact) } }
                p { (day) }
            }
        }
    }
}
