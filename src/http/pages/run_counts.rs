//! What a run found, in counts.

use maud::{Markup, html};
use serde_json::Value;

use super::view::View;
use super::words;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};

/// The counts of a run, by class, colour and place, and with other thresholds.
pub(super) fn counts(view: &View, found: &Value) -> Markup {
    let number = |value: Option<&Value>| value.and_then(Value::as_i64).unwrap_or(0);
    let overview = [
        ("trail_stays", view.say("病例到过（次）", "Stays of the case")),
        ("places", view.say("涉及场所", "Venues")),
        ("exposures", view.say("相遇（次）", "Meetings")),
        ("exposed_visitors", view.say("相遇的人", "People met")),
        ("contacts", view.say("符合规则的人", "People who meet a rule")),
    ];
    let of = |group: &str, word: Value| {
        let word = word.as_str().unwrap_or_default().to_owned();
        number(found.get(group).and_then(|group| group.get(word)))
    };
    html! {
        h2 { (view.say("结果", "Result")) }
        ul.numbers {
            @for (key, label) in overview { li { span.number { (number(found.get(key))) } span.small { (label) } } }
        }
        table {
            thead { tr { th scope="col" { (view.say("类别", "Class")) } th.right scope="col" { (view.say("人数", "People")) } } }
            tbody {
                @for class in Class::ALL {
                    @let people = of("classes", serde_json::json!(class));
                    @if people > 0 { tr { td { (words::class(view.lang, *class)) } td.right { (people) } } }
                }
            }
        }
        table {
            thead { tr { th scope="col" { (view.say("拟赋颜色", "Proposed colour")) } th.right scope="col" { (view.say("人数", "People")) } } }
            tbody {
                @for colour in Colour::ALL.iter().rev() {
                    @let people = of("colours", serde_json::json!(colour));
                    @if people > 0 { tr { td { (words::colour(view.lang, *colour)) } td.right { (people) } } }
                }
            }
        }
        (sensitivity(view, found))
        (places(view, found))
    }
}

/// How many there would be with other minutes, before anybody is shown.
fn sensitivity(view: &View, found: &Value) -> Markup {
    let tried = found.get("sensitivity").and_then(Value::as_object);
    let number = |value: Option<&Value>| value.and_then(Value::as_i64).unwrap_or(0);
    let mut tried: Vec<(u32, &Value)> =
        tried.into_iter().flatten().filter_map(|(mins, counts)| Some((mins.parse().ok()?, counts))).collect();
    tried.sort_by_key(|(mins, _)| *mins);
    html! {
        @if !tried.is_empty() {
            h2 { (view.say("换一个时长标准会怎样", "With other minutes together")) }
            div.scroll {
                table {
                    thead { tr {
                        th scope="col" { (view.say("分钟", "Minutes")) }
                        th.right scope="col" { (view.say("合计", "All")) }
                        @for class in Class::ALL { th.right scope="col" { (words::class(view.lang, *class)) } }
                    } }
                    tbody { @for (mins, counts) in &tried { tr {
                        td { (mins) }
                        td.right { (number(counts.get("contacts"))) }
                        @for class in Class::ALL {
                            @let word = serde_json::json!(class);
                            @let count = counts.get("classes").and_then(|classes| classes.get(word.as_str().unwrap_or_default()));
                            td.right { (number(count)) }
                        }
                    } } }
                }
            }
        }
    }
}

/// Where contacts met the case.
fn places(view: &View, found: &Value) -> Markup {
    let places = found.get("by_place").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    html! {
        @if !places.is_empty() {
            h2 { (view.say("在哪里相遇", "Where they met")) }
            table {
                thead { tr { th scope="col" { (view.say("场所", "Venue")) } th.right scope="col" { (view.say("人数", "People")) } } }
                tbody { @for place in places { tr {
                    td { (place.get("name").and_then(Value::as_str).unwrap_or_default()) }
                    td.right { (place.get("contacts").and_then(Value::as_i64).unwrap_or(0)) }
                } } }
            }
        }
    }
}
