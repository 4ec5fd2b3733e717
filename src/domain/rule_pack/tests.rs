//! The shipped baseline, and packs that are refused.

use super::*;

const BASELINE: &str = include_str!("../../../policies/baseline-1.toml");

#[test]
fn the_shipped_baseline_is_sound() {
    let pack = RulePack::parse(BASELINE).unwrap();
    assert_eq!(pack.name(), "baseline@1");
    assert_eq!(pack.relations(), [Relation::SamePoint]);
}

#[test]
fn a_bad_pack_is_refused_by_line_or_key() {
    let text = BASELINE.replace("presence_min = \"unproven\"", "presence_min = \"contradicted\"");
    let error = RulePack::parse(&text).unwrap_err().to_string();
    assert!(error.contains("presence_min") && error.contains("contradicted"), "{error}");
    let text = BASELINE.replace("version = 1", "version = \"one\"");
    let error = RulePack::parse(&text).unwrap_err().to_string();
    assert!(error.contains("line") && error.contains("version"), "{error}");
    let text = BASELINE.replace("days = 10", "days = 0");
    assert!(RulePack::parse(&text).unwrap_err().to_string().contains("days"));
}
