//! What came back against what was expected.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::subject::Answer;
use super::suite::Case;

/// What differs, in words; nothing when the case passed.
pub(super) fn differences(case: &Case, answer: &Answer) -> Vec<String> {
    match (answer, case.refused) {
        (Answer::Refused(_), true) => Vec::new(),
        (Answer::Refused(reason), false) => vec![format!("was refused: {reason}")],
        (Answer::Found(_), true) => vec!["should have been refused".to_owned()],
        (Answer::Found(answer), false) => found(case, answer),
    }
}

fn found(case: &Case, answer: &Value) -> Vec<String> {
    let Some(contacts) = answer.get("contacts").and_then(Value::as_array) else {
        return vec!["the answer has no list `contacts`".to_owned()];
    };
    let mut differences = Vec::new();
    if let Some(expected) = &case.infectious {
        differences.extend(fields("infectious", expected, answer.get("infectious")));
    }
    let mut by_who = BTreeMap::new();
    for contact in contacts {
        let who = contact.get("who").and_then(Value::as_str).unwrap_or_default();
        if by_who.insert(who, contact).is_some() {
            differences.push(format!("{who}: stands twice"));
        }
    }
    for expected in &case.expect {
        let who = expected.get("who").and_then(Value::as_str).unwrap_or_default();
        match by_who.remove(who) {
            None => differences.push(format!("{who}: not found; expected {}", text(expected))),
            contact => differences.extend(fields(who, expected, contact)),
        }
    }
    let more = by_who.into_iter().map(|(who, contact)| {
        let short = ["class", "rule", "together_secs"].map(|name| contact.get(name).unwrap_or(&Value::Null));
        let [class, rule, secs] = short;
        format!("{who}: found as {class} (rule {rule}, {secs} s), expected nobody of that name")
    });
    differences.extend(more);
    differences
}

/// The fields that are expected; those that nobody asked for may be anything.
fn fields(whose: &str, expected: &Map<String, Value>, found: Option<&Value>) -> Vec<String> {
    let one = |(name, value): (&String, &Value)| {
        let got = found.and_then(|found| found.get(name)).unwrap_or(&Value::Null);
        (!same(value, got)).then(|| format!("{whose}: `{name}` is {got}, expected {value}"))
    };
    expected.iter().filter_map(one).collect()
}

/// Equal, also when one moment is written in two ways.
fn same(expected: &Value, got: &Value) -> bool {
    let moment = |value: &Value| -> Option<DateTime<Utc>> { value.as_str()?.parse().ok() };
    expected == got || moment(expected).is_some_and(|one| moment(got) == Some(one))
}

fn text(expected: &Map<String, Value>) -> String {
    Value::Object(expected.clone()).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::suite::Question;
    use super::*;
    use serde_json::json;

    fn case(expect: &Value, refused: bool) -> Case {
        Case {
            name: "a case".into(),
            question: Question { pack: String::new(), trial: Map::new() },
            expect: serde_json::from_value(expect.clone()).unwrap(),
            infectious: None,
            refused,
        }
    }

    fn said(expect: &Value, contacts: &Value) -> Vec<String> {
        differences(&case(expect, false), &Answer::Found(json!({ "contacts": contacts })))
    }

    #[test]
    fn who_is_missing_who_is_too_many_and_what_is_otherwise_is_told() {
        let a =
            json!({ "who": "a", "class": "close", "together_secs": 60, "first_at": "2026-03-01T00:00:00Z" });
        assert_eq!(said(&json!([a]), &json!([a])), Vec::<String>::new());
        assert_eq!(
            said(&json!([{ "who": "a", "first_at": "2026-03-01T08:00:00+08:00" }]), &json!([a])),
            Vec::<String>::new()
        );
        assert!(said(&json!([]), &json!([a]))[0].contains("expected nobody"));
        assert!(said(&json!([{ "who": "b" }, { "who": "a" }]), &json!([a]))[0].contains("b: not found"));
        let other = said(&json!([{ "who": "a", "together_secs": 61, "class": "close" }]), &json!([a]));
        assert_eq!(other, ["a: `together_secs` is 60, expected 61"]);
        assert!(said(&json!([a]), &json!([a, a]))[0].contains("twice"));
        assert!(said(&json!([]), &Value::Null)[0].contains("no list"));
    }

    #[test]
    fn a_question_that_must_be_refused_passes_only_then() {
        let refused = Answer::Refused("wrong".into());
        assert!(differences(&case(&json!([]), true), &refused).is_empty());
        assert_eq!(differences(&case(&json!([]), false), &refused), ["was refused: wrong"]);
        let found = Answer::Found(json!({ "contacts": [] }));
        assert_eq!(differences(&case(&json!([]), true), &found), ["should have been refused"]);
    }
}
