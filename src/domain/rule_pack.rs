//! Rule packs: a jurisdiction's rules as data, with the source of every number.

mod check;
mod class_rule;
mod numbers;
mod refusal;
mod sense;
mod shipped;
mod source;
mod time_rule;

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

pub use self::class_rule::{
    CheckIns, Class, ClassRule, Colour, Companion, CountedFrom, EndConditions, ReleaseRule, Secondary, Tests,
    TimeStep, Within,
};
pub use self::numbers::Number;
pub use self::refusal::InvalidPack;
pub use self::shipped::SHIPPED;
pub use self::source::{Grade, NOT_PUBLISHED, Provenance, Source};
pub use self::time_rule::{Clock, Ends, KnownTime, Linger, RoundHow, Rounding, Sampling, TimeRule};

use super::case::CaseKind;
use super::exposure::Relation;
use super::numbered::Numbered;

/// One version of a jurisdiction's rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulePack {
    /// Its name, such as `baseline`.
    pub id: String,
    /// Counts its versions; a version that was used is never changed.
    pub version: i32,
    /// Name in Chinese.
    pub title_zh: String,
    /// Name in English.
    pub title_en: String,
    /// Whose rules these are: a division code of GB/T 2260, or a country of ISO 3166; none for a peer's or our own.
    #[serde(default)]
    pub jurisdiction: Option<String>,
    /// The day from which it holds.
    pub effective_from: NaiveDate,
    /// The first day on which it no longer held.
    #[serde(default)]
    pub effective_until: Option<NaiveDate>,
    /// Which cases count.
    pub index_kinds: Vec<CaseKind>,
    /// Where the keys above come from, as for the numbers: by key the name of a source.
    #[serde(default)]
    pub based_on: BTreeMap<String, String>,
    /// What these rules say that place codes cannot tell, such as a fever or a job; for the reader.
    #[serde(default)]
    pub not_computed: Vec<String>,
    /// The sources that the numbers name, by a short key.
    #[serde(default)]
    pub source: BTreeMap<String, Source>,
    /// When a case is infectious.
    pub infectious: Infectious,
    /// How times are cut, rounded and compared.
    #[serde(default)]
    pub time: TimeRule,
    /// The classes, the strongest first; a visitor gets the first that is met.
    #[serde(rename = "class")]
    pub classes: Vec<ClassRule>,
}

/// When a case is infectious.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Infectious {
    /// Days before onset.
    pub before_onset_days: u32,
    /// Days before the first positive sample, where there is no onset.
    pub before_sample_days: u32,
    /// The period ends so many days after onset (or sample), where isolation does not end it earlier.
    #[serde(default)]
    pub after_days: Option<u32>,
    /// Whether it begins at the local midnight before; else to the hour of onset or sample.
    #[serde(default)]
    pub whole_days: bool,
    /// How much a minute counts, in hundredths, by the local day since onset (or sample): `{ "-2" = 60, "0" = 160 }`.
    /// A day that is missing counts nothing. Without it, every minute counts one.
    #[serde(default)]
    pub weight_percent: Option<BTreeMap<String, u32>>,
    /// The same for cases without onset; without it, `weight_percent` holds for them too.
    #[serde(default)]
    pub weight_percent_sample: Option<BTreeMap<String, u32>>,
    /// Where the numbers come from.
    pub source: Provenance,
}

impl RulePack {
    /// Reads the text of a pack.
    pub fn parse(text: &str) -> Result<Self, InvalidPack> {
        let pack: Self = toml::from_str(text).map_err(|error| InvalidPack::shape(text, &error))?;
        pack.check().map_err(|refused| refused.located(text))?;
        Ok(pack)
    }

    /// Name and version, as every result carries them: `baseline@1`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.id, self.version)
    }

    /// How long before onset a case is infectious.
    pub fn before_onset(&self) -> TimeDelta {
        TimeDelta::days(self.infectious.before_onset_days.into())
    }

    /// How long before the sample a case without onset is infectious.
    pub fn before_sample(&self) -> TimeDelta {
        TimeDelta::days(self.infectious.before_sample_days.into())
    }

    /// All relations that some class asks for.
    pub fn relations(&self) -> Vec<Relation> {
        let asked =
            |relation: &&Relation| self.classes.iter().any(|class| class.relations.contains(relation));
        Relation::ALL.iter().filter(asked).copied().collect()
    }

    /// How long before and after a stay of the case somebody else may have been there and count.
    pub fn slack(&self) -> (TimeDelta, TimeDelta) {
        let (before, after) = self.time.slack();
        (before, after + TimeDelta::minutes(self.after_case_mins().into()))
    }

    /// The longest that some class asks for after the case had left, in minutes.
    pub fn after_case_mins(&self) -> u32 {
        self.classes.iter().filter_map(|class| class.after_case_mins).max().unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "rule_pack/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rule_pack/schema_tests.rs"]
mod schema_tests;
