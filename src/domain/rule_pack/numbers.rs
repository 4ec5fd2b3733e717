//! The numbers of a class with their sources, for whoever asks what a result rests on.

use serde_json::Value;

use super::{ClassRule, NOT_PUBLISHED, Provenance, RulePack, Source};

/// A number of a class, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Its key in the pack, such as `together_mins`.
    pub key: String,
    /// What it is set to.
    pub value: Value,
    /// Where it comes from, in words: a title, or that it is not published and what was chosen.
    pub basis: String,
    /// The source, where the pack names one.
    pub source: Option<Source>,
}

impl RulePack {
    /// The numbers of a class with their sources, in the order of their keys; one line for all where the pack gives
    /// one source for all.
    pub fn numbers(&self, class: &ClassRule) -> Vec<Number> {
        let values = serde_json::to_value(class).unwrap_or_default();
        let value = |key: &str| values.get(key).cloned().unwrap_or_default();
        match &class.source {
            Provenance::Whole(text) => ["together_mins", "within_hours", "days"]
                .into_iter()
                .filter(|key| !value(key).is_null())
                .map(|key| Number {
                    key: key.to_owned(),
                    value: value(key),
                    basis: text.clone(),
                    source: None,
                })
                .collect(),
            Provenance::Each(sources) => sources
                .iter()
                .map(|(key, name)| {
                    let source = self.source.get(name).cloned();
                    let basis =
                        source.as_ref().map_or_else(|| unpublished(name), |source| source.title.clone());
                    Number { key: key.clone(), value: value(key), basis, source }
                })
                .collect(),
        }
    }
}

fn unpublished(name: &str) -> String {
    if name.starts_with(NOT_PUBLISHED) { name.to_owned() } else { NOT_PUBLISHED.to_owned() }
}
