//! The JSON Schema of packs says what the program reads: the same keys and words, and neither more nor less.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

const SCHEMA: &str = include_str!("../../../policies/rule-pack.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// The keys or words that serde expects, by what it says of one that is none.
fn expected<T: DeserializeOwned>(wrong: Value) -> BTreeSet<String> {
    let said = serde_json::from_value::<T>(wrong).err().unwrap().to_string();
    let names = said.split('`').skip(3).step_by(2);
    names.map(str::to_owned).collect()
}

fn keys<T: DeserializeOwned>(part: &str) {
    let schema = schema();
    let part = if part.is_empty() { &schema } else { schema.pointer(part).unwrap() };
    let known: BTreeSet<String> = part["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(known, expected::<T>(json!({ "no such key": 1 })), "{part}");
    assert_eq!(part["additionalProperties"], false);
}

fn words<T: DeserializeOwned>(part: &str, without: &[&str]) {
    let schema = schema();
    let enumerated = schema.pointer(part).unwrap()["enum"].as_array().unwrap();
    let known: BTreeSet<String> = enumerated.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    let mut read = expected::<T>(json!("no such word"));
    read.retain(|word| !without.contains(&word.as_str()));
    assert_eq!(known, read, "{part}");
}

#[test]
fn the_schema_has_the_keys_and_words_that_the_program_reads() {
    keys::<RulePack>("");
    keys::<Source>("/$defs/source");
    keys::<Infectious>("/$defs/infectious");
    keys::<TimeRule>("/$defs/time");
    keys::<Rounding>("/$defs/rounding");
    keys::<Linger>("/$defs/time/properties/linger");
    keys::<Sampling>("/$defs/time/properties/sampling");
    keys::<ClassRule>("/$defs/rule");
    keys::<Companion>("/$defs/rule/properties/companion");
    keys::<Secondary>("/$defs/rule/properties/secondary");
    keys::<EndConditions>("/$defs/end");
    keys::<Tests>("/$defs/tests");
    keys::<CheckIns>("/$defs/check_in");
    keys::<TimeStep>("/$defs/time_step");
    keys::<ReleaseRule>("/$defs/rule/properties/release");
    words::<Class>("/$defs/class", &[]);
    words::<Colour>("/$defs/colour", &[]);
    words::<CaseKind>("/$defs/kind", &[]);
    words::<Relation>("/$defs/relation", &[]);
    words::<crate::domain::venue::Granularity>("/$defs/granularity", &[]);
    words::<crate::domain::scan::Presence>("/$defs/presence", &["contradicted"]);
    words::<crate::domain::stay::EndedBy>("/$defs/ended_by", &[]);
    words::<Grade>("/$defs/source/properties/grade", &[]);
    words::<Within>("/$defs/rule/properties/within", &[]);
    words::<CountedFrom>("/$defs/rule/properties/counted_from", &[]);
    words::<Ends>("/$defs/time/properties/ends", &[]);
    words::<KnownTime>("/$defs/time/properties/case", &[]);
    words::<KnownTime>("/$defs/time/properties/visitor", &[]);
    words::<Clock>("/$defs/time/properties/visitor_until_midnight", &[]);
    words::<Clock>("/$defs/time/properties/split_days", &[]);
    words::<RoundHow>("/$defs/rounding/properties/how", &[]);
}

/// What of a value a part of the schema does not admit. It knows the words of our schema and no others.
fn faults(schema: &Value, part: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(name) = part["$ref"].as_str() {
        return faults(schema, schema.pointer(name.trim_start_matches('#')).unwrap(), value, at, found);
    }
    if let Some(ways) = part["oneOf"].as_array() {
        let fits = |way: &&Value| {
            let mut own = Vec::new();
            faults(schema, way, value, at, &mut own);
            own.is_empty()
        };
        if ways.iter().filter(fits).count() != 1 {
            found.push(format!("{at} fits no way"));
        }
        return;
    }
    let of_type = match part["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    let in_words = part["enum"].as_array().is_none_or(|words| words.contains(value));
    let number = value.as_i64().unwrap_or(0);
    let bounded = part["minimum"].as_i64().is_none_or(|least| number >= least)
        && part["maximum"].as_i64().is_none_or(|most| number <= most);
    if !(of_type && in_words && bounded) {
        found.push(at.to_owned());
    }
    for item in value.as_array().into_iter().flatten() {
        faults(schema, &part["items"], item, at, found);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let known = part["properties"].get(key).or_else(|| part.get("additionalProperties"));
        match known {
            Some(part) if part.is_object() => faults(schema, part, value, &format!("{at}.{key}"), found),
            _ => found.push(format!("{at}.{key}")),
        }
    }
    for key in part["required"].as_array().into_iter().flatten() {
        if value.get(key.as_str().unwrap()).is_none() {
            found.push(format!("{at} lacks {key}"));
        }
    }
}

fn check(text: &str) -> Vec<String> {
    let value = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
    let (schema, mut found) = (schema(), Vec::new());
    faults(&schema, &schema, &value, "", &mut found);
    found
}

#[test]
fn every_shipped_pack_keeps_to_the_schema_and_broken_ones_do_not() {
    for (file, text) in SHIPPED {
        assert_eq!(check(text), [""; 0], "{file}");
    }
    let (_, text) = SHIPPED.iter().find(|(file, _)| *file == "guangxi-2022-1.toml").unwrap();
    for (old, new, fault) in [
        ("version = 1", "version = 0", ".version"),
        ("before_onset_days = 2", "before_onset_days = 29", ".infectious.before_onset_days"),
        ("colour = \"red\"", "colour = \"orange\"", ".class.colour"),
        ("together_mins = 60", "together = 60", ".class.together"),
        ("depth = 1", "depth = 4", ".class.secondary.depth"),
        ("grade = \"copy\"", "grade = \"A\"", ".grade"),
        ("index_kinds = [\"confirmed\",", "index_kinds = [\"dead\",", ".index_kinds"),
    ] {
        assert!(text.contains(old), "{old}");
        let broken = text.replacen(old, new, 1);
        assert!(check(&broken).iter().any(|at| at.ends_with(fault)), "{new}: {:?}", check(&broken));
        assert!(RulePack::parse(&broken).is_err(), "{new}");
    }
}
