//! A rule pack for a reader: what stands in it, each number with its source.

use serde::Serialize;
use serde_json::Value;

use crate::domain::rule_pack::{ClassRule, Provenance, RulePack, TimeRule};
use crate::domain::words::word;

/// In which order the keys of a part are shown; others follow by name.
const ORDER: [&str; 12] = [
    "before_onset_days",
    "before_sample_days",
    "colour",
    "relations",
    "granularities",
    "presence_min",
    "together_mins",
    "more_than",
    "within_hours",
    "days",
    "end",
    "release",
];

/// What a class says in its headline already.
const HEADLINE: [&str; 3] = ["class", "rule", "source"];

/// One line about a pack: name, where and when it holds, titles. Chinese letters are two columns wide on a
/// terminal, so they stand at the end.
pub(super) fn line(pack: &RulePack) -> String {
    let until = pack.effective_until.map(|day| day.to_string()).unwrap_or_default();
    format!(
        "{:<24} {:<8} {:<10} {until:<10} {:<44} {}",
        pack.name(),
        pack.jurisdiction.as_deref().unwrap_or("-"),
        pack.effective_from.to_string(),
        pack.title_en,
        pack.title_zh
    )
}

/// All of a pack.
pub(super) fn describe(pack: &RulePack) -> Vec<String> {
    let mut lines = vec![format!("{}  {}  {}", pack.name(), pack.title_en, pack.title_zh), String::new()];
    let kinds: Vec<String> = pack.index_kinds.iter().map(word).collect();
    let heads = [
        ("jurisdiction", pack.jurisdiction.clone()),
        ("effective_from", Some(pack.effective_from.to_string())),
        ("effective_until", pack.effective_until.map(|day| day.to_string())),
        ("index_kinds", Some(kinds.join(", "))),
    ];
    for (key, value) in heads {
        let source = pack.based_on.get(key).map(String::as_str).unwrap_or_default();
        lines.extend(value.map(|value| row(key, &value, source)));
    }
    part(&mut lines, "infectious", &pack.infectious, Some(&pack.infectious.source));
    if pack.time != TimeRule::default() {
        part(&mut lines, "time", &pack.time, pack.time.source.as_ref());
    }
    for class in &pack.classes {
        part(&mut lines, &headline(class), class, Some(&class.source));
    }
    if !pack.not_computed.is_empty() {
        lines.extend([String::new(), "not computed".to_owned()]);
        lines.extend(pack.not_computed.iter().map(|text| format!("  {text}")));
    }
    if !pack.source.is_empty() {
        lines.extend([String::new(), "sources".to_owned()]);
    }
    for (key, source) in &pack.source {
        let date = source.date.map(|date| format!(", {date}")).unwrap_or_default();
        let url = source.url.as_deref().unwrap_or_default();
        lines.push(
            format!("  {key}: {}{date} ({}) {url}", source.title, word(&source.grade)).trim_end().to_owned(),
        );
    }
    lines
}

fn headline(class: &ClassRule) -> String {
    let rule = class.rule.as_deref().map(|rule| format!(", rule {rule}")).unwrap_or_default();
    format!("class {}{rule}: {}", word(&class.class), word(&class.colour))
}

/// The keys of one part that say something, each with its source.
fn part(lines: &mut Vec<String>, title: &str, part: &impl Serialize, source: Option<&Provenance>) {
    lines.extend([String::new(), title.to_owned()]);
    let Ok(Value::Object(keys)) = serde_json::to_value(part) else { return };
    let mut keys: Vec<_> = keys
        .iter()
        .filter(|(key, value)| {
            !HEADLINE.contains(&key.as_str()) && !matches!(value, Value::Null | Value::Bool(false))
        })
        .collect();
    keys.sort_by_key(|(key, _)| ORDER.iter().position(|first| first == key).unwrap_or(ORDER.len()));
    for (key, value) in keys {
        let source = match source {
            Some(Provenance::Each(sources)) => sources.get(key).map(String::as_str).unwrap_or_default(),
            _ => "",
        };
        lines.push(row(key, &plain(value), source));
    }
    if let Some(Provenance::Whole(text)) = source {
        lines.push(row("source", text, ""));
    }
}

fn row(key: &str, value: &str, source: &str) -> String {
    format!("  {key:<20} {value:<26}  {source}").trim_end().to_owned()
}

/// A value as one would say it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(keys) => {
            let said = keys.iter().filter(|(_, value)| !matches!(value, Value::Null | Value::Bool(false)));
            said.filter(|(_, value)| !matches!(value, Value::Array(items) if items.is_empty()))
                .map(|(key, value)| format!("{key} {}", plain(value)))
                .collect::<Vec<_>>()
                .join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule_pack::SHIPPED;

    #[test]
    fn every_number_stands_beside_its_source() {
        let (_, text) = SHIPPED.iter().find(|(file, _)| *file == "hangzhou-2020-1.toml").unwrap();
        let told = describe(&RulePack::parse(text).unwrap()).join("\n");
        for (key, value, source) in [
            ("effective_from", "2020-02-11", "hangzhou"),
            ("index_kinds", "confirmed, suspected", "hangzhou"),
            ("before_onset_days", "2", "not published: 2,"),
            ("days", "14", "newsweek"),
        ] {
            assert!(told.contains(&row(key, value, source)), "{key} in {told}");
        }
        assert!(told.contains("class close: red"), "{told}");
        assert!(told.contains("colour green, count 14"), "{told}");
        assert!(told.contains("newsweek: China Newsweek"), "{told}");
    }
}
